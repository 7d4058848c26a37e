"""Mass ends as they are carried out: in batches, from where the last one ended, and nobody waits behind them."""

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from sso_server.clock import SystemClock
from sso_server.core.notifications import Notification
from sso_server.core.sessions import EndReason, Session
from sso_server.delivery.pace import in_batches
from tests.house.sources import ROOT
from tests.support.builders import opened, registered
from tests.support.deliveries import Deliveries, eventually, running
from tests.support.engines import Place
from tests.support.sinks import Sink

ORDERING = """
import sys
from tests.support.deliveries import Deliveries
from tests.support.engines import Place
from sso_server.clock import SystemClock
from sso_server.core.sessions import EndReason

one = Deliveries(Place.load(sys.argv[1]).open(), Place.load(sys.argv[2]).open(), clock=SystemClock())
sign_out = one.sign_out()
order = sign_out.order(EndReason.ADMINISTRATOR)
print("begun", flush=True)
sys.stdin.readline()
"""


def crowd(deliveries: Deliveries, count: int, *client_ids: str) -> list[Session]:
    before = deliveries.clock.now() - 1000
    sessions = [opened(deliveries.stores, before, user_id=f"usr-{number}") for number in range(count)]
    for session in sessions:
        for client_id in client_ids:
            registered(deliveries.stores, session, client_id, before, margin_ms=60_000)
    return sessions


class Counting:
    """`ports.SessionLists` that notes after which sid each look began."""

    def __init__(self, lists: object) -> None:
        self.lists = lists
        self.looks: list[str] = []

    def list_live(self, *args: object, **conditions: object) -> list[Session]:
        self.looks.append(str(conditions["after_sid"]))
        return self.lists.list_live(*args, **conditions)  # type: ignore[attr-defined,no-any-return]


def test_each_batch_begins_where_the_last_one_ended_and_the_last_look_begins_at_the_beginning(deliveries) -> None:
    crowd(deliveries, 120)
    sign_out = deliveries.sign_out()
    sign_out._lists = Counting(deliveries.stores.lists)
    order = sign_out.order(EndReason.ADMINISTRATOR)
    counts = [50]
    while counts[-1]:
        counts.append(sign_out.run_order(order))
    assert counts == [50, 50, 20, 0]
    looks = sign_out._lists.looks
    assert (looks[0], looks[-1]) == ("", "")
    assert looks[:-1] == sorted(looks[:-1])
    assert len(set(looks[:-1])) == len(looks) - 1
    assert deliveries.sql.end_orders.list_unfinished() == []


def test_sessions_that_open_after_the_order_stay(deliveries) -> None:
    crowd(deliveries, 60)
    sign_out = deliveries.sign_out()
    order = sign_out.order(EndReason.ADMINISTRATOR)
    later = opened(deliveries.stores, deliveries.clock.now(), user_id="usr-later")
    in_batches(lambda: sign_out.run_order(order), rest=lambda _: None)
    assert [s.sid for s in deliveries.stores.lists.list_live(deliveries.clock.now(), 100)] == [later.sid]


def test_what_is_below_the_place_where_a_process_begins_is_found_in_the_end(deliveries) -> None:
    crowd(deliveries, 70)
    deliveries.sign_out().order(EndReason.ADMINISTRATOR)
    another = deliveries.sign_out()
    total, more = in_batches(another.run_pending_orders, rest=lambda _: None)
    assert (total, more) == (20, False)
    assert deliveries.stores.lists.count_live(deliveries.clock.now()) == 0
    assert deliveries.sql.end_orders.list_unfinished() == []


def test_an_order_whose_giver_is_killed_is_carried_out_by_the_delivery_process(
    deliveries, place: Place, sql_place: Place
) -> None:
    deliveries.clock = SystemClock()
    sessions = crowd(deliveries, 130, "shop")
    argv = [sys.executable, "-c", ORDERING, place.dump(), sql_place.dump()]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as giver:
        assert giver.stdout is not None
        assert giver.stdout.readline() == "begun\n"
        giver.send_signal(signal.SIGKILL)
    assert deliveries.stores.lists.count_live(deliveries.clock.now()) == 80
    sweeper = deliveries.sweeper()
    eventually(lambda: sweeper.run_once() >= 0 and not deliveries.sql.end_orders.list_unfinished())
    assert deliveries.stores.lists.count_live(deliveries.clock.now()) == 0
    rows = [deliveries.rows(session)["shop"] for session in sessions]
    assert {(row.reason, row.bulk) for row in rows} == {("administrator", True)}


def test_one_person_s_sign_out_is_told_while_thousands_of_rows_wait(deliveries) -> None:
    deliveries.clock = SystemClock()
    with Sink("ok", delay_s=0.02) as busy, Sink("ok") as free:
        deliveries.site("busy", busy.url)
        deliveries.site("free", free.url)
        for session in crowd(deliveries, 600, "busy"):
            deliveries.stores.sessions.end(session.sid, "administrator", deliveries.clock.now(), bulk=True)
        with running(deliveries.worker()):
            busy.wait_for(20)
            # At a site that nobody else calls, and behind hundreds at the busy one.
            one = deliveries.ended("busy", "free")
            eventually(lambda: set(deliveries.states(one).values()) == {"acknowledged"})
            assert busy.count < 500, "the mass end was over before"
            assert busy.most_at_once <= 4


def test_a_worker_claims_what_somebody_waits_for_first_and_mass_ends_with_what_is_left(deliveries) -> None:
    claims: list[tuple[bool, int]] = []

    class Noting:
        """`ports.Outbox` that notes what is asked for."""

        def claim(self, worker: str, now: int, limit: int, claim_ms: int, *, bulk: bool) -> list[Notification]:
            claims.append((bulk, limit))
            rows: list[Notification] = deliveries.stores.outbox.claim(worker, now, limit, claim_ms, bulk=bulk)
            return rows

        def __getattr__(self, name: str) -> object:
            return getattr(deliveries.stores.outbox, name)

    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        worker = deliveries.worker(outbox=Noting())
        worker.run_once()
        for _ in range(90):
            deliveries.ended("shop")
        worker.run_once()
    assert claims == [(False, 100), (True, 100), (False, 100), (True, 25)]


@pytest.mark.parametrize("restarts", [3])
def test_a_site_that_is_away_gets_three_probes_of_a_new_worker_one_at_a_time(deliveries, restarts: int) -> None:
    with Sink("500") as sink:
        deliveries.site("shop", sink.url)
        for session in crowd(deliveries, 40, "shop"):
            deliveries.stores.sessions.end(session.sid, "sign_out", deliveries.clock.now())
        for number in range(restarts):
            worker = deliveries.worker(f"worker-{number}")
            worker.run_once()
            assert sink.count <= 3 * (number + 1)
            # Its rows are not due for the next one: each has its own next attempt.
            assert deliveries.stores.outbox.next_due(deliveries.clock.now()) > deliveries.clock.now()
            deliveries.clock.pass_ms(2000)
        assert sink.most_at_once == 1


def pauses(took_s: float, *counts: int, **more: object) -> tuple[tuple[int, bool], list[float]]:
    """By a clock of which only the batches take time."""
    rests: list[float] = []
    rest_of, now = list(counts), [100.0]

    def batch() -> int:
        now[0] += took_s
        return rest_of.pop(0)

    given: dict[str, Callable[[int], bool]] = more  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sso_server.delivery.pace.monotonic", lambda: now[0])
        return in_batches(batch, rest=rests.append, **given), rests  # type: ignore[arg-type]


def test_after_each_batch_there_is_a_rest_as_long_as_it_took() -> None:
    outcome, rests = pauses(0.02, 5, 5, 0)
    assert outcome == (10, False)
    assert len(rests) == 2
    assert rests == pytest.approx([0.02, 0.02])


def test_batches_stop_when_the_round_is_over_and_say_that_there_is_more() -> None:
    outcome, rests = pauses(0.02, 5, 5, 5, at_most_s=0.03)
    assert outcome == (10, True)
    assert len(rests) == 1
