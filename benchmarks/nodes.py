"""A client of several nodes, as a balancer would be: any node for each request, another one when a node refuses.

The rules are those of docs/several-nodes.md: what a dead node didn't answer is asked again of another only if it is a
GET; of a POST nobody knows whether it was done.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.load import Answer, Operation, parsed

T = TypeVar("T")
Address = tuple[str, int]
#: For so long nobody tries a node that refused, unless the others do, too.
_SHUNNED_S = 0.5


class CutOffError(Exception):
    """A POST was sent to a node that died before it answered."""


@dataclass(slots=True)
class Nodes:
    """What all callers know together. Thread-safe."""

    addresses: Sequence[Address]
    failures: list[tuple[float, Address, str]] = field(default_factory=list)
    """Answers of 500 and above: when (monotonic), from whom, the first lines."""
    refused: int = 0
    cut: int = 0
    """Requests that were sent and not answered."""
    _shunned: dict[Address, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def in_order(self) -> list[Address]:
        """Any first; those that refused a moment ago last."""
        now = time.monotonic()
        known = list(self.addresses)
        random.shuffle(known)
        return sorted(known, key=lambda address: self._shunned.get(address, 0.0) > now)

    def note_refusal(self, address: Address) -> None:
        """Nobody listens there."""
        with self._lock:
            self.refused += 1
            self._shunned[address] = time.monotonic() + _SHUNNED_S

    def note_cut(self) -> None:
        """A connection ended instead of an answer."""
        with self._lock:
            self.cut += 1

    def note(self, address: Address, answer: Answer) -> None:
        """An answer came."""
        if answer.status >= 500:
            self.failures.append((time.monotonic(), address, answer.head[:200].decode("latin-1")))


@dataclass(slots=True)
class Caller:
    """One person's kept connections, one to each node. Used by one thread."""

    nodes: Nodes
    repeated: int = 0
    """How often a GET was asked again of another node."""
    _open: dict[Address, socket.socket] = field(default_factory=dict)

    def do(self, operation: Operation[T]) -> T:
        """Its value. Raises WrongAnswer, and CutOffError."""
        try:
            data = next(operation)
            while True:
                data = operation.send(self._ask(data))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def close(self) -> None:
        """All connections."""
        for one in self._open.values():
            one.close()
        self._open.clear()

    def _ask(self, data: bytes) -> Answer:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for address in self.nodes.in_order():
                with contextlib.suppress(ConnectionRefusedError):
                    answer = self._ask_one(address, data)
                    if answer is not None:
                        self.nodes.note(address, answer)
                        return answer
                    self.nodes.note_cut()
                    if not data.startswith(b"GET "):
                        raise CutOffError
                    self.repeated += 1
                    continue
                self.nodes.note_refusal(address)
            time.sleep(0.05)
        raise TimeoutError("no node answers")

    def _ask_one(self, address: Address, data: bytes) -> Answer | None:
        """None: it was sent, and no answer came. Raises ConnectionRefusedError."""
        kept = self._open.pop(address, None)
        if kept is not None and not _is_over(kept):
            answer, goes_on = _exchange(kept, data)
        else:
            if kept is not None:
                kept.close()
            kept = socket.create_connection(address, timeout=60)
            kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answer, goes_on = _exchange(kept, data)
        if goes_on:
            self._open[address] = kept
        else:
            kept.close()
        return answer


def _is_over(kept: socket.socket) -> bool:
    """The server has closed it while nobody asked."""
    kept.setblocking(False)
    try:
        return not kept.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        kept.settimeout(60)


def _exchange(kept: socket.socket, data: bytes) -> tuple[Answer | None, bool]:
    """(the answer or None, whether the connection may be used again)."""
    heard = b""
    with contextlib.suppress(OSError):
        kept.sendall(data)
        while more := kept.recv(1 << 18):
            heard += more
            answer, _, closes = parsed(heard, is_over=False)
            if answer is not None:
                return answer, not closes
    answer, _, _ = parsed(heard, is_over=True)
    return answer, False
