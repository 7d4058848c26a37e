"""The connections of one process to one Redis server: bounded, shared by threads, not shared with a fork.

Whoever takes a line gives it back or drops it. What a server answers is not looked at here.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable

from redis.exceptions import ConnectionError as RedisConnectionError

from sso_server.core.errors import Unavailable
from sso_server.stores.redis.line import Line

Fence = Callable[[str], bool]
"""Asked with a server's incarnation, or with nothing if it forbids INFO: may it be used?"""
_FRESH_S = 1.0
"""A line that was opened so short a time ago tells who answers there now."""


class Server:
    """One server; under Sentinel whoever is the master when a line is opened."""

    def __init__(self, name: str, open_line: Callable[[], Line], most: int, wait_s: float, idle_s: float) -> None:
        """`name` is for people and for order. At most so many lines; whoever finds none waits `wait_s`."""
        self.name = name
        self._open_line = open_line
        self._most = most
        self._wait_s = wait_s
        self._idle_s = idle_s
        self._generation = 0
        """Lines of an earlier one are closed when they come back."""
        self._idle: list[Line]
        self.begin_anew()
        _servers.add(self)

    def take(self, fence: Fence | None) -> Line:
        """A line that the fence admits. Raises Unavailable, RedisError or OSError."""
        line = self._room()
        try:
            while line is not None and not line.is_usable(self._idle_s):
                line.close()
                line = self._next_idle()
            if line is None:
                line = self._open()
            if fence is not None and not fence(line.incarnation):
                if time.monotonic() - line.opened_at > _FRESH_S:
                    # It may lead to a life of the server that is over, or to one that has been put right since.
                    line.close()
                    line = None
                    line = self._open()
                if not fence(line.incarnation):
                    self.give_back(line)
                    raise Refused
        except Refused:
            raise
        except BaseException:
            self.drop(line)
            raise
        return line

    def give_back(self, line: Line) -> None:
        """Every answer on it has been read."""
        with self._lock:
            is_current = line.generation == self._generation
            if is_current:
                self._idle.append(line)
            self._leave()
        if not is_current:
            line.close()

    def drop(self, line: Line | None) -> None:
        """It failed, or couldn't be opened."""
        with self._lock:
            self._leave()
        if line is not None:
            line.close()

    def distrust(self) -> None:
        """Use no line any more that is open now: the server failed, or isn't what it was."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._generation += 1
        for line in idle:
            line.close()

    def begin_anew(self) -> None:
        """In a fork: the parent goes on with its lines, and its locks may be held by threads that aren't here."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._idle, self._out, self._waiting = [], 0, 0

    def _room(self) -> Line | None:
        """Count one more out: the line that was used last, None if there is none to be had without opening one."""
        with self._lock:
            if self._out >= self._most:
                self._waiting += 1
                try:
                    if not self._changed.wait_for(lambda: self._out < self._most, self._wait_s):
                        raise RedisConnectionError(f"all {self._most} connections are in use")
                finally:
                    self._waiting -= 1
            self._out += 1
            return self._idle.pop() if self._idle else None

    def _open(self) -> Line:
        # Of the time before it was opened: whoever distrusts meanwhile means this one, too.
        generation = self._generation
        line = self._open_line()
        line.generation = generation
        return line

    def _next_idle(self) -> Line | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _leave(self) -> None:
        self._out -= 1
        if self._waiting:
            self._changed.notify()


_servers: weakref.WeakSet[Server] = weakref.WeakSet()


def _begin_all_anew() -> None:
    for server in _servers:
        server.begin_anew()


os.register_at_fork(after_in_child=_begin_all_anew)


class Refused(Unavailable):
    """The fence admits nobody to the server that answers."""

    def __init__(self) -> None:
        super().__init__(
            detail="Redis: another server, or another life of it, answers; not used before it is put right"
        )
