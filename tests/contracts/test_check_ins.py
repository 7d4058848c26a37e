import pytest

from sso_server.core.check_in import EndNotice, SiteStore
from sso_server.core.notifications import State
from sso_server.core.policy import DAY, HOUR, MINUTE
from tests.support.builders import (
    IDLE,
    LOGOUT_URI,
    NOW,
    a_report,
    a_result,
    a_session,
    ended,
    opened,
    registered,
    store_id,
)

LIMIT = 1000


def check_in(stores, store, now=NOW, limit=LIMIT, **report):
    return stores.check_ins.check_in(a_report(store, **report), now, limit)


def of_store(store, **changes):
    return {"store_id": store, "reports": True, **changes}


def test_a_store_hears_of_every_end_until_it_has_acknowledged_it(stores):
    store = store_id()
    one = ended(stores, NOW, **of_store(store))
    two = ended(stores, NOW + 1, **of_store(store))
    answer = check_in(stores, store, NOW + 2)
    assert answer.ends == (EndNotice(one.sid, "sign_out", NOW), EndNotice(two.sid, "sign_out", NOW + 1))
    assert not answer.more
    assert check_in(stores, store, NOW + 3).ends == answer.ends
    assert check_in(stores, store, NOW + 4, acks=(one.sid,)).ends == answer.ends[1:]
    assert check_in(stores, store, NOW + 5, acks=(one.sid, two.sid)).ends == ()


def test_an_end_is_answered_whatever_became_of_its_row(stores):
    store = store_id()
    sessions = [ended(stores, NOW, **of_store(store)) for _ in range(4)]
    pending, refused, abandoned, claimed = (session.sid for session in sessions)
    stores.ledger.abandon(abandoned, "", "admin", NOW)
    rows = {row.sid: row for row in stores.outbox.claim("w", NOW, 10, MINUTE)}
    stores.outbox.record([a_result(rows[refused], State.REFUSED)], NOW)
    stores.outbox.record([a_result(rows[pending], State.PENDING, next_attempt_at=NOW + HOUR)], NOW)
    assert stores.ledger.of_session(claimed)[0].state is State.CLAIMED
    assert {notice.sid for notice in check_in(stores, store).ends} == {pending, refused, abandoned, claimed}


@pytest.mark.parametrize("state", [state for state in State if state is not State.ACKNOWLEDGED])
def test_an_acknowledgement_counts_from_any_state(stores, state):
    store = store_id()
    session = ended(stores, **of_store(store))
    (row,) = stores.outbox.claim("w", NOW, 10, MINUTE)
    if state is not State.CLAIMED:
        next_at = NOW + HOUR if state is State.PENDING else None
        stores.outbox.record([a_result(row, state, next_attempt_at=next_at)], NOW)
    assert stores.ledger.of_session(session.sid)[0].state is state
    check_in(stores, store, NOW + 5, acks=(session.sid,))
    (found,) = stores.ledger.of_session(session.sid)
    assert (found.state, found.final_at, found.next_attempt_at) == (State.ACKNOWLEDGED, NOW + 5, None)
    assert stores.outbox.next_due(NOW + DAY) is None


def test_a_worker_that_comes_back_late_does_not_undo_an_acknowledgement(stores):
    store = store_id()
    session = ended(stores, **of_store(store))
    (row,) = stores.outbox.claim("w", NOW, 10, MINUTE)
    check_in(stores, store, NOW + 5, acks=(session.sid,))
    stores.outbox.record([a_result(row, State.REFUSED)], NOW + 6)
    assert stores.ledger.of_session(session.sid)[0].state is State.ACKNOWLEDGED
    assert stores.outbox.next_due(NOW + DAY) is None


def test_a_store_acknowledges_for_itself_only(stores):
    one, two = store_id(), store_id()
    session = opened(stores)
    for store in (one, two):
        registered(stores, session, **of_store(store))
    registered(stores, session, "wiki", **of_store(one))
    stores.sessions.end(session.sid, "sign_out", NOW)
    check_in(stores, one, acks=(session.sid,))
    states = {(row.client_id, row.store_id): row.state for row in stores.ledger.of_session(session.sid)}
    assert states == {
        ("shop", one): State.ACKNOWLEDGED,
        ("shop", two): State.PENDING,
        ("wiki", one): State.PENDING,
    }
    assert check_in(stores, one).ends == ()
    assert [notice.sid for notice in check_in(stores, two).ends] == [session.sid]


def test_a_store_without_a_logout_address_hears_at_its_check_in(stores):
    store = store_id()
    session = ended(stores, **of_store(store, logout_uri=""))
    assert stores.outbox.claim("w", NOW + DAY - 1, 10, MINUTE) == []
    assert [notice.sid for notice in check_in(stores, store).ends] == [session.sid]


def test_a_moot_row_is_answered_only_while_the_local_session_could_live(stores):
    store = store_id()
    session = ended(stores, **of_store(store))
    (row,) = stores.outbox.claim("w", NOW, 10, MINUTE)
    stores.outbox.record([a_result(row, State.MOOT)], NOW)
    assert [notice.sid for notice in check_in(stores, store, row.local_until - 1).ends] == [session.sid]
    assert check_in(stores, store, row.local_until).ends == ()


def test_more_says_that_the_answer_is_not_whole(stores):
    store = store_id()
    sids = [ended(stores, NOW + n, **of_store(store)).sid for n in range(5)]
    first = check_in(stores, store, NOW + 9, limit=3)
    assert ([notice.sid for notice in first.ends], first.more) == (sids[:3], True)
    second = check_in(stores, store, NOW + 9, limit=3, acks=tuple(sids[:3]))
    assert ([notice.sid for notice in second.ends], second.more) == (sids[3:], False)
    assert not check_in(stores, store, NOW + 9, limit=2).more


def test_more_ends_in_one_bucket_than_an_answer_holds_leave_no_hole(stores):
    store = store_id()
    sessions = [opened(stores, bucket=7) for _ in range(5)]
    for n, session in enumerate(sessions):
        registered(stores, session, **of_store(store))
        stores.sessions.end(session.sid, "sign_out", NOW + n)
    heard = []
    for left in (5, 2, 0):
        answer = check_in(stores, store, NOW + 9, limit=3, acks=tuple(heard))
        assert (len(answer.ends), answer.more) == (min(left, 3), left > 3)
        heard += [notice.sid for notice in answer.ends]
    assert heard == [session.sid for session in sessions]


def test_activity_at_a_site_keeps_the_session_alive(stores):
    store = store_id()
    session = opened(stores)
    registered(stores, session, **of_store(store))
    check_in(stores, store, NOW + IDLE - 1, active=(session.sid,))
    assert stores.sessions.find(session.sid).last_active_at == NOW + IDLE - 1
    assert stores.sweeps.end_due(NOW + IDLE, 10) == []
    assert stores.sweeps.oldest_due(NOW + DAY) == NOW + 2 * IDLE - 1


def test_activity_counts_only_where_this_store_takes_part_and_the_session_lives(stores):
    store = store_id()
    elsewhere, gone, due = opened(stores), opened(stores), opened(stores)
    registered(stores, elsewhere, **of_store(store_id()))
    for session in (gone, due):
        registered(stores, session, **of_store(store))
    stores.sessions.end(gone.sid, "sign_out", NOW)
    check_in(stores, store, NOW + HOUR, active=(elsewhere.sid, gone.sid, a_session().sid))
    check_in(stores, store, NOW + IDLE, active=(due.sid,))
    assert {stores.sessions.find(session.sid).last_active_at for session in (elsewhere, gone, due)} == {NOW}


def test_a_live_session_is_registered_again(stores):
    store = store_id()
    session = opened(stores)
    registered(stores, session, **of_store(store_id()))
    answer = check_in(stores, store, NOW + 5, live=(session.sid,), local_max_ms=HOUR)
    assert answer.ends == ()
    _, site = stores.lists.participants(session.sid)
    assert (site.client_id, site.store_id, site.kind, site.logout_uri) == ("shop", store, "oidc", LOGOUT_URI)
    assert (site.registered_at, site.local_until, site.reports) == (NOW + 5, NOW + 5 + HOUR, True)
    stores.sessions.end(session.sid, "sign_out", NOW + 6)
    assert [notice.sid for notice in check_in(stores, store, NOW + 7).ends] == [session.sid]


def test_a_site_that_is_registered_stays_as_it_is(stores):
    store = store_id()
    session = opened(stores)
    registered(stores, session, **of_store(store))
    before = stores.lists.participants(session.sid)
    check_in(stores, store, NOW + HOUR, live=(session.sid,), logout_uri="https://other.example/out")
    assert stores.lists.participants(session.sid) == before


def test_a_session_that_does_not_live_here_comes_back_as_an_end(stores):
    store = store_id()
    gone, due, lives, never = opened(stores), opened(stores), opened(stores, NOW + IDLE), a_session()
    registered(stores, lives, now=NOW + IDLE, **of_store(store_id()))
    stores.sessions.end(gone.sid, "sign_out", NOW)
    live = (gone.sid, due.sid, lives.sid, never.sid)
    answer = check_in(stores, store, NOW + IDLE, live=live)
    assert {(notice.sid, notice.reason) for notice in answer.ends} == {
        (gone.sid, "unknown_session"),
        (due.sid, "unknown_session"),
        (never.sid, "unknown_session"),
    }
    assert stores.lists.participants(gone.sid) == []
    assert check_in(stores, store, NOW + IDLE + 1).ends == (), "they need no acknowledgement"


def test_knowing_a_sid_does_not_let_another_client_join_the_session(stores):
    store = store_id()
    session = opened(stores)
    registered(stores, session, "news")
    answer = check_in(stores, store, NOW + 5, live=(session.sid,), active=(session.sid,))
    assert [(notice.sid, notice.reason) for notice in answer.ends] == [(session.sid, "unknown_session")]
    assert [site.client_id for site in stores.lists.participants(session.sid)] == ["news"]
    assert stores.check_ins.registered("shop", [session.sid]) == []


def test_an_end_that_is_due_anyway_is_told_once_and_with_its_own_reason(stores):
    store = store_id()
    session = ended(stores, **of_store(store))
    answer = check_in(stores, store, NOW + 1, live=(session.sid,))
    assert answer.ends == (EndNotice(session.sid, "sign_out", NOW),)


def test_every_check_in_is_written_down(stores):
    store, other = store_id(), store_id()
    assert stores.check_ins.find_site_stores("shop") == []
    check_in(stores, store, NOW, lease_s=30, grace_s=5)
    check_in(stores, other, NOW + 1)
    stores.check_ins.check_in(a_report(store, client_id="wiki"), NOW + 2, LIMIT)
    check_in(stores, store, NOW + 3, lease_s=90, grace_s=0)
    found = sorted(stores.check_ins.find_site_stores("shop"), key=lambda found: found.last_check_in_at)
    assert found == [SiteStore("shop", other, NOW + 1, 60, 0), SiteStore("shop", store, NOW + 3, 90, 0)]


def test_long_lists_are_taken_whole(stores):
    store = store_id()
    session = opened(stores)
    registered(stores, session, **of_store(store))
    gone = ended(stores, **of_store(store))
    strangers = tuple(a_session().sid for _ in range(1500))
    answer = check_in(
        stores,
        store,
        NOW + 5,
        acks=(*strangers, gone.sid),
        active=(*strangers, session.sid),
        live=(*strangers, session.sid),
    )
    assert {notice.sid for notice in answer.ends} == set(strangers)
    assert stores.sessions.find(session.sid).last_active_at == NOW + 5


def test_registered_names_the_live_sessions_in_which_the_client_takes_part(stores):
    mine, foreign, gone = opened(stores), opened(stores), opened(stores)
    for _ in range(2):
        registered(stores, mine, **of_store(store_id()))
    registered(stores, foreign, "wiki")
    registered(stores, gone)
    stores.sessions.end(gone.sid, "sign_out", NOW)
    asked = (gone.sid, foreign.sid, mine.sid, a_session().sid, mine.sid)
    assert stores.check_ins.registered("shop", asked) == [mine.sid]
    assert stores.check_ins.registered("shop", ()) == []


def test_a_check_in_is_never_written_down_earlier_than_one_before(stores):
    store = store_id()
    assert check_in(stores, store, NOW + 5).at == NOW + 5
    # Two workers of one site: the call that was sent first arrives last.
    assert check_in(stores, store, NOW).at == NOW + 5
    (found,) = stores.check_ins.find_site_stores("shop")
    assert found.last_check_in_at == NOW + 5


def test_a_store_that_does_not_know_of_a_proved_check_in_went_back_and_the_proof_stays(stores):
    store = store_id()
    check_in(stores, store, NOW)
    for proves_from in (0, NOW):
        assert not check_in(stores, store, NOW, proves_from=proves_from).went_back
    for _ in range(2):
        answer = check_in(stores, store, NOW + 9, proves_from=NOW + 1)
        assert (answer.went_back, answer.at) == (True, NOW)
    unknown = check_in(stores, store_id(), NOW + 9, proves_from=NOW + 1)
    assert (unknown.went_back, unknown.at) == (True, 0)
    assert [s.last_check_in_at for s in stores.check_ins.find_site_stores("shop")] == [NOW]
    assert check_in(stores, store, NOW + 10).at == NOW + 10


def test_a_check_in_says_which_server_took_it(stores):
    store = store_id()
    ended(stores, **of_store(store))
    assert check_in(stores, store).past == stores.past.look()


def test_a_client_with_too_many_stores_gets_no_more_and_those_that_it_has_go_on(stores):
    first, second, third = store_id(), store_id(), store_id()
    for store in (first, second):
        assert not check_in(stores, store, most_stores=2).is_full
    assert check_in(stores, third, NOW + 1, most_stores=2).is_full
    assert not check_in(stores, first, NOW + 2, most_stores=2).is_full
    assert not stores.check_ins.check_in(a_report(third, client_id="wiki", most_stores=2), NOW + 2, LIMIT).is_full
    assert {found.store_id for found in stores.check_ins.find_site_stores("shop")} == {first, second}


def test_stores_that_were_silent_for_400_days_make_room(stores):
    old, new = store_id(), store_id()
    check_in(stores, old, NOW, most_stores=1)
    later = NOW + 400 * DAY
    assert check_in(stores, new, later - 1, most_stores=1).is_full
    stores.sweeps.purge(later + 1, 10)
    assert not check_in(stores, new, later + 1, most_stores=1).is_full
    assert [found.store_id for found in stores.check_ins.find_site_stores("shop")] == [new]


def test_of_very_many_stores_those_that_are_asked_for_are_found(stores):
    asked = [store_id() for _ in range(2)]
    for store in (*asked, store_id()):
        check_in(stores, store)
    found = stores.check_ins.find_site_stores("shop", {*asked, store_id()})
    assert {one.store_id for one in found} == set(asked)
    assert stores.check_ins.find_site_stores("shop", ()) == []
    assert stores.check_ins.find_site_stores("wiki", asked) == []
