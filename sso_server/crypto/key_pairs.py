"""Key pairs as bytes: making one, public JWK and thumbprint, and the private half sealed under `SSO_SECRET_KEY`."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sso_server.core.errors import Refused

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_THUMBPRINT_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


def make_private_key(alg: str) -> PrivateKey:
    """A fresh key for RS256 (2048 bits), ES256 or EdDSA (Ed25519). Raises ValueError for any other algorithm."""
    if alg == "RS256":
        return rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    if alg == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"no keys are made for {alg!r}")


def public_jwk(key: PrivateKey, alg: str) -> dict[str, str]:
    """RFC 7517, RFC 7518 section 6 and RFC 8037 section 2, with `kid`, `use` and `alg`: what sites get to see."""
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_numbers = key.public_key().public_numbers()
        jwk = {"kty": "RSA", "n": _b64_int(rsa_numbers.n), "e": _b64_int(rsa_numbers.e)}
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": _b64(key.public_key().public_bytes_raw())}
    else:
        numbers = key.public_key().public_numbers()
        # RFC 7518 section 6.2.1.2: coordinates have the full length of the curve, leading zeros included.
        jwk = {"kty": "EC", "crv": "P-256", "x": _b64_int(numbers.x, 32), "y": _b64_int(numbers.y, 32)}
    return {**jwk, "kid": thumbprint(jwk), "use": "sig", "alg": alg}


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638: SHA-256 over the required members, sorted, without spaces."""
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return _b64(hashlib.sha256(canonical).digest())


def public_key(jwk: dict[str, str]) -> PublicKey:
    """The key object of a JWK of ours. Raises ValueError, KeyError when the row is damaged."""
    if jwk["kty"] == "RSA":
        return rsa.RSAPublicNumbers(_int_b64(jwk["e"]), _int_b64(jwk["n"])).public_key()
    if jwk["kty"] == "OKP":
        return ed25519.Ed25519PublicKey.from_public_bytes(_unb64(jwk["x"]))
    return ec.EllipticCurvePublicNumbers(_int_b64(jwk["x"]), _int_b64(jwk["y"]), ec.SECP256R1()).public_key()


class PrivateSeal:
    """Encrypts private halves at rest: against a leaked database or backup, not against the host.

    Of several secrets the first writes, all read.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._each = [Fernet(_derived(secret)) for secret in secrets]
        self._fernet = MultiFernet(self._each)

    def seal(self, key: PrivateKey) -> str:
        """PKCS #8 in DER, encrypted; text."""
        der = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._fernet.encrypt(der).decode("ascii")

    def index_of(self, sealed: str) -> int | None:
        """Which of the secrets it was sealed under, 0 for the first; None: none of them."""
        for index, one in enumerate(self._each):
            try:
                one.decrypt(sealed.encode("ascii"))
            except (InvalidToken, ValueError):
                continue
            return index
        return None

    def open(self, sealed: str, kid: str, alg: str) -> PrivateKey:
        """The key object. Raises Refused when no present secret opens it, or when it isn't the key that `kid` names."""
        try:
            der = self._fernet.decrypt(sealed.encode("ascii"))
            # Made by us, MACed by Fernet: that an RSA key's numbers are primes is settled. Saves 20 ms a start.
            key = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
        except (InvalidToken, ValueError):
            raise Refused(
                f"The signing key {kid} can't be read with the present secret key. Put the one back that it was sealed"
                " under: in SSO_SECRET_KEY, or else as the file secret-key in SSO_DATA_DIR.",
                code="signing_key_unreadable",
            ) from None
        # A row swapped in the database would otherwise make us sign with another key than the one we publish.
        if not isinstance(key, PrivateKey) or public_jwk(key, alg)["kid"] != kid:
            raise Refused(f"The stored signing key {kid} isn't the key of that name.", code="signing_key_unreadable")
        return key


def _derived(secret: str) -> bytes:
    # A key of its own for this purpose (RFC 5869): the form MAC and this encryption never share one.
    hkdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"lockstep signing keys at rest")
    return base64.urlsafe_b64encode(hkdf.derive(secret.encode()))


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _b64_int(number: int, length: int = 0) -> str:
    return _b64(number.to_bytes(length or (number.bit_length() + 7) // 8, "big"))


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _int_b64(text: str) -> int:
    return int.from_bytes(_unb64(text), "big")
