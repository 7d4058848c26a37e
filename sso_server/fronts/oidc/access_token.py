"""The access token as APIs see it: opaque text, or a JWT (RFC 9068) for clients that chose so. Keys are `Signer`'s."""

from __future__ import annotations

from sso_server.core.claims import claims_for
from sso_server.core.clients import Client
from sso_server.core.denials import JWT_TYPE
from sso_server.core.details import act_claim
from sso_server.core.people import People
from sso_server.core.policy import Policy
from sso_server.core.ports import Signer
from sso_server.core.resources import audience_names


def sign_access_token(
    signer: Signer,
    people: People,
    client: Client,
    policy: Policy,
    *,
    audience: tuple[str, ...],
    resources: tuple[str, ...],
    jti: str,
    sub: str,
    user_id: str,
    sid: str,
    scope: tuple[str, ...],
    auth_time: int,
    amr: tuple[str, ...],
    acr: str = "",
    jkt: str = "",
    actor: str = "",
    now: int,
    expires_at: int,
) -> str:
    """The JWT that the store has written under this `jti`. `audience`: ids of clients, called `resources` if there are
    any. `user_id` empty: the client speaks for itself. Times in ms; what is empty is left out. Raises Unavailable."""
    claims: dict[str, object] = {
        "iss": policy.issuer,
        "exp": expires_at // 1000,
        "aud": audience_names(policy.issuer, audience, resources, scope),
        "sub": sub,
        "client_id": client.client_id,
        "iat": now // 1000,
        "jti": jti,
    }
    claims |= {name: value for name, value in (("scope", " ".join(scope)), ("sid", sid), ("acr", acr)) if value}
    # Section 2.2.1: of the person's sign-in. A client that speaks for itself has none.
    claims |= {"auth_time": auth_time // 1000, "amr": list(amr)} if user_id else {}
    claims |= {"cnf": {"jkt": jkt}} if jkt else {}  # RFC 9449 section 6.1
    claims |= {"act": act_claim(actor)} if actor else {}
    user = people.find(user_id) if user_id and "groups" in scope else None
    if user is not None:
        # Section 2.2.3.1. Name and address stay with userinfo: this token is shown to APIs and their logs.
        claims["groups"] = claims_for(user, scope)["groups"]
    return signer.sign(claims, alg=client.id_token_alg, typ=JWT_TYPE)
