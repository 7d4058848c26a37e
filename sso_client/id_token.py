"""What an ID token must say (OpenID Connect Core 1.0 section 3.1.3.7). Pure; the signature is `signed_token`'s."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt

from sso_client.errors import SSOError
from sso_client.signed_token import Header, check_origin, check_times, number, read_claims, text


@dataclass(frozen=True, slots=True)
class IdToken:
    """A verified ID token. `iat` and `auth_time` in seconds."""

    sub: str
    sid: str | None
    iat: int
    auth_time: int | None
    claims: dict[str, Any] = field(repr=False)


def verify_id_token(
    token: str, header: Header, keys: Sequence[jwt.PyJWK], *, issuer: str, client_id: str, nonce: str, now_s: float
) -> IdToken:
    """Check everything, in this order. Raises SSOError."""
    claims, iat = _read(token, header, keys, issuer, client_id, now_s)
    sent_nonce = claims.get("nonce")
    if not isinstance(sent_nonce, str) or not hmac.compare_digest(sent_nonce.encode(), nonce.encode()):
        raise SSOError("nonce_mismatch")
    sub = text(claims, "sub")
    if sub is None:
        raise SSOError("subject_missing")
    auth_time = number(claims, "auth_time")
    return IdToken(sub, text(claims, "sid"), iat, None if auth_time is None else int(auth_time), claims)


def verify_renewed_id_token(
    token: str,
    header: Header,
    keys: Sequence[jwt.PyJWK],
    *,
    issuer: str,
    client_id: str,
    first: Mapping[str, Any],
    now_s: float,
) -> None:
    """One that came with renewed tokens says what the `first` one's claims said (section 12.2). Raises SSOError."""
    claims, _ = _read(token, header, keys, issuer, client_id, now_s)
    if claims.get("sub") != first.get("sub"):
        raise SSOError("subject_mismatch", "renewed tokens name another person")
    # A nonce is sent once; one that comes again must be the old one. A `sid` may be left out when its session is over.
    for name, code in (("nonce", "nonce_mismatch"), ("sid", "subject_mismatch")):
        if name in claims and claims[name] != first.get(name):
            raise SSOError(code, f"renewed tokens name another {name}")


def _read(
    token: str, header: Header, keys: Sequence[jwt.PyJWK], issuer: str, client_id: str, now_s: float
) -> tuple[dict[str, Any], int]:
    """The claims and `iat` of an ID token for this client, whoever it names. Raises SSOError."""
    if header.typ is not None and header.typ.lower() != "jwt":  # a logout token is no ID token (RFC 8725 3.11)
        raise SSOError("typ_wrong", f"typ {header.typ!r:.40}")
    claims = read_claims(token, header, keys)
    check_origin(claims, issuer, client_id)
    aud, azp = claims["aud"], claims.get("azp")
    if (azp is not None and azp != client_id) or (isinstance(aud, list) and len(aud) > 1 and azp is None):
        raise SSOError("audience_mismatch", f"azp {azp!r:.200}")
    return claims, check_times(claims, now_s)
