"""What the centre says about itself: fetched when first needed, cached, checked, with back-off when it is down.

A centre that is down at the site's start is fine: nothing is fetched before somebody signs in or a lease is due.
"""

from dataclasses import dataclass
from time import monotonic
from typing import Any

from sso_client.addresses import is_trustworthy, origin_of
from sso_client.clock import Clock
from sso_client.errors import SSOError
from sso_client.http import Answer, HttpClient
from sso_client.settings import Settings
from sso_client.waiting import Waiting

_FRESH_MS = 10 * 60_000
_BACK_OFF_MS = (500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, slots=True)
class Provider:
    """The endpoints and abilities of one centre."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    check_in_endpoint: str | None  # ours: its presence means that leases hold
    client_test_endpoint: str | None  # ours: where the doctor asks how this site is registered
    introspection_endpoint: str | None  # RFC 7662
    revocation_endpoint: str | None  # RFC 7009
    iss_in_answer: bool  # RFC 9207
    cas_server_url: str | None = None  # where the CAS protocol is spoken, without a slash at its end


def read_provider(document: dict[str, Any], settings: Settings) -> Provider:
    """Check a discovery document. Raises SSOError `issuer_mismatch`, `endpoint_origin` or `discovery_invalid`."""
    if document.get("issuer") != settings.issuer:  # exact, as OpenID Connect Discovery 1.0 section 4.3 demands
        raise SSOError("issuer_mismatch", f"expected {settings.issuer!r}, got {document.get('issuer')!r:.200}")
    allowed = {settings.issuer_origin, *settings.endpoint_origins}

    def endpoint(name: str, needed: bool = False) -> str | None:
        url = document.get(name)
        if url is None and not needed:
            return None
        if not isinstance(url, str) or not is_trustworthy(url):
            raise SSOError("discovery_invalid", f"{name}: {url!r:.200}")
        # A document from a cache or a proxy must not be able to send the client's secret elsewhere.
        if origin_of(url) not in allowed:
            raise SSOError("endpoint_origin", f"{name}: {url!r:.200} is not at {sorted(allowed)}")
        return url

    return Provider(
        issuer=settings.issuer,
        authorization_endpoint=endpoint("authorization_endpoint", needed=True) or "",
        token_endpoint=endpoint("token_endpoint", needed=True) or "",
        jwks_uri=endpoint("jwks_uri", needed=True) or "",
        userinfo_endpoint=endpoint("userinfo_endpoint"),
        end_session_endpoint=endpoint("end_session_endpoint"),
        check_in_endpoint=endpoint("check_in_endpoint"),
        client_test_endpoint=endpoint("client_test_endpoint"),
        introspection_endpoint=endpoint("introspection_endpoint"),
        revocation_endpoint=endpoint("revocation_endpoint"),
        iss_in_answer=document.get("authorization_response_iss_parameter_supported") is True,
        cas_server_url=(endpoint("cas_server_url") or "").rstrip("/") or None,
    )


def cas_provider(cas_url: str) -> Provider:
    """Another CAS server: it has no document that describes it, and nothing but the protocol."""
    return Provider(
        cas_url, "", "", "", None, None, None, None, None, None, iss_in_answer=False, cas_server_url=cas_url
    )


class Discovery:
    """The cached document of one process."""

    def __init__(self, settings: Settings, http: HttpClient, clock: Clock, waiting: Waiting) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._waiting = waiting
        self._lock = waiting.lock()
        self._provider = None if settings.cas_url is None else cas_provider(settings.cas_url)
        self._asked_ms = 0
        self._failures = 0
        self._error: SSOError | None = None

    async def get_provider(self, total_s: float = 5.0) -> Provider:
        """The centre's endpoints; an old answer serves while a new one can't be had. Raises SSOError."""
        if self._settings.cas_url is not None and self._provider is not None:
            return self._provider
        deadline = monotonic() + total_s
        if not await self._lock.acquire(total_s):
            return self._or_old(SSOError("discovery_unreachable", "another request is still asking"))
        try:
            age = self._clock.boot_ms() - self._asked_ms
            if self._provider is not None and self._error is None and 0 <= age < _FRESH_MS:
                return self._provider
            rest = 0 if self._error is None else _BACK_OFF_MS[min(self._failures, len(_BACK_OFF_MS)) - 1] - age
            if self._error is not None and age >= 0 and rest > 0:
                # After the first failures a person waits, which is better than an error page: the centre may just have
                # been a moment later than this site. As much time as they wait must be left to ask.
                worth_it = self._error.transient and self._provider is None
                if not worth_it or rest / 1000 > (deadline - monotonic()) / 2:
                    return self._or_old(self._error)
                await self._waiting.pause(rest / 1000)
            try:
                answer = await self._fetch(max(0.05, deadline - monotonic()))
                self._provider = read_provider(answer.json(), self._settings)
                self._error, self._failures = None, 0
                return self._provider
            except SSOError as error:
                self._error, self._failures = error, self._failures + 1
                return self._or_old(error)
            finally:
                self._asked_ms = self._clock.boot_ms()
        finally:
            self._lock.release()

    def known_provider(self) -> Provider | None:
        """The endpoints if they were ever fetched; asks nobody."""
        return self._provider

    def _or_old(self, error: SSOError) -> Provider:
        if self._provider is None or not error.transient:
            raise SSOError(error.code, error.detail) from error
        return self._provider

    async def _fetch(self, total_s: float) -> Answer:
        url = self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            answer = await self._http.get(url, total_s=total_s)
        except SSOError as error:
            raise SSOError("discovery_unreachable", error.detail) from error
        if answer.status >= 500:
            raise SSOError("discovery_unreachable", f"{url}: status {answer.status}")
        if answer.status != 200:
            raise SSOError("discovery_invalid", f"{url}: status {answer.status}")
        return answer
