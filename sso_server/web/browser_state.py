"""The state of sign-in that a frame may read (OpenID Connect Session Management 1.0 sections 3 and 4): a cookie that
opens nothing, and `session_state`, by which a site can tell whether it has changed. Only where it is switched on.
"""

from __future__ import annotations

import hashlib

from flask import Request, Response, after_this_request

from sso_server.core.clients import Client
from sso_server.core.frontchannel import origin_of
from sso_server.core.sessions import Session
from sso_server.web import cookies
from sso_server.web.services import services


def keep(request: Request, session: Session | None) -> None:
    """The answer to this request tells the browser its state, if it holds another one: its live session may have been
    opened before this was switched on, or have ended while the browser was elsewhere."""
    if not services().site.session_management:
        return
    shown = cookies.session_cookie(request)
    secret = shown or "" if session is not None else ""
    if shown is None and request.headers.get("Sec-Fetch-Dest", "document") != "document":
        # A frame in a site's page: browsers leave the session's cookie (SameSite=Lax) at home, which proves nothing.
        return
    if cookies.state_cookie(request) == cookies.state_of(secret):
        return

    @after_this_request
    def _tell(response: Response) -> Response:
        cookies.set_state_cookie(response, secret, remembered=session is not None and session.remembered)
        return response


def session_state(request: Request, client: Client, redirect_uri: str) -> dict[str, str]:
    """The member of an answer to this site, for somebody who is signed in. None while it is switched off, nor for an
    app whose address has no origin: it has no frames to ask from."""
    if not services().site.session_management or not (origin := origin_of(redirect_uri)):
        return {}
    state, salt = cookies.state_of(cookies.session_cookie(request) or ""), services().randomness.token("salt")
    # Section 4.2: with the origin in it another site learns nothing, and with the salt no two answers are alike. Our
    # frame's script (static/check_session.js) repeats this line.
    digest = hashlib.sha256(f"{client.client_id} {origin} {state} {salt}".encode()).hexdigest()
    return {"session_state": f"{digest}.{salt}"}
