"""The ID token (OpenID Connect Core 1.0 section 2), and reading one that comes back as a hint. Keys are `Signer`'s."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from sso_server.core.clients import Client
from sso_server.core.policy import Policy
from sso_server.core.ports import Signer
from sso_server.core.records import record


@record
class Hint:
    """What an ID token of ours says when a site hands it back."""

    user_id: str
    """Its `sub`: what `Subjects` names the person to that client."""
    client_id: str
    sid: str
    """Empty when it has none."""


def sign_id_token(
    signer: Signer,
    client: Client,
    policy: Policy,
    *,
    sub: str,
    sid: str,
    auth_time: int,
    amr: tuple[str, ...],
    acr: str,
    nonce: str,
    access_token: str,
    now: int,
    more: Mapping[str, object] | None = None,
) -> str:
    """The signed ID token. `auth_time` and `now` in ms; `sid`, `acr` and `nonce` empty: the claim is left out. `more`:
    claims of the person that were asked for here (section 5.5); no scope opens any (section 5.4)."""
    claims: dict[str, object] = dict(more or {}) | {
        "iss": policy.issuer,
        "sub": sub,
        # One audience, so there is no `azp` to name it (section 2).
        "aud": client.client_id,
        "exp": (now + policy.access_token_ms) // 1000,
        "iat": now // 1000,
        "auth_time": auth_time // 1000,
        "amr": list(amr),
        "at_hash": at_hash(access_token, client.id_token_alg),
    }
    claims |= {name: value for name, value in (("sid", sid), ("acr", acr), ("nonce", nonce)) if value}
    return signer.sign(claims, alg=client.id_token_alg, typ="JWT")


def at_hash(access_token: str, alg: str) -> str:
    """Left half of the hash that belongs to the ID token's algorithm (section 3.1.3.6): of Ed25519 it is SHA-512 (RFC
    8032 section 5.1), of RS256 and ES256 SHA-256."""
    digest = hashlib.new("sha512" if alg == "EdDSA" else "sha256", access_token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def read_hint(signer: Signer, token: str, issuer: str) -> Hint | None:
    """The content of an `id_token_hint`: ours by signature and `iss`, expired or not; None for anything else."""
    claims = signer.verify(token)
    # A signed answer of /userinfo has the same type (section 5.3.2 names none) and the same issuer, but no `exp`.
    if claims is None or claims.get("iss") != issuer or not isinstance(claims.get("exp"), int):
        return None
    user_id, client_id, sid = (claims.get(name, "") for name in ("sub", "aud", "sid"))
    if not (isinstance(user_id, str) and isinstance(client_id, str) and isinstance(sid, str) and user_id):
        return None
    return Hint(user_id, client_id, sid)
