"""A Starlette application as its owner would type it; each `type: ignore` is a mistake that must be found."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sso_client import LocalSession, User
from sso_client.starlette import SSO

sso = SSO(client_id="shop", folder="data")


async def home(request: Request) -> Response:
    user: User | None = await sso.optional_user(request)
    return PlainTextResponse("nobody" if user is None else user.name)


@sso.login_required
async def orders(request: Request) -> PlainTextResponse:
    session: LocalSession | None = await sso.session(request)
    forgotten: LocalSession = sso.session(request)  # type: ignore[assignment]
    return PlainTextResponse(f"{session}{forgotten}")


@sso.login_required(groups=["staff"], acr=["pwd", "otp"])
def refund(request: Request) -> Response:
    return PlainTextResponse(sso.login_url(request))


@sso.bearer_required(scope=["profile", "email"])
async def api(request: Request) -> JSONResponse:
    return JSONResponse({"events": [event.text for event in await sso.recent_events()]})


async def use(request: Request) -> bytes:
    answer: PlainTextResponse = await orders(request)
    await orders("request")  # type: ignore[arg-type]
    return bytes(answer.body)


app = Starlette(routes=[Route("/", home), Route("/orders", orders), Route("/api", api)], lifespan=sso.lifespan)
sso.mount(app)
