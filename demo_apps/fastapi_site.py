"""An example on FastAPI. Its sisters on Flask, Django and plain WSGI have the same pages at the same addresses.

Environment: `SSO_*` for the SDK. Run: `uvicorn --workers 4 --factory demo_apps.fastapi_site:create_app`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from html import escape
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from sso_client import User
from sso_client.starlette import SSO


def create_app() -> FastAPI:
    """The site as an ASGI application. Raises what `SSO` raises."""
    sso = SSO()
    app = FastAPI(lifespan=sso.lifespan)
    sso.mount(app)
    person = Annotated[User, Depends(sso.user)]

    def page(request: Request, title: str, user: User | None) -> HTMLResponse:
        if user is None:
            who = f'Nobody is signed in. <a href="{escape(sso.login_url(request, "/account"))}">Sign in</a>'
        else:
            fields = (f'<input type="hidden" name="{k}" value="{v}">' for k, v in sso.logout_fields(request).items())
            form = f"{''.join(fields)}<button>Sign out</button></form>"
            who = f'Signed in as {escape(user.name)}.<form method="post" action="{sso.logout_url(request)}">{form}'
        return HTMLResponse(f"<!doctype html><title>Example</title><h1>{title}</h1><p>{who}</p>")

    @app.get("/")
    async def home(request: Request, user: Annotated[User | None, Depends(sso.optional_user)]) -> HTMLResponse:
        return page(request, "For everybody", user)

    @app.get("/account")
    async def account(request: Request, user: person) -> HTMLResponse:
        return page(request, "Your account", user)

    @app.get("/staff")
    async def staff(request: Request, user: Annotated[User, Depends(sso.demand(groups=["staff"]))]) -> HTMLResponse:
        return page(request, "For staff", user)

    @app.get("/fresh")
    async def fresh(request: Request, user: Annotated[User, Depends(sso.demand(max_age=5))]) -> HTMLResponse:
        return page(request, "For who has just typed a password", user)

    @app.get("/api/time")
    async def api_time(user: Annotated[User, Depends(sso.bearer("profile"))]) -> dict[str, str | int]:
        return {"sub": user.sub, "now": now()}

    @app.get("/token")
    async def token(request: Request, _: person) -> dict[str, str]:
        return {"access_token": await sso.access_token(request)}

    @app.get("/stream")
    async def stream(request: Request, _: person) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            while await sso.still_signed_in(request):
                yield f"{now()}\n"
                await asyncio.sleep(0.2)

        return StreamingResponse(lines(), media_type="text/plain")

    return app


def now() -> int:
    """Seconds on this host's clock, whatever they began with."""
    return int(time.monotonic())
