"""The delivery process as a process: killed with -9 in the middle of a send, and stopped in good order."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sso_server.clock import SystemClock
from sso_server.delivery.process import run_delivery
from sso_server.delivery.wake import socket_name
from tests.house.sources import ROOT
from tests.support.deliveries import Deliveries, eventually
from tests.support.engines import Place
from tests.support.sinks import Sink

PROCESS = """
import sys, threading
from pathlib import Path
from sso_server.clock import SystemClock
from sso_server.delivery.process import run_delivery
from tests.support.deliveries import Deliveries
from tests.support.engines import Place

sessions, sql, wake, name = sys.argv[1:]
one = Deliveries(Place.load(sessions).open(), Place.load(sql).open(), clock=SystemClock())
worker, sweeper = one.worker(name), one.sweeper()
sys.stdin.readline()
run_delivery(worker, sweeper, threading.Event(), wake_path=Path(wake))
"""


@pytest.fixture
def start(place: Place, sql_place: Place, short: Path):
    started: list[subprocess.Popen[bytes]] = []

    def start_process(name: str, *, at_once: bool = True) -> subprocess.Popen[bytes]:
        """Not at once: when `begin` says so. What it imports takes its time on a busy machine."""
        argv = [sys.executable, "-c", PROCESS, place.dump(), sql_place.dump(), str(short), name]
        started.append(subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE))
        if at_once:
            begin(started[-1])
        return started[-1]

    yield start_process
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def begin(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()


@pytest.fixture
def living(deliveries: Deliveries) -> Deliveries:
    deliveries.clock = SystemClock()
    return deliveries


def test_kill_9_in_the_middle_of_a_send_loses_nothing_and_the_next_process_goes_on_at_once(living, start) -> None:
    with Sink("hang") as shop, Sink("hang") as blog:
        for name, sink in (("shop", shop), ("blog", blog)):
            living.site(name, sink.url)
        sessions = [living.ended("shop", "blog") for _ in range(3)]
        first, second = start("first"), start("second", at_once=False)
        # A new interpreter: on a machine that is busy its imports alone take longer than any sending.
        shop.wait_for(1, 60)
        blog.wait_for(1)
        first.kill()
        first.wait(30)
        assert any("claimed" in living.states(session).values() for session in sessions)
        shop.script("ok")
        blog.script("ok")
        begun = time.monotonic()
        begin(second)
        eventually(lambda: all(set(living.states(s).values()) == {"acknowledged"} for s in sessions), 25)
        # Claims last thirty seconds: without the take-over it would have been those.
        assert time.monotonic() - begun < 20
        second.terminate()
        assert second.wait(30) == 0


def test_sigterm_lets_a_running_send_end_and_leaves_no_claim_behind(living, start, short: Path) -> None:
    with Sink("ok", delay_s=3.0) as sink:  # a whole send may take five seconds
        living.site("shop", sink.url)
        sessions = [living.ended("shop") for _ in range(3)]
        process = start("only")
        sink.wait_for(1, 60)
        process.terminate()
        begun = time.monotonic()
        assert process.wait(30) == 0
        assert time.monotonic() - begun < 20
    states = sorted(living.states(session)["shop"] for session in sessions)
    assert states == ["acknowledged", "pending", "pending"]
    assert list(short.iterdir()) == []


def test_sessions_end_by_time_and_their_sites_are_told(living, short: Path) -> None:
    from tests.support.builders import opened, registered

    with Sink("ok") as sink:
        living.site("shop", sink.url)
        now = living.clock.now()
        session = opened(living.stores, now, absolute_until=now + 500)
        registered(living.stores, session, now=now, margin_ms=60_000)
        stop = threading.Event()
        thread = threading.Thread(
            target=run_delivery, args=(living.worker(), living.sweeper(), stop), kwargs={"wake_path": short}
        )
        thread.start()
        try:
            sink.wait_for(1)
            eventually(lambda: living.states(session) == {"shop": "acknowledged"})
            assert living.stores.sessions.find(session.sid).end_reason == "absolute"
        finally:
            stop.set()
            thread.join(15)
        assert not thread.is_alive()


def test_nothing_waits_for_what_dead_workers_left(living, short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for it may take long, with a slow store or very many sessions."""
    looking, stop = threading.Event(), threading.Event()
    worker = living.worker()

    def look(is_dead: Callable[[str], bool]) -> int:
        assert is_dead("dead")
        looking.set()
        return int(stop.wait(30))

    monkeypatch.setattr(worker, "take_over", look)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.bind(str(short / socket_name("dead")))
    bell.close()
    with Sink("ok") as sink:
        living.site("shop", sink.url)
        session = living.ended("shop")
        thread = threading.Thread(
            target=run_delivery, args=(worker, living.sweeper(), stop), kwargs={"wake_path": short}
        )
        thread.start()
        try:
            assert looking.wait(10)
            eventually(lambda: living.states(session) == {"shop": "acknowledged"})
        finally:
            stop.set()
            thread.join(15)
        assert not thread.is_alive()
