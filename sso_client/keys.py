"""The centre's public keys: cached, asked for once more for an unknown `kid`, at most every 30 s, whatever came of it.

A key that is known and fresh waits for nobody.
"""

from collections.abc import Sequence
from typing import Any

import jwt

from sso_client.clock import Clock
from sso_client.errors import SSOError
from sso_client.http import HttpClient
from sso_client.signed_token import Header
from sso_client.waiting import Waiting

_FRESH_MS = 10 * 60_000
_PAUSE_MS = 30_000
_KIND = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}


class Keys:
    """The key set of one issuer in one process."""

    def __init__(self, http: HttpClient, clock: Clock, waiting: Waiting) -> None:
        self._http = http
        self._clock = clock
        self._waiting = waiting
        self._lock = waiting.lock()
        self._keys: tuple[dict[str, Any], ...] | None = None
        self._fetched_ms = 0
        self._asked_ms = 0
        self._failure: tuple[int, SSOError] | None = None

    async def get_keys(self, jwks_uri: str, header: Header) -> list[jwt.PyJWK]:
        """The keys that may have signed a token with this header; several only if it names no `kid`.

        Raises SSOError `key_unknown`; `key_pending` if asking again is not allowed yet; `provider_unreachable`.
        """
        # A known key waits for nobody: a stranger's token may just be asking a centre that is away for another.
        found = self._find(header)
        if found:
            return found
        came_ms = self._clock.boot_ms()
        await self._lock.acquire()
        try:
            found = self._find(header)
            if not found:
                await self._ask(jwks_uri, header, came_ms)
                found = self._find(header)
            if not found:
                raise SSOError("key_unknown", f"kid {header.kid!r:.80}, alg {header.alg}")
            return found
        finally:
            self._lock.release()

    def _find(self, header: Header) -> list[jwt.PyJWK]:
        return _matching(self._keys or (), header) if self._is_fresh() else []

    def _is_fresh(self) -> bool:
        return self._keys is not None and 0 <= self._clock.boot_ms() - self._fetched_ms < _FRESH_MS

    async def _ask(self, jwks_uri: str, header: Header, came_ms: int) -> None:
        if self._is_fresh() and 0 <= self._clock.boot_ms() - self._asked_ms < _PAUSE_MS:
            # Anybody can send any kid: that must not make us hammer the centre, nor does it prove a bad token.
            raise SSOError("key_pending", f"kid {header.kid!r:.80}")
        if self._failure is not None and came_ms < self._failure[0]:
            # This one has waited for an attempt that failed, and the next in the row would wait for this one's.
            raise SSOError(self._failure[1].code, self._failure[1].detail) from self._failure[1]
        # Counted before it is known how it ends, and brought to its end: else whoever hangs up could ask again at once.
        self._asked_ms = self._clock.boot_ms()
        await self._waiting.whole(self._refetch(jwks_uri))

    async def _refetch(self, jwks_uri: str) -> None:
        try:
            answer = await self._http.get(jwks_uri)
            keys = answer.json().get("keys")
            if answer.status != 200 or not isinstance(keys, list):
                raise SSOError("provider_unavailable", f"{jwks_uri}: status {answer.status}, no key set")
        except SSOError as error:
            self._failure = self._clock.boot_ms(), error
            raise
        self._keys = tuple(key for key in keys if isinstance(key, dict))
        self._fetched_ms, self._failure = self._clock.boot_ms(), None


def _matching(keys: Sequence[dict[str, Any]], header: Header) -> list[jwt.PyJWK]:
    """Keys of the algorithm's own type only, so that a public key never becomes an HMAC secret (RFC 8725 3.1)."""
    found = []
    for key in keys:
        named = header.kid is None or key.get("kid") == header.kid
        if named and key.get("kty") == _KIND[header.alg] and key.get("use", "sig") == "sig":
            if key.get("alg", header.alg) != header.alg:
                continue
            try:
                found.append(jwt.PyJWK(key, algorithm=header.alg))
            except jwt.PyJWTError:
                continue  # one unreadable key in the set must not hide the others
    return found
