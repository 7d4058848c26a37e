"""Rows of the ledger between outbox, audit and purge, where Redis keeps more than one index of them."""

import pytest

from sso_server.core.notifications import AttemptResult, State
from sso_server.core.policy import DAY, HOUR, MINUTE
from tests.stores.redis.story import NOW, new_redemption, new_report, new_session, new_ticket


@pytest.fixture
def end_one(stores):
    """Ends a session in which the shop's store takes part."""

    def end(bucket: int = 17):
        session = new_session(bucket)
        stores.sessions.open(session, NOW, MINUTE)
        ticket = new_ticket(session)
        stores.tickets.put(ticket)
        stores.tickets.redeem(new_redemption(ticket, local_max_ms=HOUR), NOW)
        stores.sessions.end(session.sid, "sign_out", NOW)
        return session

    return end


def archive(stores):
    stores.archive.mark_archived(stores.archive.list_archivable(10))


def test_a_row_that_changes_after_it_was_archived_is_not_purged_before_the_audit_has_it_again(stores, end_one):
    session = end_one()
    stores.ledger.abandon(session.sid, "shop", "admin", NOW)
    archive(stores)
    stores.check_ins.check_in(new_report(acks=(session.sid,)), NOW + 1, 10)
    stores.sweeps.purge(NOW + 2 * DAY, 10)
    assert [row.state for row in stores.archive.list_archivable(10)] == [State.ACKNOWLEDGED]
    archive(stores)
    assert stores.sweeps.purge(NOW + 2 * DAY, 10) == 1
    assert stores.sessions.find(session.sid) is None


def test_a_row_that_became_final_again_meanwhile_stays_on_its_way_to_the_audit(stores, end_one):
    session = end_one()
    stores.ledger.abandon(session.sid, "shop", "first", NOW)
    listed = stores.archive.list_archivable(10)
    stores.ledger.retry(session.sid, "shop", NOW + 1)
    stores.ledger.abandon(session.sid, "shop", "second", NOW + 2)
    stores.archive.mark_archived(listed)
    assert [row.last_error for row in stores.archive.list_archivable(10)] == ["by:second"]


def test_a_bucket_with_much_to_do_does_not_keep_the_others_waiting(stores, end_one):
    for _ in range(70):
        end_one(0)
    lonely = end_one(40)
    claimed = [row.sid for n in range(64) for row in stores.outbox.claim("w", NOW + n, 1, HOUR)]
    assert lonely.sid in claimed


def test_a_purged_session_leaves_no_name_behind(stores, end_one, raw, prefix):
    session = end_one()
    stores.ledger.abandon(session.sid, "shop", "admin", NOW)
    archive(stores)
    assert stores.sweeps.purge(NOW + 2 * DAY, 10) == 1
    assert [key for key in raw.keys(f"{prefix}:*") if session.sid in key] == []
    assert raw.zscore(f"{prefix}:{{u:{session.user_id}}}:sessions", session.sid) is None
    # What came from its ticket dies with it, and goes by itself.
    left = {key.split("}:")[1].split(":")[0] for key in raw.keys(f"{prefix}:*")}
    assert left == {"ticket", "grant", "token", "grants"}


def test_sessions_that_must_stay_do_not_stop_the_purge_of_those_that_may_go(stores, end_one):
    staying = [end_one() for _ in range(12)]
    going = new_session()
    stores.sessions.open(going, NOW, MINUTE)
    stores.sessions.end(going.sid, "sign_out", NOW + 1)
    purged = sum(stores.sweeps.purge(NOW + 2 * DAY, 5) for _ in range(4))
    assert purged == 1
    assert stores.sessions.find(going.sid) is None
    assert all(stores.sessions.find(session.sid) is not None for session in staying)


def test_a_late_failure_of_an_older_attempt_changes_nothing(stores, end_one):
    session = end_one()
    (first,) = stores.outbox.claim("slow", NOW, 1, MINUTE)
    (second,) = stores.outbox.claim("quick", NOW + MINUTE, 1, MINUTE)
    late = AttemptResult(session.sid, "shop", first.store_id, first.attempt, State.ABANDONED, None, 404, "http_404")
    stores.outbox.record([late], NOW + MINUTE)
    (row,) = stores.ledger.of_session(session.sid)
    assert (row.state, row.attempt, row.claimed_by) == (State.CLAIMED, second.attempt, "quick")
