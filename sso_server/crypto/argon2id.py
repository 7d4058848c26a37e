"""argon2id (RFC 9106) by libsodium, in the usual string: `$argon2id$v=19$m=<KiB>,t=<passes>,p=1$<salt>$<digest>`.

libsodium takes the widest instructions that the processor has, and maps a hash's memory for that one hash
(docs/decisions/2026-11-23-libsodium-hashes.md).
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets

from nacl.bindings import crypto_pwhash_alg, crypto_pwhash_ALG_ARGON2ID13
from nacl.exceptions import CryptoError

_SALT_BYTES = 16
_DIGEST_BYTES = 32
_STORED = re.compile(
    r"\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=1\$([A-Za-z0-9+/]{22})\$[A-Za-z0-9+/]{43}", re.ASCII
)


def hashed(secret: bytes, memory_kib: int, passes: int) -> str:
    """The string to be stored, with a salt of its own. Raises MemoryError."""
    return _string(secret, memory_kib, passes, secrets.token_bytes(_SALT_BYTES))


def belongs(secret: bytes, stored: str) -> bool:
    """Whether `stored` is of this, with whatever parameters. Raises ValueError if it is no such string, MemoryError."""
    if (found := _STORED.fullmatch(stored)) is None:
        raise ValueError("no argon2id hash")
    memory_kib, passes, salt = found.groups()
    made = _string(secret, int(memory_kib), int(passes), base64.b64decode(salt + "=="))
    return hmac.compare_digest(made, stored)


def has_parameters(stored: str, memory_kib: int, passes: int) -> bool:
    """Whether it was hashed with these."""
    found = _STORED.fullmatch(stored)
    return found is not None and found.groups()[:2] == (str(memory_kib), str(passes))


def random_string(memory_kib: int, passes: int) -> str:
    """Checking a password against it takes as long as against any other; nobody has one that belongs to it."""
    salt, digest = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_DIGEST_BYTES)
    return _written(memory_kib, passes, salt, digest)


def _string(secret: bytes, memory_kib: int, passes: int, salt: bytes) -> str:
    try:
        digest = crypto_pwhash_alg(_DIGEST_BYTES, secret, salt, passes, memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13)
    except ValueError:
        raise  # limits that libsodium has: at least 8 KiB
    except CryptoError as error:
        # All else that can fail is the mapping.
        raise MemoryError(f"{memory_kib} KiB for a password's hash") from error
    return _written(memory_kib, passes, salt, digest)


def _written(memory_kib: int, passes: int, salt: bytes, digest: bytes) -> str:
    return f"$argon2id$v=19$m={memory_kib},t={passes},p=1${_b64(salt)}${_b64(digest)}"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode("ascii")
