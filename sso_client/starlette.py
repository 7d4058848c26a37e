"""Lockstep for Starlette and FastAPI: `sso.mount(app)`, dependencies and `login_required`. It translates; the rules are
in `site` and `routes`. Nothing here blocks the event loop.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar, cast

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sso_client.bearer import Bearer
from sso_client.client import AsyncSSOClient
from sso_client.clock import Clock
from sso_client.errors import SSOError
from sso_client.hooks import OnLogin, OnLogout
from sso_client.records import Event, LocalSession
from sso_client.records import Scope as SignOutScope
from sso_client.routes import Routes
from sso_client.settings import Settings, load_settings
from sso_client.signed_token import MAX_TOKEN
from sso_client.site import Demand, Site
from sso_client.stores import LocalStore
from sso_client.stores.opening import open_store
from sso_client.tabs import MANY
from sso_client.user import User
from sso_client.web import WebAnswer, WebRequest

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
_KEY = "sso_client"


class Refused(Exception):
    """A dependency's way to answer instead of the endpoint; `mount` brings the handler that sends the answer."""

    def __init__(self, answer: WebAnswer) -> None:
        self.answer = answer
        super().__init__(f"status {answer.status}")


class SSO:
    """Single sign-on for Starlette and FastAPI applications.

    Options are the fields of `sso_client.Settings`; what is not given comes from the environment. Without `store=` the
    local sessions lie in `folder`, which all workers of the host must share. Raises SettingsError naming every problem
    at once, and SSOError `store_...` if local sessions can't be kept.
    """

    def __init__(
        self,
        *,
        prefix: str = "/sso",
        folder: str | Path = "sso-data",
        local_store: LocalStore | None = None,
        clock: Clock | None = None,
        debug: bool = False,
        **options: Any,
    ) -> None:
        self.settings: Settings = load_settings(options)
        self.prefix = "/" + prefix.strip("/")
        store = local_store or open_store(self.settings, Path(folder), clock)
        self.client = AsyncSSOClient(self.settings, store, clock=clock, callback_path=f"{self.prefix}/callback")
        self._site = Site(self.client, prefix=self.prefix, is_debug=lambda: debug, streams=MANY)
        self._routes = Routes(self._site)

    def mount(self, app: Starlette) -> None:
        """Add the routes, the error pages and the headers of guarded pages. The centre itself is not asked."""
        for name in self._routes.by_name:
            app.add_route(f"{self.prefix}/{name}", self._endpoint(name), methods=["GET", "HEAD", "POST"])
        app.add_exception_handler(SSOError, self._show_error)
        app.add_exception_handler(Refused, _show_refusal)
        app.add_middleware(_Marked)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """For `Starlette(lifespan=sso.lifespan)`: closes connections when the application stops."""
        try:
            yield
        finally:
            await self.client.close()

    # ---------------------------------------------------------------- who makes this request

    async def session(self, connection: HTTPConnection) -> LocalSession | None:
        """The local session of a request, looked up once. Raises LeaseExpired (a 503 page)."""
        mark = _mark(connection.scope)
        if self not in mark:
            mark[self] = await self._site.session(_read(connection))
        found: LocalSession | None = mark[self]
        return found

    async def optional_user(self, request: HTTPConnection) -> User | None:
        """Dependency: who makes this request, or None."""
        session = await self.session(request)
        return None if session is None else session.user

    async def user(self, request: Request) -> User:
        """Dependency: the signed-in person. Browsers are sent to sign in, programs get 401."""
        return await self._demanded(request, Demand())

    def demand(
        self, *, groups: Sequence[str] = (), max_age: int | None = None, acr: str | Sequence[str] = ()
    ) -> Callable[[Request], Awaitable[User]]:
        """A dependency as `user`, with demands: `Depends(sso.demand(groups=["staff"]))`.

        `groups`: any one of them. `max_age`: a password typed at most so many seconds ago, else it is asked for again.
        `acr`: any one of these ways of signing in (OpenID Connect Core 1.0 section 2).
        """
        demanded = Demand(tuple(groups), max_age, (acr,) if isinstance(acr, str) and acr else tuple(acr))

        async def user(request: Request) -> User:
            return await self._demanded(request, demanded)

        return user

    def login_required(
        self,
        endpoint: _Endpoint | None = None,
        *,
        groups: Sequence[str] = (),
        max_age: int | None = None,
        acr: str | Sequence[str] = (),
    ) -> Any:
        """Guard an `async def` endpoint whose first parameter is `request`; demands as in `demand`."""
        demanded = self.demand(groups=groups, max_age=max_age, acr=acr)

        def decorate(guarded: _Endpoint) -> _Endpoint:
            if next(iter(signature(guarded).parameters), None) != "request":
                raise TypeError(f"{guarded.__qualname__}: the first parameter of a guarded endpoint is `request`")

            @wraps(guarded)
            async def guard(request: Request, *args: Any, **kwargs: Any) -> Any:
                await demanded(request)
                return await guarded(request, *args, **kwargs)

            return cast(_Endpoint, guard)

        return decorate if endpoint is None else decorate(endpoint)

    async def still_signed_in(self, connection: HTTPConnection) -> bool:
        """For streams and websockets: whether this person may still be served. Asking is no activity."""
        return await self.client.still_signed_in(self._site.cookie(_read(connection)))

    def bearer(
        self, scope: str | Sequence[str] = (), *, groups: Sequence[str] = ()
    ) -> Callable[[Request], Awaitable[User]]:
        """A dependency that guards an API: the person of the access token in the Authorization header.

        401 or 403 with WWW-Authenticate, never a redirect. `scope`: all of them; `groups`: any one of them. The token
        itself is `sso.bearer_of(request)` from then on.
        """

        async def user(request: Request) -> User:
            mark = _mark(request.scope)
            found: Bearer = await self._site.bearer(_read(request), scope, groups)
            mark["bearer"], mark["guarded"] = found, True
            return found.user

        return user

    def bearer_of(self, request: HTTPConnection) -> Bearer | None:
        """Whose access token this request carries, behind `bearer`."""
        return cast(Bearer | None, _mark(request.scope).get("bearer"))

    async def access_token(self, request: HTTPConnection, *, min_life_s: float = 30) -> str:
        """A valid access token of the signed-in person, for calls to APIs; renewed when it is due, by one worker.

        Raises SSOError `login_required`, `session_ended`, `tokens_missing` and others; unhandled they become pages.
        """
        return await self._site.access_token(_read(request), min_life_s)

    # ---------------------------------------------------------------- for pages and hooks

    def login_url(self, request: HTTPConnection, next_page: str | None = None) -> str:
        """Where a link "sign in" leads; back to `next_page`, by default to the current page."""
        return self._site.login_url(_read(request), next_page)

    def logout_url(self, request: HTTPConnection) -> str:
        """Where a form "sign out" posts to. Put `logout_fields()` in the form."""
        return self._site.route_url(_read(request), "logout")

    def logout_fields(self, request: HTTPConnection, scope: SignOutScope = "browser") -> dict[str, str]:
        """The hidden fields of that form: the proof that this site made it, and what it ends."""
        return self._site.logout_fields(_read(request), scope)

    async def tab_script(self, request: HTTPConnection) -> str:
        """A script tag for pages that shall notice when their person is signed out; its page isn't cached."""
        _mark(request.scope)["guarded"] = True
        return self._site.tab_script(_read(request), await self.session(request))

    async def recent_events(self, limit: int = 50) -> list[Event]:
        """What happened last at this site, newest first."""
        return await self.client.recent_events(limit)

    def on_login(self, hook: OnLogin) -> OnLogin:
        """Decorator: `hook(user)`, plain or async, maps a person who has just signed in to the site's own user.

        What it returns (an id, or an object with `get_id`) is the session's `site_user` from then on. None: no mapping.
        SSOError("account_refused") keeps the person out.
        """
        self.client.hooks.on_login = hook
        return hook

    def on_logout(self, hook: OnLogout) -> OnLogout:
        """Decorator: `hook(user, reason)` is called once for each local session that ended, whoever ended it."""
        self.client.hooks.on_logout.append(hook)
        return hook

    # ---------------------------------------------------------------- the edge

    async def _demanded(self, request: Request, demand: Demand) -> User:
        session = await self.session(request)
        refusal = await self._site.refusal(_read(request), session, demand)
        if refusal is not None or session is None:
            raise Refused(refusal or WebAnswer(401))
        _mark(request.scope)["guarded"] = True
        return session.user

    def _endpoint(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = await _read_body(request) if request.method == "POST" else b""
            return _response(await self._routes.answer(name, _read(request, body)))

        return endpoint

    async def _show_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, SSOError)  # noqa: S101 - what the handler is registered for
        return _response(self._site.show_error(_read(request), error))


class _Marked:
    """Notes for each request, and the headers of a guarded page: it belongs to one person, so no cache keeps it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        # Where the application is mounted; below a `Mount` of its own, `root_path` says more than that.
        mark = scope[_KEY] = {"root_path": scope.get("root_path", "")}

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start" and mark.get("guarded"):
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers.add_vary_header("Cookie")
            await send(message)

        await self._app(scope, receive, send_private)


def _mark(scope: Scope) -> dict[Any, Any]:
    try:
        return cast(dict[Any, Any], scope[_KEY])
    except KeyError:
        raise RuntimeError("this application has no SSO: call sso.mount(app)") from None


def _read(connection: HTTPConnection, body: bytes = b"") -> WebRequest:
    scope, root = connection.scope, str(_mark(connection.scope)["root_path"])
    path = scope["path"].removeprefix(root) if root and scope["path"].startswith(root) else scope["path"]
    return WebRequest(
        method=scope.get("method", "GET"),
        scheme="https" if scope["scheme"] in ("https", "wss") else "http",
        host=connection.headers.get("host", connection.url.netloc),
        path=path or "/",
        root_path=root,
        query_string=scope["query_string"],
        headers={name.lower(): value for name, value in connection.headers.items()},
        cookies=connection.cookies,
        remote_addr=connection.client.host if connection.client else "",
        body=body,
        may_wait=True,
    )


async def _read_body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_TOKEN:
            break
    return body[: MAX_TOKEN + 1]


def _response(answer: WebAnswer) -> Response:
    headers = dict(answer.headers)
    if answer.stream is None:
        response = Response(answer.body, answer.status, headers)
    else:
        response = StreamingResponse(answer.stream, answer.status, headers)
    for cookie in answer.cookies:
        response.headers.append("Set-Cookie", cookie.header())
    return response


async def _show_refusal(_: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)  # noqa: S101 - what the handler is registered for
    return _response(refused.answer)
