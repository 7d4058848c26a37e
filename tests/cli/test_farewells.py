"""Connections whose last answer is out: who hangs up, who doesn't, who goes on sending; by a clock of the test's."""

import selectors
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from sso_server.cli import farewells
from sso_server.cli.farewells import Farewells

#: A quarter of what is read of one at most.
PIECE = b"x" * 16_384


class Full(selectors.DefaultSelector):
    """Of a system that has no room for another descriptor."""

    def register(self, *_: object, **__: object) -> selectors.SelectorKey:
        raise OSError(28, "No space left on device")


@dataclass
class Parting:
    """Farewells in a selector, and how many are over."""

    poller: selectors.DefaultSelector
    now: float = 100.0
    over: int = field(default=0)

    def __post_init__(self) -> None:
        self.farewells = Farewells(self.poller, self._over)

    def _over(self) -> None:
        self.over += 1

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Our side, which has answered, and the other."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            other = socket.create_connection(listener.getsockname(), timeout=20)
            ours = listener.accept()[0]
        ours.sendall(b"the answer")
        return ours, other

    def turn(self, seconds: float = 20) -> None:
        """Of the loop, once something has come."""
        events = self.poller.select(seconds)
        assert events or not seconds
        for key, _ in events:
            key.data(key.fileobj)


@pytest.fixture
def parting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Parting]:
    with selectors.DefaultSelector() as poller:
        one = Parting(poller)
        monkeypatch.setattr(farewells, "monotonic", lambda: one.now)
        yield one


def test_who_hangs_up_is_parted_with_at_once(parting: Parting) -> None:
    ours, other = parting.pair()
    parting.farewells.begin(ours)
    with other:
        assert other.recv(100) + other.recv(100) == b"the answer"
    parting.turn()
    assert (parting.over, ours.fileno(), len(parting.poller.get_map())) == (1, -1, 0)
    assert parting.farewells.end_overdue() is None


def test_who_does_not_hang_up_has_two_seconds_and_then_the_loop_looks_anew(parting: Parting) -> None:
    (ours, other), (later, others) = parting.pair(), parting.pair()
    with other, others:
        parting.farewells.begin(ours)
        parting.now += 0.5
        parting.farewells.begin(later)
        assert parting.farewells.end_overdue() == pytest.approx(1.5)
        parting.now += 1.5
        assert parting.farewells.end_overdue() == 0, "one place is free, and somebody may wait for it"
        assert (parting.over, ours.fileno()) == (1, -1)
        assert parting.farewells.end_overdue() == pytest.approx(0.5)
        parting.now += 0.5
        assert parting.farewells.end_overdue() == 0
        assert parting.farewells.end_overdue() is None
    assert (parting.over, later.fileno(), len(parting.poller.get_map())) == (2, -1, 0)


def test_what_still_comes_is_read_so_that_the_answer_is_not_lost(parting: Parting) -> None:
    ours, other = parting.pair()
    with other:
        other.sendall(PIECE)
        parting.farewells.begin(ours)
        parting.turn()
        other.sendall(PIECE)
        parting.turn()
        assert parting.over == 0
        assert other.recv(100) + other.recv(100) == b"the answer"
        other.shutdown(socket.SHUT_WR)
        while not parting.over:
            parting.turn()
        assert other.recv(100) == b"", "not reset"


def test_who_goes_on_sending_is_listened_to_for_a_while_only(parting: Parting) -> None:
    ours, other = parting.pair()
    with other:
        parting.farewells.begin(ours)
        for _ in range(20):
            other.sendall(PIECE)
            parting.turn()
            if parting.over:
                break
    assert (parting.over, ours.fileno(), len(parting.poller.get_map())) == (1, -1, 0)


def test_who_resets_is_parted_with_once(parting: Parting) -> None:
    for before in (True, False):
        ours, other = parting.pair()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if before:
            other.close()
        parting.farewells.begin(ours)
        other.close()
        if ours.fileno() != -1:
            parting.turn()
        assert (ours.fileno(), len(parting.poller.get_map())) == (-1, 0)
    assert parting.over == 2


def test_where_the_system_cannot_wait_for_one_it_is_closed_and_nothing_else_fails() -> None:
    with Full() as poller:
        parting = Parting(poller)
        ours, other = parting.pair()
        parting.farewells.begin(ours)
        with other:
            assert other.recv(100) + other.recv(100) == b"the answer"
        assert (parting.over, ours.fileno()) == (1, -1)
        assert parting.farewells.end_overdue() is None
