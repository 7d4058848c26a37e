"""Proof Key for Code Exchange (RFC 7636): S256 only, and who may go without."""

from __future__ import annotations

import re

from sso_server.core.client_metadata import FAPI2
from sso_server.core.clients import Client

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def problem(client: Client, challenge: str, method: str) -> str:
    """What is wrong with the request's PKCE parameters; empty: nothing."""
    if not challenge:
        if method:
            return "code_challenge_method was sent without code_challenge."
        return "code_challenge is required (PKCE, S256)." if is_required(client) else ""
    if method != "S256":
        # RFC 7636 section 4.3: no method means `plain`, and that hides nothing from whoever reads the request.
        return "code_challenge_method must be S256."
    # Section 4.2: an S256 challenge always has 43 characters; any other could never be redeemed.
    return "" if _CHALLENGE.fullmatch(challenge) else "code_challenge is not an S256 challenge."


def is_required(client: Client) -> bool:
    """RFC 9700 section 2.1.1: of a public client always; of a confidential one unless an operator lets it rely on its
    secret and `nonce`, as OpenID Connect's older software does. FAPI 2.0 section 5.3.2.2: no exception there."""
    return client.public or client.metadata.require_pkce or client.metadata.profile == FAPI2


def is_verifier(text: str) -> bool:
    """The grammar of section 4.1, checked before anything is hashed."""
    return _VERIFIER.fullmatch(text) is not None
