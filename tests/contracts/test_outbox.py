from sso_server.core.notifications import State
from sso_server.core.policy import DAY, HOUR, MINUTE, SECOND
from tests.support.builders import NOW, a_result, ended, opened, registered, store_id

CLAIM = 30 * SECOND


def claim(stores, worker="one", now=NOW, limit=10):
    return stores.outbox.claim(worker, now, limit, CLAIM)


def row_of(stores, session):
    (row,) = stores.ledger.of_session(session.sid)
    return row


def test_a_due_row_is_claimed_and_its_attempts_are_counted(stores):
    session = ended(stores)
    (row,) = claim(stores, now=NOW + 5)
    assert row == row_of(stores, session)
    assert (row.sid, row.client_id, row.state, row.attempt) == (session.sid, "shop", State.CLAIMED, 1)
    assert (row.claimed_by, row.claimed_until) == ("one", NOW + 5 + CLAIM)


def test_no_row_goes_to_two_workers(stores):
    ended(stores)
    assert len(claim(stores, "one")) == 1
    assert claim(stores, "two") == []


def test_a_claim_takes_no_more_than_its_limit_and_the_longest_due_first(stores):
    sids = [ended(stores, NOW - n * MINUTE).sid for n in range(5)]
    first = claim(stores, limit=2)
    assert len(first) == 2
    rest = claim(stores, limit=10)
    assert {row.sid for row in (*first, *rest)} == set(sids)
    assert len(rest) == 3


def test_the_longest_due_comes_first(stores):
    session = opened(stores)
    for client in ("late", "early", "middle"):
        registered(stores, session, client)
    stores.sessions.end(session.sid, "sign_out", NOW)
    due = {"early": NOW + 1, "middle": NOW + 2, "late": NOW + 3}
    stores.outbox.record(
        [a_result(row, State.PENDING, next_attempt_at=due[row.client_id]) for row in claim(stores)], NOW
    )
    assert [claim(stores, now=NOW + 9, limit=1)[0].client_id for _ in due] == ["early", "middle", "late"]


def test_rows_that_are_not_to_be_sent_are_never_claimed(stores):
    ended(stores, logout_uri="")
    ended(stores, logout_uri="", store_id=store_id(), reports=True)
    ended(stores, local_max_ms=1)
    assert claim(stores, now=NOW + DAY) == []
    assert stores.outbox.next_due(NOW) is None


def test_claims_of_a_dead_worker_are_handed_out_again(stores):
    ended(stores)
    claim(stores, "dead")
    assert claim(stores, "alive", NOW + CLAIM - 1) == []
    (row,) = claim(stores, "alive", NOW + CLAIM)
    assert (row.claimed_by, row.attempt, row.claimed_until) == ("alive", 2, NOW + 2 * CLAIM)


def test_an_acknowledged_row_is_final(stores):
    session = ended(stores)
    (row,) = claim(stores)
    stores.outbox.record([a_result(row, State.ACKNOWLEDGED)], NOW + 7)
    found = row_of(stores, session)
    assert (found.state, found.final_at, found.last_status) == (State.ACKNOWLEDGED, NOW + 7, 200)
    assert (found.last_error, found.next_attempt_at) == ("", None)
    assert claim(stores, now=NOW + DAY) == []
    assert stores.outbox.next_due(NOW) is None


def test_a_failure_is_tried_again_when_its_time_comes(stores):
    session = ended(stores)
    (row,) = claim(stores)
    result = a_result(row, State.PENDING, next_attempt_at=NOW + MINUTE, status=None, error="timeout")
    stores.outbox.record([result], NOW + 1)
    found = row_of(stores, session)
    assert (found.state, found.next_attempt_at, found.final_at) == (State.PENDING, NOW + MINUTE, None)
    assert (found.last_status, found.last_error, found.attempt) == (None, "timeout", 1)
    assert claim(stores, now=NOW + MINUTE - 1) == []
    assert claim(stores, now=NOW + MINUTE)[0].attempt == 2


def test_only_what_was_sent_counts_as_a_try(stores):
    session = ended(stores)
    for number, sent in enumerate((False, True, False, True)):
        now = NOW + number * MINUTE
        (row,) = claim(stores, now=now)
        stores.outbox.record([a_result(row, State.PENDING, next_attempt_at=now + MINUTE, sent=sent)], now + 1)
    found = row_of(stores, session)
    assert (found.attempt, found.sends) == (4, 2)


def test_success_from_any_attempt_wins(stores):
    session = ended(stores)
    (first,) = claim(stores, "slow")
    (second,) = claim(stores, "fast", NOW + CLAIM)
    stores.outbox.record([a_result(second, State.REFUSED, status=400)], NOW + CLAIM + 1)
    stores.outbox.record([a_result(first, State.ACKNOWLEDGED)], NOW + CLAIM + 2)
    assert row_of(stores, session).state is State.ACKNOWLEDGED
    assert row_of(stores, session).final_at == NOW + CLAIM + 2


def test_nothing_undoes_a_success(stores):
    session = ended(stores)
    (row,) = claim(stores)
    stores.outbox.record([a_result(row, State.ACKNOWLEDGED)], NOW + 1)
    stores.outbox.record([a_result(row, State.PENDING, next_attempt_at=NOW)], NOW + 2)
    stores.outbox.record([a_result(row, State.ACKNOWLEDGED)], NOW + 3)
    assert (row_of(stores, session).state, row_of(stores, session).final_at) == (State.ACKNOWLEDGED, NOW + 1)
    assert stores.ledger.abandon(session.sid, "", "admin", NOW) == 0


def test_a_stale_failure_changes_nothing(stores):
    session = ended(stores)
    (first,) = claim(stores, "slow")
    (second,) = claim(stores, "fast", NOW + CLAIM)
    stores.outbox.record([a_result(first, State.ABANDONED, status=404)], NOW + CLAIM + 1)
    assert row_of(stores, session) == second
    stores.outbox.record([a_result(second, State.PENDING, next_attempt_at=NOW + HOUR)], NOW + CLAIM + 2)
    stores.outbox.record([a_result(second, State.REFUSED, status=400)], NOW + CLAIM + 3)
    assert row_of(stores, session).state is State.PENDING, "it isn't claimed any more: the second report is stale too"


def test_a_batch_of_results_is_written_as_a_whole(stores):
    sessions = [ended(stores) for _ in range(4)]
    rows = {row.sid: row for row in claim(stores)}
    states = [State.ACKNOWLEDGED, State.REFUSED, State.ABANDONED, State.MOOT]
    stores.outbox.record(
        [a_result(rows[session.sid], state) for session, state in zip(sessions, states, strict=True)], NOW + 1
    )
    assert [row_of(stores, session).state for session in sessions] == states
    assert all(row_of(stores, session).final_at == NOW + 1 for session in sessions)
    stores.outbox.record([], NOW + 2)


def test_next_due_says_when_to_look_again(stores):
    assert stores.outbox.next_due(NOW) is None
    ended(stores)
    assert stores.outbox.next_due(NOW + 5) <= NOW + 5
    (row,) = claim(stores)
    assert stores.outbox.next_due(NOW) == NOW + CLAIM
    stores.outbox.record([a_result(row, State.PENDING, next_attempt_at=NOW + HOUR)], NOW + 1)
    assert stores.outbox.next_due(NOW) == NOW + HOUR


def test_claims_are_listed_while_they_last_whoever_has_them(stores):
    sessions = [ended(stores, NOW - n) for n in range(4)]
    assert len(stores.outbox.claim("two", NOW, 3, CLAIM)) == 3
    (row,) = stores.outbox.claim("one", NOW, 1, CLAIM)
    stores.outbox.record([a_result(row, State.PENDING, next_attempt_at=NOW + SECOND)], NOW)
    sids = {session.sid for session in sessions} - {row.sid}
    found = stores.outbox.list_claimed(NOW + 1, 10, CLAIM)
    assert {(claimed.sid, claimed.claimed_by) for claimed in found} == {(sid, "two") for sid in sids}
    assert len(stores.outbox.list_claimed(NOW + 1, 2, CLAIM)) == 2
    assert stores.outbox.list_claimed(NOW + CLAIM, 10, CLAIM) == []


def test_claims_of_a_mass_end_are_listed_too(stores):
    session = opened(stores)
    registered(stores, session)
    stores.sessions.end(session.sid, "admin", NOW, bulk=True)
    stores.outbox.claim("one", NOW, 1, CLAIM, bulk=True)
    assert [row.sid for row in stores.outbox.list_claimed(NOW + 1, 10, CLAIM)] == [session.sid]
