"""Signing keys for servers that aren't Lockstep, which makes its own."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def private_key(algorithm: str) -> bytes:
    """A new one for `ES256` or `RS256`, as PEM."""
    key = _ec_key() if algorithm == "ES256" else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _ec_key() -> ec.EllipticCurvePrivateKey:
    """No coordinate begins with a zero: glewlwyd's JWK leaves it out (RFC 7518 section 6.2.1.2 wants it), and nobody
    could check what it signs. One key in 128 is such a one.
    """
    while True:
        key = ec.generate_private_key(ec.SECP256R1())
        numbers = key.public_key().public_numbers()
        if numbers.x >> 248 and numbers.y >> 248:
            return key
