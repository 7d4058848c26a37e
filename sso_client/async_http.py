"""Calls to the centre under an event loop, by the same rules as `http`: one deadline, no redirects, capped bodies."""

import ssl
import zlib
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy

import anyio
import anyio.to_thread
import httpx2
from anyio.lowlevel import RunVar

from sso_client.errors import SSOError
from sso_client.http import CONNECT_S, HEADERS, MAX_BODY, TOTAL_S, Answer

_ZIPPED = frozenset({"gzip", "x-gzip", "deflate"})


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
        try:
            # The library's own time-outs start anew with each byte that drips in.
            with anyio.fail_after(total_s):
                pool = await self._pool()
                async with pool.stream(method, url, headers=dict(headers), content=body, timeout=timeout) as response:
                    answered = tuple(response.headers.multi_items())
                    return Answer(response.status_code, await _read(response, url), answered)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, zlib.error) as error:  # TimeoutError is an OSError
            raise SSOError("provider_unreachable", f"{url}: {type(error).__name__}") from error

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
            pool = httpx2.AsyncClient(verify=self._tls, trust_env=False, follow_redirects=False, headers=_ASKED)
            pool.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._pools.set(pool)
        return pool


_ASKED = {**HEADERS, "Accept-Encoding": "gzip, deflate"}


async def _read(response: httpx2.Response, url: str) -> bytes:
    """The whole body, unzipped piece by piece: the library unzips each piece at once, whatever comes out of it."""
    unzip = zlib.decompressobj(47) if response.headers.get("content-encoding", "").lower() in _ZIPPED else None
    body = b""
    async for part in response.aiter_raw(65536):
        body += part if unzip is None else unzip.decompress(part, MAX_BODY + 1 - len(body))
        if len(body) > MAX_BODY:
            raise SSOError("provider_unreachable", f"{url}: the answer is larger than {MAX_BODY} bytes")
    if unzip is not None and not unzip.eof:
        raise SSOError("provider_unreachable", f"{url}: the answer is cut off")
    return body
