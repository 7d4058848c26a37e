"""Lockstep for Flask: `SSO(app)`, `login_required`, `current_user`. It translates; the rules are in `site`, `routes`.

>>> sso = SSO(app)                      # SSO_* from the environment; mounts /sso/*   # doctest: +SKIP
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast, overload

from flask import Flask, Response, after_this_request, current_app, g, request, url_for
from markupsafe import Markup
from werkzeug.local import LocalProxy

from sso_client.bearer import Bearer
from sso_client.blocking_client import SSOClient
from sso_client.clock import Clock
from sso_client.driving import drive
from sso_client.errors import LeaseExpired, SSOError
from sso_client.events import log
from sso_client.flask_edge import REACHED, blueprint_of, exempt_from_csrf, private, read_request, to_response
from sso_client.hooks import OnLogin, OnLogout
from sso_client.records import Event, LocalSession, Scope
from sso_client.routes import Routes
from sso_client.settings import Settings, load_settings
from sso_client.site import Demand, Site, names
from sso_client.stores import LocalStore
from sso_client.stores.opening import open_store
from sso_client.tabs import FEW
from sso_client.user import AnonymousUser, User

_View = TypeVar("_View", bound=Callable[..., Any])
_EXTENSION = "sso_client"
_BEARER = "sso_client.bearer"


@dataclass(frozen=True, slots=True)
class _Mounted:
    """What one application knows of us."""

    sso: "SSO"
    client: SSOClient
    site: Site
    routes: Routes


class SSO:
    """Single sign-on for Flask applications.

    Options are the fields of `sso_client.Settings` (`issuer=`, `client_id=` ...); what is not given comes from
    `app.config["SSO_..."]`, then from the environment. Raises SettingsError naming every problem at once, and
    SSOError `store_...` if local sessions can't be kept.

    `tab_streams`: how many threads of a process may be busy telling open pages (`tab_script`) that they are signed out;
    at most a quarter of its threads. Other pages ask every few seconds.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        prefix: str = "/sso",
        blueprint: str = "sso",
        local_store: LocalStore | None = None,
        clock: Clock | None = None,
        tab_streams: int = FEW,
        **options: Any,
    ) -> None:
        self.prefix = "/" + prefix.strip("/")
        self.blueprint = blueprint
        self._local_store = local_store
        self._clock = clock
        self._options = options
        self._on_login: OnLogin | None = None
        self._on_logout: list[OnLogout] = []
        self._told: set[str] = set()
        self._found = f"sso_client.session {blueprint} {id(self)}"  # where a request keeps its session
        self._streams = tab_streams
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Mount the routes and open the store. The centre itself is not asked: it may be down."""
        settings = load_settings(self._options, app.config)
        store = self._local_store or open_store(settings, Path(app.instance_path), self._clock)
        client = SSOClient(settings, store, clock=self._clock, callback_path=f"{self.prefix}/callback")
        client.hooks.on_login, client.hooks.on_logout = self._ask_site, self._on_logout
        site = Site(client.core, prefix=self.prefix, is_debug=lambda: current_app.debug, streams=self._streams)
        mounted = _Mounted(self, client, site, Routes(site))
        app.extensions[_EXTENSION] = mounted
        app.register_blueprint(blueprint_of(mounted.routes, self.blueprint), url_prefix=self.prefix)
        app.register_error_handler(SSOError, self.show_error)
        app.context_processor(self._for_templates)
        app.after_request(self._notice_guard)
        # Flask-WTF's CSRFProtect may be set up before us or after us; calls from the centre carry no form token.
        exempt_from_csrf(app, self.blueprint)
        app.before_request(lambda: exempt_from_csrf(app, self.blueprint))

    @property
    def client(self) -> SSOClient:
        """The framework-free client of the current application."""
        return _mounted().client

    @property
    def settings(self) -> Settings:
        return self.client.settings

    @overload
    def login_required(self, view: _View) -> _View: ...

    @overload
    def login_required(
        self,
        view: None = None,
        *,
        groups: Sequence[str] = (),
        max_age: int | None = None,
        acr: str | Sequence[str] = (),
    ) -> Callable[[_View], _View]: ...

    def login_required(
        self,
        view: _View | None = None,
        *,
        groups: Sequence[str] = (),
        max_age: int | None = None,
        acr: str | Sequence[str] = (),
    ) -> Any:
        """Guard a view: `@sso.login_required`, or with demands.

        `groups`: any one of them. `max_age`: a password typed at most so many seconds ago, else it is asked for again.
        `acr`: any one of these ways of signing in (OpenID Connect Core 1.0 section 2).
        """
        demand = Demand(names(groups), max_age, names(acr))

        def decorate(guarded: _View) -> _View:
            @wraps(guarded)
            def guard(*args: Any, **kwargs: Any) -> Any:
                refusal = drive(_mounted().site.refusal(read_request(), self.session, demand))
                if refusal is not None:
                    return to_response(refusal)
                after_this_request(private)
                return current_app.ensure_sync(guarded)(*args, **kwargs)

            return cast(_View, guard)

        return decorate if view is None else decorate(view)

    def bearer_required(
        self, *, scope: str | Sequence[str] = (), groups: Sequence[str] = ()
    ) -> Callable[[_View], _View]:
        """Guard an API: `@sso.bearer_required(scope="profile")`. 401 or 403 with WWW-Authenticate, never a redirect.

        The caller shows an access token in the Authorization header (RFC 6750 section 2.1); inside the view
        `current_user` is its person, `sso.bearer` the token itself. `scope`: all of them; `groups`: any one of them.
        """

        def decorate(guarded: _View) -> _View:
            @wraps(guarded)
            def guard(*args: Any, **kwargs: Any) -> Any:
                request.environ[_BEARER] = drive(_mounted().site.bearer(read_request(), scope, groups))
                g.pop("_login_user", None)  # whom Flask-Login may have found by a cookie before
                after_this_request(private)
                return current_app.ensure_sync(guarded)(*args, **kwargs)

            return cast(_View, guard)

        return decorate

    @property
    def bearer(self) -> Bearer | None:
        """Whose access token this request carries, inside a view under `bearer_required`."""
        return cast(Bearer | None, request.environ.get(_BEARER))

    def access_token(self, *, min_life_s: float = 30) -> str:
        """A valid access token of the signed-in person, for calls to APIs; renewed when it is due, by one worker.

        Raises SSOError `login_required`, `session_ended`, `tokens_missing` and others; unhandled they become pages.
        """
        return drive(_mounted().site.access_token(read_request(), min_life_s))

    def on_login(self, hook: OnLogin) -> OnLogin:
        """Decorator: `hook(user)` maps a person who has just signed in to the site's own user, or creates one.

        What it returns (an id, or an object with `get_id`) is `sso.session.site_user` from then on. None: no mapping.
        SSOError("account_refused") keeps the person out.
        """
        self._on_login = hook
        return hook

    def on_logout(self, hook: OnLogout) -> OnLogout:
        """Decorator: `hook(user, reason)` is called once for each local session that ended, whoever ended it."""
        self._on_logout.append(hook)
        return hook

    @property
    def user(self) -> User | AnonymousUser:
        """Who makes this request. Raises LeaseExpired (a 503 page) when nobody can confirm a session that exists."""
        if self.bearer is not None:
            return self.bearer.user
        session = self.session
        return AnonymousUser() if session is None else session.user

    @property
    def session(self) -> LocalSession | None:
        """The local session of this request, looked up once."""
        # Kept on the request itself: `g` belongs to the application context, which may outlive many requests.
        site = _mounted().site
        asked = read_request()
        cookie = site.cookie(asked)
        found: tuple[str | None, LocalSession | None] | None = request.environ.get(self._found)
        if found is None or found[0] != cookie:
            found = (cookie, drive(site.session(asked)) if cookie else None)
            request.environ[self._found] = found
        return found[1]

    def live_session(self) -> LocalSession | None:
        """As `session`, but None when the centre can't confirm it: for pages that can do without."""
        try:
            return self.session
        except LeaseExpired:
            return None

    def still_signed_in(self) -> bool:
        """For streams (`stream_with_context`): whether this person may still be served. Asking is no activity."""
        return self.client.still_signed_in(_mounted().site.cookie(read_request()))

    def login_url(self, next_page: str | None = None) -> str:
        """Where a link "sign in" leads; back to `next_page`, by default to the current page."""
        return _mounted().site.login_url(read_request(), next_page)

    def logout_url(self) -> str:
        """Where a form "sign out" posts to. Put `logout_field()` in the form."""
        return url_for(f"{self.blueprint}.logout")

    def logout_field(self, scope: Scope = "browser") -> Markup:
        """Hidden form fields: the proof to `POST /sso/logout` that this site made the form, and what it ends."""
        fields = _mounted().site.logout_fields(read_request(), scope)
        return Markup("").join(
            Markup('<input type="hidden" name="{}" value="{}">').format(name, value) for name, value in fields.items()
        )

    def ask_to_sign_in(self, *, max_age: int | None = None) -> Response:
        """What `login_required` answers to a stranger, for guards of the site's own."""
        return to_response(drive(_mounted().site.ask_to_sign_in(read_request(), Demand(max_age_s=max_age))))

    def is_own_route(self) -> bool:
        """True for requests to `/sso/...`: a `before_request` guard of the site's own must let them through."""
        return request.blueprint == self.blueprint

    def sign_out(self) -> None:
        """Sign the person out from a view of the site's own, everywhere in this browser; the centre is told now.

        `current_user` is nobody from here on, and the response removes the cookie. Raises SSOError `store_...`.
        """
        site, asked = _mounted().site, read_request()
        gone = drive(site.sign_out(asked))
        if gone is None:
            return
        request.environ[self._found] = (site.cookie(asked), None)

        @after_this_request
        def remove_cookie(response: Response) -> Response:
            response.headers.add("Set-Cookie", gone.header())
            return response

    def new_cookie(self, response: Response) -> str | None:
        """The session cookie that a response sets: "" if it removes it, None if it leaves it alone."""
        name = _mounted().site.cookie_names(read_request()).session
        values = [header.partition(";")[0] for header in response.headers.getlist("Set-Cookie")]
        return next((value[len(name) + 1 :] for value in reversed(values) if value.startswith(f"{name}=")), None)

    def tab_script(self) -> Markup:
        """A script tag for pages that shall notice when their person is signed out: `{{ sso.tab_script() }}`.

        Its page isn't cached. `script-src 'self'` and `connect-src 'self'` are all that a policy must allow.
        """
        after_this_request(private)
        return Markup(_mounted().site.tab_script(read_request(), self.live_session()))  # noqa: S704 - escaped there

    def recent_events(self, limit: int = 50) -> list[Event]:
        """What happened last at this site, newest first."""
        return self.client.recent_events(limit)

    def show_error(self, error: SSOError) -> Response:
        """A page, or JSON for programs: the stable code and the cause; the fix only where developers look."""
        return to_response(_mounted().site.show_error(read_request(), error))

    def _notice_guard(self, response: Response) -> Response:
        """Say it, once for each route, when something of the site's own answers instead of us."""
        endpoint = request.endpoint or ""
        is_answered = REACHED in request.environ or request.method == "OPTIONS"  # those Flask answers by itself
        if request.blueprint == self.blueprint and not is_answered and endpoint not in self._told:
            self._told.add(endpoint)
            log.error("%s", SSOError("guard_in_the_way", f"{request.method} {request.path}: {response.status_code}"))
        return response

    def _ask_site(self, user: User) -> Any:
        return None if self._on_login is None else self._on_login(user)

    def _for_templates(self) -> dict[str, Any]:
        # Flask-Login brings a `current_user` of its own: a site that uses it keeps that one.
        return {"sso": self} | ({} if hasattr(current_app, "login_manager") else {"current_user": current_user})


def _mounted() -> _Mounted:
    try:
        return cast(_Mounted, current_app.extensions[_EXTENSION])
    except KeyError:
        raise RuntimeError("this application has no SSO: call SSO(app) or sso.init_app(app)") from None


def _current_user() -> User | AnonymousUser:
    return _mounted().sso.user


current_user: User = cast(User, LocalProxy(_current_user))
"""The person who makes this request; falsy, with `is_authenticated` False, when nobody is signed in."""
