"""MACed values that travel through other hands: the sign-in request, marks, set-up links.

Not encrypted: anybody may read them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any

from itsdangerous import BadData, Signer, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode, want_bytes

from sso_server.core.ports import Clock

_MAX_TEXT = 16 * 1024
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class _ClockedSigner(TimestampSigner):
    """itsdangerous with our clock instead of the machine's."""

    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock
        # Of two or three secrets, each derived once.
        self._derived: dict[str | bytes | None, bytes] = {}

    def get_timestamp(self) -> int:
        """Whole seconds."""
        return self._clock.now() // 1000

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        """The key of one secret; None: of the one that signs."""
        key = self._derived.get(secret_key)
        if key is None:
            key = self._derived[secret_key] = super().derive_key(secret_key)
        return key


class _Serializer(URLSafeTimedSerializer):
    """itsdangerous' own texts, made with one signer and a deflate of small tables: of 55 us for a seal, 20 are left."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._only = super().make_signer()

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        """Always the same: it keeps nothing of what it signs."""
        return self._only if salt is None or salt == self.salt else super().make_signer(salt)

    def dump_payload(self, obj: Any) -> bytes:
        """As itsdangerous writes it: JSON, compressed if that is shorter."""
        text = want_bytes(_JSON.encode(obj))
        # The usual tables are 256 KiB, cleared for each text; a request that is sealed has less than 4.
        deflate = zlib.compressobj(wbits=12, memLevel=5)
        shorter = deflate.compress(text) + deflate.flush()
        return b"." + base64_encode(shorter) if len(shorter) < len(text) - 1 else base64_encode(text)


class ItsdangerousSeals:
    """`ports.Seals`. Of `secrets` the first seals, all open. Thread-safe."""

    def __init__(self, secrets: Sequence[str], clock: Clock) -> None:
        if not secrets:
            raise ValueError("a seal needs a secret")
        # itsdangerous wants the newest last and signs with that one.
        self._secrets = list(reversed(secrets))
        self._clock = clock
        # Of few purposes, all named in our code; making one takes longer than sealing with it.
        self._serializer = cache(self._make)

    def seal(self, purpose: str, payload: Mapping[str, Any]) -> str:
        """URL-safe text of a JSON object."""
        text: str = self._serializer(purpose).dumps(dict(payload))
        return text

    def open(self, purpose: str, text: str, max_age_s: int | None = None) -> dict[str, Any] | None:
        """The payload; None when it is forged, of another purpose, or older than `max_age_s` seconds."""
        if len(text) > _MAX_TEXT:
            return None
        try:
            payload = self._serializer(purpose).loads(text, max_age=max_age_s)
        except (BadData, ValueError, RecursionError):
            # ValueError: characters that no encoding has, such as a lone surrogate.
            return None
        return payload if isinstance(payload, dict) else None

    def _make(self, purpose: str) -> _Serializer:
        # The purpose goes into the key, not into the payload: a text of one purpose fails the MAC of every other.
        return _Serializer(
            self._secrets,
            salt=f"lockstep.seal.{purpose}",
            signer=_ClockedSigner,
            signer_kwargs={"clock": self._clock, "key_derivation": "hmac", "digest_method": sha256},
        )
