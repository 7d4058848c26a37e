"""The only source of randomness. The shape of identifiers is decided in `core.identifiers`."""

from __future__ import annotations

import secrets

from sso_server.core.identifiers import BUCKETS

_LETTERS = 32
# A random byte's last five bits name one of the 32 letters of base32 (RFC 4648 section 6), each as likely as any other.
_ALPHABET = bytes(b"abcdefghijklmnopqrstuvwxyz234567"[byte & 31] for byte in range(256))


class SystemRandomness:
    """`ports.Randomness` over the operating system's generator."""

    def identifier(self, prefix: str, bucket: int) -> str:
        """`<prefix>-<bucket>-<160 random bits>`. Raises ValueError for a bucket that doesn't exist."""
        if not 0 <= bucket < BUCKETS:
            raise ValueError(f"there is no bucket {bucket}")
        return f"{prefix}-{bucket:02d}-{_random_text()}"

    def token(self, prefix: str) -> str:
        """`<prefix>-<160 random bits>`, for what has no bucket."""
        return f"{prefix}-{_random_text()}"

    def bucket(self) -> int:
        """A bucket for a new browser."""
        return secrets.randbelow(BUCKETS)

    def jitter(self) -> float:
        """In [0, 1): spreads repeated calls, so that many clients don't come back at the same moment."""
        return secrets.randbelow(1 << 32) / (1 << 32)


def _random_text() -> str:
    # 32 letters of base32 are 160 bits. ASVS 5.0, 11.5.1 asks for 128; CAS 3.0.3 section 3.7 allows letters, digits and
    # `-` only, which rules out base64. A table instead of `b32encode`: 1 us instead of 3, up to three times a request.
    return secrets.token_bytes(_LETTERS).translate(_ALPHABET).decode("ascii")
