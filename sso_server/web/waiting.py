"""Requests that wait for something to happen: how many at once in one process, for how long, and when all must go.

A waiting request holds a thread. So only a quarter of the threads may wait; who comes then is answered at once.
"""

from __future__ import annotations

import select
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

#: Threads of a web worker; gunicorn's settings (cli/gunicorn_config.py) take the number from here.
WEB_THREADS = 32
#: How often a waiting request looks. What happens anywhere is seen within this time: a look at the store needs no
#: wake-up between processes and nodes that could be lost.
LOOK_EVERY_S = 0.5


class WaitingRoom:
    """One per process. Thread-safe."""

    def __init__(self, threads: int = WEB_THREADS) -> None:
        """`threads`: how many the process has for requests."""
        self._places = max(1, threads // 4)
        # One caller with a loop gone wrong must not send all the others away.
        self._places_each = max(1, self._places // 2)
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._is_closing: Callable[[], bool] = lambda: False

    def close_when(self, is_closing: Callable[[], bool]) -> None:
        """From when this is true, everybody leaves and nobody comes in: the process is about to stop."""
        self._is_closing = is_closing

    @contextmanager
    def place(self, who: str) -> Iterator[bool]:
        """A place for one request of this caller while the block runs; False: there is none."""
        with self._lock:
            free = self._taken.total() < self._places and self._taken[who] < self._places_each
            free = free and not self._is_closing()
            if free:
                self._taken[who] += 1
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._taken[who] -= 1

    def looks(self, for_s: float, environ: Mapping[str, Any]) -> Iterator[None]:
        """Yields each time the request should look, until the time is over, the caller has gone or the process stops.

        `environ` is the request's. Hold no lock and no connection between two looks.
        """
        ends = monotonic() + for_s
        while not self._is_closing() and not _wait(environ, min(LOOK_EVERY_S, ends - monotonic())):
            yield
            if monotonic() >= ends:
                return


def _wait(environ: Mapping[str, Any], seconds: float) -> bool:
    """Wait so long, or until the caller hangs up: whether it did. Without the server's help nobody can know."""
    ends = monotonic() + seconds
    caller = environ.get("gunicorn.socket")
    if isinstance(caller, socket.socket) and _hangs_up(caller, seconds):
        return True
    # Bytes of a next request end the wait for the socket at once, and every time: the rest is waited for without it.
    threading.Event().wait(max(0.0, ends - monotonic()))
    return False


def _hangs_up(caller: socket.socket, seconds: float) -> bool:
    watch = select.poll()
    try:
        watch.register(caller, select.POLLIN)
        return bool(watch.poll(max(0.0, seconds) * 1000)) and caller.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        # Reset by the caller, or closed on our side.
        return True
