"""gunicorn's threaded worker: which callers it takes, how long a thread stays with a connection that is kept alive, and
how it parts with them and leaves: nobody who has connected is reset, and nobody waits for those who are slow.
"""

from __future__ import annotations

import contextlib
import select
import selectors
from socket import SHUT_RDWR
from time import monotonic
from typing import Any, ClassVar

from gunicorn.workers.gthread import ThreadWorker

from sso_server.cli.farewells import Farewells
from sso_server.cli.shares import Shares
from sso_server.crypto import cores

#: What a client that has its answer, or a proxy with the next person's request, needs for the next one.
_STAYS_MS = 5
#: What another process that has nothing at hand needs to take a caller.
_LEAVES_S = 0.002
#: For how long no caller is left to others after nobody took one, and after one who hung up with the first answer:
#: where connections aren't kept there is nothing to share, and each would wait.
_IN_VAIN_S = 0.02
_UNKEPT_S = 0.2


class LeavingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's own takes whoever calls when it happens to look: one process may have all the connections that a proxy
    keeps, and the others none. Here the one with more leaves a caller to the others for a moment.

    gunicorn's own gives a connection back to its event loop after each request: two changes of threads, a pipe's
    round trip and four system calls before the next one. Staying for a moment saves 0.07 of 0.4 ms where it comes.

    gunicorn's own waits in its event loop for each connection that ends, two seconds for one that doesn't hang up:
    fifteen of them, and the supervisor takes the worker for dead. Here they are waited for beside all others.

    gunicorn's own waits without end for the rest of a request, and for somebody to read an answer: each machine that
    vanished in the middle of it would keep a thread for ever.

    And its own stops accepting when it is told to stop, and keeps the socket open until its last request is done:
    meanwhile the kernel goes on taking connections, and resets all of them at the end."""

    #: gunicorn makes its workers in the parent, and forks then.
    shares: ClassVar[Shares | None] = None
    #: Each keeps to one core; set before they are made.
    own_cores: ClassVar[bool] = False
    #: Seconds in which a request has come and its answer is out, or it is hung up on. A poll may wait for 25 of them.
    patience_s: ClassVar[float] = 60

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if LeavingWorker.shares is None:
            LeavingWorker.shares = Shares()
        self._shares = LeavingWorker.shares
        self._row = self._shares.claim()
        #: Listeners where a caller is left to others, and until when (monotonic seconds).
        self._left: dict[Any, float] = {}
        self._leaves_from = 0.0
        #: Connections that a thread is with, and since when (monotonic seconds); threads write it.
        self._at_hand: dict[Any, float] = {}
        self._hangs_up_from = 0.0
        self._fewest: int | None = None

    def init_process(self) -> None:
        """gunicorn calls it in the process that it has forked, before there are threads."""
        if self._row is not None:
            self._shares.leave(self._row)
            if self.own_cores:
                cores.keep_to_one(self._row)
        super().init_process()

    def run(self) -> None:
        """gunicorn calls it when the application is there."""
        self._farewells = Farewells(self.poller, self._parted)
        super().run()

    def accept(self, listener: Any) -> None:
        """gunicorn calls it when somebody has connected."""
        self._note()
        now = monotonic()
        if now >= self._leaves_from and self._has_far_more():
            # Not looked at rather than waited for: meanwhile this process answers those that it has.
            self.poller.unregister(listener)
            self._left[listener], self._fewest = now + _LEAVES_S, self._fewest_of_others()
            return
        self._take(listener)

    def _has_far_more(self) -> bool:
        """Than another has: with one more, that one would have no more than this one."""
        fewest = self._fewest_of_others()
        return fewest is not None and self.nr_conns >= fewest + 2

    def _fewest_of_others(self) -> int | None:
        return None if self._row is None else self._shares.fewest(self._row)

    def _take(self, listener: Any) -> None:
        super().accept(listener)
        self._note()

    def _note(self) -> None:
        if self._row is not None:
            self._shares.note(self._row, self.nr_conns)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """gunicorn calls it again and again."""
        self._note()
        now = monotonic()
        if now >= self._hangs_up_from:
            self._hang_up_on_who_takes_too_long(now)
        if self._left:
            for listener in [listener for listener, until in self._left.items() if until <= now]:
                before = self.nr_conns
                self._take(listener)
                self._look_at(listener)
                if self.nr_conns > before and self._fewest_of_others() == self._fewest:
                    # Who has fewest hangs, or has its hands full: callers wait for that once in a while only.
                    self._leaves_from = max(self._leaves_from, now + _IN_VAIN_S)
            timeout = min([timeout, *(until - now for until in self._left.values())])
        if (soon := self._farewells.end_overdue()) is not None:
            timeout = min(timeout, soon)
        super().wait_for_and_dispatch_events(timeout)

    def _hang_up_on_who_takes_too_long(self, now: float) -> None:
        """The thread, which waits for the connection, finds it ended."""
        self._hangs_up_from = now + 1
        for conn, since in self._at_hand.copy().items():
            if now - since > self.patience_s:
                with contextlib.suppress(OSError):  # it has hung up itself
                    conn.sock.shutdown(SHUT_RDWR)

    def _look_at(self, listener: Any) -> None:
        del self._left[listener]
        self.poller.register(listener, selectors.EVENT_READ, self.accept)

    def handle(self, conn: Any) -> Any:
        """gunicorn calls it in a thread, for a connection that has a request: whether it is kept alive."""
        kept = self._handle_one(conn)
        if not kept and not hasattr(conn, "was_kept"):
            self._leaves_from = max(self._leaves_from, monotonic() + _UNKEPT_S)
        conn.was_kept = True
        # `is True`: there is another answer, for a connection on which nothing has come yet.
        while kept is True and self.alive and self._nobody_waits() and _follows(conn):
            kept = self._handle_one(conn)
        return kept

    def _handle_one(self, conn: Any) -> Any:
        self._at_hand[conn] = monotonic()
        try:
            return super().handle(conn)
        finally:
            del self._at_hand[conn]

    def finish_request(self, conn: Any, fs: Any) -> None:
        """gunicorn calls it in its event loop when a thread is done with a connection."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self._farewells.begin(conn.sock)

    def _parted(self) -> None:
        self.nr_conns -= 1

    def _nobody_waits(self) -> bool:
        """For a thread: who has one would keep it for as long as it asks without a pause."""
        return bool(self.tpool._work_queue.empty())  # noqa: SLF001  (the executor has no other way to ask)

    def set_accept_enabled(self, enabled: bool) -> None:
        """gunicorn calls it with False when it stops, and when it has all the connections that it may have."""
        for listener in list(self._left):
            self._look_at(listener)
        if not self.alive:
            self._take_who_is_there()
        super().set_accept_enabled(enabled)
        if self._row is not None:
            (self._shares.join if enabled else self._shares.leave)(self._row)
        if not self.alive:
            for listener in self.sockets:
                # The other workers and the supervisor may hold it still: then it stays open for them.
                listener.close()

    def _take_who_is_there(self) -> None:
        for listener in self.sockets:
            before = -1
            while before != self.nr_conns:
                before = self.nr_conns
                self._take(listener)


def _follows(conn: Any) -> bool:
    """Whether the next request begins within a moment. One that has come already, behind the last, is gunicorn's."""
    if conn.parser.unreader.buf.getvalue():
        return False
    watch = select.poll()
    watch.register(conn.sock, select.POLLIN)
    return bool(watch.poll(_STAYS_MS))
