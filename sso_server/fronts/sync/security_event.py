"""The security event token of one end (RFC 8417) that a site gets when it polls. Pure; the wire is `poll`'s."""

from __future__ import annotations

from sso_server.core.clients import Client
from sso_server.core.polls import PollEvent, jti_of
from sso_server.core.ports import Signer

#: The event of OpenID Connect Back-Channel Logout 1.0 section 2.4: a site reads one kind of event, however it comes.
EVENT = "http://schemas.openid.net/event/backchannel-logout"


def build(event: PollEvent, client: Client, sub: str, signer: Signer, issuer: str) -> str:
    """The signed token; the same claims each time until the site has acknowledged it. `sub`: what `Subjects` names the
    person to this client. Raises what `Signer.sign` raises.

    No `exp`: an end stays true (RFC 8417 section 2.2 advises against it). No `nonce` (Back-Channel Logout section 2.4).
    """
    claims: dict[str, object] = {
        "iss": issuer,
        "aud": client.client_id,
        "iat": event.ended_at // 1000,
        "jti": jti_of(event.sid, client.client_id),
        "sub": sub,
        "sid": event.sid,
        "events": {EVENT: {}},
        "reason": event.reason,
        "ended_at": event.ended_at,
    }
    # RFC 8417 section 2.3: an explicit type, so that it passes for no ID token and for no logout token.
    return signer.sign(claims, alg=client.id_token_alg, typ="secevent+jwt")
