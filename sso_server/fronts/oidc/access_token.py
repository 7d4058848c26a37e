"""The access token as APIs see it: opaque text, or a JWT (RFC 9068) for clients that chose so. Keys are `Signer`'s."""

from __future__ import annotations

from sso_server.core.claims import claims_for
from sso_server.core.clients import Client
from sso_server.core.denials import JWT_TYPE
from sso_server.core.policy import Policy
from sso_server.core.ports import Signer, UserStore
from sso_server.core.resources import audience_names


def sign_access_token(
    signer: Signer,
    users: UserStore,
    client: Client,
    policy: Policy,
    *,
    audience: tuple[str, ...],
    resources: tuple[str, ...],
    jti: str,
    user_id: str,
    sid: str,
    scope: tuple[str, ...],
    auth_time: int,
    amr: tuple[str, ...],
    now: int,
    expires_at: int,
) -> str:
    """The JWT that the store has written under this `jti`. `audience`: ids of clients, called `resources` if there are
    any. Times in ms; an empty `sid` is left out. Raises Unavailable."""
    claims: dict[str, object] = {
        "iss": policy.issuer,
        "exp": expires_at // 1000,
        "aud": audience_names(policy.issuer, audience, resources, scope),
        "sub": user_id,
        "client_id": client.client_id,
        "iat": now // 1000,
        "jti": jti,
        "scope": " ".join(scope),
        "auth_time": auth_time // 1000,
        "amr": list(amr),
    }
    claims |= {"sid": sid} if sid else {}
    user = users.find(user_id) if "groups" in scope else None
    if user is not None:
        # Section 2.2.3.1. Name and address stay with userinfo: this token is shown to APIs and their logs.
        claims["groups"] = claims_for(user, scope)["groups"]
    return signer.sign(claims, alg=client.id_token_alg, typ=JWT_TYPE)
