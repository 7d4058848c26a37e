"""Only servers that the last finished restoration has seen are used; what is known of them is read once a second."""

import threading
from dataclasses import replace

import pytest

from sso_server.core.errors import Unavailable
from sso_server.core.fence import Fence
from sso_server.core.restorations import Restoration, RestorationState

DONE = Restoration("res-1", "first_seen", 1, 0, False, "redis:a:1,redis:b:2", finished_at=1)


class Clock:
    at = 1_000_000

    def now(self) -> int:
        return self.at


class Rows:
    """What SQL knows, or None before the first start; it may be away."""

    def __init__(self) -> None:
        self.newest: Restoration | None = DONE
        self.away = False
        self.reads = 0

    def state(self) -> RestorationState | None:
        self.reads += 1
        if self.away:
            raise Unavailable(detail="SQL is away")
        return None if self.newest is None else RestorationState(self.newest, "res-1", 0, 0, 0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def fence(rows: Rows, clock: Clock) -> Fence:
    return Fence(rows, clock)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("incarnation", "admitted"),
    [("redis:a:1", True), ("redis:b:2", True), ("redis:a:2", False), ("redis:a", False), ("", False)],
)
def test_each_server_must_be_known_as_it_is(fence: Fence, incarnation: str, admitted: bool) -> None:
    assert fence.admits(incarnation) is admitted


def test_at_the_first_start_nothing_can_have_been_lost(fence: Fence, rows: Rows) -> None:
    rows.newest = None
    assert fence.admits("redis:a:1")


def test_from_the_moment_when_somebody_is_noted_nobody_else_is_admitted(fence: Fence, rows: Rows) -> None:
    rows.newest = None
    assert fence.admits("redis:a:1")
    rows.newest = DONE
    assert not fence.admits("redis:z:9"), "not a second later, but at once"


def test_whoever_was_never_told_apart_is_admitted(fence: Fence, rows: Rows) -> None:
    rows.newest = replace(DONE, incarnation="")
    assert fence.admits("redis:z:9")


def test_nobody_is_admitted_before_all_is_put_right(fence: Fence, rows: Rows, clock: Clock) -> None:
    rows.newest = replace(DONE, finished_at=None)
    assert not fence.admits("redis:a:1")
    rows.newest = DONE
    clock.at += 150
    assert fence.admits("redis:a:1"), "and a tenth of a second later it is known"


def test_an_old_master_is_fenced_off_within_a_second(fence: Fence, rows: Rows, clock: Clock) -> None:
    assert fence.admits("redis:a:1")
    rows.newest = replace(DONE, incarnation="redis:c:3")
    clock.at += 1000
    assert not fence.admits("redis:a:1")
    assert fence.admits("redis:c:3")


def test_sql_is_read_once_a_second_however_many_ask(fence: Fence, rows: Rows, clock: Clock) -> None:
    assert all(fence.admits("redis:a:1") for _ in range(100))
    assert rows.reads == 1
    clock.at += 1000
    assert all(fence.admits("redis:a:1") for _ in range(100))
    assert rows.reads == 2


def test_a_clock_that_was_set_back_does_not_keep_it_fresh(fence: Fence, rows: Rows, clock: Clock) -> None:
    assert fence.admits("redis:a:1")
    rows.newest = replace(DONE, incarnation="redis:c:3")
    clock.at -= 3_600_000
    assert not fence.admits("redis:a:1")


def test_what_was_read_last_counts_for_half_a_minute_while_sql_is_away(fence: Fence, rows: Rows, clock: Clock) -> None:
    assert fence.admits("redis:a:1")
    rows.away = True
    clock.at += 29_000
    assert fence.admits("redis:a:1")
    clock.at += 1000
    with pytest.raises(Unavailable):
        fence.admits("redis:a:1")


def test_a_database_that_hangs_does_not_hold_one_after_the_other(fence: Fence, rows: Rows) -> None:
    gate = threading.Event()

    def hang() -> None:
        gate.wait(20)
        raise Unavailable(detail="SQL hung")

    rows.state = hang  # type: ignore[method-assign,assignment]

    def ask() -> None:
        with pytest.raises(Unavailable):
            fence.admits("redis:a:1")

    asked = [threading.Thread(target=ask) for _ in range(8)]
    for thread in asked:
        thread.start()
    for _ in range(100):
        if sum(thread.is_alive() for thread in asked) == 1:
            break
        gate.wait(0.1)
    assert sum(thread.is_alive() for thread in asked) == 1, "one has asked; the others were answered long ago"
    gate.set()
    for thread in asked:
        thread.join()


def test_after_a_failure_nobody_asks_for_a_moment(fence: Fence, rows: Rows, clock: Clock) -> None:
    rows.away = True
    for _ in range(10):
        with pytest.raises(Unavailable):
            fence.admits("redis:a:1")
    assert rows.reads == 1
    rows.away = False
    clock.at += 1000
    assert fence.admits("redis:a:1")


def test_without_any_knowledge_nobody_is_admitted(fence: Fence, rows: Rows) -> None:
    rows.away = True
    with pytest.raises(Unavailable):
        fence.admits("redis:a:1")
