"""The centre's public keys: cached, refetched once for an unknown `kid`, and no more often than every 30 s for that."""

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
_KIND = {"RS256": "RSA", "ES256": "EC"}


class Keys:
    """The key set of one issuer in one process."""

    def __init__(self, http: HttpClient, clock: Clock, waiting: Waiting) -> None:
        self._http = http
        self._clock = clock
        self._lock = waiting.lock()
        self._keys: tuple[dict[str, Any], ...] | None = None
        self._fetched_ms = 0

    async def get_keys(self, jwks_uri: str, header: Header) -> list[jwt.PyJWK]:
        """The keys that may have signed a token with this header; several only if it names no `kid`.

        Raises SSOError `key_unknown`; `key_pending` if asking again is not allowed yet; `provider_unreachable`.
        """
        await self._lock.acquire()
        try:
            age = self._clock.boot_ms() - self._fetched_ms
            stale = self._keys is None or not 0 <= age < _FRESH_MS
            if stale:
                await self._refetch(jwks_uri)
            found = _matching(self._keys or (), header)
            if not found and not stale:
                if 0 <= age < _PAUSE_MS:
                    # Anybody can send any kid: that must not make us hammer the centre, nor does it prove a bad token.
                    raise SSOError("key_pending", f"kid {header.kid!r:.80}")
                await self._refetch(jwks_uri)
                found = _matching(self._keys or (), header)
            if not found:
                raise SSOError("key_unknown", f"kid {header.kid!r:.80}, alg {header.alg}")
            return found
        finally:
            self._lock.release()

    async def _refetch(self, jwks_uri: str) -> None:
        answer = await self._http.get(jwks_uri)
        keys = answer.json().get("keys")
        if answer.status != 200 or not isinstance(keys, list):
            raise SSOError("provider_unavailable", f"{jwks_uri}: status {answer.status}, no key set")
        self._keys = tuple(key for key in keys if isinstance(key, dict))
        self._fetched_ms = self._clock.boot_ms()


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
