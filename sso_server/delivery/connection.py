"""Connections to addresses that have been checked: bounded in time and size, kept alive for a while.

Which address may be called is `addresses`' business, what is said over it `sender`'s. The only file that opens a
socket to a site.
"""

from __future__ import annotations

import http.client
import re
import select
import socket
import ssl
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Any

from sso_server.delivery.addresses import Address, Target
from sso_server.delivery.observation import Observation, Stage
from sso_server.delivery.reply import PIECE, Reply, read_unusual, read_usual

WHOLE_S = 5.0
_IDLE_S = 10.0
_IDLE_PER_SITE = 4
_IDLE_IN_ALL = 64

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUE = re.compile(r"[^\t -~]")

#: Everything that a site, a network or a library can do to an exchange.
BROKEN = (OSError, http.client.HTTPException, ValueError)


class Limits:
    """How long and how much one exchange may still take; shared by a connection and its socket."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._left = 0
        self._again = b""
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

    def give_again(self, received: bytes) -> None:
        """What has been received and counted is to be received once more: by somebody who understands it."""
        self._again = received

    def received_again(self, buffer: Any) -> int:
        """How much of that went into the buffer; 0 when there is no more."""
        count = min(len(self._again), len(buffer))
        buffer[:count], self._again = self._again[:count], self._again[count:]
        return count

    def count(self, received: int) -> int:
        """Note what was received. Raises HTTPException when it is too much."""
        self.received += received
        self._left -= received
        if self._left < 0:
            raise http.client.HTTPException("the answer is too long")
        return received


class BoundedSocket(socket.socket):
    """Each receive gets what is left of the whole time, so that a drip can't stretch it."""

    limits: Limits

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        if again := self.limits.received_again(buffer):
            return again
        self.settimeout(self.limits.remaining())
        return self.limits.count(super().recv_into(buffer, nbytes, flags))


class BoundedTlsSocket(ssl.SSLSocket):
    """The same over TLS."""

    limits: Limits

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        if again := self.limits.received_again(buffer):
            return again
        self.settimeout(self.limits.remaining())
        return self.limits.count(super().recv_into(buffer, nbytes, flags))


class Guarded:
    """A connection to a checked address. The site's name goes into SNI and the certificate check, nowhere else."""

    def __init__(self, target: Target, address: Address, tls: ssl.SSLContext | None) -> None:
        self.key = key_of(target, address)
        self._host, self._port = target.host, target.port
        self._address = address
        self._tls = tls
        self._socket: BoundedSocket | ssl.SSLSocket | None = None

    def open(self, limits: Limits, connect_s: float, seen: Observation) -> None:
        """Connect within `connect_s` seconds; a TLS handshake may take all the time that is left. Raises OSError."""
        begun = monotonic()
        seen.stage, seen.connect_ms = Stage.CONNECT, None
        family = socket.AF_INET if self._address.version == 4 else socket.AF_INET6
        plain = BoundedSocket(family, socket.SOCK_STREAM)
        try:
            plain.settimeout(max(0.001, min(connect_s, limits.remaining())))
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.connect((str(self._address), self._port))
            seen.connect_ms = ms_since(begun)
            plain.settimeout(limits.remaining())
            self._socket = self._shake_hands(plain, self._tls, seen) if self._tls else plain
        except OSError:
            plain.close()
            raise

    def _shake_hands(self, plain: socket.socket, tls: ssl.SSLContext, seen: Observation) -> ssl.SSLSocket:
        begun = monotonic()
        seen.stage = Stage.TLS
        try:
            secured = tls.wrap_socket(plain, server_hostname=self._host)
        except ssl.SSLCertVerificationError as error:
            seen.certificate_trouble = error.verify_code
            raise
        seen.tls_ms, seen.tls_version = ms_since(begun), secured.version() or ""
        until = (secured.getpeercert() or {}).get("notAfter")
        seen.certificate_until = int(ssl.cert_time_to_seconds(until)) * 1000 if isinstance(until, str) else None
        return secured

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, limits: Limits) -> Reply:
        """Send a request and receive the head of its answer within the limits. Raises what is in `BROKEN`."""
        if self._socket is None:
            raise ConnectionResetError("the connection is closed")
        lines = [f"{method} {path} HTTP/1.1"]
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or _NOT_IN_VALUE.search(value):
                # A line break would begin a header of somebody else's choice.
                raise ValueError("a header that can't be sent")
            lines.append(f"{name}: {value}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        # In one piece: each send through the kernel's loopback takes 40 us, as much as all that is above.
        request = "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")
        sock: Any = self._socket
        sock.limits = limits
        sock.settimeout(limits.remaining())
        sock.sendall(request)
        buffer = bytearray(PIECE)
        first = bytes(buffer[: sock.recv_into(buffer)])
        if (reply := read_usual(first, sock.recv_into)) is not None:
            return reply
        limits.give_again(first)
        return read_unusual(sock, method, sock.recv_into)

    @property
    def is_quiet(self) -> bool:
        """Open as far as we know, and nothing has come that nobody asked for."""
        if self._socket is None:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Never raises."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class IdleConnections:
    """Kept-alive connections, bounded in number and age, each tied to the address that was checked for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[tuple[float, Guarded]] = []

    def take(self, keys: list[str]) -> Guarded | None:
        """The most recently used one for any of the keys that the site hasn't closed yet."""
        while True:
            with self._lock:
                found = next((kept for kept in reversed(self._kept) if kept[1].key in keys), None)
                if found is None:
                    return None
                self._kept.remove(found)
            since, connection = found
            if monotonic() - since < _IDLE_S and connection.is_quiet:
                return connection
            connection.close()

    def put(self, connection: Guarded) -> None:
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


def key_of(target: Target, address: Address) -> str:
    """What an idle connection may be used for: this name at this address, nothing else."""
    return f"{target.scheme} {target.host} {target.port} {address}"


def ms_since(begun: float) -> int:
    """Whole milliseconds since a reading of the monotonic clock."""
    return int((monotonic() - begun) * 1000)


def code_of(error: Exception) -> str:
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
