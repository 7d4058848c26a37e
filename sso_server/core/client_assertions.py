"""private_key_jwt: a client proves who it is by a JWT that it signs (RFC 7521, RFC 7523, OpenID Connect Core 1.0
section 9).

What the claims must say. Signatures are `ports.ClientKeys`'; which client may come this way is `web/client_auth`'s.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from sso_server.core.client_metadata import CLIENT_ALGORITHMS, FAPI2, FAPI2_ALGORITHMS
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidClient
from sso_server.core.identifiers import digest
from sso_server.core.key_sets import algorithm_of
from sso_server.core.policy import DAY, SECOND
from sso_server.core.ports import ClientKeys, Clock, SlipStore

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: What the header may call it; most clients call it `JWT` or nothing.
TYP = "client-authentication+jwt"
MAX_ASSERTION = 16 * 1024
#: How far a client's clock may be ahead: FAPI 2.0 section 5.3.2.1 has 10 s accepted and more than 60 s refused.
AHEAD_S = 30
#: How far it may be behind.
BEHIND_S = 10
#: `exp` may be so far ahead; until then its `jti` is remembered.
_LONGEST_MS = DAY


class ClientAssertions:
    """Checks assertions, each good once."""

    def __init__(self, keys: ClientKeys, slips: SlipStore, clock: Clock, issuer: str) -> None:
        self._keys = keys
        self._slips = slips
        self._clock = clock
        self._issuer = issuer

    def check(self, client: Client, assertion: str, endpoint: str) -> None:
        """It is this client's own, for us, of now, and hasn't been seen. `endpoint`: the address that was called.
        Raises InvalidClient, Unavailable."""
        claims = self._keys.verify(client, assertion, algs=algorithms_of(client), typ=TYP)
        if claims is None:
            raise _refused(client, "not signed by a key of its with an algorithm it may use")
        problem = self._problem(claims, client, endpoint)
        if problem:
            raise _refused(client, problem)
        # RFC 7523 section 3, item 7: whoever has read it can't use it again, at whatever process of ours.
        name = "assertion:" + digest(f"{client.client_id} {claims['jti']}")
        until = int(claims["exp"]) * SECOND + (BEHIND_S + 1) * SECOND
        if not self._slips.add(name, "1", until, self._clock.now()):
            raise _refused(client, "its jti has been used")

    def _problem(self, claims: Mapping[str, Any], client: Client, endpoint: str) -> str:
        """One line per check; empty: nothing is wrong."""
        now_s = self._clock.now() / SECOND
        exp = _seconds(claims.get("exp"))
        if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
            return "iss and sub are not both its client_id"
        if not self._is_for_us(claims.get("aud"), client, endpoint):
            return "aud is not us"
        if exp is None or exp <= now_s - BEHIND_S:
            return "exp is missing or over"
        if exp > now_s + _LONGEST_MS / SECOND:
            return "exp is more than a day ahead"
        for name in ("nbf", "iat"):
            since = _seconds(claims.get(name))
            if name in claims and (since is None or since > now_s + AHEAD_S):
                return f"{name} is in the future or no time"
        # OpenID Connect Core 1.0 section 9 requires what RFC 7523 leaves open.
        if not isinstance(claims.get("jti"), str) or not claims["jti"]:
            return "jti is missing"
        return ""

    def _is_for_us(self, aud: object, client: Client, endpoint: str) -> bool:
        if client.metadata.profile == FAPI2:
            # FAPI 2.0 section 5.3.2.1, item 8: else another server that the client trusts could bring it here.
            return aud == self._issuer
        ours = (self._issuer, f"{self._issuer}/token", endpoint)
        return any(name in ours for name in (aud if isinstance(aud, list) else [aud]))


def algorithms_of(client: Client) -> tuple[str, ...]:
    """With which this client may sign its assertions."""
    allowed = FAPI2_ALGORITHMS if client.metadata.profile == FAPI2 else CLIENT_ALGORITHMS
    registered = client.metadata.token_endpoint_auth_signing_alg
    return tuple(alg for alg in allowed if not registered or alg == algorithm_of(registered))


def claimed_client_id(assertion: str) -> str:
    """Whose assertion it says it is, for a form without `client_id` (RFC 7521 section 4.2). Nothing is proven yet."""
    try:
        payload = assertion.split(".")[1] if len(assertion) <= MAX_ASSERTION else ""
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError, RecursionError):
        return ""
    sub = claims.get("sub") if isinstance(claims, dict) else None
    return sub if isinstance(sub, str) else ""


def _seconds(value: object) -> float | None:
    """A finite number of seconds. True is no number, NaN is no time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return value


def _refused(client: Client, why: str) -> InvalidClient:
    return InvalidClient("Client authentication failed.", detail=f"client assertion of {client.client_id!r}: {why}")
