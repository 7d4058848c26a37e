"""The fake provider's keys, and what they sign. The next key is published before it signs, as the centre does it."""

import secrets
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm


def new_ec_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key: a provider's own, or a stranger's to forge with."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    """One for the whole process, made when RS256 is first used: it takes a quarter of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class KeyRing:
    """The key that signs, the next one, and those whose signatures may still come along."""

    def __init__(self) -> None:
        self.alg = "ES256"
        self.kid = "key-1"
        self.ec_key = new_ec_key()
        self._next = _named_key()
        self._retired: list[dict[str, Any]] = []
        self._at_first = (self.kid, self.ec_key, self._next)

    def reset(self) -> None:
        """As it was at first: a site that outlives a test knows these keys, and asks for others twice a minute only."""
        self.alg = "ES256"
        self.kid, self.ec_key, self._next = self._at_first
        self._retired.clear()

    def rotate(self, *, announced: bool = True) -> None:
        """Sign with the next key from now on; unless `announced`, with one that nobody has seen yet."""
        self._retired.append(_public(self.kid, self.ec_key))
        if announced:
            (self.kid, self.ec_key), self._next = self._next, _named_key()
        else:
            self.kid, self.ec_key = _named_key()

    def sign(self, claims: dict[str, Any], headers: dict[str, Any] | None = None, key: Any = None) -> str:
        """A JWT of these claims; `headers` add to and change its header, `key` is another's to forge with."""
        key = key or (self.ec_key if self.alg == "ES256" else _rsa_key())
        return jwt.encode(claims, key, algorithm=self.alg, headers={"kid": f"{self.kid}-{self.alg}", **(headers or {})})

    def jwks(self) -> dict[str, Any]:
        """The public halves. The first is of a kind that nobody knows: readers must pass over it."""
        keys = [{"kty": "strange"}, *self._retired, _public(self.kid, self.ec_key), _public(*self._next)]
        if self.alg == "RS256":
            rs: dict[str, Any] = RSAAlgorithm(RSAAlgorithm.SHA256).to_jwk(_rsa_key().public_key(), as_dict=True)
            keys.append(rs | {"kid": f"{self.kid}-RS256", "use": "sig", "alg": "RS256"})
        return {"keys": keys}


def _named_key() -> tuple[str, ec.EllipticCurvePrivateKey]:
    return f"key-{secrets.token_hex(4)}", new_ec_key()


def _public(kid: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    jwk: dict[str, Any] = ECAlgorithm(ECAlgorithm.SHA256).to_jwk(key.public_key(), as_dict=True)
    return jwk | {"kid": f"{kid}-ES256", "use": "sig", "alg": "ES256"}
