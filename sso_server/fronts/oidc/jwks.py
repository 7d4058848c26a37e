"""GET /jwks.json (RFC 7517): the public keys: next, active, and retired while anything they signed may still come."""

from __future__ import annotations

from flask import Blueprint, Response, request

from sso_server.fronts.oidc.public_metadata import public_answer
from sso_server.web.json_errors import install_json_errors
from sso_server.web.services import services

blueprint = Blueprint("oidc_jwks", __name__)
install_json_errors(blueprint)


@blueprint.get("/jwks.json")
def jwks() -> Response:
    """Every published key."""
    return public_answer(request, {"keys": services().signer.jwks()})
