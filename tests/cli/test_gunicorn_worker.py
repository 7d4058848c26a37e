"""When a worker leaves a caller to another process, and when it has found out that nobody is served by that: a real one
on real sockets, whose clock goes on when the test says so.
"""

import os
import select
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from sso_server.cli import farewells, gunicorn_worker
from sso_server.cli.gunicorn_worker import LeavingWorker
from sso_server.cli.shares import Shares
from tests.support.centre import wait_until

#: The other process's row.
OTHER = 1


@dataclass
class Here:
    """A worker with two connections that are kept, and another process that has none and takes nobody."""

    address: tuple[str, int]
    sockets: ExitStack
    worker: LeavingWorker
    loop: threading.Thread
    now: float = field(default=100.0)

    def caller(self, *, kept: bool = True, asks: bool = True) -> socket.socket:
        """Somebody who has connected, and asks."""
        caller = self.sockets.enter_context(socket.create_connection(self.address, timeout=20))
        if asks:
            self.ask(caller, kept=kept)
        return caller

    def ask(self, caller: socket.socket, *, kept: bool = True) -> None:
        """One request."""
        end = "" if kept else "Connection: close\r\n"
        caller.sendall(f"GET / HTTP/1.1\r\nHost: here\r\n{end}\r\n".encode())

    def has_at_hand(self, caller: socket.socket) -> bool:
        """Whether a thread is with this one, and with nobody else."""
        return [conn.client for conn in self.worker._at_hand.copy()] == [caller.getsockname()]

    def is_left(self, caller: socket.socket) -> bool:
        """Whether nobody answers while the clock stands; a moment later somebody does."""
        is_left = not _comes(caller)
        while not _comes(caller):
            self.now += 0.003
        hear(caller)
        return is_left


def _comes(caller: socket.socket) -> bool:
    watch = select.poll()
    watch.register(caller, select.POLLIN)
    return bool(watch.poll(200))


def hear(caller: socket.socket) -> None:
    """The answer; where the connection isn't kept, to its end."""
    said = caller.recv(4096)
    assert said.startswith(b"HTTP/1.1 204")
    assert b"Connection: close" not in said or not caller.recv(4096)


def answer(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("204 No Content", [])
    return []


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    shares, config = Shares(), Config()
    for name, value in {"threads": 4, "keepalive": 60, "graceful_timeout": 2}.items():
        config.set(name, value)
    monkeypatch.setattr(LeavingWorker, "shares", shares)
    log = SimpleNamespace(access=ignore, debug=ignore, info=ignore)
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as sockets:
        worker = LeavingWorker(0, os.getppid(), [listener], None, 30, config, log)
        loop = threading.Thread(target=worker.run)
        one = Here(listener.getsockname(), sockets, worker, loop)
        for module in (gunicorn_worker, farewells):
            monkeypatch.setattr(module, "monotonic", lambda: one.now)
        other = shares.claim()
        assert other == OTHER
        # What gunicorn does in the process that it has forked, but for signals and the application.
        worker.tpool, worker.poller = worker.get_thread_pool(), selectors.DefaultSelector()
        worker.method_queue.init()
        worker.wsgi = answer
        loop.start()
        try:
            for _ in range(2):
                hear(one.caller())
            shares.join(other)
            yield one
        finally:
            sockets.close()
            worker.handle_exit(0, None)
            loop.join(20)
            worker.tmp.close()
        assert not loop.is_alive()


def ignore(*_: object) -> None:
    pass


def test_who_has_far_more_leaves_a_caller_to_others_for_a_moment(here: Here) -> None:
    assert here.is_left(here.caller())


def test_where_nobody_took_one_no_other_is_left_for_a_while(here: Here) -> None:
    assert here.is_left(here.caller())
    for _ in range(3):
        here.now += 0.005
        hear(here.caller())
    here.now += 0.006
    assert here.is_left(here.caller())


def test_after_one_who_hung_up_with_the_first_answer_nobody_is_left_for_longer(here: Here) -> None:
    assert here.is_left(here.caller(kept=False))
    for _ in range(3):
        here.now += 0.06
        hear(here.caller())
    here.now += 0.03
    assert here.is_left(here.caller())


def test_that_while_is_not_cut_short_by_one_who_was_left_when_it_began(here: Here) -> None:
    early = here.caller(asks=False)
    assert here.is_left(here.caller()), "and the early one is taken with it"
    here.now += 0.03
    left = here.caller()
    assert not _comes(left)
    here.ask(early, kept=False)
    hear(early)
    here.now += 0.003
    hear(left)
    here.now += 0.1
    hear(here.caller())


def test_a_kept_connection_that_ends_changes_nothing(here: Here) -> None:
    kept = here.caller()
    assert here.is_left(kept)
    assert not _comes(kept), "meanwhile no thread stays with it"
    here.now += 0.03
    here.ask(kept, kept=False)
    hear(kept)
    assert here.is_left(here.caller())


def test_it_goes_as_soon_as_the_last_one_is_parted_with(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = here.sockets.pop_all()
    assert here.is_left(here.caller(kept=False)), "our side is closed then, theirs stays open"
    kept.close()
    wait_until(lambda: here.worker.nr_conns == 1, why="the others to be gone")
    waits: list[float] = []
    wait = here.worker.poller.select

    def noted(timeout: float) -> Any:
        if not here.worker.nr_conns:
            waits.append(timeout)
        return wait(timeout)

    monkeypatch.setattr(here.worker.poller, "select", noted)
    here.worker.handle_exit(0, None)
    here.now += 2
    here.loop.join(20)
    assert not here.loop.is_alive()
    assert set(waits) <= {0}, "there is nobody whom it could wait for"


def test_a_request_has_a_minute_and_a_connection_as_many_as_it_asks(here: Here) -> None:
    kept, slow = here.caller(), here.caller(asks=False)
    assert here.is_left(kept)
    slow.sendall(b"GET / HTTP/1.1\r\nHost:")
    wait_until(lambda: here.has_at_hand(slow), why="a thread to be with the slow one")
    for _ in range(2):
        here.now += 30
        here.ask(kept)
        hear(kept)
    assert not _comes(slow)
    here.now += 1
    assert slow.recv(100) == b""
    kept.sendall(b"GET / HTTP/1.1\r\nHost:")
    wait_until(lambda: here.has_at_hand(kept), why="a thread to be with the one that is kept")
    here.now += 30
    wait_until(lambda: here.worker._hangs_up_from > here.now, why="it to have looked")
    kept.sendall(b" here\r\n\r\n")
    hear(kept)


def test_who_is_left_to_others_when_it_stops_is_taken_and_nobody_else(here: Here) -> None:
    left = here.caller()
    assert not _comes(left)
    here.worker.handle_exit(0, None)
    hear(left)
    fewest = here.worker._shares.fewest
    wait_until(lambda: fewest(OTHER) is None, why="the others to leave nobody to it any more")
    here.sockets.close()
    here.loop.join(20)
    with pytest.raises(ConnectionRefusedError):
        here.caller()


def test_while_it_has_all_that_it_may_have_the_others_leave_nobody_to_it(here: Here) -> None:
    fewest = here.worker._shares.fewest
    wait_until(lambda: fewest(OTHER) == 2, why="it to say that it has two")
    left = here.caller()
    assert not _comes(left)
    here.worker.worker_connections = 2
    wait_until(lambda: fewest(OTHER) is None, why="it to take nobody any more")
    here.now += 1
    assert not _comes(left)
    here.worker.worker_connections = 4
    assert here.is_left(left)
    wait_until(lambda: fewest(OTHER) == 3, why="it to say that it has three")
