"""A light HTTP/1.1 client that plays many people at once: one epoll loop, kept connections, one generator a person.

An operation is a generator: it yields a request's bytes and is handed the Answer. Whoever writes it checks the answer
and raises WrongAnswer, which ends the run with the answer's text: no figure comes from an error page.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

T = TypeVar("T")
Operation = Generator[bytes, "Answer", T]
"""One thing that somebody does, in any number of requests; its value is what it brought."""


class WrongAnswer(AssertionError):
    """A server said something else than success."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request."""

    status: int
    head: bytes
    """From the status line to the empty line."""
    body: bytes

    def header(self, name: str) -> str:
        """Its first value; '' without one."""
        found = re.search(rb"\r\n" + name.encode() + rb":[ \t]*([^\r]*)", self.head, re.IGNORECASE)
        return found[1].decode("latin-1") if found else ""

    def keep_cookies(self, jar: dict[str, str]) -> None:
        """As a browser does that holds one site's cookies for the length of a run."""
        for line in re.findall(rb"\r\nset-cookie:[ \t]*([^\r]*)", self.head, re.IGNORECASE):
            pair, _, attributes = line.decode("latin-1").partition(";")
            name, _, value = pair.partition("=")
            if value.strip('"') and "max-age=0" not in attributes.lower() and "01 jan 1970" not in attributes.lower():
                jar[name.strip()] = value
            else:
                jar.pop(name.strip(), None)

    def must(self, is_right: object, what: str) -> Answer:
        """This answer, if it is right. Raises WrongAnswer with all of it."""
        if not is_right:
            text = (self.head + self.body[:2000]).decode("utf-8", "replace")
            raise WrongAnswer(f"{what}: not expected was\n{text}")
        return self


def request(
    method: str,
    target: str,
    host: str,
    *,
    cookies: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | str | None = None,
) -> bytes:
    """The bytes of a request; `form` (fields, or already encoded) makes it one with a body."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    if cookies:
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    body = b""
    if form is not None:
        body = (form if isinstance(form, str) else urlencode(form)).encode()
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


@dataclass(slots=True, eq=False)
class _Line:
    """One person's connection."""

    doing: Operation[Any] | None
    """None: kept for whoever is next."""
    socket: socket.socket | None = None
    sent: bytes = b""
    heard: bytes = b""
    is_fresh: bool = True
    """Nothing has come on it yet; one that was in use may have been closed by the server in the meantime."""


@dataclass(slots=True)
class Load:
    """Plays operations against one address."""

    address: tuple[str, int]
    reconnections: int = 0
    """How often a server had closed a kept connection."""
    _epoll: select.epoll = field(default_factory=select.epoll)
    _lines: dict[int, _Line] = field(default_factory=dict)
    _free: deque[_Line] | None = None
    """Of `play_at`, who was used longest ago first; None: whoever has come to the end hangs up."""

    def play(self, people: Iterable[Operation[Any]], longest_s: float = 120.0) -> None:
        """Until each has come to its end. Raises WrongAnswer, and TimeoutError after `longest_s`."""
        deadline = time.monotonic() + longest_s
        try:
            for doing in people:
                self._go_on(_Line(doing), None)
            while self._lines:
                self._listen(1.0, deadline)
        finally:
            self._close_all()

    def play_at(self, due: Iterable[tuple[float, Operation[Any]]], connections: int, longest_s: float = 120.0) -> None:
        """Each begins at its moment (`time.perf_counter`, in order), on one of so many kept connections that is free;
        when all wait for answers, on one more: nobody stands behind another. Raises as `play`."""
        deadline, self._free = time.monotonic() + longest_s, deque()
        try:
            for at, doing in due:
                while (left_s := at - time.perf_counter()) > 0:
                    self._listen(left_s, deadline)
                is_kept = len(self._lines) >= connections and self._free
                line = self._free.popleft() if is_kept else _Line(None)
                line.doing = doing
                self._go_on(line, None)
            while len(self._free) < len(self._lines):
                self._listen(1.0, deadline)
        finally:
            self._close_all()
            self._free = None

    def _listen(self, longest_s: float, deadline: float) -> None:
        """Until somebody has said something, or for so long."""
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(self._lines)} people still at it after the longest time")
        # epoll itself counts in whole milliseconds, and would be late by half a one.
        if not select.select([self._epoll], [], [], longest_s)[0]:
            return
        for descriptor, _ in self._epoll.poll(0):
            if line := self._lines.get(descriptor):
                self._hear(line)

    def _go_on(self, line: _Line, answer: Answer | None) -> None:
        assert line.doing is not None
        try:
            line.sent = next(line.doing) if answer is None else line.doing.send(answer)
        except StopIteration:
            line.doing = None
            if self._free is None:
                self._close(line)
            elif line.socket is not None:
                self._free.append(line)
            return
        self._send(line)

    def _send(self, line: _Line) -> None:
        if line.socket is None:
            line.socket = socket.create_connection(self.address, timeout=30)
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.heard, line.is_fresh = b"", True
            self._lines[line.socket.fileno()] = line
            self._epoll.register(line.socket.fileno(), select.EPOLLIN)
        try:
            # Requests are far smaller than a socket's buffer.
            line.socket.sendall(line.sent)
        except OSError:
            self._again(line)

    def _hear(self, line: _Line) -> None:
        assert line.socket is not None
        try:
            data = line.socket.recv(1 << 18)
        except OSError:
            data = b""
        if line.doing is None:
            # Nobody asked: the server ends a connection that nobody uses.
            self._close(line)
            return
        line.heard += data
        answer, length, closes = parsed(line.heard, is_over=not data)
        if answer is None:
            if not data:
                self._again(line)
            return
        line.heard, line.is_fresh = line.heard[length:], False
        if closes:
            self._close(line)
        self._go_on(line, answer)

    def _again(self, line: _Line) -> None:
        """A kept connection may end between two requests; one that ends without any answer is an error."""
        was_fresh, partly = line.is_fresh, line.heard
        self._close(line)
        if was_fresh or partly:
            raise WrongAnswer(f"the server closed a connection in the middle of an answer: {partly[:500]!r}")
        self.reconnections += 1
        self._send(line)

    def _close_all(self) -> None:
        for line in list(self._lines.values()):
            self._close(line)

    def _close(self, line: _Line) -> None:
        if self._free and line in self._free:
            self._free.remove(line)
        if line.socket is not None:
            del self._lines[line.socket.fileno()]
            self._epoll.unregister(line.socket.fileno())
            line.socket.close()
            line.socket = None


def parsed(heard: bytes, *, is_over: bool) -> tuple[Answer | None, int, bool]:
    """(the answer, None while it isn't whole; its length; whether the connection ends with it). RFC 9112 section 6."""
    end = heard.find(b"\r\n\r\n")
    if end < 0:
        return None, 0, False
    head, start = heard[: end + 2], end + 4
    lower, status = head.lower(), int(head[9:12])
    closes = b"\r\nconnection: close" in lower or head.startswith(b"HTTP/1.0")
    if status in (204, 304):
        return Answer(status, head, b""), start, closes
    at = lower.find(b"\r\ncontent-length:")
    if at >= 0:
        stop = start + int(lower[at + 17 : lower.find(b"\r\n", at + 17)])
        return (Answer(status, head, heard[start:stop]), stop, closes) if len(heard) >= stop else (None, 0, False)
    if b"\r\ntransfer-encoding: chunked" in lower:
        body, at = [], start
        while (line_end := heard.find(b"\r\n", at)) >= 0:
            size = int(heard[at:line_end].split(b";")[0], 16)
            at = line_end + 2 + size + 2
            if len(heard) < at:
                break
            if size == 0:
                return Answer(status, head, b"".join(body)), at, closes
            body.append(heard[line_end + 2 : at - 2])
        return None, 0, False
    # Neither: the body is all that comes until the server closes.
    return (Answer(status, head, heard[start:]), len(heard), True) if is_over else (None, 0, False)


def once(address: tuple[str, int], doing: Operation[T], longest_s: float = 60.0) -> T:
    """Do one thing and return its value. Raises as `play`."""
    brought: list[T] = []

    def person() -> Operation[None]:
        brought.append((yield from doing))

    Load(address).play([person()], longest_s)
    return brought[0]
