"""POST /token (RFC 6749 section 3.2, OpenID Connect Core 1.0 section 3.1.3): one table of grants, a file for each."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request

from sso_server.core.client_metadata import AUTHORIZATION_CODE, REFRESH_TOKEN
from sso_server.core.errors import InvalidRequest
from sso_server.fronts.oidc.code_grant import redeem
from sso_server.fronts.oidc.refresh_grant import refresh
from sso_server.fronts.oidc.token_request import REPEATABLE, TokenRequest
from sso_server.web.client_auth import read_client_form
from sso_server.web.json_errors import install_json_errors

blueprint = Blueprint("oidc_token", __name__)
install_json_errors(blueprint)

GRANTS: dict[str, Callable[[TokenRequest], Response]] = {
    AUTHORIZATION_CODE: redeem,
    REFRESH_TOKEN: refresh,
}


@blueprint.post("/token")
def token() -> Response:
    """Tokens for what the client brings."""
    client, form = read_client_form(request, repeatable=REPEATABLE)
    asked = TokenRequest(client, form)
    grant = GRANTS.get(asked.required("grant_type"))
    if grant is None:
        raise InvalidRequest("This grant_type is not supported.", code="unsupported_grant_type")
    return grant(asked)
