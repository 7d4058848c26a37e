"""The worker's loop with a real clock: nothing hangs on a slow site, a store that is away, or a worker that goes."""

import threading
import time
from pathlib import Path

import pytest

from sso_server.clock import SystemClock
from sso_server.core.errors import Unavailable
from sso_server.core.notifications import AttemptResult
from sso_server.delivery import worker as worker_module
from sso_server.delivery.wake import DatagramWake, WakeListener
from tests.support.deliveries import Deliveries, eventually, running, sinks
from tests.support.sinks import Sink


def all_told(deliveries: Deliveries, *sessions: object) -> bool:
    return all(set(deliveries.states(session).values()) == {"acknowledged"} for session in sessions)  # type: ignore[arg-type]


def test_three_hanging_sites_delay_none_of_the_seventeen_others(deliveries_on) -> None:
    deliveries = deliveries_on(clock=SystemClock())
    with sinks(17) as good, sinks(3, "hang") as hanging:
        for number, sink in enumerate([*hanging, *good]):
            deliveries.site(f"site-{number}", sink.url)
        names = [f"site-{number}" for number in range(20)]
        with running(deliveries.worker()):
            begun = time.monotonic()
            session = deliveries.ended(*names)
            for sink in good:
                sink.wait_for(1)
            took = time.monotonic() - begun
            eventually(lambda: list(deliveries.states(session).values()).count("acknowledged") == 17)
        # The hanging ones take five seconds each.
        assert took < 3


def test_many_rows_of_hanging_sites_do_not_delay_one_row_of_a_good_one(deliveries_on) -> None:
    deliveries = deliveries_on(clock=SystemClock())
    with sinks(3, "hang") as hanging, Sink("ok") as good:
        for number, sink in enumerate(hanging):
            deliveries.site(f"slow-{number}", sink.url)
        deliveries.site("good", good.url)
        for _ in range(15):
            deliveries.ended("slow-0", "slow-1", "slow-2")
        with running(deliveries.worker(concurrency=4)):
            hanging[0].wait_for(1)
            begun = time.monotonic()
            deliveries.ended("good")
            good.wait_for(1)
            assert time.monotonic() - begun < 3
        assert max(sink.most_at_once for sink in hanging) == 1


def test_many_sessions_at_one_good_site_are_told_four_at_a_time(deliveries_on) -> None:
    deliveries = deliveries_on(clock=SystemClock())
    with Sink("ok", delay_s=0.005) as sink:
        deliveries.site("shop", sink.url)
        sessions = [deliveries.ended("shop") for _ in range(40)]
        with running(deliveries.worker()):
            eventually(lambda: all_told(deliveries, *sessions))
        assert sink.count == 40
        assert 1 < sink.most_at_once <= 4
        assert sink.connections <= 8


def test_a_crowd_at_one_slow_site_is_told_as_fast_as_it_can_answer(deliveries_on) -> None:
    deliveries = deliveries_on(clock=SystemClock())
    with Sink("ok", delay_s=0.1) as sink:
        deliveries.site("shop", sink.url)
        sessions = [deliveries.ended("shop") for _ in range(120)]
        begun = time.monotonic()
        with running(deliveries.worker()):
            eventually(lambda: all_told(deliveries, *sessions), 30)
        # Four at once, ten times a second: three seconds and what the first claims cost.
        assert time.monotonic() - begun < 20
        assert sink.count == 120
        assert max(deliveries.rows(session)["shop"].attempt for session in sessions) <= 4


def test_a_store_that_is_away_pauses_the_worker_and_loses_nothing(deliveries_on) -> None:
    deliveries = deliveries_on(clock=SystemClock())
    away = threading.Event()

    class Outage:
        def __getattr__(self, name: str) -> object:
            if away.is_set():
                raise Unavailable
            return getattr(deliveries.stores.outbox, name)

        def record(self, results: list[AttemptResult], now: int) -> None:
            if away.is_set():
                raise Unavailable
            deliveries.stores.outbox.record(results, now)

    def goes_away(connection: object) -> None:
        away.set()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")  # type: ignore[attr-defined]

    with Sink(goes_away, "ok") as sink:
        deliveries.site("shop", sink.url)
        with running(deliveries.worker(outbox=Outage())):
            first = deliveries.ended("shop")
            sink.wait_for(1)
            second = deliveries.ended("shop")
            time.sleep(0.5)  # long enough to see that the outage is one
            assert deliveries.states(first) == {"shop": "claimed"}
            away.clear()
            eventually(lambda: all_told(deliveries, first, second))
        assert sink.count == 2


def test_a_worker_that_is_stopped_ends_its_sends_and_releases_the_rest(deliveries_on) -> None:
    deliveries = deliveries_on(clock=SystemClock())
    with Sink("ok", delay_s=1.0) as slow:
        deliveries.site("shop", slow.url)
        sessions = [deliveries.ended("shop") for _ in range(6)]
        with running(deliveries.worker()):
            slow.wait_for(1)
        rows = [deliveries.rows(session)["shop"] for session in sessions]
        assert sorted(row.state.value for row in rows) == ["acknowledged"] + ["pending"] * 5
        assert all(row.next_attempt_at <= deliveries.clock.now() for row in rows if row.state == "pending")


def test_a_ring_is_quicker_than_the_poll(deliveries_on, short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "POLL_S", 5.0)
    deliveries = deliveries_on(clock=SystemClock())
    wake = DatagramWake(short)
    listener = WakeListener(short, "worker-1")
    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        with running(deliveries.worker(), listener=listener):
            for number in range(1, 4):
                deliveries.ended("shop")
                wake.ring()
                sink.wait_for(number, timeout_s=3)
    listener.close()


def test_without_a_bell_the_poll_finds_it(deliveries_on) -> None:
    deliveries = deliveries_on(clock=SystemClock())
    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        with running(deliveries.worker()):
            time.sleep(0.3)
            deliveries.ended("shop")
            sink.wait_for(1, timeout_s=30)


def test_two_workers_share_the_work_and_tell_nobody_twice(deliveries_on) -> None:
    deliveries = deliveries_on(clock=SystemClock())
    with Sink("ok", delay_s=0.002) as sink:
        deliveries.site("shop", sink.url)
        with running(deliveries.worker("one")), running(deliveries.worker("two")):
            sessions = [deliveries.ended("shop") for _ in range(30)]
            eventually(lambda: all_told(deliveries, *sessions))
        assert sink.count == 30
