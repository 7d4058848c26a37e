"""The thread that looks: what it writes, when it keeps still, and that it goes on."""

import threading
from collections.abc import Callable

import pytest

from sso_server.core.clock_guard import ClockGuard
from sso_server.core.errors import Unavailable
from sso_server.delivery.restorer import Restorer
from tests.support.builders import opened
from tests.support.clocks import StoreClock
from tests.support.deliveries import Deliveries, eventually
from tests.support.snapshots import Snapshot
from tests.support.went_back import Site, end, is_live, signed_in

Make = Callable[..., Restorer]


@pytest.fixture
def make(deliveries: Deliveries) -> Make:
    def make_restorer(health: StoreClock | None = None) -> Restorer:
        guard = ClockGuard(health or StoreClock(deliveries.clock), deliveries.clock)
        return Restorer(deliveries.restoring(), guard)

    return make_restorer


def noted(deliveries: Deliveries) -> int:
    state = deliveries.sql.restorations.state()
    return 0 if state is None else state.heartbeat


def test_a_heartbeat_is_noted_in_sql_where_another_store_has_it_first(deliveries: Deliveries, make: Make) -> None:
    restorer = make()
    for _ in range(6):
        assert not restorer.run_once()
        deliveries.clock.pass_ms(1000)
    kept = deliveries.stores.past.look().heartbeat
    assert noted(deliveries) == (kept or 0)
    # The first look and the sixth: the others only look.
    assert kept in (None, deliveries.clock.now() - 1000)


def test_a_node_whose_clock_is_off_writes_no_heartbeat_and_finds_nothing_out(
    deliveries: Deliveries, make: Make
) -> None:
    assert not make(StoreClock(deliveries.clock, 2001)).run_once()
    assert deliveries.sql.restorations.state() is None
    make().run_once()
    deliveries.sql.restorations.note_heartbeat(deliveries.clock.now() + 1)
    assert not make(StoreClock(deliveries.clock, -2001)).run_once()
    assert deliveries.sql.restorations.state().detected_at == 0  # type: ignore[union-attr]


def test_what_was_found_waits_until_every_process_knows_of_it(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    ended = signed_in(deliveries)
    site.check_in()
    taken = snapshot()
    deliveries.clock.pass_ms(1000)
    end(deliveries, ended)
    site.check_in()
    taken.restore()
    with pytest.raises(Unavailable):
        site.check_in()
    restoring = deliveries.restoring()
    assert restoring.run_once(beat=True, patient=True) is None
    deliveries.clock.pass_ms(999)
    assert restoring.run_once(beat=True, patient=True) is None
    assert is_live(deliveries, ended)
    deliveries.clock.pass_ms(1)
    assert restoring.run_once(beat=True, patient=True) is not None
    assert not is_live(deliveries, ended)


def test_a_store_that_is_away_pauses_the_loop_and_does_not_end_it(deliveries: Deliveries, make: Make) -> None:
    session = opened(deliveries.stores, deliveries.clock.now() - 1000)
    health = StoreClock(deliveries.clock)
    health.away = True
    stop = threading.Event()
    thread = threading.Thread(target=make(health).run, args=(stop, 0.02))
    thread.start()
    try:
        assert deliveries.sql.restorations.state() is None
        health.away = False
        eventually(lambda: deliveries.sql.restorations.state() is not None)
        assert deliveries.stores.sessions.find(session.sid).ended_at is None
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
