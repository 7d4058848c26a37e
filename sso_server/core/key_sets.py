"""What a client's JWK Set may look like (RFC 7517), and which of its keys may have signed a token. Pure.

Signatures are `crypto`'s. A key that is in any way not what it should be makes the whole set bad: half a set would
refuse tokens in a way that nobody understands.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sso_server.core.client_metadata import CLIENT_ALGORITHMS
from sso_server.core.errors import InvalidRequest

MAX_KEYS = 20
MAX_SET = 64 * 1024
_KIND = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_CURVES = {"EC": {"P-256": 32}, "OKP": {"Ed25519": 32}}
#: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2: what only its owner may know.
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def algorithm_of(name: object) -> str:
    """The algorithm as it is called here: RFC 9864's `Ed25519` is what was `EdDSA`; empty: not one of ours."""
    if name == "Ed25519":
        return "EdDSA"
    return name if isinstance(name, str) and name in CLIENT_ALGORITHMS else ""


def parse_key_set(text: str | bytes) -> list[dict[str, Any]]:
    """The keys of a JWK Set. Raises InvalidRequest, in words, for anything that must not be registered or used."""
    if len(text) > MAX_SET:
        raise InvalidRequest("A JWK Set has at most 64 KiB.")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest("The JWK Set is not JSON.") from None
    keys = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise InvalidRequest("A JWK Set is an object with a list of objects in `keys`.")
    if not 1 <= len(keys) <= MAX_KEYS:
        raise InvalidRequest(f"A JWK Set has 1 to {MAX_KEYS} keys.")
    named: set[tuple[object, object]] = set()
    for key in keys:
        check_key(key)
        name = (key.get("kid"), key["kty"])
        # RFC 7517 section 4.5: one name for two keys would let chance decide which is meant.
        if key.get("kid") is not None and name in named:
            raise InvalidRequest(f"Two keys of the JWK Set have the kid {str(key['kid'])[:80]!r}.")
        named.add(name)
    return keys


def check_key(key: Mapping[str, Any]) -> None:
    """A public key that is well made, if it is of a kind that we know. Raises InvalidRequest."""
    kty, kid = key.get("kty"), key.get("kid")
    if not isinstance(kty, str) or not isinstance(kid, str | None):
        raise InvalidRequest("A key has no kty, or a kid that is not a string.")
    if _PRIVATE & key.keys():
        raise InvalidRequest("The JWK Set has a private or a shared key; send the public halves only.")
    for name in ("use", "alg", "crv"):
        if not isinstance(key.get(name), str | None):
            raise InvalidRequest(f"The {name} of a key is not a string.")
    if not isinstance(key.get("key_ops", []), list):
        raise InvalidRequest("The key_ops of a key is not a list.")
    if kty == "RSA":
        _check_rsa(key)
    elif kty in _CURVES and key.get("crv") in _CURVES[kty]:
        for name in ("x", "y") if kty == "EC" else ("x",):
            # RFC 7518 section 6.2.1.2: coordinates have the full length of the curve.
            if len(_octets(key, name)) != _CURVES[kty][key["crv"]]:
                raise InvalidRequest(f"The {name} of a key is not as long as its curve.")


def usable(keys: Sequence[dict[str, Any]], alg: str, kid: str | None) -> list[dict[str, Any]]:
    """Those that may have signed with this algorithm: of its own kind, for signatures, of this name if there is one."""
    return [key for key in keys if fits(key, alg) and (kid is None or key.get("kid") == kid)]


def fits(key: Mapping[str, Any], alg: str) -> bool:
    """Whether a checked key is for this algorithm: a public RSA key never becomes a secret, nor a P-384 one P-256."""
    kty = key["kty"]
    if kty != _KIND[alg] or key.get("use", "sig") != "sig" or "verify" not in key.get("key_ops", ["verify"]):
        return False
    if kty in _CURVES and key.get("crv") not in _CURVES[kty]:
        return False
    return key.get("alg") is None or algorithm_of(key["alg"]) == alg


def _check_rsa(key: Mapping[str, Any]) -> None:
    modulus, exponent = _octets(key, "n").lstrip(b"\0"), _octets(key, "e").lstrip(b"\0")
    # RFC 7518 section 3.3: 2048 bits or more. The upper bounds keep a verification from taking seconds.
    if not 2048 <= int.from_bytes(modulus, "big").bit_length() <= 8192:
        raise InvalidRequest("An RSA key has 2048 to 8192 bits.")
    number = int.from_bytes(exponent, "big")
    if not 3 <= number < 2**32 or number % 2 == 0:
        raise InvalidRequest("The exponent of an RSA key is odd, at least 3 and below 2^32.")


def _octets(key: Mapping[str, Any], name: str) -> bytes:
    value = key.get(name)
    try:
        if not isinstance(value, str) or not value.isascii() or "=" in value:
            raise ValueError
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"The {name} of a key is not base64url.") from None
