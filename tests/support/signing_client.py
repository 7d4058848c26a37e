"""What clients sign with keys of their own: assertions, DPoP proofs, and the hostile kinds of both."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import time
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from sso_server.core.client_assertions import ASSERTION_TYPE
from tests.support.oidc_site import ISSUER

_numbers = itertools.count(1)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_KINDS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP"}


@cache
def private_key(alg: str, name: str = "") -> PrivateKey:
    """The one of this name; made once, because RSA takes its time."""
    kind = _KINDS[alg]
    if kind == "RSA":
        return rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else ed25519.Ed25519PrivateKey.generate()


def public_jwk(key: Any, **members: object) -> dict[str, Any]:
    """Its public half."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        jwk = jwt.algorithms.OKPAlgorithm.to_jwk(public, as_dict=True)
    return {name: value for name, value in jwk.items() if name != "key_ops"} | members


def private_jwk(key: Any) -> dict[str, Any]:
    """Both halves, as nobody should ever send them."""
    if isinstance(key, rsa.RSAPrivateKey):
        return jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)
    return jwt.algorithms.OKPAlgorithm.to_jwk(key, as_dict=True)


def thumbprint(key: Any) -> str:
    """RFC 7638."""
    names = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
    jwk = public_jwk(key)
    text = json.dumps({name: jwk[name] for name in names[jwk["kty"]]}, sort_keys=True, separators=(",", ":"))
    return b64(hashlib.sha256(text.encode()).digest())


def b64(raw: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part(value: object) -> str:
    """One part of a JWT."""
    return b64(json.dumps(value).encode())


def key_set(*keys: dict[str, Any]) -> str:
    """The text of a JWK Set."""
    return json.dumps({"keys": list(keys)})


def fresh(prefix: str = "jti") -> str:
    """A name that no other has."""
    return f"{prefix}-{next(_numbers)}-{time.time_ns()}"


def sign(claims: dict[str, Any], key: Any, alg: str, header: dict[str, Any] | None = None) -> str:
    """A JWT; members of None are left out."""
    said = {name: value for name, value in claims.items() if value is not None}
    head = {name: value for name, value in (header or {}).items() if value is not None}
    jws = jwt.PyJWS()
    if alg == "Ed25519":
        jws.register_algorithm("Ed25519", jwt.algorithms.OKPAlgorithm())
    return jws.encode(json.dumps(said).encode(), key, algorithm=alg, headers=head)


@dataclass(frozen=True)
class Signing:
    """A client that signs; `assertion` makes what it sends instead of a secret."""

    client_id: str
    key: Any
    alg: str = "ES256"
    kid: str | None = "one"
    issuer: str = ISSUER

    def claims(self, **changes: object) -> dict[str, Any]:
        """Those of a good assertion, and what a test changes."""
        now = time.time()
        good: dict[str, Any] = {
            "iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "jti": fresh(),
            "iat": int(now), "exp": int(now) + 60,
        }  # fmt: skip
        return good | changes

    def assertion(self, *, header: dict[str, Any] | None = None, **changes: object) -> str:
        """Signed."""
        return sign(self.claims(**changes), self.key, self.alg, {"kid": self.kid} | (header or {}))

    def form(self, *, header: dict[str, Any] | None = None, **changes: object) -> dict[str, str]:
        """As parameters."""
        return form_of(self.assertion(header=header, **changes))

    def at(self, issuer: str) -> Signing:
        """The same at another centre."""
        return replace(self, issuer=issuer)


def form_of(assertion: str) -> dict[str, str]:
    """An assertion as parameters."""
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def proof(
    key: Any,
    method: str,
    url: str,
    *,
    token: str | None = None,
    alg: str = "ES256",
    header: dict[str, Any] | None = None,
    **changes: object,
) -> str:
    """A DPoP proof for this request, and what a test changes in it."""
    claims: dict[str, Any] = {"jti": fresh("proof"), "htm": method, "htu": url, "iat": int(time.time())}
    claims |= {"ath": b64(hashlib.sha256(token.encode()).digest())} if token else {}
    return sign(claims | changes, key, alg, {"typ": "dpop+jwt", "jwk": public_jwk(key)} | (header or {}))
