import threading
from collections.abc import Callable

import pytest

from sso_server.core.errors import Unavailable
from sso_server.core.events import Event, EventKind
from sso_server.core.policy import DAY, SECOND
from sso_server.core.sessions import EndReason
from sso_server.core.sign_out import SignOut
from sso_server.delivery.sweeper import Sweeper
from tests.support.builders import opened, registered
from tests.support.clocks import StoreClock
from tests.support.deliveries import Deliveries, eventually
from tests.support.went_back import is_live


@pytest.fixture
def sign_out(deliveries: Deliveries) -> SignOut:
    return deliveries.sign_out()


@pytest.fixture
def make(deliveries: Deliveries, sign_out: SignOut) -> Callable[..., Sweeper]:
    def make_sweeper(health: object | None = None) -> Sweeper:
        clock = health or StoreClock(deliveries.clock)
        stores = deliveries.stores
        return Sweeper(sign_out, stores.sweeps, stores.ledger, clock, deliveries.sql.audit, deliveries.clock)  # type: ignore[arg-type]

    return make_sweeper


def test_sessions_end_when_their_time_is_over(deliveries: Deliveries, make: Callable[..., Sweeper]) -> None:
    sessions = [opened(deliveries.stores, deliveries.clock.now()) for _ in range(210)]
    sweeper = make()
    assert sweeper.run_once() == 0
    deliveries.clock.pass_ms(DAY)
    # One round takes a second of work at most: a busy machine needs more than one.
    assert sum(sweeper.run_once() for _ in range(20)) == 210
    assert sweeper.run_once() == 0
    found = deliveries.stores.sessions.find(sessions[0].sid)
    assert found.end_reason in ("idle", "absolute")


@pytest.mark.parametrize(("off_ms", "swept"), [(0, 1), (2000, 1), (-2000, 1), (2001, 0), (-2001, 0), (-3_600_000, 0)])
def test_a_node_whose_clock_differs_from_the_store_s_ends_nothing_by_time(
    deliveries: Deliveries, make: Callable[..., Sweeper], off_ms: int, swept: int
) -> None:
    opened(deliveries.stores, deliveries.clock.now())
    deliveries.clock.pass_ms(DAY)
    assert make(StoreClock(deliveries.clock, off_ms)).run_once() == swept


def test_end_orders_are_carried_out_whatever_the_clock_says(
    deliveries: Deliveries, sign_out: SignOut, make: Callable[..., Sweeper]
) -> None:
    sessions = [opened(deliveries.stores, deliveries.clock.now() - 1000) for _ in range(210)]
    sign_out.order(EndReason.ADMINISTRATOR)
    sweeper = make(StoreClock(deliveries.clock, 60_000))
    for _ in range(20):  # one round takes a second of work at most
        sweeper.run_once()
    assert deliveries.stores.lists.count_live(deliveries.clock.now()) == 0
    assert deliveries.stores.sessions.find(sessions[0].sid).end_reason == "administrator"
    assert deliveries.sql.end_orders.list_unfinished() == []


def test_who_goes_to_a_removed_site_while_somebody_still_knows_it_is_signed_out_too(
    deliveries: Deliveries, sign_out: SignOut, make: Callable[..., Sweeper]
) -> None:
    deliveries.site("wiki", "https://wiki.example/logout")
    assert deliveries.sql.clients.remove("wiki", sign_out.order_for_removal("wiki"))
    sweeper = make()
    sweeper.run_once()
    deliveries.clock.pass_ms(SECOND)
    # Web processes know their clients for a second.
    late, elsewhere = (opened(deliveries.stores, deliveries.clock.now()) for _ in range(2))
    registered(deliveries.stores, late, "wiki", deliveries.clock.now())
    deliveries.clock.pass_ms(SECOND)
    sweeper.run_once()
    assert [is_live(deliveries, session) for session in (late, elsewhere)] == [False, True]
    assert deliveries.sql.end_orders.list_unfinished() == []


def test_an_old_audit_is_dropped(deliveries: Deliveries, make: Callable[..., Sweeper]) -> None:
    now = deliveries.clock.now()
    audit = deliveries.sql.audit
    audit.append(Event(now - 401 * DAY, EventKind.SIGNED_IN), Event(now - 399 * DAY, EventKind.SIGNED_IN))
    make().run_once()
    assert [event.at for event in audit.list_events(10)] == [now - 399 * DAY]


def test_a_store_that_is_away_pauses_the_loop_and_does_not_end_it(
    deliveries: Deliveries, make: Callable[..., Sweeper]
) -> None:
    opened(deliveries.stores, deliveries.clock.now())
    deliveries.clock.pass_ms(DAY)
    health = StoreClock(deliveries.clock)
    health.away = True
    sweeper = make(health)
    with pytest.raises(Unavailable):
        sweeper.run_once()
    stop = threading.Event()
    thread = threading.Thread(target=sweeper.run, args=(stop, 0.02))
    thread.start()
    health.away = False
    eventually(lambda: deliveries.stores.lists.count_live(deliveries.clock.now()) == 0)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
