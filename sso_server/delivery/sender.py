"""The centre's only outgoing call: a POST to a registered address, guarded (design 5.12).

Resolved once, every address checked, connected to exactly what was checked; no proxies, no redirects, small answers,
2 s to connect and 5 s in all, even against a site that drips. What an answer means is `core.notifications`' business.
"""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from sso_server.core.identifiers import is_store_id
from sso_server.core.notifications import Answer
from sso_server.delivery.addresses import Address, AddressRefused, Rules, Target, check_addresses, parse_target
from sso_server.delivery.resolver import Resolver, localhost_addresses

CONNECT_S = 2.0
WHOLE_S = 5.0
_HEAD_BYTES = 32 * 1024
_BODY_BYTES = 64 * 1024
_BODY_S = 1.0
_IDLE_S = 10.0
_IDLE_PER_SITE = 4
_IDLE_IN_ALL = 64

_Key = tuple[str, str, Address, int]


class GuardedSender:
    """Posts to sites. Thread-safe; one object per process keeps the idle connections.

    `allow_loopback`: only a centre whose own issuer is on loopback may call sites there. `ca_file` names a PEM file of
    additional authorities (an intranet's own).
    """

    def __init__(self, *, allow_loopback: bool, resolver: Resolver | None = None, ca_file: str = "") -> None:
        self._loopback = allow_loopback
        self._resolver = resolver or Resolver()
        self._idle = _IdleConnections()
        self._tls = ssl.create_default_context()
        if ca_file:
            self._tls.load_verify_locations(cafile=ca_file)
        self._tls.sslsocket_class = _BoundedTlsSocket

    def send(self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool = False) -> Answer:
        """One POST. Never raises for what a site or a network does: the answer carries a status or an error code."""
        deadline = monotonic() + WHOLE_S
        try:
            target = parse_target(url)
            addresses = check_addresses(target, self._addresses(target), Rules(self._loopback, allow_private))
        except AddressRefused as refused:
            return Answer(None, refused.code)
        except OSError:
            return Answer(None, "dns")
        limits = _Limits(deadline)
        kept = self._idle.take([_key(target, address) for address in addresses])
        if kept is not None:
            answer = self._exchange(kept, limits, target, body, headers)
            if answer.error != "reset" or limits.received:
                return answer
            # The site closed an idle connection at the moment we used it. Telling twice does no harm: `sid` decides.
        last = Answer(None, "connect")
        connect_by = min(monotonic() + CONNECT_S, deadline)
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            connection = _Guarded(target, address, self._tls if target.scheme == "https" else None)
            try:
                connection.open(limits, (connect_by - monotonic()) / left)
            except OSError as error:
                last = Answer(None, _code_of(error))
                continue
            return self._exchange(connection, limits, target, body, headers)
        return last

    def close(self) -> None:
        """Close the idle connections."""
        self._idle.close()

    def _addresses(self, target: Target) -> tuple[Address, ...]:
        if target.literal is not None:
            return (target.literal,)
        if target.is_localhost:
            return localhost_addresses()
        return self._resolver.resolve(target.host, CONNECT_S)

    def _exchange(
        self, connection: _Guarded, limits: _Limits, target: Target, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        try:
            connection.restrict(limits)
            limits.allow(_HEAD_BYTES)
            named = {**headers, "Host": target.authority}
            connection.request("POST", target.path, body, named, preload_content=False, decode_content=False)
            response = connection.getresponse()
        except (OSError, HTTPError, http.client.HTTPException, ValueError) as error:
            connection.close()
            return Answer(None, _code_of(error))
        answer = _answer(response.status, response.headers)
        reusable = False
        try:
            # The status is the answer; the rest is read only to use the connection again.
            limits.allow(_BODY_BYTES, within_s=_BODY_S)
            reusable = len(response.read(_BODY_BYTES)) < _BODY_BYTES and not connection.is_closed
        except (OSError, HTTPError, http.client.HTTPException, ValueError):
            pass
        if reusable:
            self._idle.put(connection)
        else:
            connection.close()
        return answer


class _Limits:
    """How long and how much one exchange may still take; shared by a connection and its socket."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._left = 0
        self.received = 0

    def allow(self, count: int, within_s: float = WHOLE_S) -> None:
        """From now on this many bytes, and at most so many seconds."""
        self._left = count
        self._deadline = min(self._deadline, monotonic() + within_s)

    def remaining(self) -> float:
        """Seconds. Raises TimeoutError when there are none: a socket time-out of 0 would mean something else."""
        remaining = self._deadline - monotonic()
        if remaining <= 0:
            raise TimeoutError("the whole exchange took too long")
        return remaining

    def count(self, received: int) -> int:
        """Note what was received. Raises HTTPException when it is too much."""
        self.received += received
        self._left -= received
        if self._left < 0:
            raise http.client.HTTPException("the answer is too long")
        return received


class _BoundedSocket(socket.socket):
    """Each receive gets what is left of the whole time, so that a drip can't stretch it."""

    limits: _Limits

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(self.limits.remaining())
        return self.limits.count(super().recv_into(buffer, nbytes, flags))


class _BoundedTlsSocket(ssl.SSLSocket):
    """The same over TLS."""

    limits: _Limits

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        self.settimeout(self.limits.remaining())
        return self.limits.count(super().recv_into(buffer, nbytes, flags))


class _Guarded(HTTPConnection):
    """A connection to a checked address. The site's name goes into SNI and the certificate check, nowhere else."""

    def __init__(self, target: Target, address: Address, tls: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port)
        self.key: _Key = _key(target, address)
        self._address = address
        self._tls = tls
        # The library would connect again by itself when a socket is gone, and resolve the name for that.
        self.auto_open = 0

    def open(self, limits: _Limits, connect_s: float) -> None:
        """Connect within `connect_s` seconds; a TLS handshake may take all the time that is left. Raises OSError."""
        family = socket.AF_INET if self._address.version == 4 else socket.AF_INET6
        plain = _BoundedSocket(family, socket.SOCK_STREAM)
        try:
            plain.settimeout(max(0.001, min(connect_s, limits.remaining())))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.connect((str(self._address), self.port))
            plain.settimeout(limits.remaining())
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain
        except OSError:
            plain.close()
            raise

    def restrict(self, limits: _Limits) -> None:
        """The next exchange keeps to these limits. Raises TimeoutError."""
        self.timeout = limits.remaining()
        if isinstance(self.sock, _BoundedSocket | _BoundedTlsSocket):
            self.sock.limits = limits


class _IdleConnections:
    """Kept-alive connections, bounded in number and age, each tied to the address that was checked for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[tuple[float, _Guarded]] = []

    def take(self, keys: list[_Key]) -> _Guarded | None:
        """The most recently used one for any of the keys that the site hasn't closed yet."""
        while True:
            with self._lock:
                found = next((kept for kept in reversed(self._kept) if kept[1].key in keys), None)
                if found is None:
                    return None
                self._kept.remove(found)
            since, connection = found
            if monotonic() - since < _IDLE_S and connection.is_connected:
                return connection
            connection.close()

    def put(self, connection: _Guarded) -> None:
        """Keep it; the oldest make room."""
        with self._lock:
            now = monotonic()
            of_site = [kept for kept in self._kept if kept[1].key == connection.key]
            dropped = of_site[: max(0, len(of_site) + 1 - _IDLE_PER_SITE)] or self._kept[: -_IDLE_IN_ALL + 1]
            dropped += [kept for kept in self._kept if now - kept[0] >= _IDLE_S and kept not in dropped]
            self._kept = [kept for kept in self._kept if kept not in dropped] + [(now, connection)]
        for _, surplus in dropped:
            surplus.close()

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            kept, self._kept = self._kept, []
        for _, connection in kept:
            connection.close()


def _answer(status: int, headers: Mapping[str, str]) -> Answer:
    if not 200 <= status <= 599:
        return Answer(None, "protocol")
    store_id = headers.get("Lockstep-Store", "")
    retry_after_ms = _retry_after_ms(headers.get("Retry-After", ""), headers.get("Date", ""))
    return Answer(status, retry_after_ms=retry_after_ms, store_id=store_id if is_store_id(store_id) else "")


def _retry_after_ms(text: str, date: str) -> int | None:
    """RFC 9110 section 10.2.3: seconds, or a date, which is measured against the site's own clock (`Date`)."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * 1000
    try:
        wait = email.utils.parsedate_to_datetime(text) - email.utils.parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        # TypeError: one with a time zone, one without.
        return None
    return max(0, int(wait.total_seconds() * 1000))


def _key(target: Target, address: Address) -> _Key:
    return (target.scheme, target.host, address, target.port)


def _code_of(error: Exception) -> str:
    """A short stable code for the ledger."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "reset"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, ConnectionRefusedError):
        return "connect"
    if isinstance(error, ConnectionError):
        # http.client.RemoteDisconnected is one of these: closed before a word was said.
        return "reset"
    if isinstance(error, OSError):
        return "connect"
    return "protocol"
