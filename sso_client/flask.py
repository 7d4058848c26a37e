"""Lockstep for Flask: `SSO(app)`, `login_required`, `current_user`. The routes themselves are in `flask_pages`.

>>> sso = SSO(app)                      # SSO_* from the environment; mounts /sso/*   # doctest: +SKIP
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast, overload
from urllib.parse import urlsplit

from flask import Flask, Response, after_this_request, current_app, request, url_for
from markupsafe import Markup
from werkzeug.local import LocalProxy

from sso_client import flask_pages, pages
from sso_client.addresses import is_loopback, origin_of, page_address, safe_next
from sso_client.blocking_client import SSOClient
from sso_client.clock import Clock
from sso_client.cookies import CookieNames, cookie_names
from sso_client.errors import LeaseExpired, SSOError
from sso_client.events import log
from sso_client.identifiers import hashed
from sso_client.records import Event, LocalSession, Scope
from sso_client.settings import Settings, load_settings
from sso_client.stores import LocalStore
from sso_client.stores.opening import open_store
from sso_client.user import AnonymousUser, User

_View = TypeVar("_View", bound=Callable[..., Any])
_EXTENSION = "sso_client"


@dataclass(frozen=True, slots=True)
class _Mounted:
    """What one application knows of us."""

    sso: "SSO"
    client: SSOClient


class SSO:
    """Single sign-on for Flask applications.

    Options are the fields of `sso_client.Settings` (`issuer=`, `client_id=` ...); what is not given comes from
    `app.config["SSO_..."]`, then from the environment. Raises SettingsError naming every problem at once, and
    SSOError `store_...` if local sessions can't be kept.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        prefix: str = "/sso",
        blueprint: str = "sso",
        local_store: LocalStore | None = None,
        clock: Clock | None = None,
        **options: Any,
    ) -> None:
        self.prefix = "/" + prefix.strip("/")
        self.blueprint = blueprint
        self._local_store = local_store
        self._clock = clock
        self._options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Mount the routes and open the store. The centre itself is not asked: it may be down."""
        settings = load_settings(self._options, app.config)
        store = self._local_store or open_store(settings, Path(app.instance_path), self._clock)
        client = SSOClient(settings, store, clock=self._clock, callback_path=f"{self.prefix}/callback")
        app.extensions[_EXTENSION] = _Mounted(self, client)
        app.register_blueprint(flask_pages.build_blueprint(self), url_prefix=self.prefix)
        app.register_error_handler(SSOError, self.show_error)
        app.context_processor(self._for_templates)
        # Flask-WTF's CSRFProtect may be set up before us or after us; calls from the centre carry no form token.
        flask_pages.exempt_from_csrf(app, self.blueprint)
        app.before_request(lambda: flask_pages.exempt_from_csrf(app, self.blueprint))

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
    def login_required(self, view: None = None, *, groups: Sequence[str] = ()) -> Callable[[_View], _View]: ...

    def login_required(self, view: _View | None = None, *, groups: Sequence[str] = ()) -> Any:
        """Guard a view: `@sso.login_required` or `@sso.login_required(groups=["staff"])` (any one of them)."""

        def decorate(guarded: _View) -> _View:
            @wraps(guarded)
            def guard(*args: Any, **kwargs: Any) -> Any:
                user = self.user
                if not user:
                    return self._ask_to_sign_in()
                if groups and not any(user.has_group(group) for group in groups):
                    raise SSOError("group_required", f"one of {list(groups)}")
                after_this_request(_private)
                return current_app.ensure_sync(guarded)(*args, **kwargs)

            return cast(_View, guard)

        return decorate if view is None else decorate(view)

    @property
    def user(self) -> User | AnonymousUser:
        """Who makes this request. Raises LeaseExpired (a 503 page) when nobody can confirm a session that exists."""
        session = self.session
        return AnonymousUser() if session is None else session.user

    @property
    def session(self) -> LocalSession | None:
        """The local session of this request, looked up once."""
        # Kept on the request itself: `g` belongs to the application context, which may outlive many requests.
        cookie = request.cookies.get(self.cookie_names.session)
        key = f"sso_client.session {self.blueprint} {id(self.client)}"
        found: tuple[str | None, LocalSession | None] | None = request.environ.get(key)
        if found is None or found[0] != cookie:
            found = (cookie, self.client.find_session(cookie) if cookie else None)
            request.environ[key] = found
        return found[1]

    def live_session(self) -> LocalSession | None:
        """As `session`, but None when the centre can't confirm it: for pages that can do without."""
        try:
            return self.session
        except LeaseExpired:
            return None

    def login_url(self, next_page: str | None = None) -> str:
        """Where a link "sign in" leads; back to `next_page`, by default to the current page."""
        return url_for(f"{self.blueprint}.login", next=next_page or _this_page())

    def logout_url(self) -> str:
        """Where a form "sign out" posts to. Put `logout_field()` in the form."""
        return url_for(f"{self.blueprint}.logout")

    def logout_field(self, scope: Scope = "browser") -> Markup:
        """Hidden form fields: the proof to `POST /sso/logout` that this site made the form, and what it ends."""
        fields = {"logout_form": self.logout_proof(), "scope": scope}
        return Markup("").join(
            Markup('<input type="hidden" name="{}" value="{}">').format(name, value) for name, value in fields.items()
        )

    def logout_proof(self) -> str:
        """A token tied to this browser's local session; nobody else's form can carry it."""
        cookie = request.cookies.get(self.cookie_names.session, "")
        return self.client.seal.seal("logout form", hashed(cookie))

    def referring_page(self) -> str:
        """The page of this site that sent the request, else the start page."""
        referrer = request.referrer or ""
        own = origin_of(request.host_url)
        is_ours = origin_of(referrer) == own and referrer.count("/") > 2
        return safe_next("/" + referrer.split("/", 3)[-1]) if is_ours else "/"

    def recent_events(self, limit: int = 50) -> list[Event]:
        """What happened last at this site, newest first."""
        return self.client.recent_events(limit)

    @property
    def own_origin(self) -> str:
        """`scheme://host[:port]` under which people see this site."""
        return origin_of(self.settings.base_url or request.host_url) or request.host_url.rstrip("/")

    @property
    def cookie_names(self) -> CookieNames:
        return cookie_names(self.settings.client_id, self.own_origin)

    def json(self, value: dict[str, Any], status: int = 200) -> Response:
        """An answer for programs that no cache keeps."""
        return _json(value, status)

    def render(self, html: str, status: int = 200) -> Response:
        """One of our own pages with its headers."""
        return Response(html, status, pages.headers(self.settings.issuer_origin))

    @property
    def language(self) -> str:
        return pages.language(request.headers.get("Accept-Language", ""))

    def show_error(self, error: SSOError) -> Response:
        """A page, or JSON for programs: the stable code and the cause; the fix only where developers look."""
        log.log(40 if error.status >= 500 else 30, "%s %s: %s", request.method, request.path, error)
        if wants_json() or request.endpoint == f"{self.blueprint}.me":
            response = _json({"error": error.code, "error_description": error.cause}, error.status)
        else:
            again: str | None = _this_page()
            if request.endpoint == f"{self.blueprint}.callback":  # its address is good for one go
                again = url_for(f"{self.blueprint}.login")
            elif error.code == "group_required" or request.method not in ("GET", "HEAD"):
                again = None
            html = pages.error_page(self.language, error, again=again, show_fix=self._shows_fixes())
            response = self.render(html, error.status)
        if error.status == 503:
            response.headers["Retry-After"] = str(error.retry_after_s if isinstance(error, LeaseExpired) else 5)
        return response

    def _shows_fixes(self) -> bool:
        """True where only developers look. A visitor chooses `Host`, so that alone proves nothing."""
        if current_app.debug:
            return True
        if self.settings.base_url:
            return is_loopback(urlsplit(self.settings.base_url).netloc)
        # A proxy on this very host makes every visitor look like a neighbour.
        proxied = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"))
        return not proxied and is_loopback(request.remote_addr or "") and is_loopback(request.host)

    def _for_templates(self) -> dict[str, Any]:
        # Flask-Login brings a `current_user` of its own: a site that uses it keeps that one.
        return {"sso": self} | ({} if hasattr(current_app, "login_manager") else {"current_user": current_user})

    def _ask_to_sign_in(self) -> Response:
        self.client.tell_untold()
        if wants_json():
            login_url = self.own_origin + self.login_url(self.referring_page())
            return _json({"error": "login_required", "login_url": login_url}, 401)
        if request.method not in ("GET", "HEAD"):
            # A redirect would drop what was sent, or worse: send it again after signing in.
            return self.render(pages.sign_in_page(self.language, self.login_url(self.referring_page())), 401)
        return flask_pages.go(self.login_url())


def wants_json() -> bool:
    """True for a program's request: it can't do anything with a page or a redirect to one."""
    headers = request.headers
    return (
        request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
        or "X-Requested-With" in headers
        or "HX-Request" in headers
        or headers.get("Authorization", "").lower().startswith("bearer ")
        or (headers.get("Sec-Fetch-Dest") == "empty" and headers.get("Sec-Fetch-Mode") in ("cors", "same-origin"))
    )


def _mounted() -> _Mounted:
    try:
        return cast(_Mounted, current_app.extensions[_EXTENSION])
    except KeyError:
        raise RuntimeError("this application has no SSO: call SSO(app) or sso.init_app(app)") from None


def _this_page() -> str:
    return page_address(request.root_path + request.path, request.query_string)


def _json(value: dict[str, Any], status: int) -> Response:
    body = current_app.json.dumps(value)
    response = Response(body, status, {"Content-Type": "application/json", "Cache-Control": "no-store"})
    response.vary.add("Cookie")
    return response


def _private(response: Response) -> Response:
    """A guarded page belongs to one person: after signing out, neither a cache nor the back button shows it."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("Cookie")
    return response


def _current_user() -> User | AnonymousUser:
    return _mounted().sso.user


current_user: User = cast(User, LocalProxy(_current_user))
"""The person who makes this request; falsy, with `is_authenticated` False, when nobody is signed in."""
