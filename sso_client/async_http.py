"""Calls to the centre under an event loop, by the same rules as `http`: one deadline, no redirects, capped bodies."""

import ssl
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy

import anyio
import anyio.lowlevel
import httpx2

from sso_client.errors import SSOError
from sso_client.http import CONNECT_S, HEADERS, MAX_BODY, TOTAL_S, Answer


class AsyncHttp:
    """Calls to the centre; a pool of connections for the event loop that runs."""

    def __init__(self, ca_file: str | None = None) -> None:
        self._ca_file = ca_file
        self._client: httpx2.AsyncClient | None = None
        self._loop: object = None

    async def get(self, url: str, headers: Mapping[str, str] | None = None, total_s: float = TOTAL_S) -> Answer:
        """GET. Raises SSOError `provider_unreachable` when there is no whole answer in time."""
        return await self._call("GET", url, headers or {}, None, total_s)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, total_s: float = TOTAL_S) -> Answer:
        """POST. Raises SSOError `provider_unreachable` when there is no whole answer in time."""
        return await self._call("POST", url, headers, body, total_s)

    async def close(self) -> None:
        """Close pooled connections."""
        if self._client is not None and self._loop == anyio.lowlevel.current_token():
            await self._client.aclose()
        self._client = None

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, total_s: float
    ) -> Answer:
        timeout = httpx2.Timeout(total_s, connect=min(CONNECT_S, total_s / 2))
        try:
            # The library's own time-outs start anew with each byte that drips in.
            with anyio.fail_after(total_s):
                async with self._pool().stream(
                    method, url, headers=dict(headers), content=body, timeout=timeout
                ) as response:
                    parts, size = [], 0
                    async for part in response.aiter_bytes(65536):
                        parts.append(part)
                        size += len(part)
                        if size > MAX_BODY:
                            raise SSOError("provider_unreachable", f"{url}: the answer is larger than {MAX_BODY} bytes")
                    return Answer(response.status_code, b"".join(parts), tuple(response.headers.multi_items()))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:  # TimeoutError is an OSError
            raise SSOError("provider_unreachable", f"{url}: {type(error).__name__}") from error

    def _pool(self) -> httpx2.AsyncClient:
        loop = anyio.lowlevel.current_token()
        if self._client is None or self._loop != loop:
            verify: ssl.SSLContext | bool = (
                True if self._ca_file is None else ssl.create_default_context(cafile=self._ca_file)
            )
            # trust_env: a proxy or a .netrc from the environment must not see the client's secret.
            client = httpx2.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, headers=HEADERS)
            client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._client, self._loop = client, loop
        return self._client
