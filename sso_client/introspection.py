"""Asking the provider about an access token that says nothing by itself (RFC 7662).

A positive answer is remembered for two seconds: less than any N that the centre grants (5 s at least), and an API that
is called in a burst asks once. A negative one is never remembered.
"""

import hashlib
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from sso_client.access_jwt import check_audience, check_unbound
from sso_client.clock import Clock
from sso_client.discovery import Provider
from sso_client.errors import SSOError
from sso_client.http import HttpClient, basic
from sso_client.settings import Settings
from sso_client.signed_token import is_writable, number, text

_ASK_S = 3.0
_REMEMBERED_MS = 2000
_MOST_REMEMBERED = 1000


class Introspection:
    """The questions of one process."""

    def __init__(self, settings: Settings, http: HttpClient, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()
        # By the digest of the whole token: no other token finds an answer, and no token lies here to be stolen.
        self._remembered: dict[str, tuple[int, dict[str, Any]]] = {}

    async def ask(self, provider: Provider, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        """What an opaque access token for us says. Raises SSOError `bearer_invalid`, or why the question failed."""
        said = await self._ask(provider, token)
        try:
            _check(said, provider.issuer, audiences, self._clock.wall_ms() / 1000)
        except SSOError as error:
            raise SSOError("bearer_invalid", f"{error.code}: {error.detail}") from error
        return said

    async def is_active(self, provider: Provider, token: str) -> bool:
        """Whether a token that was checked otherwise is still good. Raises SSOError if the question failed."""
        return (await self._ask(provider, token)).get("active") is True

    async def _ask(self, provider: Provider, token: str) -> dict[str, Any]:
        digest = hashlib.sha256(token.encode()).hexdigest()
        sent_ms = self._clock.boot_ms()
        with self._lock:
            asked_ms, said = self._remembered.get(digest, (0, {}))
        if said and 0 <= sent_ms - asked_ms < _REMEMBERED_MS:
            return said
        said = await self._post(provider.introspection_endpoint, token)
        if said.get("active") is True:
            self._remember(digest, sent_ms, said)
        return said

    def _remember(self, digest: str, sent_ms: int, said: dict[str, Any]) -> None:
        """From when it was asked: the answer may have been on its way for a while."""
        with self._lock:
            self._remembered.pop(digest, None)
            self._remembered[digest] = (sent_ms, said)
            while len(self._remembered) > _MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]

    async def _post(self, url: str | None, token: str) -> dict[str, Any]:
        if url is None:
            raise SSOError("bearer_invalid", "no JWT, and the provider has no introspection_endpoint")
        headers = {
            "Authorization": basic(self._settings.client_id, self._settings.client_secret),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = {"token": token, "token_type_hint": "access_token"}
        answer = await self._http.post(url, headers, urlencode(form).encode(), _ASK_S)
        if answer.status in (401, 403):
            raise SSOError("client_refused", f"{url}: status {answer.status}")
        said = answer.json()
        if answer.status != 200 or type(said.get("active")) is not bool:
            raise SSOError("provider_unavailable", f"{url}: status {answer.status}, no answer about a token")
        return said


def _check(said: dict[str, Any], issuer: str, audiences: Sequence[str], now_s: float) -> None:
    """An answer about an access token for us, from this issuer, of somebody, good now. Raises SSOError."""
    if said.get("active") is not True:
        raise SSOError("token_expired", "not active: unknown, expired, ended or revoked")
    if not is_writable(said):
        raise SSOError("token_malformed", "the answer can't be kept")
    # Providers are asked about refresh tokens at the same address; those must not pass here.
    kind = said.get("token_type", said.get("typ"))
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise SSOError("typ_wrong", f"token_type {kind!r:.40}")
    check_unbound(said)
    if said.get("iss", issuer) != issuer:
        raise SSOError("issuer_mismatch", f"iss {said.get('iss')!r:.200}")
    # Without `aud` it may have been given out for anybody's API: whoever got it there could use it here.
    check_audience(said, audiences)
    exp, not_before = number(said, "exp"), number(said, "nbf")
    if exp is None or exp <= now_s:
        raise SSOError("token_expired", f"exp {said.get('exp')!r:.40}")
    if "nbf" in said and (not_before is None or not_before > now_s):
        raise SSOError("token_expired", "nbf is in the future")
    if text(said, "sub") is None:
        raise SSOError("subject_missing")
    if text(said, "client_id") is None:
        raise SSOError("token_malformed", "client_id")
