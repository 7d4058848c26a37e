"""What a JWT access token must say (RFC 9068 section 4). Pure; the signature is `signed_token`'s."""

from collections.abc import Sequence
from typing import Any

import jwt

from sso_client.errors import SSOError
from sso_client.signed_token import LEEWAY_S, Header, check_issuer, check_times, number, read_claims, text


def verify_access_token(
    token: str, header: Header, keys: Sequence[jwt.PyJWK], *, issuer: str, audiences: Sequence[str], now_s: float
) -> dict[str, Any]:
    """Check everything, in this order; the claims. Raises SSOError."""
    # The only kind that is taken: an ID token or a logout token is signed by the same key (section 4, RFC 8725 3.11).
    if header.typ is None or header.typ.lower() not in ("at+jwt", "application/at+jwt"):
        raise SSOError("typ_wrong", f"typ {header.typ!r:.40}")
    claims = read_claims(token, header, keys)
    check_issuer(claims, issuer)
    check_audience(claims, audiences)
    check_times(claims, now_s)
    not_before = number(claims, "nbf")
    if "nbf" in claims and (not_before is None or not_before > now_s + LEEWAY_S):
        raise SSOError("token_expired", "nbf is in the future")
    if text(claims, "sub") is None:
        raise SSOError("subject_missing")
    if text(claims, "jti") is None:
        raise SSOError("jti_missing")
    if text(claims, "client_id") is None:
        raise SSOError("token_malformed", "client_id")
    text(claims, "sid")
    check_unbound(claims)
    return claims


def check_unbound(claims: dict[str, Any]) -> None:
    """The token is bound to no key: one that is would be worth nothing more than any other to whoever has stolen it, if
    it were taken without the key's proof (RFC 9449 section 7.2, RFC 8705 section 3). Raises SSOError."""
    if "cnf" in claims:
        raise SSOError("typ_wrong", "bound to a key (cnf), and shown as Bearer")


def check_audience(claims: dict[str, Any], audiences: Sequence[str]) -> None:
    """`aud` is or contains one of our names. Raises SSOError."""
    aud = claims.get("aud")
    named = aud if isinstance(aud, list) else [aud]
    if not any(name in named for name in audiences):
        raise SSOError("audience_mismatch", f"aud {aud!r:.200}, not one of {', '.join(audiences)}")
