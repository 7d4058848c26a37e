"""For sites that use Flask-Login: its `@login_required` and `current_user` go on unchanged, over our local sessions.

>>> FlaskLogin(sso, login_manager).init_app(app)                                   # doctest: +SKIP

Who is signed in is our local session's to say alone. Flask-Login's own session entry and its remember cookie can keep
nobody in: they would undo a sign-out.
"""

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response, after_this_request, current_app, request, session
from flask_login import LoginManager, user_logged_out

from sso_client.flask import SSO

log = logging.getLogger("sso_client")
_EXTENSION = "sso_client.flask_login"
_NOBODY: Callable[[str], bool] = lambda _: False  # noqa: E731 - a default that reads as what it is


class FlaskLogin:
    """The bridge between one `SSO` and one `LoginManager`, for as many applications as both serve.

    The site's own `user_loader` is asked for the id that `on_login` returned. `fresh_s`: `@fresh_login_required` asks
    for the password again when it was typed longer ago. `local_accounts(id)`: True for the site's own accounts that may
    still sign in by `login_user`, such as one for emergencies; they are outside single sign-on and single sign-out.
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
        self._site_loader: Callable[[str], Any] | None = None
        self._site_request_loader: Callable[[Request], Any] | None = None
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
        self._manager.unauthorized_handler(self._ask_to_sign_in)
        self._manager.needs_refresh_handler(self._ask_for_password)
        user_logged_out.connect(self._signed_out, app)

    def _prepare(self) -> None:
        """At the start of a request: nothing of an older sign-in is left for Flask-Login to find."""
        self._take_over_loaders()
        if request.cookies.get(current_app.config.get("REMEMBER_COOKIE_NAME", "remember_token")) is not None:
            if not self._warned:
                self._warned = True
                log.warning("Flask-Login's remember cookie is switched off and removed: it would undo a sign-out")
            session["_remember"] = "clear"
        found = self._sso.live_session()
        kept = session.get("_user_id")
        if kept is not None and not self._is_local(kept) and (found is None or found.site_user != kept):
            session.pop("_user_id")
        if found is not None:
            fresh = found.user.is_fresh(self._fresh_s)
            if session.get("_fresh") is not fresh:
                session["_fresh"] = fresh

    def _take_over_loaders(self) -> None:
        # The site may name its loaders after `init_app`. Flask-Login keeps them under these names and has no other way
        # to ask for them (0.6.3).
        if self._manager._user_callback != self._load_user:  # noqa: SLF001
            self._site_loader = self._manager._user_callback  # noqa: SLF001
            self._manager.user_loader(self._load_user)
        if self._manager._request_callback != self._load_from_request:  # noqa: SLF001
            self._site_request_loader = self._manager._request_callback  # noqa: SLF001
            self._manager.request_loader(self._load_from_request)

    def _load_user(self, user_id: str) -> Any:
        """The user of an id in Flask's session: only whom our session names, or an account of the site's own."""
        if not self._is_bridged():
            return self._site_user(user_id)
        found = self._sso.session  # raises LeaseExpired: nobody can say who this is, and that isn't "anonymous"
        if found is not None:
            return self._site_user(user_id) if found.site_user == user_id else None
        return self._site_user(user_id) if self._is_local(user_id) else None

    def _load_from_request(self, asked: Request) -> Any:
        """The user of our session; without one, whatever the site itself reads from a request, such as an API key."""
        if self._is_bridged():
            found = self._sso.session
            if found is not None:
                return None if found.site_user is None else self._site_user(found.site_user)
        return None if self._site_request_loader is None else self._site_request_loader(asked)

    def _site_user(self, user_id: str) -> Any:
        user = None if self._site_loader is None else self._site_loader(user_id)
        return user if user is not None and getattr(user, "is_active", True) else None

    def _is_bridged(self) -> bool:
        return _EXTENSION in current_app.extensions

    def _ask_to_sign_in(self) -> Response:
        return self._sso.ask_to_sign_in()

    def _ask_for_password(self) -> Response:
        return self._sso.ask_to_sign_in(max_age=self._fresh_s)

    def _signed_out(self, _: Flask, **__: Any) -> None:
        """`logout_user()` in a view of the site's own is a sign-out like any other: the centre is told."""
        found = self._sso.live_session()
        if found is not None:
            after_this_request(self._sso.sign_out())
