"""POST /register, and GET, PUT and DELETE of what was registered (OpenID Connect Registration 1.0, RFC 7591, RFC 7592).

What it all means is `core.registrations`' to say.
"""

from __future__ import annotations

import structlog
from flask import Blueprint, Request, Response, request

from sso_server.core.errors import InvalidToken, Refused
from sso_server.core.registrations import Registered
from sso_server.web.json_body import parse_object, read_body
from sso_server.web.json_errors import REALM, install_json_errors, json_error
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("oidc_register", __name__)
install_json_errors(blueprint)
#: A JWK Set is at most as large as this; with it the rest is small.
MAX_BODY = 128 * 1024
_log = structlog.get_logger("sso_server.oidc")


@blueprint.post("/register")
def register() -> Response:
    """A client registers itself."""
    token = _bearer(request)
    members = parse_object(read_body(request, max_bytes=MAX_BODY))
    made = services().registrations.register(members, token, request.remote_addr or "")
    _log.info(
        "client_registered", client_id=made.client.client_id, registered_with=made.client.metadata.registered_with
    )
    return _answer(made, made.token, 201)


@blueprint.get("/register/<client_id>")
def read(client_id: str) -> Response:
    """What is registered. The secret is shown where it was made, and never again: only its digest is kept."""
    token = _bearer(request)
    return _answer(Registered(services().registrations.get(client_id, token)), token)


@blueprint.put("/register/<client_id>")
def change(client_id: str) -> Response:
    """The whole registration anew."""
    token = _bearer(request)
    was = services().registrations.get(client_id, token)
    made = services().registrations.change(was, parse_object(read_body(request, max_bytes=MAX_BODY)))
    _log.info("client_changed_itself", client_id=client_id)
    return _answer(made, token)


@blueprint.delete("/register/<client_id>")
def remove(client_id: str) -> Response:
    """The client is no more (RFC 7592 section 2.3)."""
    services().registrations.get(client_id, _bearer(request))
    services().registrations.remove(client_id)
    _log.info("client_removed_itself", client_id=client_id)
    return Response(status=204)


def _answer(made: Registered, token: str, status: int = 200) -> Response:
    client = made.client
    management = {
        "registration_client_uri": f"{services().policy.issuer}/register/{client.client_id}",
        "registration_access_token": token,
    }
    # RFC 7592 section 3: the token comes with every answer; it is the one that was sent.
    return json_answer(made.members() | (management if token else {}), status)


def _bearer(request: Request) -> str:
    """The token in the header, the only place for it (RFC 6750 section 2.1); empty: none was sent."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


@blueprint.errorhandler(InvalidToken)
def _unauthorized(error: InvalidToken) -> Response:
    response = json_error(error)
    response.status_code = 401
    # RFC 6750 section 3.1: who sent no token is told no error.
    sent = ', error="invalid_token"' if request.headers.get("Authorization") else ""
    response.headers["WWW-Authenticate"] = f'Bearer realm="{REALM}"{sent}'
    return response


@blueprint.errorhandler(Refused)
def _refused(error: Refused) -> Response:
    response = json_error(error)
    response.status_code = 409 if error.code == "conflict" else 403
    return response
