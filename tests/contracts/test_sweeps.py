from sso_server.core.guesses import Limit
from sso_server.core.notifications import State
from sso_server.core.policy import DAY, HOUR, MINUTE
from sso_server.core.tickets import Refusal
from tests.support.builders import (
    IDLE,
    NOW,
    a_redemption,
    a_report,
    a_rotation,
    again,
    ended,
    issued,
    opened,
    registered,
    store_id,
)


def purge(stores, now):
    """As the sweeper does: until nothing more is dropped."""
    total = 0
    while dropped := stores.sweeps.purge(now, 1000):
        total += dropped
    return total


def archive(stores):
    stores.archive.mark_archived(stores.archive.list_archivable(1000))


def test_an_idle_session_ends_and_its_sites_are_told(stores):
    session = opened(stores)
    registered(stores, session)
    assert stores.sweeps.end_due(NOW + IDLE - 1, 10) == []
    (swept,) = stores.sweeps.end_due(NOW + IDLE, 10)
    assert swept.first
    assert (swept.session.sid, swept.session.end_reason, swept.session.ended_at) == (session.sid, "idle", NOW + IDLE)
    assert [(row.client_id, row.reason, row.state) for row in swept.notifications] == [("shop", "idle", State.PENDING)]
    assert stores.ledger.of_session(session.sid) == list(swept.notifications)
    assert stores.sessions.find(session.sid) == swept.session
    assert stores.sweeps.end_due(NOW + IDLE, 10) == []


def test_a_session_at_its_absolute_end_ends_for_that_reason(stores):
    session = opened(stores)
    stores.sessions.touch(session.sid, NOW + IDLE - 1)
    stores.sessions.touch(session.sid, NOW + 2 * IDLE - 2)
    stores.sessions.touch(session.sid, NOW + 3 * IDLE - 3)
    (swept,) = stores.sweeps.end_due(NOW + DAY, 10)
    assert swept.session.end_reason == "absolute"


def test_a_session_found_late_ends_as_absolute_when_that_has_passed_too(stores):
    opened(stores)
    (swept,) = stores.sweeps.end_due(NOW + DAY, 10)
    assert swept.session.end_reason == "absolute"


def test_with_idleness_off_only_the_absolute_end_counts(stores):
    opened(stores, idle_off=True)
    assert stores.sweeps.end_due(NOW + DAY - 1, 10) == []
    assert len(stores.sweeps.end_due(NOW + DAY, 10)) == 1


def test_a_sweep_ends_no_more_than_its_limit(stores):
    sids = {opened(stores, NOW + n).sid for n in range(5)}
    late = NOW + IDLE + HOUR
    first = stores.sweeps.end_due(late, 3)
    assert len(first) == 3
    second = stores.sweeps.end_due(late, 3)
    assert len(second) == 2
    assert {swept.session.sid for swept in (*first, *second)} == sids


def test_a_long_sweep_takes_them_all(stores):
    sids = {opened(stores).sid for _ in range(120)}
    swept = stores.sweeps.end_due(NOW + IDLE, 1000)
    assert {one.session.sid for one in swept} == sids


def test_the_oldest_due_deadline_is_the_lag(stores):
    assert stores.sweeps.oldest_due(NOW + DAY) is None
    opened(stores, NOW + 5)
    first = opened(stores, NOW)
    assert stores.sweeps.oldest_due(NOW + IDLE - 1) is None
    assert stores.sweeps.oldest_due(NOW + IDLE + HOUR) == NOW + IDLE
    stores.sessions.end(first.sid, "sign_out", NOW)
    assert stores.sweeps.oldest_due(NOW + IDLE + HOUR) == NOW + IDLE + 5


def test_purging_an_empty_store_drops_nothing(stores):
    assert stores.sweeps.purge(NOW, 10) == 0


def test_a_ticket_is_dropped_ten_minutes_after_its_end(sql_stores):
    # Redis drops these by a life of their own, which no purge hurries: tests/stores/redis/test_lives.py.
    stores = sql_stores
    session = opened(stores)
    ticket = issued(stores, session)
    end = NOW + MINUTE + 10 * MINUTE
    purge(stores, end - 1)
    assert stores.tickets.redeem(a_redemption(ticket), end - 1).refusal is Refusal.EXPIRED
    purge(stores, end)
    assert stores.tickets.redeem(a_redemption(ticket), end).refusal is Refusal.UNKNOWN


def test_what_is_still_good_survives_every_purge(stores):
    session = opened(stores, NOW, idle_off=True)
    redemption, _ = registered(stores, session, store_id=store_id(), reports=True)
    stores.guesses.begin([Limit("k", 1, HOUR, HOUR, DAY)], NOW)
    purge(stores, NOW + 4 * MINUTE)
    assert stores.tokens.find_token(redemption.access.token_hash, "at", redemption.bucket, NOW + 4 * MINUTE) is not None
    purge(stores, NOW + 23 * HOUR)
    assert stores.tokens.find_token(redemption.refresh.token_hash, "rt", redemption.bucket, NOW + 23 * HOUR) is not None
    assert len(stores.lists.participants(session.sid)) == 1
    assert stores.guesses.begin([Limit("k", 1, DAY, DAY, DAY)], NOW + 23 * HOUR) > 0


def test_a_refresh_token_that_was_rotated_keeps_its_grant_alive(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session, ticket={"offline": True})
    rotation = a_rotation(redemption.refresh, NOW + 29 * DAY, session.sid)
    assert stores.tokens.rotate(rotation, NOW + 29 * DAY).refusal is None
    purge(stores, NOW + 31 * DAY)
    assert stores.tokens.find_token(rotation.refresh.token_hash, "rt", rotation.bucket, NOW + 31 * DAY) is not None


def test_expired_tokens_are_dropped(sql_stores):
    # Redis drops these by a life of their own, which no purge hurries: tests/stores/redis/test_lives.py.
    stores = sql_stores
    session = opened(stores)
    redemption, _ = registered(stores, session)
    assert stores.tokens.rotate(a_rotation(redemption.refresh, NOW, session.sid), NOW).refusal is None
    purge(stores, NOW + 31 * DAY)
    refused = stores.tokens.rotate(a_rotation(redemption.refresh, NOW, session.sid), NOW)
    assert refused.refusal is Refusal.UNKNOWN


def test_an_ended_session_is_dropped_a_day_after_its_end_when_all_is_done_and_archived(stores):
    session = ended(stores, logout_uri="")
    archive(stores)
    purge(stores, NOW + DAY)
    assert stores.sessions.find(session.sid) is not None
    assert purge(stores, NOW + DAY + 1) >= 1
    assert stores.sessions.find(session.sid) is None
    assert stores.lists.participants(session.sid) == []
    assert stores.ledger.of_session(session.sid) == []
    assert stores.ledger.list_ended(10) == []
    assert stores.sessions.end(session.sid, "sign_out", NOW) is None


def test_an_ended_session_stays_while_a_site_must_still_be_told(stores):
    session = ended(stores)
    purge(stores, NOW + 2 * DAY)
    assert stores.sessions.find(session.sid) is not None
    assert stores.outbox.claim("w", NOW + 2 * DAY, 10, MINUTE)[0].sid == session.sid


def test_an_ended_session_stays_while_a_row_is_not_in_the_audit(stores):
    session = ended(stores, logout_uri="")
    purge(stores, NOW + 2 * DAY)
    assert stores.sessions.find(session.sid) is not None


def test_a_store_that_has_not_acknowledged_can_still_hear_while_its_local_session_could_live(stores):
    store = store_id()
    session = ended(stores, store_id=store, reports=True, margin_ms=4 * DAY)
    stores.ledger.abandon(session.sid, "", "root", NOW)
    archive(stores)
    purge(stores, NOW + 4 * DAY)
    answer = stores.check_ins.check_in(a_report(store), NOW + 4 * DAY, 10)
    assert [notice.sid for notice in answer.ends] == [session.sid]
    purge(stores, NOW + 6 * DAY)
    assert stores.sessions.find(session.sid) is None


def test_a_row_that_only_a_check_in_could_settle_becomes_moot_when_its_time_has_passed(stores):
    session = ended(stores, store_id=store_id(), reports=True, logout_uri="", local_max_ms=HOUR)
    local_until = NOW - 1000 + HOUR
    stores.sweeps.purge(local_until - 1, 1000)
    assert stores.ledger.of_session(session.sid)[0].state is State.PENDING
    stores.sweeps.purge(local_until, 1000)
    (row,) = stores.ledger.of_session(session.sid)
    assert (row.state, row.final_at) == (State.MOOT, local_until)
    assert [row.state for row in stores.archive.list_archivable(10)] == [State.MOOT]


def test_a_live_session_is_never_dropped(stores):
    session = opened(stores, absolute_until=NOW + 90 * DAY, idle_off=True)
    purge(stores, NOW + 80 * DAY)
    assert stores.sessions.find(session.sid) == session


def test_a_dropped_session_leaves_its_browser_free(stores):
    session = ended(stores, logout_uri="")
    archive(stores)
    purge(stores, NOW + 2 * DAY)
    result = stores.sessions.open(again(session), NOW + 2 * DAY, MINUTE)
    assert (result.renewed, result.replaced) == (False, None)
