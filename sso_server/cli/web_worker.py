"""gunicorn's threaded worker, but a request takes a thread only once it has arrived whole.

The event loop collects header and body of every connection; what isn't there in time is answered 408 and closed, so a
thousand slow clients cost memory for what they sent and no thread (gthread reads in its threads and waits without end).
It also waits for a client's goodbye in the loop, where gthread stands still for it. Overrides methods of gunicorn 27's
gthread that are its own affair: pyproject.toml pins that version, tests/cli/test_web_worker.py knows when they change.
"""

from __future__ import annotations

import contextlib
import re
import socket
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from time import monotonic
from typing import Any

from gunicorn.http.errors import NoMoreData
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn, ThreadWorker

_PIECE = 64 * 1024
_MOST_HEADER = 64 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_HEX = re.compile(rb"[0-9a-fA-F]{1,12}")


class Arrival:
    """One request on its way in. Only tells when it is whole: what it says is for gunicorn's parser to judge."""

    def __init__(self, early: bytes, most_body: int) -> None:
        self.data = bytearray(early)
        self.begun = monotonic()
        self._most_body = most_body
        self._looked_to = 0
        self._needed: int | None = None
        self._chunk_at = 0
        self.expects_go_ahead = False
        """It has sent its header and waits for 100 Continue (RFC 9110 section 10.1.1)."""

    @property
    def has_endless_header(self) -> bool:
        """More header than anybody sends."""
        return self._needed is None and len(self.data) > _MOST_HEADER

    def is_whole(self) -> bool:
        """Whether a thread can go through it without waiting for the client (or is needed to refuse it)."""
        if self._needed is None and not self._find_body():
            return False
        if self._chunk_at:
            return self._has_last_chunk() or len(self.data) > self._most_body + _MOST_HEADER
        return len(self.data) >= (self._needed or 0)

    def _find_body(self) -> bool:
        end = self.data.find(b"\r\n\r\n", max(0, self._looked_to - 3))
        self._looked_to = len(self.data)
        if end < 0:
            return False
        header, body_at = bytes(self.data[: end + 4]), end + 4
        length = _LENGTH.search(header)
        declared = int(length[1]) if length else 0
        # A body that is too large is refused by its length: nobody waits for it.
        self._needed = body_at + (declared if declared <= self._most_body else 0)
        self._chunk_at = body_at if _CHUNKED.search(header) else 0
        has_body = declared > 0 or self._chunk_at > 0
        self.expects_go_ahead = has_body and _EXPECTS.search(header) is not None
        return True

    def _has_last_chunk(self) -> bool:
        """RFC 9112 section 7.1. Nonsense counts as whole: the parser refuses it at once."""
        while (end := self.data.find(b"\r\n", self._chunk_at)) >= 0:
            size = bytes(self.data[self._chunk_at : end]).partition(b";")[0].strip(b" \t")
            if not _HEX.fullmatch(size):
                return True
            if int(size, 16) == 0:
                return self.data.find(b"\r\n\r\n", end) >= 0
            self._chunk_at = end + 2 + int(size, 16) + 2
        return False


class NothingMore:
    """The connection as the parser sees it in a thread. Of a whole request nothing is missing: if the parser still
    wants more, the body is too large or the client says one thing and sends another, and no thread waits for it.
    """

    def recv(self, size: int) -> bytes:
        """Raises NoMoreData, so that the connection isn't used again."""
        raise NoMoreData


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """See above. Times in seconds, sizes in bytes; all methods but `handle_request` run in the loop."""

    arrive_s = 10.0
    """A whole request must be there by then, counted from the connection or from its first byte on a kept one."""
    stop_s = 2.0
    """The same while the worker stops."""
    write_s = 10.0
    """An answer must have been taken by then."""
    goodbye_s = 2.0
    """How long what a client still sends is read away after the last answer (RFC 9112 section 9.6)."""
    most_body = 2 * 1024 * 1024
    most_held = 64 * 1024 * 1024
    """What unfinished requests may hold in all; beyond it the largest is sent away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Both in the order of their beginning, which is the order of their end.
        self._arriving: dict[TConn, Arrival] = {}
        self._leaving: dict[TConn, float] = {}
        self._held = 0

    def enqueue_req(self, conn: TConn) -> None:
        """A new connection, or a kept one that speaks again."""
        if conn.parser is None:
            # `TConn.init` makes the parser if there is none; the TLS and HTTP/2 that it could set up are not ours.
            conn.parser = RequestParser(conn.cfg, NothingMore(), conn.client)
            conn.initialized = True
        arrival = Arrival(conn.parser.unreader.take_buffered(), self.most_body)
        self._arriving[conn] = arrival
        self._held += len(arrival.data)
        conn.sock.setblocking(False)
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_arriving, conn))
        self._on_arriving(conn, conn.sock)

    def handle_request(self, req: Any, conn: TConn) -> object:
        """In a thread: run the application. A client that doesn't take its answer is left alone."""
        conn.sock.settimeout(self.write_s)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            raise NoMoreData from None

    def finish_request(self, conn: TConn, fs: Future[object]) -> None:
        """Keep the connection, or close it without standing still for the client's goodbye."""
        if fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
        else:
            self._leave(conn)

    def murder_pending(self) -> None:
        """After each turn of the loop: whose time is over, and room for whoever comes next."""
        now = monotonic()
        limit_s = self.arrive_s if self.alive else min(self.stop_s, self.arrive_s)
        for conn, arrival in list(self._arriving.items()):
            if now - arrival.begun < limit_s:
                break
            # A browser opens connections that it may never use: those are closed without a word.
            self._refuse(conn, b"408 Request Timeout" if arrival.data else b"")
        for conn, since in list(self._leaving.items()):
            if now - since < self.goodbye_s:
                break
            self._drop(conn)
        while self.nr_conns >= self.worker_connections and (conn := self._least_needed()) is not None:
            self._drop(conn)

    def _least_needed(self) -> TConn | None:
        """Whoever has been leaving, arriving or idle for longest; a kept connection was only told that it may be."""
        for conns in (self._leaving, self._arriving):
            if conns:
                return next(iter(conns))
        return self.keepalived_conns.popleft() if self.keepalived_conns else None

    def _on_arriving(self, conn: TConn, _socket: object) -> None:
        arrival = self._arriving.get(conn)
        if arrival is None:  # sent away earlier in this turn
            return
        try:
            piece = b"" if arrival.is_whole() else conn.sock.recv(_PIECE)
        except BlockingIOError:
            self._go_ahead(conn, arrival)
            return
        except OSError:
            self._drop(conn)
            return
        arrival.data += piece
        self._held += len(piece)
        if arrival.is_whole():
            self._hand_over(conn, arrival)
        elif not piece:
            self._drop(conn)
        elif arrival.has_endless_header:
            self._refuse(conn, b"431 Request Header Fields Too Large")
        else:
            self._go_ahead(conn, arrival)
            if self._held > self.most_held:
                largest = max(self._arriving, key=lambda other: len(self._arriving[other].data))
                self._refuse(largest, b"503 Service Unavailable\r\nRetry-After: 2")

    def _go_ahead(self, conn: TConn, arrival: Arrival) -> None:
        if arrival.expects_go_ahead:
            arrival.expects_go_ahead = False
            self._say(conn, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _hand_over(self, conn: TConn, arrival: Arrival) -> None:
        self._forget(conn)
        conn.parser.unreader.unread(bytes(arrival.data))
        super().enqueue_req(conn)

    def _refuse(self, conn: TConn, status: bytes) -> None:
        if status:
            self._say(conn, b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self._forget(conn)
        self._leave(conn)

    def _say(self, conn: TConn, words: bytes) -> None:
        """A few bytes into an empty buffer; whoever has no room for them doesn't read either."""
        with contextlib.suppress(OSError):
            conn.sock.send(words)

    def _leave(self, conn: TConn) -> None:
        """Say goodbye and read away what still comes: closing at once could tear the answer away with a reset."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_leaving, conn))
        except (OSError, ValueError):
            self._drop(conn)
        else:
            self._leaving[conn] = monotonic()

    def _on_leaving(self, conn: TConn, _socket: object) -> None:
        if conn not in self._leaving:
            return
        try:
            gone = not conn.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            self._drop(conn)

    def _forget(self, conn: TConn) -> None:
        """It is neither arriving nor leaving any more, and the loop no longer looks at it."""
        arrival = self._arriving.pop(conn, None)
        self._held -= len(arrival.data) if arrival else 0
        self._leaving.pop(conn, None)
        with contextlib.suppress(KeyError, OSError, ValueError):
            self.poller.unregister(conn.sock)

    def _drop(self, conn: TConn) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()
