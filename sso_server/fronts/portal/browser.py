"""The browser at the page: its name, the accounts it knows, and opening a session in it with all cookies."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from flask import Request, Response

from sso_server.core import identifiers
from sso_server.core.errors import WrongCredentials
from sso_server.core.records import record
from sso_server.core.sessions import EndReason, Session
from sso_server.core.sign_in import SignedIn, Visitor
from sso_server.core.users import User, fold_username
from sso_server.web import cookies
from sso_server.web.services import services

_MAX_KNOWN = 5


@record
class Browser:
    """What one request tells of its browser. `known`: a mark for each account that signed in here before."""

    visitor: Visitor
    is_new: bool
    known: dict[str, str]


def read_browser(request: Request) -> Browser:
    """From its cookies; a missing or cut one gets a new value, which `set_browser` sends."""
    browser_id = cookies.browser_cookie(request)
    is_new = browser_id is None or not identifiers.is_kind(browser_id, identifiers.BROWSER)
    if browser_id is None or is_new:
        browser_id = services().sign_in.new_browser_id()
    sealed = cookies.known_cookie(request)
    payload = services().seals.open("known", sealed) if sealed else None
    known = {str(k): str(v) for k, v in payload.get("users", {}).items()} if payload else {}
    visitor = Visitor(browser_id, request.remote_addr or "", request.headers.get("User-Agent", ""))
    return Browser(visitor, is_new, known)


def visitor_for(browser: Browser, username: str) -> Visitor:
    """The visitor as seen by this account: strangers can't slow a browser that signed in to it before."""
    if not browser.known:
        return browser.visitor
    user = services().users.find_by_username(fold_username(username))
    return replace(browser.visitor, known_mark=browser.known.get(user.user_id, "") if user else "")


def set_browser(response: Response, browser: Browser) -> Response:
    """The long-lived cookie comes with the first page that may open a session."""
    if browser.is_new:
        cookies.set_browser_cookie(response, browser.visitor.browser_id)
    return response


def open_session(
    user: User, browser: Browser, request: Request, *, remember: bool, old_cookie_ends: bool = False
) -> SignedIn:
    """Open this browser's session or renew it; see `SignIn.open`. Raises WrongCredentials, Unavailable."""
    shown = cookies.session_cookie(request)
    before = services().sign_in.find_any_session(shown)
    signed_in = services().sign_in.open(
        user, browser.visitor, remember=remember, shown_cookie=shown, old_cookie_ends=old_cookie_ends
    )
    if before is not None and before.ended_at is None and before.sid != signed_in.session.sid:
        # The browser lost its name but kept its session: it has one live session, the new one.
        services().sign_out.end(before.sid, EndReason.REPLACED, actor="user")
    return signed_in


def open_in_place_of(ended: Session, user: User, browser: Browser) -> SignedIn | None:
    """After this person removed an app: see `SignIn.open_in_place_of`. None: the session hasn't ended, or for a reason
    that nobody goes on after. Raises Unavailable."""
    with contextlib.suppress(WrongCredentials):
        return services().sign_in.open_in_place_of(ended.sid, user, browser.visitor)
    return None


def set_session(response: Response, signed_in: SignedIn, browser: Browser) -> Response:
    """All cookies that a fresh session brings along."""
    cookies.set_session_cookie(response, signed_in.cookie, remembered=signed_in.session.remembered)
    user_id = signed_in.user.user_id
    mark = browser.known.get(user_id) or services().randomness.token("kn")
    others = [(k, v) for k, v in browser.known.items() if k != user_id]
    users = dict([*others, (user_id, mark)][-_MAX_KNOWN:])
    cookies.set_known_cookie(response, services().seals.seal("known", {"users": users}))
    if signed_in.browser_id != browser.visitor.browser_id:
        cookies.set_browser_cookie(response, signed_in.browser_id)
        return response
    return set_browser(response, browser)
