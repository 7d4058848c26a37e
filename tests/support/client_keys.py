"""A client's key, as it is registered, and what it signs with it: request objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.signing_client import key_set, private_key, public_jwk, sign


@dataclass(frozen=True)
class ClientKey:
    """One key pair for one algorithm."""

    alg: str
    private: Any

    @property
    def public(self) -> dict[str, Any]:
        """As a JWK."""
        return public_jwk(self.private, kid="one", use="sig", alg=self.alg)

    @property
    def jwks(self) -> str:
        """A key set of this one."""
        return key_set(self.public)

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A compact JWS."""
        return sign(claims, self.private, self.alg, {"kid": "one"} | header)


def client_key(alg: str, name: str = "") -> ClientKey:
    """The same one for the same names."""
    return ClientKey(alg, private_key(alg, name))
