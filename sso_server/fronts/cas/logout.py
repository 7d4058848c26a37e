"""GET and POST /cas/logout (CAS 3.0.3 section 2.3): ends the browser's session at once, where a person went there."""

from __future__ import annotations

from urllib.parse import urlencode

import structlog
from flask import Blueprint, Request, Response, request

from sso_server.core.clients import Client
from sso_server.core.sessions import EndReason
from sso_server.web.cookies import clear_session_cookie, session_cookie
from sso_server.web.frames import past_frames
from sso_server.web.params import read_params
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("cas_logout", __name__)
LOGOUT = "/cas/logout"
#: What browsers say of pages that nobody has asked for yet, and of previews; on a visit they send none of these.
_SENT_AHEAD = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_log = structlog.get_logger("sso_server.cas")


@blueprint.route(LOGOUT, methods=["GET", "POST"], strict_slashes=False)
def logout() -> Response:
    """Sign out and go back to the site, or to the report."""
    # Section 2.3.1: `service` is all there is; the `url` of older versions is ignored.
    service = read_params(request).get("service", "")
    if request.method == "POST":
        # Only a GET brings the cookie along, as at /cas/login.
        return see_other(f"{LOGOUT}?{urlencode({'service': service})}" if service else LOGOUT)
    client = services().clients.find_by_service(service) if service else None
    if service and client is None:
        # Dropped and logged: nobody is kept in by a site's configuration. It is never followed (section 2.3.2).
        _log.warning("logout_service_dropped", received=service.partition("?")[0][:300])
    back = service if client else ""
    session = services().sign_in.find_any_session(session_cookie(request))
    if session is not None and not _is_visit(request):
        return see_other(_question(client, back))
    if session is not None:
        # Committed before the browser is answered; a session that is over already keeps its first reason.
        reason = EndReason.SITE_SIGN_OUT if client else EndReason.SIGN_OUT
        actor = f"client:{client.client_id}" if client else "user"
        services().sign_out.end(session.sid, reason, actor=actor)
        _log.info("signed_out_by_cas", client_id=client.client_id if client else "", sid=session.sid)
    sid = session.sid if session else ""
    response = see_other(past_frames(sid, back or _report(sid, client)))
    clear_session_cookie(response)
    return response


def _is_visit(request: Request) -> bool:
    """A page that somebody goes to: no picture, no frame, no script's call, nothing fetched ahead (ASVS 5.0, 10.6.2).

    Fetch Metadata section 2; browsers that send none are kept from most of it by the cookie's SameSite=Lax.
    """
    is_ahead = any(name in request.headers for name in _SENT_AHEAD)
    return request.method == "GET" and request.headers.get("Sec-Fetch-Dest", "document") == "document" and not is_ahead


def _question(client: Client | None, back: str) -> str:
    if client is None:
        return "/sign-out"
    question = {"client_id": client.client_id, "post_logout_redirect_uri": back, "state": ""}
    return "/sign-out?" + urlencode({"request": services().seals.seal("sign-out", question)})


def _report(sid: str, client: Client | None) -> str:
    if not sid:
        return "/signed-out"
    shown = {"sid": sid, "client_id": client.client_id if client else ""}
    return "/signed-out?" + urlencode({"of": services().seals.seal("signed-out", shown)})
