"""Lockstep for Starlette and FastAPI: `sso.mount(app)`, dependencies and `login_required`. It translates; the rules are
in `site` and `routes`. Nothing here blocks the event loop.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import wraps
from inspect import iscoroutinefunction, signature
from pathlib import Path
from typing import Any, TypeVar, cast, overload

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from sso_client.addresses import origin_of
from sso_client.bearer import Bearer
from sso_client.client import AsyncSSOClient
from sso_client.clock import Clock
from sso_client.errors import SSOError
from sso_client.hooks import OnLogin, OnLogout
from sso_client.records import Event, LocalSession, Scope
from sso_client.routes import Routes
from sso_client.settings import Settings, load_settings
from sso_client.site import Demand, Site, names
from sso_client.starlette_edge import Marked, Note, note_of, read_body, read_request, refuse, to_response
from sso_client.stores import LocalStore
from sso_client.stores.opening import open_store
from sso_client.tabs import MANY
from sso_client.user import User
from sso_client.web import WebAnswer, WebRequest

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
_Dependency = Callable[[HTTPConnection], Awaitable[User]]


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

    def mount(self, app: Starlette, *, routes: bool = True) -> None:
        """Add the routes, the error pages and the headers of guarded pages. The centre itself is not asked.

        An application that is itself mounted below `app` has error handlers of its own: `sso.mount(below,
        routes=False)` lets the guards of its pages answer.
        """
        for name in self._routes.by_name if routes else ():
            app.add_route(f"{self.prefix}/{name}", self._endpoint(name), methods=["GET", "HEAD", "POST"])
        # Starlette's types know handlers for requests or for websockets; these are for both.
        app.add_exception_handler(SSOError, cast(Any, self._show_error))
        app.add_exception_handler(Refused, cast(Any, _show_refusal))
        app.add_middleware(Marked, owner=self)

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
        note = self._note(connection)
        if note.found is None:
            note.found = (await self._site.session(self._read(connection)),)
        return note.found[0]

    async def optional_user(self, request: HTTPConnection) -> User | None:
        """Dependency: who makes this request, or None."""
        session = await self.session(request)
        return None if session is None else session.user

    async def user(self, request: HTTPConnection) -> User:
        """Dependency: the signed-in person. Browsers are sent to sign in, programs and websockets get 401."""
        return await self._demanded(request, Demand())

    def demand(
        self, *, groups: Sequence[str] = (), max_age: int | None = None, acr: str | Sequence[str] = ()
    ) -> _Dependency:
        """A dependency as `user`, with demands: `Depends(sso.demand(groups=["staff"]))`.

        `groups`: any one of them. `max_age`: a password typed at most so many seconds ago, else it is asked for again.
        `acr`: any one of these ways of signing in (OpenID Connect Core 1.0 section 2).
        """
        demanded = Demand(names(groups), max_age, names(acr))

        async def user(request: HTTPConnection) -> User:
            return await self._demanded(request, demanded)

        return user

    @overload
    def login_required(self, endpoint: _Endpoint) -> _Endpoint: ...

    @overload
    def login_required(
        self,
        endpoint: None = None,
        *,
        groups: Sequence[str] = (),
        max_age: int | None = None,
        acr: str | Sequence[str] = (),
    ) -> Callable[[_Endpoint], _Endpoint]: ...

    def login_required(
        self,
        endpoint: _Endpoint | None = None,
        *,
        groups: Sequence[str] = (),
        max_age: int | None = None,
        acr: str | Sequence[str] = (),
    ) -> Any:
        """Guard an endpoint, `async def` or not, with a parameter `request` or `websocket`; demands as in `demand`."""
        decorate = _guarding(self.demand(groups=groups, max_age=max_age, acr=acr))
        return decorate if endpoint is None else decorate(endpoint)

    def bearer_required(
        self, *, scope: str | Sequence[str] = (), groups: Sequence[str] = ()
    ) -> Callable[[_Endpoint], _Endpoint]:
        """Guard an API as `bearer` does, as a decorator: `@sso.bearer_required(scope="profile")`.

        In the endpoint `sso.bearer_of(request)` is the token, its `user` the person.
        """
        return _guarding(self.bearer(scope, groups=groups))

    async def still_signed_in(self, connection: HTTPConnection) -> bool:
        """For streams and websockets: whether this person may still be served. Asking is no activity."""
        return await self.client.still_signed_in(self._site.cookie(self._read(connection)))

    def bearer(self, scope: str | Sequence[str] = (), *, groups: Sequence[str] = ()) -> _Dependency:
        """A dependency that guards an API: the person of the access token in the Authorization header.

        401 or 403 with WWW-Authenticate, never a redirect. `scope`: all of them; `groups`: any one of them. The token
        itself is `sso.bearer_of(request)` from then on.
        """

        async def user(request: HTTPConnection) -> User:
            note = self._note(request)
            found = await self._site.bearer(self._read(request), scope, groups)
            note.bearer, note.guarded = found, True
            return found.user

        return user

    def bearer_of(self, request: HTTPConnection) -> Bearer | None:
        """Whose access token this request carries, behind `bearer`."""
        return self._note(request).bearer

    async def access_token(self, request: HTTPConnection, *, min_life_s: float = 30) -> str:
        """A valid access token of the signed-in person, for calls to APIs; renewed when it is due, by one worker.

        Raises SSOError `login_required`, `session_ended`, `tokens_missing` and others; unhandled they become pages.
        """
        return await self._site.access_token(self._read(request), min_life_s)

    # ---------------------------------------------------------------- for pages and hooks

    def login_url(self, request: HTTPConnection, next_page: str | None = None) -> str:
        """Where a link "sign in" leads; back to `next_page`, by default to the current page."""
        return self._site.login_url(self._read(request), next_page)

    def logout_url(self, request: HTTPConnection) -> str:
        """Where a form "sign out" posts to. Put `logout_fields()` in the form."""
        return self._site.route_url(self._read(request), "logout")

    def logout_fields(self, request: HTTPConnection, scope: Scope = "browser") -> dict[str, str]:
        """The hidden fields of that form: the proof that this site made it, and what it ends."""
        return self._site.logout_fields(self._read(request), scope)

    async def sign_out(self, request: HTTPConnection) -> None:
        """Sign the person out from an endpoint of your own, everywhere in this browser; the centre is told now.

        Nobody is signed in from here on, and the response removes the cookie. Raises SSOError `store_...`.
        """
        note = self._note(request)
        note.gone = await self._site.sign_out(self._read(request))
        note.found = (None,)

    async def tab_script(self, request: HTTPConnection) -> str:
        """A script tag for pages that shall notice when their person is signed out; its page isn't cached."""
        self._note(request).guarded = True
        return self._site.tab_script(self._read(request), await self.session(request))

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

    async def _demanded(self, connection: HTTPConnection, demand: Demand) -> User:
        asked = self._read(connection)
        if not self._is_from_here(connection, asked):
            raise Refused(WebAnswer(403, {"Cache-Control": "no-store"}))
        session = await self.session(connection)
        refusal = await self._site.refusal(asked, session, demand)
        if refusal is not None or session is None:
            raise Refused(refusal or WebAnswer(401))
        self._note(connection).guarded = True
        return session.user

    def _is_from_here(self, connection: HTTPConnection, asked: WebRequest) -> bool:
        """Whether a page of this site opens the websocket: a neighbour's could, and no rule of browsers keeps what it
        reads from it (RFC 6455 section 10.2). Programs send no Origin, and no cookie by themselves.
        """
        origin = asked.headers.get("origin") if connection.scope["type"] == "websocket" else None
        return origin is None or origin_of(origin) == self._site.own_origin(asked)

    def _note(self, connection: HTTPConnection) -> Note:
        return note_of(connection, self)

    def _read(self, connection: HTTPConnection, body: bytes = b"") -> WebRequest:
        asked = read_request(connection, self._note(connection).root_path, body)
        # The person at another site's page is nobody here, however the endpoint asks.
        return asked if self._is_from_here(connection, asked) else replace(asked, cookies={})

    def _endpoint(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = await read_body(request) if request.method == "POST" else b""
            return to_response(await self._routes.answer(name, self._read(request, body)))

        return endpoint

    async def _show_error(self, connection: HTTPConnection, error: Exception) -> Response | None:
        assert isinstance(error, SSOError)  # noqa: S101 - what the handler is registered for
        return await refuse(connection, self._site.show_error(self._read(connection), error))


async def _show_refusal(connection: HTTPConnection, refused: Exception) -> Response | None:
    assert isinstance(refused, Refused)  # noqa: S101 - what the handler is registered for
    return await refuse(connection, refused.answer)


def _guarding(demanded: _Dependency) -> Callable[[_Endpoint], _Endpoint]:
    """A decorator by which an endpoint is reached past a dependency only."""

    def decorate(guarded: _Endpoint) -> _Endpoint:
        names = list(signature(guarded).parameters)
        place = next((at for at, name in enumerate(names) if name in ("request", "websocket")), None)
        if place is None:
            raise TypeError(f"{guarded.__qualname__}: a guarded endpoint has a parameter `request` or `websocket`")

        @wraps(guarded)
        async def guard(*args: Any, **kwargs: Any) -> Any:
            await demanded(args[place] if place < len(args) else kwargs[names[place]])
            if iscoroutinefunction(guarded):
                return await guarded(*args, **kwargs)
            return await run_in_threadpool(guarded, *args, **kwargs)

        return cast(_Endpoint, guard)

    return decorate
