"""Calls to the centre under an event loop, by the same rules as `http`: one deadline, no redirects, capped bodies."""

import ssl
import sys
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy

import anyio
import anyio.to_thread
import httpx2
from anyio.lowlevel import RunVar

from sso_client.errors import SSOError
from sso_client.http import CONNECT_S, HEADERS, TOTAL_S, Answer, Body, reason


class AsyncHttp:
    """Calls to the centre; a pool of connections for each event loop."""

    def __init__(self, ca_file: str | None = None) -> None:
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._pools: RunVar[httpx2.AsyncClient | None] = RunVar("connections to the centre")

    async def get(self, url: str, headers: Mapping[str, str] | None = None, total_s: float = TOTAL_S) -> Answer:
        """GET. Raises SSOError `provider_unreachable` when there is no whole answer in time."""
        return await self._call("GET", url, headers or {}, None, total_s)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, total_s: float = TOTAL_S) -> Answer:
        """POST. Raises SSOError `provider_unreachable` when there is no whole answer in time."""
        return await self._call("POST", url, headers, body, total_s)

    async def close(self) -> None:
        """Close the pooled connections of this event loop."""
        pool = self._pools.get(None)
        if pool is not None:
            self._pools.set(None)
            await pool.aclose()

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, total_s: float
    ) -> Answer:
        timeout = httpx2.Timeout(total_s, connect=min(CONNECT_S, total_s / 2))
        handled = sys.exception()
        try:
            # The library's own time-outs start anew with each byte that drips in.
            with anyio.fail_after(total_s):
                pool = await self._pool()
                async with pool.stream(method, url, headers=dict(headers), content=body, timeout=timeout) as response:
                    read = Body(url, response.headers.get("content-encoding"))
                    async for part in response.aiter_raw(65536):
                        read.add(part)
                    return Answer(response.status_code, read.whole(), tuple(response.headers.multi_items()))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:  # TimeoutError is an OSError
            raise SSOError("provider_unreachable", f"{url}: {reason(error, handled)}") from error

    def _new_tls(self) -> ssl.SSLContext:
        if self._ca_file is None:
            return httpx2.create_ssl_context(trust_env=False)
        return ssl.create_default_context(cafile=self._ca_file)

    async def _pool(self) -> httpx2.AsyncClient:
        if self._tls is None:
            # Reading the authorities from disk takes tens of milliseconds.
            self._tls = await anyio.to_thread.run_sync(self._new_tls)
        pool = self._pools.get(None)
        if pool is None:
            # trust_env: a proxy or a .netrc from the environment must not see the client's secret.
            pool = httpx2.AsyncClient(verify=self._tls, trust_env=False, follow_redirects=False, headers=HEADERS)
            pool.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._pools.set(pool)
        return pool
