"""What only Starlette and FastAPI have: websockets, mounted applications, endpoints of every kind, an OpenAPI page."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from sso_client import SSOError, User
from sso_client.signed_token import MAX_TOKEN
from sso_client.starlette import SSO
from sso_client.starlette_edge import read_body
from sso_client.testing.tokens import Grant
from tests.support.all_sites import Visitor, over_asgi
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid

WS = "ws://localhost/ws"


@pytest.fixture
def sso(centre: FakeProvider, clock: MovedClock, tmp_path: Path) -> SSO:
    return SSO(folder=tmp_path, clock=clock, issuer=centre.issuer, client_id="shop", client_secret=centre.client_secret)


@pytest.fixture
def visit(centre: FakeProvider) -> Iterator[Callable[..., Visitor]]:
    """Somebody at an application."""
    with ExitStack() as stack:
        yield lambda app, base_url="http://localhost": Visitor(over_asgi(app, base_url, stack), centre)


@pytest.fixture
def app(sso: SSO) -> FastAPI:
    made = FastAPI(lifespan=sso.lifespan)
    sso.mount(made)

    @made.websocket("/ws")
    async def talk(websocket: WebSocket, user: Annotated[User, Depends(sso.user)]) -> None:
        await websocket.accept()
        await websocket.send_text(user.name)
        await websocket.receive_text()
        while await sso.still_signed_in(websocket):
            await websocket.send_text("still here")
            await websocket.receive_text()
        await websocket.close()

    @made.websocket("/ws-open")
    async def listen(websocket: WebSocket, user: Annotated[User | None, Depends(sso.optional_user)]) -> None:
        await websocket.accept()
        found = [user, await sso.session(websocket), await sso.still_signed_in(websocket)]
        try:
            found.append(await sso.access_token(websocket))
        except SSOError:
            found.append(None)
        await websocket.send_text(str([bool(each) for each in found]))
        await websocket.close()

    @made.get("/account")
    @sso.login_required
    async def account(request: Request, shown: int = 3) -> str:
        return f"{shown}"

    return made


def sign_in(http: TestClient, centre: FakeProvider, sid: str) -> None:
    start = http.get("/sso/login?next=/account", follow_redirects=False).headers["Location"]
    assert http.get(centre.callback_url(start, sid=sid), follow_redirects=False).status_code == 302


def test_a_websocket_is_for_who_is_signed_in_and_ends_with_the_session(app: FastAPI, centre: FakeProvider) -> None:
    sid = new_sid()
    with TestClient(app, base_url="http://localhost") as http:
        with pytest.raises(WebSocketDenialResponse) as denied, http.websocket_connect(WS):
            pass
        assert denied.value.status_code == 401
        assert denied.value.json()["error"] == "login_required"
        sign_in(http, centre, sid)
        with http.websocket_connect(WS, headers={"Origin": "http://localhost"}) as socket:
            assert socket.receive_text() == "Alice Example"
            socket.send_text("?")
            assert socket.receive_text() == "still here"
            http.post(
                "/sso/backchannel-logout",
                content=centre.logout_form(sid=sid),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            socket.send_text("?")
            with pytest.raises(WebSocketDisconnect):
                socket.receive_text()


@pytest.mark.parametrize("origin", ["http://evil.localhost", "https://localhost", "http://localhost:81", "null"])
def test_a_page_of_another_origin_opens_no_websocket(origin: str, app: FastAPI, centre: FakeProvider) -> None:
    with TestClient(app, base_url="http://localhost") as http:
        sign_in(http, centre, new_sid())
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            http.websocket_connect(WS, headers={"Origin": origin}),
        ):
            pass
        assert denied.value.status_code == 403


@pytest.mark.parametrize(
    ("origin", "is_known"), [("http://localhost", True), ("http://evil.localhost", False), ("null", False)]
)
def test_at_an_open_websocket_the_person_of_another_origins_page_is_nobody(
    origin: str, is_known: bool, app: FastAPI, centre: FakeProvider
) -> None:
    with TestClient(app, base_url="http://localhost") as http:
        sign_in(http, centre, new_sid())
        with http.websocket_connect("ws://localhost/ws-open", headers={"Origin": origin}) as socket:
            assert socket.receive_text() == str([is_known] * 4)


def test_a_websocket_over_tls_is_of_the_sites_own_origin(app: FastAPI) -> None:
    with (
        TestClient(app, base_url="https://localhost") as http,
        pytest.raises(WebSocketDenialResponse) as denied,
        http.websocket_connect("wss://localhost/ws", headers={"Origin": "https://localhost"}),
    ):
        pass
    assert denied.value.status_code == 401, "nobody is signed in, and that is all"


def test_a_page_that_watches_over_its_session_is_not_cached(sso: SSO, visit: Callable[..., Visitor]) -> None:
    async def page(request: Request) -> Response:
        return PlainTextResponse(await sso.tab_script(request))

    site = Starlette(routes=[Route("/", page)], lifespan=sso.lifespan)
    sso.mount(site)
    assert visit(site).get("/").header("Cache-Control") == "no-store"


def test_when_the_application_stops_its_connections_are_closed(
    app: FastAPI, sso: SSO, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    close = sso.client.close

    async def hear() -> None:
        await close()
        closed.append(True)

    monkeypatch.setattr(sso.client, "close", hear)
    with TestClient(app):
        assert closed == []
    assert closed == [True]


def test_of_a_body_no_more_is_read_than_one_token_may_have() -> None:
    parts = 0

    async def receive() -> Any:
        nonlocal parts
        parts += 1
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": parts < 1000}

    assert len(asyncio.run(read_body(Request({"type": "http", "method": "POST"}, receive)))) == MAX_TOKEN + 1
    assert parts == 2


def test_a_server_that_cannot_answer_a_websocket_closes_it(app: FastAPI) -> None:
    sent: list[Any] = []

    async def connect() -> None:
        scope = {
            "type": "websocket",
            "path": "/ws",
            "scheme": "ws",
            "query_string": b"",
            "headers": [],
            "root_path": "",
        }
        scope["headers"] = [(b"host", b"localhost")]

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)

    asyncio.run(connect())
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1008)]


def test_an_application_below_is_guarded_and_the_way_in_is_above(sso: SSO, visit: Callable[..., Visitor]) -> None:
    below = FastAPI()
    sso.mount(below, routes=False)

    @below.get("/orders")
    async def orders(user: Annotated[User, Depends(sso.user)]) -> str:
        return user.name

    above = FastAPI(lifespan=sso.lifespan)
    sso.mount(above)
    above.mount("/below", below)
    alice = visit(above)
    assert alice.get("/below/orders?a=1").location == "/sso/login?next=/below/orders?a%3D1"
    alice.sign_in("/below/orders")
    page = alice.get("/below/orders")
    assert (page.status, page.text, page.header("Cache-Control")) == (200, '"Alice Example"', "no-store")


@pytest.mark.parametrize("how", ["mounted", "root_path"])
def test_below_a_mount_point_everything_stays_below_it(
    how: str, sso: SSO, visit: Callable[..., Visitor], centre: FakeProvider
) -> None:
    async def account(request: Request) -> Response:
        user = await sso.user(request)
        return PlainTextResponse(f"{user.name} {sso.logout_url(request)}")

    if how == "mounted":
        shop = Starlette(routes=[Route("/account", account), Route("/shopping", account)])
        sso.mount(shop)
        site, at = Starlette(routes=[Mount("/shop", shop)], lifespan=sso.lifespan), "/shop"
    else:  # behind a proxy that cuts the prefix off, with a server that was told so
        shop, at = FastAPI(lifespan=sso.lifespan), ""
        sso.mount(shop)
        shop.add_route("/account", account)
        shop.add_route("/shopping", account)

        async def site(scope: Any, receive: Any, send: Any) -> None:
            await shop(scope | {"root_path": "/shop"}, receive, send)

    alice = visit(site)
    assert alice.get(f"{at}/account").location == "/shop/sso/login?next=/shop/account"
    assert alice.get(f"{at}/shopping").location == "/shop/sso/login?next=/shop/shopping"
    start = alice.get(f"{at}/sso/login?next=/shop/account").location or ""
    back = centre.callback_url(start, sid=new_sid())
    assert back.startswith("/shop/sso/callback?")
    assert alice.get(back if at else back.removeprefix("/shop")).location == "/shop/account"
    assert alice.get(f"{at}/account").text == "Alice Example /shop/sso/logout"


def test_endpoints_of_every_kind_can_be_guarded(sso: SSO, visit: Callable[..., Visitor], centre: FakeProvider) -> None:
    @sso.login_required
    def plain(request: Request) -> Response:
        return PlainTextResponse("plain")

    class Orders(HTTPEndpoint):
        @sso.login_required(groups=["staff"])
        async def get(self, request: Request) -> Response:
            return PlainTextResponse("orders")

    @sso.bearer_required(scope="profile")
    def api(request: Request) -> Response:
        bearer = sso.bearer_of(request)
        assert bearer is not None
        return PlainTextResponse(f"{bearer.user.sub} {bearer.client_id}")

    with pytest.raises(TypeError, match="request"):
        sso.login_required(lambda: None)
    routes = [Route("/plain", plain), Route("/orders", Orders), Route("/api", api)]
    site = Starlette(routes=routes, lifespan=sso.lifespan)
    sso.mount(site)
    alice = visit(site)
    assert [alice.get(path).status for path in ("/plain", "/orders", "/api")] == [302, 302, 401]
    alice.sign_in("/plain")
    assert [alice.get(path).status for path in ("/plain", "/orders", "/api")] == [200, 403, 401]
    session = centre.open_session("usr-bob", {})
    token = centre.new_access_token(Grant(session.sid, "usr-bob", "openid profile", session.auth_time))
    assert alice.get("/api", Authorization=f"Bearer {token}").text == "usr-bob shop"


def test_two_words_for_one_thing_are_not_heard_as_the_later_one(app: FastAPI, centre: FakeProvider) -> None:
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as http:
        sign_in(http, centre, new_sid())
        twice = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-origin")]
        assert http.post("/sso/logout", headers=twice).status_code == 403
        assert http.get("/account").status_code == 200


def test_the_openapi_page_has_the_sites_endpoints_alone(app: FastAPI, visit: Callable[..., Visitor]) -> None:
    with TestClient(app, base_url="http://localhost") as http:
        document = http.get("/openapi.json").json()
    assert list(document["paths"]) == ["/account"]
    assert [parameter["name"] for parameter in document["paths"]["/account"]["get"]["parameters"]] == ["shown"]


def test_an_application_without_sso_says_what_to_do(sso: SSO) -> None:
    @sso.login_required
    async def page(request: Request) -> Response:
        return PlainTextResponse("")

    with pytest.raises(RuntimeError, match=r"sso\.mount"), TestClient(Starlette(routes=[Route("/", page)])) as http:
        http.get("/")
