"""MACed values that travel through other hands: the sign-in request, marks, set-up links.

Not encrypted: anybody may read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from sso_server.core.ports import Clock

_MAX_TEXT = 16 * 1024


class _ClockedSigner(TimestampSigner):
    """itsdangerous with our clock instead of the machine's."""

    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock

    def get_timestamp(self) -> int:
        """Whole seconds."""
        return self._clock.now() // 1000


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

    def _make(self, purpose: str) -> URLSafeTimedSerializer:
        # The purpose goes into the key, not into the payload: a text of one purpose fails the MAC of every other.
        return URLSafeTimedSerializer(
            self._secrets,
            salt=f"lockstep.seal.{purpose}",
            signer=_ClockedSigner,
            signer_kwargs={"clock": self._clock, "key_derivation": "hmac", "digest_method": sha256},
        )
