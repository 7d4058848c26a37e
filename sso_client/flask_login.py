"""For sites that use Flask-Login: its `@login_required` and `current_user` go on unchanged, over our local sessions.

>>> FlaskLogin(sso, login_manager).init_app(app)                                   # doctest: +SKIP

Who is signed in is our local session's to say alone. Flask-Login's own session entry and its remember cookie can keep
nobody in: they would undo a sign-out.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast
from weakref import WeakKeyDictionary

from flask import Flask, Request, Response, current_app, g, request, session
from flask_login import LoginManager, user_logged_in, user_logged_out

from sso_client.errors import SSOError
from sso_client.events import log
from sso_client.flask import SSO
from sso_client.records import LocalSession
from sso_client.signed_token import LEEWAY_S

_EXTENSION = "sso_client.flask_login"
_LEAVING = "sso_client.flask_login.leaving"
# The site's own loaders, by their manager: what Flask-Login asks instead are the functions at the end of this file.
_site_loaders: WeakKeyDictionary[LoginManager, dict[str, Callable[[Any], Any] | None]] = WeakKeyDictionary()
_NOBODY: Callable[[str], bool] = lambda _: False  # noqa: E731 - a default that reads as what it is


class FlaskLogin:
    """The bridge between one `SSO` and one `LoginManager`, for all applications that both serve.

    The site's own `user_loader` is asked for the id that `on_login` returned; whom it doesn't know gets a page
    (`account_refused`). When our session ends, `current_user` is anonymous with the next request.

    `fresh_s`: `@fresh_login_required` and `login_fresh()` want a password typed at most so many seconds ago, and the
    former asks for it again. `local_accounts(id)`: True for the site's own accounts that may still sign in by
    `login_user`, such as one for emergencies; they are outside single sign-on and single sign-out, and nobody's
    sign-out at the centre ends them. Without it `login_user` signs nobody in.

    `logout_user()` in a view of the site's own signs out at the centre as well. Of Flask-Login's signals,
    `user_logged_in` and `user_logged_out` are sent for sign-ins and sign-outs in this browser at this site; of every
    other end `sso.on_logout` hears. Flask-Login's session protection is off: it guards its own session entry.
    """

    def __init__(
        self,
        sso: SSO,
        login_manager: LoginManager,
        *,
        fresh_s: int = 300,
        local_accounts: Callable[[str], bool] = _NOBODY,
    ) -> None:
        self._sso = sso
        self._manager = login_manager
        self._fresh_s = fresh_s
        self._is_local = local_accounts
        self._warned = False

    def init_app(self, app: Flask) -> None:
        """Take over for this application; after `sso.init_app(app)` and `login_manager.init_app(app)`."""
        if _EXTENSION in app.extensions:
            return
        app.extensions[_EXTENSION] = self
        # It compares a note in Flask's session with the browser's address; our session has its own cookie.
        app.config["SESSION_PROTECTION"] = None
        # Before any guard of the site's own: a guard asks for `current_user`.
        app.before_request_funcs.setdefault(None, []).insert(0, self._prepare)
        app.after_request(self._tell)
        user_logged_out.connect(self._sign_out, app)

    def _prepare(self) -> None:
        """At the start of a request: nothing of an older sign-in is left for Flask-Login to find."""
        self._take_over()
        g.pop("_login_user", None)  # an outer application context keeps it from one request to the next
        if request.cookies.get(current_app.config.get("REMEMBER_COOKIE_NAME", "remember_token")) is not None:
            if not self._warned:
                self._warned = True
                log.warning("Flask-Login's remember cookie is switched off and removed: it would undo a sign-out")
            session["_remember"] = "clear"
        if self._sso.is_own_route():
            if request.method == "POST" and request.endpoint == f"{self._sso.blueprint}.logout":
                request.environ[_LEAVING] = self._user_of(self._live_session())
            return  # a page that asks whether it is still signed in is no activity
        if (request.endpoint or "").rpartition(".")[2] == "static":
            return
        found, kept = self._live_session(), session.get("_user_id")
        if kept is not None and not self._may_stay(str(kept), found):
            session.pop("_user_id")
        # What `login_fresh()` reads. As lenient as the check of the ID token: the centre's clock is another, and its
        # answer could be too old here for ever.
        fresh = found is not None and found.user.is_fresh(self._fresh_s + LEEWAY_S)
        if (found is not None or "_user_id" not in session) and session.get("_fresh", False) is not fresh:
            session["_fresh"] = fresh

    def _take_over(self) -> None:
        # The site may name its own after `init_app`. Flask-Login keeps the loaders under these names and has no other
        # way to ask for them (0.6.3). The manager may serve other applications, each with a bridge of its own.
        manager = self._manager
        own = _site_loaders.setdefault(manager, {})
        if manager._user_callback is not _load_user:  # noqa: SLF001
            own["user"] = manager._user_callback  # noqa: SLF001
            manager.user_loader(_load_user)
        if manager._request_callback is not _load_from_request:  # noqa: SLF001
            own["request"] = manager._request_callback  # noqa: SLF001
            manager.request_loader(_load_from_request)
        manager.unauthorized_handler(_ask_to_sign_in)
        manager.needs_refresh_handler(_ask_for_password)

    def _live_session(self) -> LocalSession | None:
        """For what can do without: pages that ask nobody's name stay up, whatever is wrong."""
        with suppress(SSOError):
            return self._sso.session
        return None

    def _may_stay(self, user_id: str, found: LocalSession | None) -> bool:
        return self._is_local(user_id) if found is None else found.site_user == user_id

    def load_user(self, user_id: str) -> Any:
        """The user of an id in Flask's session: only whom our session names, or an account of the site's own."""
        if self._sso.bearer is not None:
            return None  # a token speaks for its own person, whatever cookie the caller sends with it
        found = self._sso.session  # raises LeaseExpired: nobody can say who this is, and that isn't "anonymous"
        return self._site_user(user_id) if self._may_stay(user_id, found) else None

    def load_from_request(self, asked: Request) -> Any:
        """The user of our session; without one, and for tokens, whatever the site itself reads from a request."""
        found = None if self._sso.bearer is not None else self._sso.session
        if found is not None:
            return self._user_of(found)
        return _ask_site(self._manager, "request", asked)

    def _user_of(self, found: LocalSession | None) -> Any:
        return None if found is None or found.site_user is None else self._site_user(found.site_user)

    def _site_user(self, user_id: str) -> Any:
        user = _ask_site(self._manager, "user", user_id)
        return user if user is not None and getattr(user, "is_active", True) else None

    def ask_to_sign_in(self) -> Response:
        """What `login_required` answers. Raises SSOError `account_refused`, LeaseExpired."""
        if self._sso.bearer is not None:
            raise SSOError("account_refused", f"no user of this site's own is {self._sso.bearer.user.sub!r:.100}")
        found = self._sso.session
        if found is not None:
            # Signing in once more would change nothing: the redirects would go on for ever.
            raise SSOError("account_refused", f"no active user of this site's own is {found.site_user!r:.100}")
        return self._sso.ask_to_sign_in()

    def ask_for_password(self) -> Response:
        """What `fresh_login_required` answers to who is signed in."""
        return self._sso.ask_to_sign_in(max_age=self._fresh_s)

    def _sign_out(self, _: Flask, **__: Any) -> None:
        """`logout_user()` in a view of the site's own is a sign-out like any other: the centre is told."""
        if not self._sso.is_own_route():
            self._sso.sign_out()

    def _tell(self, response: Response) -> Response:
        """Flask-Login's signals for what happened at our own routes."""
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - what signals are sent by
        leaving = request.environ.get(_LEAVING)
        if leaving is not None and self._sso.new_cookie(response) == "":
            user_logged_out.send(app, user=leaving)
        elif request.endpoint == f"{self._sso.blueprint}.callback" and (cookie := self._sso.new_cookie(response)):
            user = self._user_of(self._sso.client.find_session(cookie, activity=False))
            if user is not None:
                user_logged_in.send(app, user=user)
        return response


def _ask_site(manager: LoginManager, kind: str, asked: Any) -> Any:
    loader = _site_loaders.get(manager, {}).get(kind)
    return None if loader is None else loader(asked)


def _bridge() -> FlaskLogin:
    try:
        return cast(FlaskLogin, current_app.extensions[_EXTENSION])
    except KeyError:
        raise RuntimeError("this application's LoginManager is bridged elsewhere: FlaskLogin().init_app(app)") from None


def _load_user(user_id: str) -> Any:
    return _bridge().load_user(user_id)


def _load_from_request(asked: Request) -> Any:
    return _bridge().load_from_request(asked)


def _ask_to_sign_in() -> Response:
    return _bridge().ask_to_sign_in()


def _ask_for_password() -> Response:
    return _bridge().ask_for_password()
