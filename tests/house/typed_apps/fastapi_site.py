"""A FastAPI application as its owner would type it; each `type: ignore` is a mistake that a type checker must find."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

from sso_client import Bearer, SSOError, User
from sso_client.starlette import SSO

sso = SSO(client_id="shop")
Person = Annotated[User, Depends(sso.user)]
Staff = Annotated[User, Depends(sso.demand(groups=["staff"], max_age=300))]
Caller = Annotated[User, Depends(sso.bearer("profile", groups=["staff"]))]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with sso.lifespan(app):
        yield


app = FastAPI(lifespan=lifespan)
sso.mount(app)


@sso.on_login
async def find_account(user: User) -> str:
    if user.locale is None:
        raise SSOError("account_refused")
    return user.sub


@app.get("/")
async def home(request: Request, user: Annotated[User | None, Depends(sso.optional_user)]) -> dict[str, str]:
    if user is None:
        return {"sign_in": sso.login_url(request, "/orders")}
    return {"name": user.name, "sign_out": sso.logout_url(request), **sso.logout_fields(request)}


@app.get("/orders")
def orders(user: Person) -> dict[str, int | None]:
    age: str = user.auth_time  # type: ignore[assignment]
    return {"since": user.auth_time, age: 1}


@app.post("/refund")
async def refund(request: Request, user: Staff) -> str:
    token: str = await sso.access_token(request)
    later: str = sso.access_token(request)  # type: ignore[assignment]
    return token + later + user.username


@app.get("/api")
async def api(request: Request, user: Caller) -> str | None:
    bearer: Bearer | None = sso.bearer_of(request)
    return None if bearer is None else bearer.jti


@app.get("/stream")
async def stream(request: Request, _: Person) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        while await sso.still_signed_in(request):
            yield "still here\n"

    return StreamingResponse(lines())


@app.websocket("/live")
async def live(websocket: WebSocket, user: Person) -> None:
    await websocket.accept()
    await websocket.send_text(user.name)
