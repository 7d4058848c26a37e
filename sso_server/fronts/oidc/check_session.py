"""GET /check-session: the frame that sites ask whether the person is still signed in (OpenID Connect Session
Management 1.0 section 3.3). Its script answers from a cookie, without asking the centre. 404 unless it is switched on.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, render_template

from sso_server.web.cookies import state_name
from sso_server.web.responses import allow_framing
from sso_server.web.services import services

blueprint = Blueprint("oidc_check_session", __name__)


@blueprint.get("/check-session")
def check_session() -> Response:
    """The one page of ours that others may frame: there is nothing on it to see or to press."""
    if not services().site.session_management:
        abort(404)
    allow_framing()
    return make_response(render_template("check_session.html", cookie=state_name()))
