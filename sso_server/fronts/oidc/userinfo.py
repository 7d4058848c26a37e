"""GET and POST /userinfo: the person's claims for a bearer token (OpenID Connect Core 1.0 section 5.3, RFC 6750)."""

from __future__ import annotations

from flask import Blueprint, Request, Response, request

from sso_server.core.claims import claims_for
from sso_server.core.errors import InvalidRequest, InvalidToken, LockstepError
from sso_server.web.json_errors import REALM, install_json_errors, json_error
from sso_server.web.params import read_params
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("oidc_userinfo", __name__)
install_json_errors(blueprint)


class _NoToken(LockstepError):
    """Nothing was presented: the caller is told how, and no error code (RFC 6750 section 3.1)."""

    code = "invalid_token"


@blueprint.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """Who the token speaks for."""
    found = services().tokens.get_access(_bearer(request))
    user = services().users.find(found.grant.user_id)
    if user is None or user.disabled_at is not None:
        raise InvalidToken("The account is gone or disabled.")
    return json_answer(claims_for(user, found.grant.scope))


def _bearer(request: Request) -> str:
    """The token from the header or the form, never from the query (RFC 9700 section 4.3.2). Raises on none or two."""
    scheme, _, from_header = request.headers.get("Authorization", "").partition(" ")
    from_form = ""
    if request.method == "POST" and request.mimetype == "application/x-www-form-urlencoded":
        from_form = read_params(request).get("access_token", "")
    header_token = from_header.strip() if scheme.lower() == "bearer" else ""
    if header_token and from_form:
        raise InvalidRequest("Send the token in the header or in the form, not both.")
    if not header_token and not from_form:
        raise _NoToken("No access token was sent.")
    return header_token or from_form


@blueprint.errorhandler(_NoToken)
def _challenge(error: _NoToken) -> Response:
    response = json_answer({"error_description": error.description}, 401)
    response.headers["WWW-Authenticate"] = f'Bearer realm="{REALM}"'
    return response


@blueprint.errorhandler(InvalidToken)
def _invalid_token(error: InvalidToken) -> Response:
    response = json_error(error)
    response.status_code = 401
    response.headers["WWW-Authenticate"] = (
        f'Bearer realm="{REALM}", error="invalid_token", error_description="{error.description}"'
    )
    return response
