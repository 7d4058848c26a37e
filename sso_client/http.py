"""The SDK's only outgoing HTTP: a deadline for the whole answer, no redirects, capped bodies, no proxies from outside.

Whoever calls it decides what a status means; only "no answer" is an error here.
"""

import base64
import http.client
import io
import json
import os
import socket
import sys
import threading
import zlib
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import Any, Protocol
from urllib.parse import quote_plus

import requests
from requests.adapters import HTTPAdapter

from sso_client.errors import SSOError

CONNECT_S = 2.0
TOTAL_S = 5.0
MAX_BODY = 1024 * 1024
# "Not now" rather than "not you" (RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4).
NOT_NOW = frozenset({408, 425, 429})
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "lockstep-sso-client",
}
_DEADLINE: ContextVar[float] = ContextVar("deadline of the call under way")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a whole body; the headers as they came, a name may be there several times."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for known, value in self.headers if known.lower() == name.lower()]

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; anything else is an empty one, which no reader accepts."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class Body:
    """An answer's body, unzipped piece by piece and no further than it is taken: the libraries unzip half a body, too.

    `url` and `encoding` are the answer's. Raises SSOError `provider_unreachable`.
    """

    def __init__(self, url: str, encoding: str | None) -> None:
        self._url = url
        zipped = (encoding or "").lower() in ("gzip", "x-gzip", "deflate")
        self._unzip = zlib.decompressobj(47) if zipped else None
        self._read = bytearray()

    def add(self, part: bytes) -> None:
        """The next piece as it came; refused when more comes out of it than is taken."""
        try:
            self._read += part if self._unzip is None else self._unzip.decompress(part, MAX_BODY + 1 - len(self._read))
        except zlib.error as error:
            raise SSOError("provider_unreachable", f"{self._url}: {error}") from error
        if len(self._read) > MAX_BODY:
            raise SSOError("provider_unreachable", f"{self._url}: the answer is larger than {MAX_BODY} bytes")

    def whole(self) -> bytes:
        """All of it; refused if its end is missing."""
        if self._unzip is not None and not self._unzip.eof:
            raise SSOError("provider_unreachable", f"{self._url}: the answer is cut off")
        return bytes(self._read)


class HttpClient(Protocol):
    """How the SDK calls the centre: `Http` here, `async_http.AsyncHttp` under an event loop."""

    async def get(self, url: str, headers: Mapping[str, str] | None = None, total_s: float = TOTAL_S) -> Answer:
        """GET. Raises SSOError `provider_unreachable` when there is no whole answer in time."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, total_s: float = TOTAL_S) -> Answer:
        """POST. Raises SSOError `provider_unreachable` when there is no whole answer in time."""

    async def close(self) -> None:
        """Close pooled connections."""


class _TimedReader(io.RawIOBase):
    """Reads a socket until the call's deadline: the library's own time-out starts anew with each byte that drips in."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._sock, self._deadline = sock, deadline
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the whole answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock, _DEADLINE.get()))


class _TimedAdapter(HTTPAdapter):
    """Connections whose answers end with the deadline, headers and body together."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pools = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {scheme: _timed(pool) for scheme, pool in pools.items()}


def _timed(pool: Any) -> Any:
    """A kind of connection pool as it is, but with timed answers."""
    connection = type("_TimedConnection", (pool.ConnectionCls,), {"response_class": _TimedResponse})
    return type("_TimedPool", (pool,), {"ConnectionCls": connection})


class Http:
    """Blocking calls to the centre. Safe for threads and for forking servers.

    >>> await Http().get("https://sso.example.com/.well-known/openid-configuration")  # doctest: +SKIP
    """

    def __init__(self, ca_file: str | None = None) -> None:
        self._verify: bool | str = ca_file or True
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._pid = 0

    async def get(self, url: str, headers: Mapping[str, str] | None = None, total_s: float = TOTAL_S) -> Answer:
        """GET. Raises SSOError `provider_unreachable` when there is no whole answer in time."""
        return self._call("GET", url, headers or {}, None, total_s)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, total_s: float = TOTAL_S) -> Answer:
        """POST. Raises SSOError `provider_unreachable` when there is no whole answer in time."""
        return self._call("POST", url, headers, body, total_s)

    async def close(self) -> None:
        """Close pooled connections."""
        with self._lock:
            if self._session is not None:
                self._session.close()
            self._session = None

    def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, total_s: float) -> Answer:
        if total_s <= 0:  # the library would call it a mistake; it is a deadline that has passed
            raise SSOError("provider_unreachable", f"{url}: no time left")
        deadline = monotonic() + total_s
        connect_s = min(CONNECT_S, total_s / 2)
        _DEADLINE.set(deadline)
        handled = sys.exception()
        try:
            with self._pool().request(
                method,
                url,
                headers=dict(headers),
                data=body,
                timeout=(connect_s, total_s - connect_s),
                allow_redirects=False,
                stream=True,
                verify=self._verify,
            ) as response:
                # Taken out of the headers, or the library would unzip.
                read = Body(url, response.raw.headers.pop("content-encoding", None))
                for part in response.iter_content(65536):
                    read.add(part)
                    if monotonic() > deadline:
                        raise SSOError("provider_unreachable", f"{url}: the answer took longer than {total_s} s")
                return Answer(response.status_code, read.whole(), tuple(response.raw.headers.items()))
        except requests.RequestException as error:
            raise SSOError("provider_unreachable", f"{url}: {reason(error, handled)}") from error

    def _pool(self) -> requests.Session:
        with self._lock:
            # A forked worker must not talk on its parent's sockets.
            if self._session is None or self._pid != os.getpid():
                session = requests.Session()
                for scheme in ("http://", "https://"):
                    session.mount(scheme, _TimedAdapter())
                session.trust_env = False  # a proxy or a .netrc from the environment must not see the client's secret
                session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
                session.headers.update(HEADERS)
                self._session, self._pid = session, os.getpid()
            return self._session


def reason(error: BaseException, handled: BaseException | None) -> str:
    """What the library called it and, if it says so, the system: `ConnectionError, Connection refused`. For the log.

    `handled`: what our caller was handling when it called us. Python hangs it on every error of ours, and it says
    nothing of why the call failed."""
    name, cause = type(error).__name__, error
    for _ in range(10):
        if isinstance(cause, OSError) and cause.strerror:
            # asyncio has words of its own for what the system said.
            said = os.strerror(cause.errno or 0) if isinstance(cause, ConnectionError) else cause.strerror
            return f"{name}, {said}"
        wrapped = next((part for part in cause.args if isinstance(part, BaseException)), None)
        following = cause.__cause__ or cause.__context__
        if following is None or following is handled:
            following = wrapped
        if following is None:
            break
        cause = following
    return name


def basic(client_id: str, client_secret: str) -> str:
    """The Authorization header of a client; both parts are form-urlencoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
