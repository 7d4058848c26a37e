"""POST /token (RFC 6749 section 3.2, OpenID Connect Core 1.0 section 3.1.3): one table of grants, a file for each."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from sso_server.core.client_metadata import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
)
from sso_server.core.errors import InvalidRequest
from sso_server.fronts.oidc.client_credentials_grant import speak_for_itself
from sso_server.fronts.oidc.code_grant import redeem
from sso_server.fronts.oidc.device_grant import redeem_device
from sso_server.fronts.oidc.exchange_grant import exchange
from sso_server.fronts.oidc.refresh_grant import refresh
from sso_server.fronts.oidc.token_request import REPEATABLE, TokenRequest, check_registered
from sso_server.web.client_auth import read_client_form
from sso_server.web.cors import install_cors
from sso_server.web.dpop import install_nonces, prove_key
from sso_server.web.edge import this_request
from sso_server.web.json_errors import install_json_errors

blueprint = Blueprint("oidc_token", __name__)
install_json_errors(blueprint)
install_cors(blueprint)
install_nonces(blueprint)

GRANTS: dict[str, Callable[[TokenRequest], Response]] = {
    AUTHORIZATION_CODE: redeem,
    REFRESH_TOKEN: refresh,
    CLIENT_CREDENTIALS: speak_for_itself,
    DEVICE_CODE: redeem_device,
    TOKEN_EXCHANGE: exchange,
}


@blueprint.post("/token")
def token() -> Response:
    """Tokens for what the client brings."""
    request = this_request()
    client, form = read_client_form(request, repeatable=REPEATABLE)
    asked = TokenRequest(client, form, prove_key(request, client))
    grant_type = asked.required("grant_type")
    grant = GRANTS.get(grant_type)
    if grant is None:
        raise InvalidRequest("This grant_type is not supported.", code="unsupported_grant_type")
    check_registered(client, grant_type)
    return grant(asked)
