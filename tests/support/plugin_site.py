"""Small sites made from nothing but the environment, one for each framework, as the pytest plugin's tests meet them."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from sso_client.flask import SSO, current_user


def make_site(**options: object) -> Flask:
    """A guarded start page, one for the staff alone, and one for everybody."""
    app = Flask("site_under_test")
    sso = SSO(app, **options)

    @app.get("/")
    @sso.login_required
    def home() -> str:
        return f"Hi {current_user.name}"

    @app.get("/staff")
    @sso.login_required(groups=["staff"])
    def staff() -> str:
        return f"staff: {current_user.email}"

    @app.get("/vault")
    @sso.login_required(max_age=300, acr="gold")
    def vault() -> str:
        return f"vault: {current_user.acr}"

    @app.get("/open")
    def open_page() -> str:
        return f"open to {current_user.name or 'everybody'}"

    return app


def make_starlette_site() -> Any:
    """A guarded start page on Starlette."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from sso_client import starlette as adapter

    sso = adapter.SSO()

    async def home(request: Request) -> PlainTextResponse:
        user = await sso.user(request)
        return PlainTextResponse(f"Hi {user.name}")

    app = Starlette(routes=[Route("/", home)], lifespan=sso.lifespan)
    sso.mount(app)
    return app


def make_fastapi_site() -> Any:
    """The same on FastAPI, by a dependency."""
    from typing import Annotated

    from fastapi import Depends, FastAPI
    from fastapi.responses import PlainTextResponse

    from sso_client import User
    from sso_client import starlette as adapter

    sso = adapter.SSO()
    app = FastAPI(lifespan=sso.lifespan)
    sso.mount(app)

    @app.get("/", response_class=PlainTextResponse)
    async def home(user: Annotated[User, Depends(sso.user)]) -> str:
        return f"Hi {user.name}"

    return app


def make_wsgi_site() -> Any:
    """An application that knows REMOTE_USER only, behind the middleware."""
    from sso_client.wsgi import SSOMiddleware

    def old_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"Hi {environ['REMOTE_USER'].capitalize()}".encode()]

    return SSOMiddleware(old_app)
