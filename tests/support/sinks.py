"""Logout sinks: real HTTP servers on 127.0.0.1 that do what a script tells them, and remember what they got.

    with Sink("ok") as sink:                 # every request is answered with 200
        ...
    with Sink("500", "429", "ok") as sink:   # one behaviour per request; the last one stays

Behaviours: ok, hang, drip, drip_body, flood, noise, rst, close, redirect, a status such as 400, or a callable that gets
the connected socket. A sink counts connections and requests, and keeps every request whole in `inbox`.
"""

import contextlib
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import parse_qs

Behaviour = str | Callable[[socket.socket], None]


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes
    at: float
    """When it was complete (time.monotonic)."""

    @property
    def form(self) -> dict[str, str]:
        """The body as a form, first values only."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


class Sink:
    """A scriptable logout endpoint. Thread-safe."""

    def __init__(
        self,
        *script: Behaviour,
        headers: dict[str, str] | None = None,
        delay_s: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self.headers = headers or {}
        self.delay_s = delay_s
        self.inbox: list[Request] = []
        self.connections = 0
        self.most_at_once = 0
        self._script = list(script) or ["ok"]
        self._now = 0
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self.flooded = 0
        """How many bytes a flood could send before the caller hung up."""
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/logout"

    @property
    def count(self) -> int:
        """How many requests came whole."""
        return len(self.inbox)

    def script(self, *script: Behaviour) -> None:
        """Behave differently from the next request on."""
        with self._changed:
            self._script = list(script)

    def wait_for(self, count: int, timeout_s: float = 30.0) -> list[Request]:
        """Return the inbox as soon as it holds `count` requests; AssertionError if it doesn't come to that."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.inbox) >= count, timeout_s)
            assert came, f"{len(self.inbox)} requests came in {timeout_s} s, not {count}"
            return list(self.inbox)

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        # Its number is somebody else's as soon as it is closed: nobody may be about to accept by it.
        self._accepting.join(30)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            threading.Thread(target=self._begin, args=(connection,), daemon=True).start()

    def _begin(self, connection: socket.socket) -> None:
        if self._tls is None:
            self._serve(connection)
            return
        with contextlib.suppress(OSError), connection:
            self._serve(self._tls.wrap_socket(connection, server_side=True))

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as reader:
            try:
                while (request := _read(reader)) is not None:
                    with self._changed:
                        behaviour = self._script.pop(0) if len(self._script) > 1 else self._script[0]
                        self.inbox.append(request)
                        self._now += 1
                        self.most_at_once = max(self.most_at_once, self._now)
                        self._changed.notify_all()
                    try:
                        self._stop.wait(self.delay_s)
                        if not self._behave(behaviour, connection):
                            return
                    finally:
                        with self._changed:
                            self._now -= 1
            finally:
                self._open.discard(connection)

    def _behave(self, behaviour: Behaviour, connection: socket.socket) -> bool:
        """Whether the connection can be used again."""
        if callable(behaviour):
            behaviour(connection)
            return False
        special = getattr(self, f"_do_{behaviour}", None)
        if special is not None:
            special(connection)
            return False
        status = 200 if behaviour == "ok" else int(behaviour)
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        connection.sendall(f"HTTP/1.1 {status} Scripted\r\n{headers}Content-Length: 2\r\n\r\nok".encode())
        return True

    def _do_hang(self, connection: socket.socket) -> None:
        self._stop.wait(60)

    def _do_drip(self, connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000:
            connection.sendall(bytes([byte]))
            if self._stop.wait(0.2):
                return

    def _do_drip_body(self, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"a")
            if self._stop.wait(0.2):
                return

    def _do_flood(self, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        sent = 0
        try:
            while sent < 1 << 30:
                sent += connection.send(b"a" * 65_536)
        finally:
            self.flooded = sent

    def _do_noise(self, connection: socket.socket) -> None:
        connection.sendall(b"<html>I speak HTTP/0.9 only</html>")

    def _do_rst(self, connection: socket.socket) -> None:
        # Linger 0: close sends RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The descriptor itself: makefile() keeps the socket object half alive.
        os.close(connection.detach())

    def _do_close(self, connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    def _do_redirect(self, connection: socket.socket) -> None:
        location = self.headers.get("Location", "http://169.254.169.254/")
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())


def _read(reader: BinaryIO) -> Request | None:
    line = reader.readline(65_537).decode("latin-1").rstrip("\r\n")
    if not line:
        return None
    headers: dict[str, str] = {}
    while header := reader.readline(65_537).decode("latin-1").rstrip("\r\n"):
        name, _, value = header.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Request(line, headers, body, time.monotonic())
