"""Who may wait, for how long, and what ends it."""

import contextlib
import socket
import threading
import time

from sso_server.web.waiting import LOOK_EVERY_S, WEB_THREADS, WaitingRoom


def test_a_quarter_of_the_threads_may_wait_and_at_least_one() -> None:
    for threads, places in ((32, 8), (8, 2), (4, 1), (1, 1)):
        room = WaitingRoom(threads)
        with contextlib.ExitStack() as stack:
            got = [stack.enter_context(room.place(f"client-{n}")) for n in range(threads)]
        assert got == [True] * places + [False] * (threads - places)


def test_a_place_is_free_again_when_its_request_is_answered_or_has_failed() -> None:
    room = WaitingRoom(4)
    for _ in range(3):
        with contextlib.suppress(ZeroDivisionError), room.place("shop") as free:
            assert free
            raise ZeroDivisionError
    with room.place("shop") as free:
        assert free


def test_one_caller_leaves_half_of_the_places_to_others() -> None:
    room = WaitingRoom(WEB_THREADS)
    with contextlib.ExitStack() as stack:
        assert [stack.enter_context(room.place("shop")) for _ in range(6)] == [True] * 4 + [False] * 2
        assert [stack.enter_context(room.place("wiki")) for _ in range(6)] == [True] * 4 + [False] * 2


def looks_of(room: WaitingRoom, for_s: float, environ: dict[str, object]) -> tuple[int, float]:
    began = time.monotonic()
    count = sum(1 for _ in room.looks(for_s, environ))
    return count, time.monotonic() - began


def test_it_looks_every_half_second_until_the_time_is_over() -> None:
    for _ in range(20):
        count, took = looks_of(WaitingRoom(), 1.2, {})
        assert 1 <= count <= 3
        assert took >= 1.2
        if count == 3:
            break
    assert count == 3, "a busy machine may be late, but not each time"
    assert LOOK_EVERY_S == 0.5


def test_everybody_leaves_when_the_process_stops() -> None:
    room, stopping = WaitingRoom(), threading.Event()
    room.close_when(stopping.is_set)
    threading.Timer(0.3, stopping.set).start()
    _, took = looks_of(room, 25, {})
    assert took < 12
    with room.place("shop") as free:
        assert not free, "and nobody comes in"


def test_a_caller_that_hangs_up_is_not_waited_for() -> None:
    here, there = socket.socketpair()
    with here, there:
        threading.Timer(0.3, there.close).start()
        _, took = looks_of(WaitingRoom(), 25, {"gunicorn.socket": here})
    assert took < 12


def test_a_caller_that_sends_its_next_request_early_is_waited_for_and_costs_no_busy_loop() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"GET / HTTP/1.1\r\n")
        count, took = looks_of(WaitingRoom(), 1.2, {"gunicorn.socket": here})
        assert here.recv(3) == b"GET"
    assert 1 <= count <= 3
    assert took >= 1.2
