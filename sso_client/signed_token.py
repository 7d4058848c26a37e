"""Opening a signed JWT: size, header, algorithm, signature. What the claims must say is for `id_token`, `logout_token`.

Pure: keys and time are passed in. PyJWT checks the signature; times and names are checked here, by the given clock.
"""

import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from sso_client.errors import SSOError

MAX_TOKEN = 16 * 1024
LEEWAY_S = 60
FUTURE_S = 300


@dataclass(frozen=True, slots=True)
class Header:
    """The parts of a token's header that decide which key is tried."""

    alg: str
    kid: str | None
    typ: str | None


def read_header(token: str, algorithms: Sequence[str]) -> Header:
    """Read a token's header before any key is fetched. Raises SSOError."""
    if len(token) > MAX_TOKEN:  # before any decoding: a bomb must not be unpacked
        raise SSOError("token_oversize", f"{len(token)} characters")
    try:
        raw = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise SSOError("token_malformed", type(error).__name__) from error
    alg, kid, typ = raw.get("alg"), raw.get("kid"), raw.get("typ")
    if not isinstance(alg, str) or alg not in algorithms:  # never `none`, never a shared secret (RFC 8725 section 3.1)
        raise SSOError("alg_not_allowed", f"alg {alg!r:.40}")
    if "crit" in raw:  # no critical extension is understood here (RFC 7515 section 4.1.11)
        raise SSOError("token_malformed", "crit")
    if not isinstance(kid, str | None) or not isinstance(typ, str | None):
        raise SSOError("token_malformed", "kid or typ")
    return Header(alg, kid, typ)


def read_claims(token: str, header: Header, keys: Sequence[jwt.PyJWK]) -> dict[str, Any]:
    """The claims of a token that one of the keys signed. Raises SSOError `signature_invalid`, `token_malformed`."""
    for key in keys:
        try:
            payload = jwt.api_jws.PyJWS().decode(token, key, algorithms=[header.alg])
            claims = json.loads(payload)
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, binascii.Error, ValueError, RecursionError) as error:
            raise SSOError("token_malformed", type(error).__name__) from error
        if not isinstance(claims, dict) or not is_writable(claims):
            raise SSOError("token_malformed", "the payload is no object that can be kept")
        return claims
    raise SSOError("signature_invalid")


def is_writable(value: object) -> bool:
    """False if parsed JSON holds what no store can keep: half of a surrogate pair, or an integer beyond 64 bits.

    RFC 8259 allows both; RFC 7493 sections 2.1 and 2.2 say why nobody should send them.
    """
    waiting = [value]  # no recursion: it may be nested as deep as the parser went
    while waiting:
        match waiting.pop():
            case str(text) if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
                return False
            case int(whole) if not -(2**63) <= whole < 2**63:
                return False
            case dict(members):
                waiting += [*members.keys(), *members.values()]
            case list(members):
                waiting += members
    return True


def check_issuer(claims: dict[str, Any], issuer: str) -> None:
    """`iss` is exactly the issuer. Raises SSOError."""
    if claims.get("iss") != issuer:
        raise SSOError("issuer_mismatch", f"iss {claims.get('iss')!r:.200}")


def check_origin(claims: dict[str, Any], issuer: str, client_id: str) -> None:
    """`iss` is the issuer and `aud` is or contains the client. Raises SSOError."""
    check_issuer(claims, issuer)
    aud = claims.get("aud")
    if aud != client_id and not (isinstance(aud, list) and client_id in aud):
        raise SSOError("audience_mismatch", f"aud {aud!r:.200}")


def check_times(claims: dict[str, Any], now_s: float, needs_exp: bool = True) -> int:
    """`iat` is there and not in the future, `exp` is not past (a minute of leeway). Returns `iat`. Raises SSOError."""
    iat, exp = number(claims, "iat"), number(claims, "exp")
    if iat is None or (exp is None and (needs_exp or "exp" in claims)):
        raise SSOError("token_malformed", "iat or exp")
    if iat > now_s + FUTURE_S:
        raise SSOError("token_expired", f"issued {iat - now_s:.0f} s in the future")
    if exp is not None and exp <= now_s - LEEWAY_S:
        raise SSOError("token_expired", f"expired {now_s - exp:.0f} s ago")
    return int(iat)


def number(claims: dict[str, Any], name: str) -> float | None:
    """A finite number of seconds, or None. True is no number, NaN is no time."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return value


def text(claims: dict[str, Any], name: str) -> str | None:
    """A string of 1 to 255 characters, or None if the claim is absent. Raises SSOError for anything else."""
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise SSOError("token_malformed", name)
    return value
