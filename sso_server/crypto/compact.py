"""Compact JWS that others have signed, opened with suspicion (RFC 7515, RFC 8725): size, header, algorithm, signature.

Whose keys are tried is the caller's; what the claims must say as well. Never a JWE: nothing here decrypts or inflates.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import jwt
from jwt.algorithms import OKPAlgorithm

from sso_server.core.client_metadata import CLIENT_ALGORITHMS
from sso_server.core.key_sets import algorithm_of, usable
from sso_server.core.records import record
from sso_server.core.writable import is_writable

#: Before anything is decoded: a bomb must not be unpacked.
MAX_TOKEN = 16 * 1024
#: What doesn't say for what it is: allowed where older specifications named no type.
_UNTYPED = "JWT"
_JWS = jwt.PyJWS(algorithms=list(CLIENT_ALGORITHMS))
# RFC 9864 section 2.2: the same signatures by the name of their curve.
_JWS.register_algorithm("Ed25519", OKPAlgorithm())


@record
class Opened:
    """A token whose header can be good."""

    token: str
    header: dict[str, Any]
    alg: str
    """As `key_sets` calls it."""
    kid: str | None

    def without_kid(self) -> Opened:
        """For a key that comes along and needs no name."""
        return replace(self, kid=None)


def open_header(token: str, algs: Collection[str], typ: str | None, *, typed: bool = False) -> Opened | None:
    """The token if its header may be looked at further: one of these algorithms, and of type `typ` or, unless it must
    be `typed`, of none. Another type is another use's token (RFC 8725 section 3.11)."""
    if len(token) > MAX_TOKEN or not token.isascii() or token.count(".") != 2:
        return None
    try:
        header = _JWS.get_unverified_header(token)
    except (jwt.PyJWTError, binascii.Error, ValueError, RecursionError):
        return None
    alg, kid, said = algorithm_of(header.get("alg")), header.get("kid"), header.get("typ", _UNTYPED)
    # No critical extension is understood here (RFC 7515 section 4.1.11). `jwk`, `jku`, `x5u` and `x5c` are not looked
    # at: a token doesn't say by itself who signed it.
    if not alg or alg not in algs or "crit" in header or "b64" in header or not isinstance(kid, str | None):
        return None
    if not isinstance(said, str):
        return None
    said = said.lower().removeprefix("application/")
    is_typed = typ is not None and said == typ.lower()
    return Opened(token, header, alg, kid) if is_typed or (not typed and said == _UNTYPED.lower()) else None


def claims_under(opened: Opened, keys: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The claims if one of these (checked) keys has signed them, else None."""
    for key in usable(keys, opened.alg, opened.kid):
        try:
            parsed = jwt.PyJWK(key, algorithm=opened.alg).key
            payload = _JWS.decode(opened.token, parsed, algorithms=[opened.header["alg"]])
            claims = json.loads(payload)
        except (jwt.PyJWTError, binascii.Error, ValueError, RecursionError):
            continue
        return claims if isinstance(claims, dict) and is_writable(claims) else None
    return None
