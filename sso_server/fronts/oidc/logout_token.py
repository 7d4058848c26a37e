"""The logout request (OpenID Connect Back-Channel Logout 1.0 sections 2.4, 2.5) as bytes. Sending is `delivery`'s."""

from __future__ import annotations

from urllib.parse import urlencode

from sso_server.core.clients import Client
from sso_server.core.notifications import Notification
from sso_server.core.ports import Signer

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LIFE_S = 120


def build(
    row: Notification, client: Client, sub: str, signer: Signer, issuer: str, now_ms: int, jti: str
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of one attempt. `sub`: what `Subjects` names the person to this client.

    Each gets its own `jti`, `iat` and `exp`: a receiver that noted a `jti` before it had done the work would refuse a
    repeat for ever. Raises what `Signer.sign` raises."""
    now_s = now_ms // 1000
    claims: dict[str, object] = {
        "iss": issuer,
        "aud": client.client_id,
        "iat": now_s,
        # Section 4: at most two minutes, so that a stolen token is soon worth nothing.
        "exp": now_s + LIFE_S,
        "jti": jti,
        "sub": sub,
        "sid": row.sid,
        "events": {EVENT: {}},
        "reason": row.reason,
        "ended_at": row.ended_at,
    }
    # An explicit type keeps an ID token from passing for this one and the reverse (RFC 8725 section 3.11).
    token = signer.sign(claims, alg=client.id_token_alg, typ="logout+jwt")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if row.store_id:
        headers["Lockstep-Store"] = row.store_id
    return urlencode({"logout_token": token}).encode("ascii"), headers
