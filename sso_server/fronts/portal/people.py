"""Who is looking at the page: flask-login's `current_user` over our own session rows. Its own cookies stay unused:
a remember cookie would sign somebody in again after a sign-out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import cast
from urllib.parse import urlencode

import flask_login
from flask import Flask, Request, request
from flask.typing import ResponseReturnValue

from sso_server.core import identifiers
from sso_server.core.devices import plain_code, shown_code
from sso_server.core.errors import Refused, Unavailable
from sso_server.core.sessions import Session
from sso_server.core.users import User
from sso_server.web.cookies import session_cookie
from sso_server.web.responses import see_other
from sso_server.web.services import services

#: RFC 8628: where people type in what their device shows
DEVICE_PAGE = "/device"
#: Pages that a sign-in may lead to: a fixed table, so that no parameter can name an address ...
_AFTER_SIGN_IN = {
    "apps": "/apps",
    "device": DEVICE_PAGE,
    "password": "/password",
    "sign-out": "/sign-out",
    "sign-outs": "/admin/sign-outs",
}
#: ... and with the identifier of one sign-out, which has a shape of its own, its page; so has a device's code
_ONE_SIGN_OUT = "sign-outs:"
_ONE_DEVICE = "device:"


@dataclass(frozen=True, slots=True, eq=False)
class Person(flask_login.UserMixin):  # type: ignore[misc]  # flask-login ships no types
    """The signed-in person of this request, and the session that proves it."""

    session: Session
    user: User

    def get_id(self) -> str:
        """flask-login's name for the account."""
        return self.user.user_id

    @property
    def shown_name(self) -> str:
        """The name on pages."""
        return self.user.name or self.user.username


def install(app: Flask) -> None:
    """Called once by `create_app`."""
    manager = flask_login.LoginManager()
    manager.session_protection = None
    manager.request_loader(_load)
    # All that `init_app` would do that we want. Its context processor would ask the store for every page, the one that
    # says "the store is away" included; its hook would read the form's cookie at every answer, for a cookie of its own.
    app.login_manager = manager  # type: ignore[attr-defined]


def find_person() -> Person | None:
    """The signed-in person, read once per request. Raises Unavailable."""
    user = flask_login.current_user
    return cast(Person, user) if user.is_authenticated else None


def find_person_quietly() -> Person | None:
    """The same on the way to an error page: a store that is away makes nobody known."""
    try:
        return find_person()
    except Unavailable:
        return None


def login_required(view: Callable[[Person], ResponseReturnValue]) -> Callable[[], ResponseReturnValue]:
    """The view gets the person; anybody else is sent to the sign-in page."""

    @wraps(view)
    def with_person() -> ResponseReturnValue:
        person = find_person()
        return view(person) if person is not None else _ask()

    return with_person


def administrator_required(view: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
    """The view gets the person, who is an administrator. Raises Refused for anybody else who is signed in.

    403 and not 404: the address is in the documentation, so that hiding the page hides nothing, and somebody who was
    an administrator yesterday should learn what is the matter. It says the same whether the sign-out exists or not.
    """

    @wraps(view)
    def with_administrator(**names: str) -> ResponseReturnValue:
        person = find_person()
        if person is None:
            return _ask()
        if not person.user.is_admin:
            raise Refused("This page is for administrators.", code="administrators_only")
        return view(person, **names)

    return with_administrator


def page_after_sign_in(name: str) -> str:
    """The address of the page that a sign-in may lead to under this name; empty for any other name."""
    sid = name.removeprefix(_ONE_SIGN_OUT)
    if sid != name:
        return f"{_AFTER_SIGN_IN['sign-outs']}/{sid}" if identifiers.is_kind(sid, identifiers.SESSION) else ""
    if name.startswith(_ONE_DEVICE):
        code = plain_code(name.removeprefix(_ONE_DEVICE))
        return f"{DEVICE_PAGE}?{urlencode({'user_code': shown_code(code)})}" if code else ""
    return _AFTER_SIGN_IN.get(name, "")


def _load(request: Request) -> Person | None:
    session = services().sign_in.find_session(session_cookie(request))
    user = services().users.find(session.user_id) if session is not None else None
    if session is None or user is None or user.disabled_at is not None:
        return None
    return Person(session, user)


def _ask() -> ResponseReturnValue:
    name = next((name for name, path in _AFTER_SIGN_IN.items() if path == request.path), "")
    sid = (request.view_args or {}).get("sid", "")
    if page_after_sign_in(_ONE_SIGN_OUT + sid):
        name = _ONE_SIGN_OUT + sid
    if request.path == DEVICE_PAGE and (code := plain_code(request.args.get("user_code", ""))):
        name = _ONE_DEVICE + shown_code(code)
    return see_other(f"/sign-in?{urlencode({'then': name})}" if name else "/sign-in")
