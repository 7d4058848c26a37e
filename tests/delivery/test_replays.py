"""Sessions in Redis, the journal in SQL: what ended ends again, and nobody else is signed out."""

from collections.abc import Callable

import pytest

from sso_server.core.clients import ClientDirectory
from sso_server.core.errors import Unavailable
from sso_server.core.policy import MINUTE
from sso_server.core.reports import SignOutReports
from sso_server.core.sessions import EndReason
from sso_server.core.users import EndOrder
from tests.support.builders import registered
from tests.support.deliveries import Deliveries
from tests.support.snapshots import Snapshot
from tests.support.went_back import Site, end, is_live, put_right, signed_in

pytestmark = [pytest.mark.redis, pytest.mark.parametrize("place", ["redis"], indirect=True)]


def test_a_redis_that_lost_its_heartbeat_is_found_out_without_any_site(
    deliveries: Deliveries, snapshot: Callable[[], Snapshot]
) -> None:
    ended, other = signed_in(deliveries), signed_in(deliveries)
    restoring = deliveries.restoring()
    assert restoring.run_once(beat=True) is None
    taken = snapshot()
    end(deliveries, ended)
    deliveries.clock.pass_ms(10_000)
    assert restoring.run_once(beat=True) is None
    taken.restore()
    put_right(deliveries)
    assert not is_live(deliveries, ended)
    assert is_live(deliveries, other)


@pytest.mark.parametrize("since_is_known", [True, False])
def test_few_lines_or_few_sessions_whatever_is_shorter_is_gone_through(
    deliveries: Deliveries, snapshot: Callable[[], Snapshot], since_is_known: bool
) -> None:
    sessions = [signed_in(deliveries) for _ in range(8)]
    restoring = deliveries.restoring()
    restoring.run_once(beat=False)
    if since_is_known:
        deliveries.clock.pass_ms(10 * MINUTE)
        restoring.run_once(beat=True)
    taken = snapshot()
    for session in sessions[:2]:
        end(deliveries, session)
    deliveries.clock.pass_ms(10_000)
    restoring.run_once(beat=True)
    taken.restore()
    put_right(deliveries)
    assert [is_live(deliveries, session) for session in sessions] == [False] * 2 + [True] * 6


def test_end_orders_are_carried_out_again_and_spare_what_came_after_them(
    deliveries: Deliveries, snapshot: Callable[[], Snapshot]
) -> None:
    kept, other = signed_in(deliveries), signed_in(deliveries)
    bobs = signed_in(deliveries, user_id="usr-bob")
    restoring = deliveries.restoring()
    restoring.run_once(beat=True)
    taken = snapshot()
    deliveries.clock.pass_ms(5_000)
    now = deliveries.clock.now()
    order = EndOrder("ord-1", "password_change", now, "usr-alice", 2, keep_sid=kept.sid, revoke_grants=True)
    deliveries.sql.end_orders.add(order)
    deliveries.sweeper().run_once()
    assert deliveries.sql.end_orders.list_unfinished() == []
    deliveries.clock.pass_ms(10_000)
    restoring.run_once(beat=True)
    taken.restore()
    new = signed_in(deliveries, user_version=2)
    # Its line in the journal is not enough here: somebody has dropped it.
    deliveries.sql.audit.purge_events(deliveries.clock.now() + 1, 100)
    put_right(deliveries)
    assert [is_live(deliveries, s) for s in (kept, other, bobs, new)] == [True, False, True, True]
    assert deliveries.stores.tokens.revoke_grants_of("usr-alice", 1) == 1, "the one granted after the order"


def test_the_order_about_a_removed_client_spares_who_came_to_the_one_that_was_registered_after_it(
    deliveries: Deliveries, snapshot: Callable[[], Snapshot]
) -> None:
    there_before, there_after = signed_in(deliveries), signed_in(deliveries)
    registered(deliveries.stores, there_before, "wiki", deliveries.clock.now())
    restoring = deliveries.restoring()
    restoring.run_once(beat=True)
    taken = snapshot()
    deliveries.clock.pass_ms(1000)
    deliveries.sign_out().order(EndReason.CLIENT_REMOVED, client_id="wiki")
    deliveries.sweeper().run_once()
    deliveries.clock.pass_ms(10_000)
    restoring.run_once(beat=True)
    taken.restore()
    registered(deliveries.stores, there_after, "wiki", deliveries.clock.now())
    put_right(deliveries)
    assert [is_live(deliveries, s) for s in (there_before, there_after)] == [False, True]


def test_two_nodes_that_find_out_together_do_no_harm(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    ended, other = signed_in(deliveries), signed_in(deliveries)
    site.check_in()
    one, two = deliveries.restoring(), deliveries.restoring()
    one.run_once(beat=True)
    taken = snapshot()
    end(deliveries, ended)
    deliveries.clock.pass_ms(10_000)
    two.run_once(beat=True)
    taken.restore()
    found = [one.run_once(beat=True), two.run_once(beat=True)]
    assert [restoration is not None for restoration in found] == [True, False]
    assert not is_live(deliveries, ended)
    assert is_live(deliveries, other)


def test_one_that_breaks_off_is_carried_out_from_the_beginning(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [signed_in(deliveries) for _ in range(5)]
    site.check_in()
    restoring = deliveries.restoring()
    restoring.run_once(beat=True)
    taken = snapshot()
    for session in sessions:
        end(deliveries, session)
    deliveries.clock.pass_ms(10_000)
    restoring.run_once(beat=True)
    taken.restore()
    whole = type(deliveries.stores.sessions).end
    calls = []

    def breaks(self: object, *args: object, **more: object) -> object:
        calls.append(args)
        if len(calls) == 3:
            raise Unavailable(detail="here it ends")
        return whole(self, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(type(deliveries.stores.sessions), "end", breaks)
        with pytest.raises(Unavailable, match="right now"):
            restoring.run_once(beat=True)
    assert sum(is_live(deliveries, session) for session in sessions) == 3
    with pytest.raises(Unavailable):
        site.check_in()
    put_right(deliveries)
    assert not any(is_live(deliveries, session) for session in sessions)
    site.check_in()


def test_a_store_that_goes_back_further_before_it_is_put_right_is_searched_whole(
    deliveries: Deliveries, snapshot: Callable[[], Snapshot]
) -> None:
    early, late, *others = [signed_in(deliveries) for _ in range(9)]
    restoring = deliveries.restoring()
    restoring.run_once(beat=True)
    oldest = snapshot()
    end(deliveries, early)
    deliveries.clock.pass_ms(10 * MINUTE)
    restoring.run_once(beat=True)
    older = snapshot()
    end(deliveries, late)
    deliveries.clock.pass_ms(10_000)
    restoring.run_once(beat=True)
    older.restore()
    found = deliveries.restorations().look(beat=True).unfinished
    assert found is not None
    assert found.since > 0
    oldest.restore()
    put_right(deliveries)
    assert not is_live(deliveries, late)
    assert not is_live(deliveries, early), "its end was older than what was written down as lost"
    assert all(is_live(deliveries, other) for other in others)


def test_a_report_says_no_safe_too_early_about_leases_that_were_forgotten(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    deliveries.restoring().run_once(beat=True)
    taken = snapshot()
    deliveries.clock.pass_ms(20_000)
    site.check_in()
    lease_until = deliveries.clock.now() + 60_000
    end(deliveries, session)
    deliveries.restoring().run_once(beat=True)
    taken.restore()
    put_right(deliveries)
    clients = ClientDirectory(deliveries.sql.clients, deliveries.clock)
    stores = deliveries.stores
    reports = SignOutReports(stores.ledger, stores.check_ins, clients, deliveries.clock, deliveries.sql.restorations)
    (line,) = reports.lines(session.sid)
    assert line.safe_at is not None
    assert line.safe_at >= lease_until
