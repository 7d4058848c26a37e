"""POST /par (RFC 9126): a client hands its authorization request over by itself, and gets a `request_uri` for it.

Nothing of it travels through the browser then. It is checked here as it will be at /authorize, and once more there.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_plus

import structlog
from flask import Blueprint, Response, request

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest, TooManyRequests
from sso_server.core.guesses import Limit, place_of
from sso_server.core.policy import MINUTE, SECOND
from sso_server.fronts.oidc import request_object
from sso_server.fronts.oidc.authorize_request import PARAMETERS, Received, check
from sso_server.fronts.oidc.errors import RedirectUriMismatch
from sso_server.fronts.oidc.id_token import read_hint
from sso_server.fronts.oidc.received_request import VISIT_WITHIN_S, PushedRequests, opened
from sso_server.web.client_auth import read_client_form
from sso_server.web.cors import install_cors
from sso_server.web.dpop import install_nonces, pushed_key
from sso_server.web.json_errors import install_json_errors
from sso_server.web.params import MAX_VALUE
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("oidc_pushed_request", __name__)
install_json_errors(blueprint)
install_cors(blueprint)
install_nonces(blueprint)
#: No address has to hold this: a signed request, an assertion, and some more.
_MAX_FORM = 2 * request_object.MAX_LENGTH
#: So many requests of strangers' clients from one address at once; then some each second.
FREE_FOR_STRANGERS = 300
_log = structlog.get_logger("sso_server.oidc")


@blueprint.post("/par")
def push() -> Response:
    """201, and where the browser goes with it."""
    here = services()
    client, form = read_client_form(
        request, repeatable=("resource",), max_value=request_object.MAX_LENGTH, max_total=_MAX_FORM
    )
    _slow_down(client)
    received = _received(client, form)
    try:
        check(
            received,
            issuer=here.policy.issuer,
            clients=here.clients,
            find_hint=lambda token: read_hint(here.signer, token, here.policy.issuer),
            must_push=here.policy.require_pushed_requests,
        )
    except RedirectUriMismatch as error:
        # Section 2.3: the codes of RFC 6749, for whom there is no page.
        raise InvalidRequest(error.description, detail=error.detail) from error
    pushed = PushedRequests(here.slips, here.clock)
    uri = pushed.keep(here.randomness.token("par"), received.params, signed=received.signed)
    _log.info("request_pushed", signed=received.signed)
    return json_answer({"request_uri": uri, "expires_in": VISIT_WITHIN_S}, 201)


def _received(client: Client, form: Mapping[str, str]) -> Received:
    """What the client asks, in its request object alone if there is one (section 3); it is pushed by being here. Raises
    InvalidRequest, InvalidProof."""
    if "request_uri" in form:
        # Section 2.1: never.
        raise InvalidRequest("A pushed request can't hold a request_uri.")
    params = {name: value for name, value in form.items() if name in PARAMETERS} | {"client_id": client.client_id}
    received = Received(params)
    if "request" in params:
        received = opened(params, client, services(), alone=True)
    jkt = pushed_key(request, received.params)
    whole = {**received.params, **({"dpop_jkt": jkt} if jkt else {})}
    too_long = any(len(value) > MAX_VALUE for name, value in whole.items() if name != "claims")
    if too_long or len(quote_plus(whole.get("state", ""))) > MAX_VALUE:
        # `state` and the address to return to have to fit into a redirect in the end.
        raise InvalidRequest("A parameter is too large.")
    return Received(whole, received.signed, pushed="now")


def _slow_down(client: Client) -> None:
    """What one address makes us keep in the names of strangers' clients is bounded. Raises TooManyRequests
    (section 7.5)."""
    if not client.is_strangers:
        return
    here = services()
    limit = Limit(f"par:{place_of(request.remote_addr or '')}", FREE_FOR_STRANGERS, SECOND // 10, SECOND, MINUTE)
    wait_ms = here.guesses.begin((limit,), here.clock.now())
    if wait_ms > 0:
        raise TooManyRequests(wait_ms)
