"""grant_type=urn:ietf:params:oauth:grant-type:device_code (RFC 8628 section 3.4): a device asks for its answer."""

from __future__ import annotations

from flask import Response

from sso_server.core.errors import InvalidRequest, Unavailable
from sso_server.fronts.oidc.code_grant import hand_out
from sso_server.fronts.oidc.token_request import TokenRequest
from sso_server.web.services import services


def redeem_device(asked: TokenRequest) -> Response:
    """The tokens. Raises InvalidGrant (also with the codes of section 3.5), InvalidRequest, Unavailable."""
    device_code, devices = asked.required("device_code"), services().devices
    ticket = devices.poll(device_code, asked.client)
    try:
        # The person's yes is a ticket that is bound to the device's code as to a PKCE verifier.
        return hand_out(asked, ticket, redirect_uri="", verifier=device_code)
    except (InvalidRequest, Unavailable):
        # Nothing was given for it yet.
        devices.put_back(device_code, ticket, asked.client)
        raise
