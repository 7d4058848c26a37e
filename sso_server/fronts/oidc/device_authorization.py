"""POST /device-authorization (RFC 8628 section 3.1): a device without a browser asks for a sign-in; the page is
`portal.device`."""

from __future__ import annotations

from urllib.parse import urlencode

import structlog
from flask import Blueprint, Response, request

from sso_server.core.claims import granted_scope
from sso_server.core.client_metadata import DEVICE_CODE
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest, TooManyRequests
from sso_server.core.guesses import Limit, place_of
from sso_server.core.policy import MINUTE, SECOND
from sso_server.core.resources import audience_for, read_resources
from sso_server.fronts.oidc.token_request import check_registered
from sso_server.web.client_auth import read_client_form
from sso_server.web.json_errors import install_json_errors
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("oidc_device_authorization", __name__)
install_json_errors(blueprint)
#: So many devices of strangers' clients may ask at once from one address; then one each second.
FREE_FOR_STRANGERS = 100
_log = structlog.get_logger("sso_server.oidc")


@blueprint.post("/device-authorization")
def device_authorization() -> Response:
    """A code for the device, and one for its person."""
    client, form = read_client_form(request, repeatable=("resource",))
    check_registered(client, DEVICE_CODE)
    _slow_down(client)
    here = services()
    scope = granted_scope(form.get("scope", "openid"), client.scopes)
    if not client.refresh_tokens:
        scope = tuple(one for one in scope if one != "offline_access")
    if not scope:
        raise InvalidRequest("None of these scopes is for this client.", code="invalid_scope")
    resources = read_resources(form.get("resource", ""))
    audience_for(client, resources, here.clients, here.policy.issuer)
    begun = here.devices.begin(client, scope, resources)
    _log.info("device_asks")
    page = f"{here.policy.issuer}/device"
    return json_answer(
        {
            "device_code": begun.device_code,
            "user_code": begun.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'user_code': begun.user_code})}",
            "expires_in": begun.expires_in,
            "interval": begun.interval,
        }
    )


def _slow_down(client: Client) -> None:
    """What one address makes us keep in the names of strangers' clients is bounded. Raises TooManyRequests."""
    if not client.is_strangers:
        return
    here = services()
    limit = Limit(f"device:{place_of(request.remote_addr or '')}", FREE_FOR_STRANGERS, SECOND, SECOND, MINUTE)
    wait_ms = here.guesses.begin((limit,), here.clock.now())
    if wait_ms > 0:
        raise TooManyRequests(wait_ms)
