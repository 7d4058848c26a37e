"""Connections that end: the last answer is out, and the other side has still to hang up.

A socket that is closed while something unread lies in it resets the connection, and the answer may be lost on its way
(RFC 9112, section 9.6): so our side is closed first, and what still comes is read and thrown away, for a while.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from socket import SHUT_WR, socket
from time import monotonic

#: How long one has to hang up, and how much may still come from it.
_WAITS_S = 2.0
_READS = 64 << 10


class Farewells:
    """In a selector, beside everything else that its loop waits for: whoever takes time to hang up, or never does,
    holds up nobody. `over` is called once for each connection, when it is closed."""

    def __init__(self, poller: selectors.BaseSelector, over: Callable[[], None]) -> None:
        self._poller = poller
        self._over = over
        #: Until when (monotonic seconds), the earliest first, and how much has come.
        self._until: dict[socket, float] = {}
        self._read: dict[socket, int] = {}

    def begin(self, connection: socket) -> None:
        """Its last answer has been given to the system. The selector must not know it."""
        try:
            connection.setblocking(False)
            connection.shutdown(SHUT_WR)
            self._poller.register(connection, selectors.EVENT_READ, self._readable)
        except OSError:  # the other side was faster, or the system has no room to wait for it
            self._close(connection)
            return
        self._until[connection] = monotonic() + _WAITS_S
        self._read[connection] = 0

    def end_overdue(self) -> float | None:
        """Seconds until it is to be called again: none at all where some have ended, since the loop may have waited for
        just that, to take others or to stop. None: nobody has still to hang up."""
        now, has_ended = monotonic(), False
        while self._until:
            connection, until = next(iter(self._until.items()))
            if until > now:
                return 0 if has_ended else until - now
            self._end(connection)
            has_ended = True
        return 0 if has_ended else None

    def _readable(self, connection: socket) -> None:
        try:
            came = len(connection.recv(_READS))
        except BlockingIOError:
            return
        except OSError:  # reset
            came = 0
        self._read[connection] += came
        if not came or self._read[connection] > _READS:
            self._end(connection)

    def _end(self, connection: socket) -> None:
        del self._until[connection], self._read[connection]
        self._poller.unregister(connection)
        self._close(connection)

    def _close(self, connection: socket) -> None:
        connection.close()
        self._over()
