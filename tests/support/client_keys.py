"""A client's own keys, and what it signs with them: request objects, assertions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm


@dataclass(frozen=True)
class ClientKey:
    """One key pair for one algorithm."""

    alg: str
    kid: str
    private: Any

    @property
    def public(self) -> dict[str, Any]:
        """As a JWK."""
        kind = RSAAlgorithm if self.alg[:2] in ("RS", "PS") else ECAlgorithm if self.alg == "ES256" else OKPAlgorithm
        members: dict[str, Any] = json.loads(kind.to_jwk(self.private.public_key()))
        return members | {"kid": self.kid, "use": "sig", "alg": self.alg}

    @property
    def jwks(self) -> str:
        """A key set of this one."""
        return json.dumps({"keys": [self.public]})

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A compact JWS."""
        return jwt.encode(claims, self.private, algorithm=self.alg, headers={"kid": self.kid, **header})


@cache
def client_key(alg: str, kid: str = "one") -> ClientKey:
    """The same one for the same names."""
    if alg == "ES256":
        return ClientKey(alg, kid, ec.generate_private_key(ec.SECP256R1()))
    if alg == "EdDSA":
        return ClientKey(alg, kid, ed25519.Ed25519PrivateKey.generate())
    return ClientKey(alg, kid, rsa.generate_private_key(65537, 2048))
