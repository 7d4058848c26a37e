"""grant_type=client_credentials (RFC 6749 section 4.4): a confidential client speaks for itself. No refresh token."""

from __future__ import annotations

import structlog
from flask import Response

from sso_server.core.errors import UnauthorizedClient
from sso_server.fronts.oidc.token_answer import Granted, token_answer
from sso_server.fronts.oidc.token_request import TokenRequest
from sso_server.web.services import services

_log = structlog.get_logger("sso_server.oidc")


def speak_for_itself(asked: TokenRequest) -> Response:
    """The token. Raises InvalidRequest (`invalid_scope`, `invalid_target`), UnauthorizedClient, Unavailable."""
    client = asked.client
    if client.public:
        # Section 4.4: its id is all that it shows, and anybody knows that.
        raise UnauthorizedClient("Only a confidential client can speak for itself.")
    target = asked.target()
    got = services().direct_grants.for_client(
        client,
        asked.form.get("scope"),
        audience=client.audience if target.audience is None else target.audience,
        resources=target.resources,
        jkt=asked.jkt,
    )
    _log.info("client_token_issued")
    return token_answer(
        Granted(
            client=client,
            user_id="",
            scope=got.scope,
            now=got.issued_at,
            access_token=got.access_token,
            jti=got.jti,
            access_expires_at=got.access_expires_at,
            audience=got.audience,
            resources=got.resources,
            jkt=asked.jkt,
            has_id_token=False,
        )
    )
