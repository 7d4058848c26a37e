"""What delivery writes down while its store is away: whoever reads the log learns the cause once, not all the time."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sso_server.core.errors import Unavailable
from sso_server.core.notifications import AttemptResult, State
from sso_server.delivery import clerk as clerk_module
from sso_server.delivery import sweeper as sweeper_module
from sso_server.delivery import worker as worker_module
from sso_server.delivery.clerk import Clerk
from sso_server.delivery.outages import Outage
from tests.support.deliveries import Deliveries, eventually, running

AWAY = Unavailable(detail="Redis: ConnectionError: Connection refused.")


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    """What was written down, with its fields."""
    return []


@pytest.fixture
def log(lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A logger that keeps its lines, also in the place of delivery's own."""

    def keep(_logger: object, _method: str, event: Any) -> Any:
        lines.append(dict(event))
        raise structlog.DropEvent

    kept = structlog.wrap_logger(structlog.PrintLogger(), processors=[keep])
    for module in (clerk_module, sweeper_module, worker_module):
        monkeypatch.setattr(module, "_log", kept)
    return kept


class Store:
    """Every method of every port fails while it is away, and counts that; then it is the real one."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.away = True
        self.failures = 0

    def __getattr__(self, name: str) -> Any:
        if not self.away:
            return getattr(self.real, name)

        def fail(*_args: object, **_more: object) -> None:
            self.failures += 1
            raise AWAY

        return fail


@contextlib.contextmanager
def in_a_thread(run: Any) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join(10)


def named(lines: list[Any], *names: str) -> list[str]:
    return [line["event"] for line in lines if line["event"] in names]


def test_the_first_failure_is_told_with_its_cause_then_one_line_each_half_minute_then_the_end(log, lines) -> None:
    now = [100.0]
    outage = Outage(log, "resumed", lambda: now[0])
    outage.is_over()
    for _ in range(241):
        outage.failed("paused", AWAY)
        now[0] += 0.25
    outage.is_over()
    outage.is_over()
    assert [line["event"] for line in lines] == ["paused", "paused", "paused", "resumed"]
    assert {line["cause"] for line in lines[:3]} == {"Redis: ConnectionError: Connection refused."}
    assert [(line.get("since_then"), line.get("for_s")) for line in lines[:3]] == [(None, None), (120, 30), (120, 60)]
    assert (lines[3]["failures"], lines[3]["after_s"]) == (241, 60.2)


def test_a_defect_does_not_hide_behind_a_store_that_is_away(log, lines) -> None:
    outage = Outage(log, "resumed")
    for error in (AWAY, KeyError("sid"), AWAY, KeyError("sid")):
        outage.failed("paused", error)
    assert [(line["error"], line["exc_info"] is None) for line in lines] == [("Unavailable", True), ("KeyError", False)]


def test_after_an_end_the_next_outage_is_told_at_once(log, lines) -> None:
    outage = Outage(log, "resumed")
    for _ in range(2):
        outage.failed("paused", AWAY)
        outage.is_over()
    assert [line["event"] for line in lines] == ["paused", "resumed"] * 2


def test_a_worker_without_its_store_says_so_once(deliveries_on, log, lines) -> None:
    deliveries: Deliveries = deliveries_on()
    store = Store(deliveries.stores.outbox)
    with running(deliveries.worker(outbox=store)):
        eventually(lambda: store.failures >= 3)
        store.away = False
        eventually(lambda: named(lines, "delivery_resumed"))
    assert named(lines, "delivery_pauses", "delivery_resumed") == ["delivery_pauses", "delivery_resumed"]


def test_a_sweeper_without_its_store_says_so_once(deliveries_on, log, lines) -> None:
    deliveries: Deliveries = deliveries_on()
    sweeper = deliveries.sweeper()
    store = sweeper._health = Store(deliveries.stores.health)  # type: ignore[assignment]
    with in_a_thread(lambda stop: sweeper.run(stop, 0.01)):
        eventually(lambda: store.failures >= 2)
        store.away = False
        eventually(lambda: named(lines, "sweeping_resumed"))
    assert named(lines, "sweeping_pauses", "sweeping_resumed") == ["sweeping_pauses", "sweeping_resumed"]
    assert lines[0]["cause"] == AWAY.detail


@pytest.mark.parametrize("waiting", [0, 2])
def test_results_that_wait_are_counted_and_none_are_not_spoken_of(deliveries_on, log, lines, waiting: int) -> None:
    deliveries: Deliveries = deliveries_on()
    outbox, archive = Store(deliveries.stores.outbox), Store(deliveries.stores.archive)
    clerk = Clerk(outbox, archive, deliveries.sql.audit, lambda _: (), deliveries.clock)  # type: ignore[arg-type]
    for number in range(waiting):
        clerk.put(AttemptResult(f"sid-{number}", "shop", "", 1, State.ACKNOWLEDGED, None, 200, ""))
    with in_a_thread(clerk.run):
        eventually(lambda: outbox.failures + archive.failures >= 3)
        outbox.away = archive.away = False
        eventually(lambda: named(lines, "writing_resumed"))
    line = "results_not_written" if waiting else "final_rows_not_archived"
    assert [entry["event"] for entry in lines] == [line, "writing_resumed"]
    assert lines[0].get("backlog") == (waiting or None)
