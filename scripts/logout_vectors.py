"""Write the test vectors for logout receivers: docs/receivers/vectors/{jwks,vectors}.json.

The keys follow from words, so that everybody sees that they are worth nothing; times are fixed. Run it again after a
change here; a test compares.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

FOLDER = Path(__file__).parents[1] / "docs/receivers/vectors"
ISSUER = "https://sso.example.com"
CLIENT = "vectors"
MADE_AT = 1_767_225_600  # 2026-01-01
FAR = 4_102_444_800  # 2100-01-01
EVENT = "http://schemas.openid.net/event/backchannel-logout"
SID = "sid-07-abcdefghijklmnopqrstuvwxyz234567"
SUB = "usr-abcdefghijklmnopqrstuvwxyz234567"

Claims = dict[str, Any]


def numbers(words: str, bits: int) -> Iterator[int]:
    """As many numbers of so many bits as are asked for, always the same ones."""
    count = 0
    while True:
        text = b"".join(hashlib.sha256(f"{words} {count} {part}".encode()).digest() for part in range(bits // 256))
        yield int.from_bytes(text, "big")
        count += 1


def is_prime(number: int) -> bool:
    """Miller and Rabin with the first primes as bases: more than enough for keys that protect nothing."""
    if any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        power = pow(base, odd, number)
        if power not in (1, number - 1) and all(pow(power, 2**step, number) != number - 1 for step in range(1, twos)):
            return False
    return True


def rsa_key(words: str) -> rsa.RSAPrivateKey:
    """2048 bits."""
    # The two highest bits are set, so that the product has all its bits; the lowest, so that it is odd.
    candidates = (number | 3 << 1022 | 1 for number in numbers(words, 1024))
    primes = (number for number in candidates if math.gcd(number - 1, 65537) == 1 and is_prime(number))
    p, q = sorted((next(primes), next(primes)), reverse=True)
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


def ec_key(words: str) -> ec.EllipticCurvePrivateKey:
    """On P-256."""
    return ec.derive_private_key(next(numbers(words, 256)) >> 1, ec.SECP256R1())


RSA = rsa_key("lockstep logout vectors: RS256")
EC = ec_key("lockstep logout vectors: ES256")
STRANGER = rsa_key("lockstep logout vectors: a key of somebody else")


def part(value: bytes | Claims) -> str:
    """One of the three parts of a token."""
    text = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signature(alg: str, content: bytes, key: Any) -> bytes:
    """RFC 7518 section 3."""
    if alg == "RS256":
        return bytes(key.sign(content, padding.PKCS1v15(), hashes.SHA256()))
    if alg == "ES256":
        r, s = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return hmac.digest(key, content, "sha256") if alg == "HS256" else b""


def token(change: Claims | None = None, *, alg: str = "RS256", key: Any = RSA, typ: str = "logout+jwt") -> str:
    """A logout token, good but for the changes; a claim changed to None is left out."""
    claims = {
        "iss": ISSUER,
        "aud": CLIENT,
        "iat": MADE_AT,
        "exp": FAR,
        "jti": "jti-vectors",
        "sub": SUB,
        "sid": SID,
        "events": {EVENT: {}},
        "reason": "sign_out",
        "ended_at": MADE_AT * 1000,
    } | (change or {})
    kid = "vectors-es256" if alg == "ES256" else "vectors-rs256"
    header = {"alg": alg, "kid": kid, "typ": typ}
    content = f"{part(header)}.{part({name: value for name, value in claims.items() if value is not None})}"
    return f"{content}.{part(signature(alg, content.encode(), key))}"


def broken(good: str) -> str:
    """The same token for another session, under the signature of the first."""
    head, _, seal = good.split(".")
    return f"{head}.{token({'sid': SID.replace('a', 'b')}).split('.')[1]}.{seal}"


def vectors() -> list[tuple[str, int, str, str]]:
    """(name, the status it must get, why, the token)."""
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return [
        ("good", 200, "as the centre sends it", token()),
        ("good_es256", 200, "the same under the other algorithm", token(alg="ES256", key=EC)),
        ("content_changed", 400, "the signature is another token's", broken(token())),
        ("alg_none", 400, "not signed at all", token(alg="none")),
        ("hs256_with_public_key", 400, "a MAC under the public key's text", token(alg="HS256", key=public)),
        ("key_of_a_stranger", 400, "signed with a key that isn't in the set", token(key=STRANGER)),
        ("expired", 400, "`exp` has passed", token({"exp": MADE_AT + 120})),
        ("wrong_issuer", 400, "from another centre", token({"iss": "https://sso.example.org"})),
        ("wrong_audience", 400, "for another site", token({"aud": "another-site"})),
        ("no_event", 400, "it says nothing of a logout", token({"events": None})),
        ("other_event", 400, "it tells of something else", token({"events": {"https://example.com/other": {}}})),
        ("with_nonce", 400, "only ID tokens have one (section 2.4)", token({"nonce": "n-1"})),
        ("nobody", 400, "neither `sid` nor `sub`", token({"sid": None, "sub": None})),
        ("wrong_type", 400, "`typ` says that it is another kind of token", token(typ="JWT")),
    ]


def jwks() -> Claims:
    """The key set."""
    rs256 = RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)
    es256 = ECAlgorithm.to_jwk(EC.public_key(), as_dict=True)
    pairs = (("RS256", rs256), ("ES256", es256))
    return {
        "keys": [
            {name: key[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in key}
            | {"kid": f"vectors-{alg.lower()}", "alg": alg, "use": "sig"}
            for alg, key in pairs
        ]
    }


def page() -> Claims:
    """What vectors.json says."""
    named = [{"name": name, "status": status, "why": why, "token": text} for name, status, why, text in vectors()]
    return {"issuer": ISSUER, "client_id": CLIENT, "made_at": MADE_AT, "sid": SID, "sub": SUB, "vectors": named}


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, value in (("jwks.json", jwks()), ("vectors.json", page())):
        (FOLDER / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
