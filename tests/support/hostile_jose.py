"""Tokens that nobody signed for what they say: algorithms and keys mixed up, keys brought along, parts broken, bombs.

The corpus is for one key; whoever verifies by that key must take none of it and fall over none of it.
"""

from __future__ import annotations

import base64
import hmac
import json
import zlib
from collections.abc import Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from tests.support.signing_client import b64, part, private_jwk, private_key, public_jwk

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_ASYMMETRIC = ("RS256", "PS256", "ES256", "EdDSA")


def hostile(key: Any, header: dict[str, Any], claims: dict[str, Any]) -> dict[str, str]:
    """Name -> token. `key`: a P-256 private key; `header`, `claims`: those of a token that would be good."""
    good = jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm="ES256", headers=header)
    found: dict[str, str] = {}
    for group in (
        _algorithms(key, header, claims, good),
        _signatures(good),
        _brought_keys(header, claims),
        _headers(key, header, claims, good),
        _shapes(good),
        _payloads(key, header),
        _types(key, header, claims),
        bombs(header),
    ):
        for name, token in group:
            assert name not in found, name
            found[name] = token
    return found


def _algorithms(key: Any, header: dict[str, Any], claims: dict[str, Any], good: str) -> Iterator[tuple[str, str]]:
    signature = good.split(".")[2]
    for alg in ("none", "None", "NONE", "nOnE", "", " ", "none ", None, 0, True, ["none"], {"alg": "none"}):
        head = part(header | {"alg": alg})
        yield f"alg {alg!r} unsigned", f"{head}.{part(claims)}."
        yield f"alg {alg!r} with the old signature", f"{head}.{part(claims)}.{signature}"
    without = {name: value for name, value in header.items() if name != "alg"}
    yield "no alg", f"{part(without)}.{part(claims)}.{signature}"
    for alg in (
        "es256",
        "ES256 ",
        "ES-256",
        "ES256K",
        "ES384",
        "RS1",
        "RS256",
        "PS256",
        "EdDSA",
        "Ed448",
        "HS1",
        "A128KW",
    ):
        yield f"alg {alg!r} over it", f"{part(header | {'alg': alg})}.{part(claims)}.{signature}"
    public = key.public_key()
    formats = serialization.Encoding, serialization.PublicFormat
    secrets = {
        "PEM": public.public_bytes(formats[0].PEM, formats[1].SubjectPublicKeyInfo),
        "DER": public.public_bytes(formats[0].DER, formats[1].SubjectPublicKeyInfo),
        "point": public.public_bytes(formats[0].X962, formats[1].UncompressedPoint),
        "JWK": json.dumps(public_jwk(key)).encode(),
        "x": public_jwk(key)["x"].encode(),
        "kid": str(header.get("kid", "")).encode(),
        "nothing": b"",
        "zeros": b"\0" * 32,
    }
    for alg, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
        for name, secret in secrets.items():
            signed = f"{part(header | {'alg': alg})}.{part(claims)}"
            yield (
                f"{alg} with the public key as {name}",
                f"{signed}.{b64(hmac.digest(secret, signed.encode(), digest))}",
            )


def _signatures(good: str) -> Iterator[tuple[str, str]]:
    signed, _, text = good.rpartition(".")
    raw = base64.urlsafe_b64decode(text + "==")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    made: dict[str, bytes] = {
        "empty": b"",
        "zeros": bytes(64),
        "ones": b"\xff" * 64,
        "r zero": bytes(32) + raw[32:],
        "s zero": raw[:32] + bytes(32),
        "r the order": ORDER.to_bytes(32, "big") + raw[32:],
        "s the order": raw[:32] + ORDER.to_bytes(32, "big"),
        "swapped": raw[32:] + raw[:32],
        "doubled": raw * 2,
        "longer": raw + b"\0",
        "zeros before": b"\0" + raw,
        "DER": encode_dss_signature(r, s),
        "DER of zeros": encode_dss_signature(0, 0),
    }
    assert decode_dss_signature(made["DER"]) == (r, s)
    for name, signature in made.items():
        yield f"signature {name}", f"{signed}.{b64(signature)}"
    for length in (1, 16, 31, 32, 33, 48, 62, 63):
        yield f"signature of {length} bytes", f"{signed}.{b64(raw[:length])}"
    for bit in range(0, 512, 32):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << (bit % 8)
        yield f"signature with bit {bit} flipped", f"{signed}.{b64(bytes(flipped))}"
    for name, odd in {
        "padded too much": text + "===",
        "with a space": f"{text[:5]} {text[5:]}",
        "with a line's end": text + "\n",
        "with a +": "+" + text[1:],
        "with a null": text + "\0",
        "in a strange alphabet": "ä" + text[1:],
    }.items():
        yield f"signature {name}", f"{signed}.{odd}"


def _brought_keys(header: dict[str, Any], claims: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Signed by somebody else, who says by which key that is to be checked."""
    for alg in _ASYMMETRIC:
        other = private_key(alg, "attacker")
        jwk = public_jwk(other, kid=header.get("kid"), alg=alg)
        brought: dict[str, dict[str, Any]] = {
            "nothing": {},
            "jwk": {"jwk": jwk},
            "private jwk": {"jwk": private_jwk(other)},
            "jku": {"jku": "https://attacker.example/keys"},
            "jku here": {"jku": "http://127.0.0.1:1/keys"},
            "x5u": {"x5u": "https://attacker.example/chain.pem"},
            "x5c": {"x5c": [base64.b64encode(b"certificate").decode()]},
            "x5t": {"x5t": "AAAA", "x5t#S256": "AAAA"},
            "all of it": {"jwk": jwk, "jku": "https://attacker.example/keys", "kid": "attacker"},
        }
        for name, more in brought.items():
            kept = {member: value for member, value in header.items() if member != "jwk" or "jwk" in more}
            # A proof brings its own key by its nature: there, it must be the one that it was made for.
            if "jwk" in header and "jwk" in more:
                continue
            yield (
                f"{alg} by another with {name}",
                jwt.PyJWS().encode(
                    json.dumps(claims).encode(), other, algorithm=alg, headers=kept | {"alg": alg} | more
                ),
            )


def _headers(key: Any, header: dict[str, Any], claims: dict[str, Any], good: str) -> Iterator[tuple[str, str]]:
    def signed(head: Any) -> str:
        raw = head if isinstance(head, bytes) else json.dumps(head).encode()
        text = f"{b64(raw)}.{part(claims)}"
        signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(text.encode(), key)
        return f"{text}.{b64(signature)}"

    full = header | {"alg": "ES256"}
    for name, crit in {
        "unknown": ["x"],
        "of b64": ["b64"],
        "of exp": ["exp"],
        "empty": [],
        "a text": "exp",
        "null": None,
        "of alg": ["alg"],
        "nested": [["exp"]],
        "a number": 1,
    }.items():
        yield f"crit {name}", signed(full | {"crit": crit, "exp": 1, "x": 1})
    yield "b64 false", signed(full | {"b64": False, "crit": ["b64"]})
    yield "b64 false without crit", signed(full | {"b64": False})
    for kid in (1, [], {}, True, 1.5):
        yield f"kid {kid!r}", signed(full | {"kid": kid})
    for typ in (1, [], {}, True):
        yield f"typ {typ!r}", signed(full | {"typ": typ})
    for name, raw in {
        "no JSON": b"alg",
        "a list": b'["ES256"]',
        "a text": b'"ES256"',
        "a number": b"256",
        "null": b"null",
        "empty": b"",
        "not UTF-8": b'{"alg":"\xff"}',
        "half": b'{"alg":"ES256"',
        "deep": b'{"alg":' + b"[" * 9000,
        "UTF-16": json.dumps(full).encode("utf-16"),
    }.items():
        if name != "UTF-16":
            yield f"header {name}", signed(raw)
    body, signature = good.split(".")[1:]
    yield "header of another token", f"{part(full | {'more': 1})}.{body}.{signature}"


def _shapes(good: str) -> Iterator[tuple[str, str]]:
    head, body, signature = good.split(".")
    costly = {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31, "p2s": "AA"}
    shapes = {
        "nothing": "",
        "a dot": ".",
        "two dots": "..",
        "a word": "token",
        "four dots": "....",
        "one part": head,
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "five parts": f"{good}.{body}.{signature}",
        "no header": f".{body}.{signature}",
        "no payload": f"{head}..{signature}",
        "a dot before": f".{good}",
        "a dot after": f"{good}.",
        "a space before": f" {good}",
        "a space after": f"{good} ",
        "a line's end": f"{good}\n",
        "a null": f"{good}\0",
        "a mark of order": f"\ufeff{good}",
        "twice": good + good,
        "a scheme before": f"Bearer {good}",
        "in quotes": f'"{good}"',
        "in escapes": good.replace(".", "%2E"),
        "wide dots": good.replace(".", "\uff0e"),
        "flattened JSON": json.dumps({"protected": head, "payload": body, "signature": signature}),
        "general JSON": json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}]}),
        "payload padded": f"{head}.{body}====.{signature}",
        "header with a space": f"{head[:4]} {head[4:]}.{body}.{signature}",
        "JWE": f"{part({'alg': 'RSA-OAEP', 'enc': 'A128GCM'})}.AAAA.AAAA.AAAA.AAAA",
        "JWE with zip": f"{part({'alg': 'dir', 'enc': 'A128GCM', 'zip': 'DEF'})}..AAAA.AAAA.AAAA",
        "JWE with a costly password": part(costly) + ".A.A.A.A",
        "a token in a token": f"{head}.{b64(good.encode())}.{signature}",
    }
    for name, token in shapes.items():
        yield f"shape {name}", token


def _payloads(key: Any, header: dict[str, Any]) -> Iterator[tuple[str, str]]:
    payloads = {
        "a list": b"[]",
        "a text": b'"x"',
        "a number": b"1",
        "null": b"null",
        "true": b"true",
        "nothing": b"",
        "no JSON": b"x",
        "half": b'{"iss":',
        "not UTF-8": b'{"iss":"\xff"}',
        "deep": b'{"iss":' + b"[" * 8000,
        "deep and whole": b'{"iss":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "a list of it": b'[{"iss":"x"}]',
        "packed": zlib.compress(b"{}"),
        "a number without end": b'{"exp":' + b"9" * 8000 + b"}",
    }
    for name, payload in payloads.items():
        yield f"payload {name}", jwt.PyJWS().encode(payload, key, algorithm="ES256", headers=header)


def _types(key: Any, header: dict[str, Any], claims: dict[str, Any]) -> Iterator[tuple[str, str]]:
    others = (
        "at+jwt",
        "logout+jwt",
        "secevent+jwt",
        "oauth-authz-req+jwt",
        "client-authentication+jwt",
        "dpop+jwt",
        "JOSE",
        "application/at+jwt",
        "token-introspection+jwt",
        "JWT ",
        "",
    )
    own = str(header.get("typ", "JWT")).lower()
    for typ in others:
        if typ.lower() != own and typ:
            yield (
                f"typ {typ!r}",
                jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm="ES256", headers=header | {"typ": typ}),
            )


def bombs(header: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What costs much to unpack."""
    head = part(header | {"alg": "ES256"})
    yield "bomb: a long payload", f"{head}.{'A' * 1_000_000}.AAAA"
    yield "bomb: a long header", f"{'A' * 1_000_000}.AAAA.AAAA"
    yield "bomb: a long signature", f"{head}.AAAA.{'A' * 1_000_000}"
    yield "bomb: many dots", "." * 1_000_000
    yield "bomb: a million parts", "A." * 500_000
    yield "bomb: just too long", f"{head}.{'A' * (16 * 1024)}.AAAA"
    yield "bomb: nested header", f"{b64(b'[' * 12_000)}.AAAA.AAAA"
    nested = b64(b'{"a":' * 2_400)
    yield "bomb: nested object", f"{nested}.AAAA.AAAA"
