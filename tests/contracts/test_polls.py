import pytest

from sso_server.core.notifications import State, is_offered, poll_refusal
from sso_server.core.policy import DAY, HOUR, MINUTE, SECOND
from sso_server.core.polls import PollEvent, PollReport
from tests.support.builders import NOW, a_report, a_result, a_session, ended, opened, registered, store_id

LIMIT = 100
REFUSED = poll_refusal("invalid_key")


def poll(stores, now=NOW, limit=LIMIT, client_id="shop", **said):
    return stores.polls.poll(PollReport(client_id, **said), now, limit)


def offered(stores, now=NOW, **more):
    return [event.sid for event in poll(stores, now, **more).events]


def row_of(stores, session, client_id="shop"):
    return next(row for row in stores.ledger.of_session(session.sid) if row.client_id == client_id)


def polled(stores, now=NOW, **changes):
    return ended(stores, now, **{"kind": "poll", "logout_uri": "", **changes})


def test_a_client_is_offered_its_ends_until_it_has_acknowledged_them(stores):
    one, two = polled(stores, NOW), polled(stores, NOW + 1)
    answer = poll(stores, NOW + 2)
    assert answer.events == (
        PollEvent(one.sid, "usr-alice", "sign_out", NOW),
        PollEvent(two.sid, "usr-alice", "sign_out", NOW + 1),
    )
    assert not answer.more
    assert poll(stores, NOW + 3).events == answer.events
    assert offered(stores, NOW + 4, acks=(one.sid,)) == [two.sid]
    assert offered(stores, NOW + 5, acks=(one.sid, two.sid)) == []
    row = row_of(stores, one)
    assert (row.state, row.final_at, row.last_error) == (State.ACKNOWLEDGED, NOW + 4, "")


def test_the_oldest_come_first_and_more_says_that_there_are_others(stores):
    sids = [polled(stores, NOW + n).sid for n in range(5)]
    first = poll(stores, NOW + 9, limit=3)
    assert ([event.sid for event in first.events], first.more) == (sids[:3], True)
    second = poll(stores, NOW + 9, limit=3, acks=tuple(sids[:3]))
    assert ([event.sid for event in second.events], second.more) == (sids[3:], False)
    assert not poll(stores, NOW + 9, limit=2).more


def test_with_a_limit_of_nothing_only_the_acknowledgements_count(stores):
    one, two = polled(stores), polled(stores)
    answer = poll(stores, NOW + 1, limit=0, acks=(one.sid,))
    assert (answer.events, answer.more) == ((), True)
    assert not poll(stores, NOW + 2, limit=0, acks=(two.sid,)).more


def test_a_client_hears_of_and_settles_its_own_rows_only(stores):
    session = opened(stores)
    store = store_id()
    registered(stores, session, "shop", kind="poll")
    registered(stores, session, "shop", store_id=store, reports=True)
    registered(stores, session, "wiki", kind="poll")
    stores.sessions.end(session.sid, "sign_out", NOW)
    assert offered(stores, client_id="wiki") == [session.sid]
    assert offered(stores, client_id="blog", acks=(session.sid,), refusals=((session.sid, REFUSED),)) == []
    assert offered(stores, acks=(session.sid,)) == []
    states = {(row.client_id, row.store_id): row.state for row in stores.ledger.of_session(session.sid)}
    assert states == {
        ("shop", ""): State.ACKNOWLEDGED,
        ("shop", store): State.PENDING,
        ("wiki", ""): State.PENDING,
    }
    assert [end.sid for end in stores.check_ins.check_in(a_report(store), NOW, LIMIT).ends] == [session.sid]


def test_what_push_gave_up_is_still_offered(stores):
    pending, refused, abandoned, claimed = (ended(stores) for _ in range(4))
    stores.ledger.abandon(abandoned.sid, "", "admin", NOW)
    rows = {row.sid: row for row in stores.outbox.claim("w", NOW, 10, MINUTE)}
    stores.outbox.record([a_result(rows[refused.sid], State.REFUSED, error="http_400/3")], NOW)
    stores.outbox.record([a_result(rows[pending.sid], State.PENDING, next_attempt_at=NOW + HOUR)], NOW)
    sids = {session.sid for session in (pending, refused, abandoned, claimed)}
    assert set(offered(stores)) == sids
    assert offered(stores, NOW + 1, acks=tuple(sids)) == []
    assert {row_of(stores, session).state for session in (pending, refused, abandoned, claimed)} == {State.ACKNOWLEDGED}
    assert stores.outbox.next_due(NOW + DAY) is None


def test_an_acknowledgement_wins_over_a_call_in_flight(stores):
    session = ended(stores)
    (row,) = stores.outbox.claim("w", NOW, 10, MINUTE)
    poll(stores, NOW + 1, acks=(session.sid,))
    stores.outbox.record([a_result(row, State.ABANDONED)], NOW + 2)
    assert row_of(stores, session).state is State.ACKNOWLEDGED
    assert row_of(stores, session).final_at == NOW + 1


def test_what_the_site_refuses_is_final_and_goes_to_the_audit(stores):
    session = polled(stores)
    assert offered(stores, NOW + 1, refusals=((session.sid, REFUSED),)) == []
    row = row_of(stores, session)
    assert (row.state, row.last_error, row.final_at) == (State.REFUSED, "set_err:invalid_key", NOW + 1)
    assert [found.last_error for found in stores.archive.list_archivable(10)] == ["set_err:invalid_key"]
    poll(stores, NOW + 2, refusals=((session.sid, poll_refusal("other")),))
    assert row_of(stores, session) == row
    assert not stores.polls.has_waiting("shop", NOW + 2)
    poll(stores, NOW + 3, acks=(session.sid,))
    assert row_of(stores, session).state is State.ACKNOWLEDGED


def test_a_refusal_never_undoes_an_acknowledgement_not_even_beside_it(stores):
    one, two = polled(stores), polled(stores)
    poll(stores, acks=(one.sid,))
    poll(stores, NOW + 1, acks=(two.sid,), refusals=((one.sid, REFUSED), (two.sid, REFUSED)))
    assert [row_of(stores, session).state for session in (one, two)] == [State.ACKNOWLEDGED] * 2


def test_a_later_success_of_a_call_wins_over_a_refusal_and_a_failure_does_not(stores):
    one, two = ended(stores), ended(stores)
    rows = {row.sid: row for row in stores.outbox.claim("w", NOW, 10, MINUTE)}
    poll(stores, NOW + 1, refusals=((one.sid, REFUSED), (two.sid, REFUSED)))
    stores.outbox.record([a_result(rows[one.sid], State.ACKNOWLEDGED), a_result(rows[two.sid], State.ABANDONED)], NOW)
    assert [row_of(stores, session).state for session in (one, two)] == [State.ACKNOWLEDGED, State.REFUSED]


def test_a_client_without_an_address_that_asks_is_told_after_all(stores):
    session = ended(stores, logout_uri="")
    assert row_of(stores, session).state is State.NO_ADDRESS
    assert offered(stores) == [session.sid]
    poll(stores, NOW + 1, acks=(session.sid,))
    assert row_of(stores, session).state is State.ACKNOWLEDGED


def test_a_row_whose_time_has_passed_is_offered_no_more(stores):
    session = polled(stores, local_max_ms=HOUR)
    over = row_of(stores, session).local_until
    assert offered(stores, over - 1) == [session.sid]
    assert offered(stores, over) == []
    assert not stores.polls.has_waiting("shop", over)
    stores.sweeps.purge(over, 100)
    assert row_of(stores, session).state is State.MOOT
    assert offered(stores, over - 1) == [], "moot is final"


def test_looking_is_true_only_while_something_is_offered(stores):
    assert not stores.polls.has_waiting("shop", NOW)
    session = polled(stores)
    assert stores.polls.has_waiting("shop", NOW)
    assert not stores.polls.has_waiting("wiki", NOW)
    poll(stores, acks=(session.sid,))
    assert not stores.polls.has_waiting("shop", NOW)


def test_when_a_client_last_polled_is_written_down(stores, other_stores):
    assert stores.polls.last_poll_at("shop") is None
    poll(stores, NOW)
    poll(stores, NOW + 11 * SECOND)
    poll(stores, NOW + 12 * SECOND, client_id="wiki")
    assert other_stores.polls.last_poll_at("shop") == NOW + 11 * SECOND
    assert stores.check_ins.find_site_stores("shop") == [], "that is no store"


def test_many_acknowledgements_count_at_once(stores):
    mine = polled(stores)
    strangers = tuple(a_session().sid for _ in range(1200))
    assert offered(stores, acks=(*strangers, mine.sid), refusals=tuple((sid, REFUSED) for sid in strangers)) == []
    assert row_of(stores, mine).state is State.ACKNOWLEDGED


def test_an_abandoned_row_is_kept_for_a_poll_as_long_as_its_local_session_could_live(stores):
    session = ended(stores, margin_ms=4 * DAY)
    stores.ledger.abandon(session.sid, "", "root", NOW)
    stores.archive.mark_archived(stores.archive.list_archivable(10))
    while stores.sweeps.purge(NOW + 4 * DAY, 100):
        pass
    assert offered(stores, NOW + 4 * DAY) == [session.sid]
    while stores.sweeps.purge(NOW + 6 * DAY, 100):
        pass
    assert stores.sessions.find(session.sid) is None
    assert not stores.polls.has_waiting("shop", NOW + 6 * DAY)


@pytest.mark.parametrize("state", [state for state in State if state is not State.MOOT])
@pytest.mark.parametrize("error", ["http_400/3", REFUSED])
def test_the_stores_offer_what_the_core_says(stores, state, error):
    session = ended(stores)
    (row,) = stores.outbox.claim("w", NOW, 10, HOUR)
    if state is not State.CLAIMED:
        next_at = NOW + DAY if state is State.PENDING else None
        stores.outbox.record([a_result(row, state, error=error, next_attempt_at=next_at)], NOW)
    row = row_of(stores, session)
    assert row.state is state
    assert (offered(stores) == [session.sid]) == is_offered(row, NOW)
