"""What operators watch is counted alike on every store, and from indexes."""

from __future__ import annotations

from sso_server.core.census import Counted
from sso_server.core.notifications import State
from sso_server.core.policy import HOUR, MINUTE, SECOND
from tests.support.builders import NOW, a_result, ended, opened, registered, store_id

NOTHING = Counted(
    live=0, due=0, due_bulk=0, later=0, later_bulk=0, when_asked=0, to_archive=0, oldest_unfinished=None
)  # fmt: skip


def test_an_empty_store_has_nothing_and_nothing_is_the_oldest(stores):
    assert stores.census.count(NOW) == NOTHING


def test_sessions_and_rows_are_counted_by_what_they_wait_for(stores):
    for _ in range(3):
        opened(stores)
    for n in (3, 2, 1):
        ended(stores, NOW - n * MINUTE)
    mass = opened(stores)
    registered(stores, mass, "shop")
    stores.sessions.end(mass.sid, "absolute", NOW, bulk=True)
    ended(stores, NOW - HOUR, logout_uri="", store_id=store_id(), reports=True)
    ended(stores, logout_uri="")
    (row,) = stores.outbox.claim("one", NOW, 1, 30 * SECOND)
    first = stores.census.count(NOW)
    assert first == Counted(
        live=3, due=2, due_bulk=1, later=1, later_bulk=0, when_asked=1, to_archive=1, oldest_unfinished=NOW - HOUR
    )
    # A claim that is over is due again.
    assert stores.census.count(NOW + MINUTE).due == 3
    stores.outbox.record([a_result(row, State.ACKNOWLEDGED)], NOW)
    after = stores.census.count(NOW)
    assert (after.later, after.to_archive) == (0, 2)
    stores.archive.mark_archived(stores.archive.list_archivable(10))
    assert stores.census.count(NOW).to_archive == 0


def test_what_is_acknowledged_is_no_longer_the_oldest(stores):
    old = ended(stores, NOW - HOUR)
    ended(stores, NOW - MINUTE)
    (row,) = [row for row in stores.outbox.claim("one", NOW, 10, 30 * SECOND) if row.sid == old.sid]
    assert stores.census.count(NOW).oldest_unfinished == NOW - HOUR
    stores.outbox.record([a_result(row, State.ACKNOWLEDGED)], NOW)
    assert stores.census.count(NOW).oldest_unfinished == NOW - MINUTE
