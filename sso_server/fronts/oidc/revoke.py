"""POST /revoke (RFC 7009): a refresh token takes its whole grant along; unknown or another's is answered alike."""

from __future__ import annotations

from flask import Blueprint, Response, request

from sso_server.core.errors import InvalidRequest
from sso_server.web.client_auth import read_client_form
from sso_server.web.cors import install_cors
from sso_server.web.json_errors import install_json_errors
from sso_server.web.services import services

blueprint = Blueprint("oidc_revoke", __name__)
install_json_errors(blueprint)
install_cors(blueprint)


@blueprint.post("/revoke")
def revoke() -> Response:
    """200 and an empty body, whether or not there was such a token (section 2.2)."""
    client, form = read_client_form(request)
    if "token" not in form:
        raise InvalidRequest("token is missing.")
    # `token_type_hint` needs no reading: the kind stands in the token's prefix.
    services().tokens.revoke(form["token"], client)
    return Response(status=200)
