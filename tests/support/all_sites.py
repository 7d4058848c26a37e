"""One site in four frameworks, and one browser for them all: the same pages at the same addresses."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse
from flask import Flask
from starlette.testclient import TestClient

from sso_client import Event, LocalStore, SSOError, User
from sso_client import flask as sso_flask
from sso_client import starlette as sso_starlette
from sso_client.flask import current_user
from sso_client.site import Demand
from sso_client.testing import WsgiClient
from sso_client.testing.page import Page
from sso_client.wsgi import Caller, SSOMiddleware
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid

FORM = "application/x-www-form-urlencoded"
FRAMEWORKS = ("flask", "django", "starlette", "wsgi")
Send = Callable[[str, str, bytes, Mapping[str, str]], Page]
Ended = list[tuple[str, str]]


@dataclass
class Visitor:
    """A person with a browser at one site."""

    send: Send
    centre: FakeProvider
    cookies: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Page:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            told["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        page = self.send(method, path, body, told)
        for made in set_cookies(page):
            for name, morsel in SimpleCookie(made).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return page

    def get(self, path: str, **headers: str) -> Page:
        return self.request("GET", path, **headers)

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Page:
        return self.request("POST", path, urlencode(form or {}).encode(), Content_Type=FORM, **headers)

    def start(self, path: str = "/account") -> str:
        """Open a guarded page and follow to the centre; returns the centre's address."""
        page = self.get(path)
        while page.location is not None and page.location.startswith("/"):
            page = self.get(page.location)
        assert page.status == 302, page.text
        return page.location or ""

    def sign_in(self, path: str = "/account", sid: str | None = None, sub: str = "usr-alice") -> Page:
        """The whole way round; returns the answer to the callback."""
        return self.get(self.centre.callback_url(self.start(path), sid=sid or new_sid(), sub=sub))

    def is_in(self) -> bool:
        return self.get("/account").status == 200


def set_cookies(page: Page) -> list[str]:
    """The values of the Set-Cookie headers."""
    return [value.strip() for name, value in page.headers if name.lower() == "set-cookie"]


@dataclass
class AnySite:
    """The site as one framework runs it. `ended` is what its hook `on_logout` was told."""

    send: Send
    store: LocalStore
    centre: FakeProvider
    ended: Ended

    def visitor(self) -> Visitor:
        return Visitor(self.send, self.centre)

    def call(self, **changes: Any) -> Page:
        """The centre's logout call."""
        return self.send("POST", "/sso/backchannel-logout", self.centre.logout_form(**changes), {"Content-Type": FORM})

    def events(self) -> list[str]:
        """What its log says, oldest first."""
        return [event.kind for event in reversed(self.log())]

    def log(self) -> list[Event]:
        return self.store.events.recent(50)


def over_wsgi(app: Any, base_url: str) -> Send:
    client = WsgiClient(app, base_url=base_url)
    return lambda method, path, body, headers: client.request(method, path, body, headers, cookies=False)


def over_asgi(app: Any, base_url: str, stack: ExitStack) -> Send:
    client = stack.enter_context(TestClient(app, base_url=base_url, follow_redirects=False))

    def send(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Page:
        answer = client.request(method, path, content=body, headers={"Host": base_url.split("//")[1], **headers})
        client.cookies.clear()
        return Page(answer.status_code, tuple(answer.headers.multi_items()), answer.text)

    return send


def name_or_refuse(user: User) -> str | None:
    """What the sites do at a sign-in."""
    if user.sub == "usr-mallory":
        raise SSOError("account_refused", user.sub)
    return "seven" if user.sub == "usr-seven" else None


@dataclass
class Making:
    """What every site is made of."""

    centre: FakeProvider
    clock: MovedClock
    folder: Path
    stack: ExitStack
    django: Any = None  # DjangoSites, where Django is asked for
    settings: dict[str, Any] = field(default_factory=dict)  # in the place of the provider's

    def make(self, framework: str, base_url: str = "http://localhost", **options: Any) -> AnySite:
        ended: Ended = []
        given = {
            "issuer": self.centre.issuer,
            "client_id": self.centre.client_id,
            "client_secret": self.centre.client_secret,
            **self.settings,
            **options,
        }
        makers = {"flask": self._flask, "django": self._django, "starlette": self._starlette, "wsgi": self._wsgi}
        send, store = makers[framework](base_url, given, lambda user, reason: ended.append((user.sub, reason)))
        return AnySite(send, store, self.centre, ended)

    def _flask(self, base_url: str, given: dict[str, Any], hear: Any) -> tuple[Send, LocalStore]:
        app = Flask("all", instance_path=str(self.folder))
        sso = sso_flask.SSO(app, clock=self.clock, **given)
        sso.on_logout(hear)
        sso.on_login(name_or_refuse)
        client = app.extensions["sso_client"].client
        self.stack.callback(client.close)
        need = sso.login_required
        app.get("/account")(need(lambda: f"Hi {current_user.name}"))
        app.get("/deep/<path:rest>", endpoint="deep")(need(lambda rest: f"deep {rest}"))
        app.get("/staff", endpoint="staff")(need(groups=["boss", "staff"])(lambda: "staff only"))
        app.get("/one-group", endpoint="one_group")(need(groups="staff", acr="")(lambda: "one group"))
        app.get("/fresh", endpoint="fresh")(need(max_age=300)(lambda: "fresh"))
        app.post("/order", endpoint="order")(need(lambda: "ordered"))
        app.get("/open", endpoint="open")(lambda: current_user.name or "nobody")
        app.get("/api/me", endpoint="api")(sso.bearer_required(scope="profile")(lambda: current_user.sub))
        members = sso.bearer_required(scope="profile", groups=["boss", "staff"])
        app.get("/api/staff", endpoint="members")(members(lambda: current_user.sub))
        app.get("/api/one-group", endpoint="caller")(sso.bearer_required(groups="staff")(lambda: current_user.sub))
        app.get("/token", endpoint="token")(need(sso.access_token))
        app.get("/own-user", endpoint="own-user")(need(lambda: str(sso.session and sso.session.site_user)))
        app.post("/leave", endpoint="leave")(lambda: str(sso.sign_out()))
        app.get("/log", endpoint="log")(lambda: sso.recent_events(1)[0].kind)
        app.get("/form", endpoint="form")(need(lambda: str(sso.logout_field("site")).split('value="')[1].split('"')[0]))
        return over_wsgi(app, base_url), client.store

    def _django(self, base_url: str, given: dict[str, Any], hear: Any) -> tuple[Send, LocalStore]:
        from django.core.handlers.wsgi import WSGIHandler

        from sso_client.django import connection, sso_signed_out

        options = {name.upper(): value for name, value in given.items()}
        options["ON_LOGIN"] = "tests.support.django_pages.name_or_refuse"
        self.django.browser(django={"ROOT_URLCONF": "tests.support.django_pages"}, **options)

        def signed_out(user: User, reason: str, **_: Any) -> None:
            hear(user, reason)

        sso_signed_out.connect(signed_out, weak=False)
        self.stack.callback(sso_signed_out.disconnect, signed_out)
        return over_wsgi(WSGIHandler(), base_url), connection._current.client.store

    def _starlette(self, base_url: str, given: dict[str, Any], hear: Any) -> tuple[Send, LocalStore]:
        sso = sso_starlette.SSO(folder=self.folder, clock=self.clock, **given)
        sso.on_logout(hear)
        sso.on_login(name_or_refuse)
        return over_asgi(fastapi_site(sso), base_url, self.stack), sso.client.store

    def _wsgi(self, base_url: str, given: dict[str, Any], hear: Any) -> tuple[Send, LocalStore]:
        rules = dict.fromkeys(("/account", "/deep", "/order", "/token", "/form", "/own-user"), Demand())
        rules |= {"/staff": Demand(groups=("boss", "staff")), "/fresh": Demand(max_age_s=300)}
        one: Any = {"groups": "staff", "acr": ""}  # no tuples: mypy would say so, and who has none may well write it
        rules |= {"/one-group": Demand(**one)}
        apis = {"/api": "profile", "/api/staff": Caller("profile", ("boss", "staff"))}
        apis |= {"/api/one-group": Caller(groups=one["groups"])}
        site = SSOMiddleware(plain_app, protect=rules, bearer=apis, folder=self.folder, clock=self.clock, **given)
        site.on_logout(hear)
        site.on_login(name_or_refuse)
        self.stack.callback(site.client.close)
        return over_wsgi(site, base_url), site.client.store


def fastapi_site(sso: sso_starlette.SSO) -> FastAPI:
    """Dependencies and decorators, `async def` and `def`."""
    app = FastAPI(lifespan=sso.lifespan, default_response_class=PlainTextResponse)
    sso.mount(app)

    @app.get("/account")
    def account(user: Annotated[User, Depends(sso.user)]) -> str:
        return f"Hi {user.name}"

    @app.get("/deep/{rest:path}")
    @sso.login_required
    async def deep(request: Request, rest: str) -> str:
        return f"deep {rest}"

    @app.get("/staff")
    async def staff(user: Annotated[User, Depends(sso.demand(groups=["boss", "staff"]))]) -> str:
        return "staff only"

    @app.get("/one-group")
    @sso.login_required(groups="staff", acr="")
    def one_group(request: Request) -> str:
        return "one group"

    @app.get("/fresh")
    @sso.login_required(max_age=300)
    def fresh(request: Request) -> str:
        return "fresh"

    @app.post("/order")
    async def order(user: Annotated[User, Depends(sso.user)]) -> str:
        return "ordered"

    @app.get("/open")
    async def open_page(user: Annotated[User | None, Depends(sso.optional_user)]) -> str:
        return user.name if user else "nobody"

    @app.get("/api/me")
    async def api(user: Annotated[User, Depends(sso.bearer("profile"))]) -> str:
        return user.sub

    @app.get("/api/staff")
    async def members(user: Annotated[User, Depends(sso.bearer("profile", groups=["boss", "staff"]))]) -> str:
        return user.sub

    @app.get("/api/one-group")
    async def caller(user: Annotated[User, Depends(sso.bearer(groups="staff"))]) -> str:
        return user.sub

    @app.get("/token")
    @sso.login_required
    async def token(request: Request) -> str:
        return await sso.access_token(request)

    @app.get("/own-user")
    @sso.login_required
    async def own_user(request: Request) -> str:
        session = await sso.session(request)
        return str(session and session.site_user)

    @app.post("/leave")
    async def leave(request: Request) -> str:
        return str(await sso.sign_out(request))

    @app.get("/log")
    async def log() -> str:
        return (await sso.recent_events(1))[0].kind

    @app.get("/form")
    @sso.login_required
    async def form(request: Request) -> str:
        return sso.logout_fields(request, "site")["logout_form"]

    return app


def plain_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """An application that knows only its environ."""
    path, user = environ["PATH_INFO"].encode("latin-1").decode(), environ["sso.user"]
    pages = {
        "/account": lambda: f"Hi {user.name}",
        "/staff": lambda: "staff only",
        "/one-group": lambda: "one group",
        "/fresh": lambda: "fresh",
        "/order": lambda: "ordered",
        "/open": lambda: user.name if user else "nobody",
        "/api/me": lambda: user.sub,
        "/api/staff": lambda: user.sub,
        "/api/one-group": lambda: user.sub,
        "/token": environ["sso"].access_token,
        "/own-user": lambda: str(environ["sso"].session.site_user),
        "/leave": lambda: str(environ["sso"].sign_out()),
        "/log": lambda: environ["sso"].recent_events(1)[0].kind,
        "/form": lambda: environ["sso"].logout_fields("site")["logout_form"],
    }
    page = pages.get(path, lambda: path[1:].replace("/", " ", 1))()
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [page.encode()]
