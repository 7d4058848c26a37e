"""Whoever signs in takes a turn: in one process only one request of the sign-in page computes at a time.

Threads share the interpreter, and a session check that comes back from its store stands in line with every thread that
computes. Behind one page that is a few milliseconds, behind thirty a tenth of a second.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Turns:
    """One per process. Thread-safe. A thread has one turn or none; whoever waits too long goes on without."""

    def __init__(self, wait_s: float = 0.1) -> None:
        """`wait_s`: for a turn, in seconds; it keeps nobody out. Long enough for a crowd's pages, one after the other;
        short for those behind somebody whose turn is spent with waiting for a store."""
        self._free = threading.Semaphore(1)
        self._wait_s = wait_s
        self._own = threading.local()

    def take(self) -> None:
        """The calling thread's turn, once the others have had theirs."""
        if not self._has_one():
            self._own.has_one = self._free.acquire(timeout=self._wait_s)

    def give_back(self) -> None:
        """The next one's turn. Without one nothing happens."""
        if self._has_one():
            self._own.has_one = False
            self._free.release()

    @contextlib.contextmanager
    def given_up(self) -> Iterator[None]:
        """While this thread waits for something: afterwards it has a turn again, if it had one."""
        had_one = self._has_one()
        self.give_back()
        try:
            yield
        finally:
            if had_one:
                self.take()

    def _has_one(self) -> bool:
        return getattr(self._own, "has_one", False)
