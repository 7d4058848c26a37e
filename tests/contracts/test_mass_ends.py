"""Rows of mass ends stand in a queue of their own: who waits for a sign-out is found however long that queue is."""

from sso_server.core.notifications import State
from sso_server.core.policy import HOUR, MINUTE, SECOND
from tests.support.builders import IDLE, NOW, a_result, ended, opened, registered

CLAIM = 30 * SECOND


def ended_with_many(stores, now=NOW):
    """A session of `shop` that a mass end ended."""
    session = opened(stores, now - 1000)
    registered(stores, session, now=now - 1000)
    stores.sessions.end(session.sid, "administrator", now, bulk=True)
    return session


def claim(stores, *, bulk, now=NOW, limit=10):
    return stores.outbox.claim("w", now, limit, CLAIM, bulk=bulk)


def test_each_class_is_claimed_by_itself(stores):
    many = {ended_with_many(stores, NOW - HOUR).sid for _ in range(5)}
    one = ended(stores)
    (urgent,) = claim(stores, bulk=False)
    assert (urgent.sid, urgent.bulk) == (one.sid, False)
    rows = claim(stores, bulk=True)
    assert {row.sid for row in rows} == many
    assert all(row.bulk and row.state is State.CLAIMED and row.attempt == 1 for row in rows)
    assert claim(stores, bulk=False) == claim(stores, bulk=True) == []


def test_the_next_due_row_is_known_by_class_and_of_both(stores):
    assert [stores.outbox.next_due(NOW, bulk=bulk) for bulk in (False, True, None)] == [None, None, None]
    ended_with_many(stores, NOW - HOUR)
    assert [stores.outbox.next_due(NOW, bulk=bulk) for bulk in (False, True, None)] == [None, NOW - HOUR, NOW - HOUR]
    ended(stores)
    assert [stores.outbox.next_due(NOW, bulk=bulk) for bulk in (False, True, None)] == [NOW, NOW - HOUR, NOW - HOUR]
    claim(stores, bulk=True)
    assert [stores.outbox.next_due(NOW, bulk=bulk) for bulk in (False, True, None)] == [NOW, NOW + CLAIM, NOW]


def test_a_row_stays_in_its_class_through_failures_and_a_dead_worker(stores):
    session = ended_with_many(stores)
    (row,) = claim(stores, bulk=True)
    stores.outbox.record([a_result(row, State.PENDING, next_attempt_at=NOW + MINUTE)], NOW)
    assert claim(stores, bulk=False, now=NOW + HOUR) == []
    (row,) = claim(stores, bulk=True, now=NOW + MINUTE)
    assert claim(stores, bulk=False, now=NOW + HOUR) == []
    (row,) = claim(stores, bulk=True, now=NOW + MINUTE + CLAIM)
    assert (row.sid, row.attempt) == (session.sid, 3)
    stores.outbox.record([a_result(row, State.ACKNOWLEDGED)], NOW + HOUR)
    assert stores.outbox.next_due(NOW) is None


def test_a_row_that_is_retried_by_hand_is_waited_for(stores):
    session = ended_with_many(stores)
    (row,) = claim(stores, bulk=True)
    stores.outbox.record([a_result(row, State.ABANDONED)], NOW)
    assert stores.ledger.retry(session.sid, "shop", NOW) == 1
    assert claim(stores, bulk=True) == []
    (row,) = claim(stores, bulk=False)
    assert (row.sid, row.bulk) == (session.sid, False)


def test_what_a_deadline_ends_is_nobody_s_wait(stores):
    session = opened(stores)
    registered(stores, session)
    stores.sweeps.end_due(NOW + IDLE, 10)
    assert claim(stores, bulk=False, now=NOW + IDLE) == []
    assert [row.sid for row in claim(stores, bulk=True, now=NOW + IDLE)] == [session.sid]
