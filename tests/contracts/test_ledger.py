import pytest

from sso_server.core.interventions import can_retry
from sso_server.core.notifications import State
from sso_server.core.policy import HOUR, MINUTE
from tests.support.builders import NOW, a_report, a_result, a_session, ended, opened, registered, store_id


def sids(sessions):
    return [session.sid for session in sessions]


def several(stores, *clients):
    session = opened(stores)
    for client in clients:
        registered(stores, session, client)
    stores.sessions.end(session.sid, "sign_out", NOW)
    return session


def settle(stores, state):
    rows = stores.outbox.claim("w", NOW, 100, MINUTE)
    stores.outbox.record([a_result(row, state) for row in rows], NOW + 1)


def states(stores, session):
    return {row.client_id: row.state for row in stores.ledger.of_session(session.sid)}


def test_the_rows_of_a_session_come_in_the_order_of_registration(stores):
    session = several(stores, "wiki", "shop", "blog")
    assert [row.client_id for row in stores.ledger.of_session(session.sid)] == ["wiki", "shop", "blog"]
    assert stores.ledger.of_session(opened(stores).sid) == []
    assert stores.ledger.of_session(a_session().sid) == []


def test_ended_sessions_come_newest_first_and_page_by_their_end(stores):
    opened(stores)
    everyone = [ended(stores, NOW + n).sid for n in range(5)][::-1]
    first = stores.ledger.list_ended(2)
    assert sids(first) == everyone[:2]
    second = stores.ledger.list_ended(2, before=first[-1].ended_at)
    assert sids(second) == everyone[2:4]
    assert sids(stores.ledger.list_ended(10, before=second[-1].ended_at)) == everyone[4:]


@pytest.mark.parametrize("user_id", ["", "usr-alice"])
def test_paging_loses_none_of_those_that_ended_in_the_same_millisecond(stores, user_id):
    everyone = sorted((ended(stores, NOW + n // 5).sid for n in range(12)), reverse=True)
    paged, cursor = [], {}
    while (page := stores.ledger.list_ended(3, user_id=user_id, **cursor)) and len(paged) < 20:
        paged += [(session.ended_at, session.sid) for session in page]
        cursor = {"before": page[-1].ended_at, "before_sid": page[-1].sid}
    assert paged == sorted(paged, reverse=True)
    assert sorted((sid for _, sid in paged), reverse=True) == everyone


def test_ended_sessions_of_a_person(stores):
    ended(stores)
    session = opened(stores, user_id="usr-bob")
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    assert sids(stores.ledger.list_ended(10, user_id="usr-bob")) == [session.sid]


def test_unfinished_are_those_with_a_row_that_is_pending_or_claimed(stores):
    several(stores, "blog")
    settle(stores, State.ACKNOWLEDGED)
    nobody = opened(stores)
    stores.sessions.end(nobody.sid, "sign_out", NOW)
    claimed = several(stores, "shop")
    stores.outbox.claim("w", NOW, 10, HOUR)
    pending = several(stores, "shop", "wiki")
    assert set(sids(stores.ledger.list_ended(10, unfinished_only=True))) == {claimed.sid, pending.sid}


def test_retry_makes_everything_due_that_is_not_acknowledged(stores):
    session = several(stores, "shop", "wiki", "blog")
    by_client = {row.client_id: row for row in stores.outbox.claim("w", NOW, 10, MINUTE)}
    stores.outbox.record(
        [a_result(by_client["shop"], State.ACKNOWLEDGED), a_result(by_client["wiki"], State.REFUSED)], NOW + 1
    )
    late = NOW + MINUTE
    assert stores.ledger.retry(session.sid, "", late) == 2
    rows = {row.client_id: row for row in stores.ledger.of_session(session.sid)}
    assert rows["shop"].state is State.ACKNOWLEDGED
    for client in ("wiki", "blog"):
        assert (rows[client].state, rows[client].next_attempt_at) == (State.PENDING, late)
        assert rows[client].final_at is None
    again = stores.outbox.claim("w", late, 10, MINUTE)
    assert {(row.client_id, row.attempt) for row in again} == {("wiki", 2), ("blog", 2)}


def test_retry_of_one_client_leaves_the_others(stores):
    session = several(stores, "shop", "wiki")
    settle(stores, State.ABANDONED)
    assert stores.ledger.retry(session.sid, "wiki", NOW + 9) == 1
    assert states(stores, session) == {"shop": State.ABANDONED, "wiki": State.PENDING}
    assert stores.ledger.retry(session.sid, "nobody", NOW + 9) == 0


def test_what_is_being_told_right_now_is_left_alone(stores):
    session = several(stores, "shop")
    stores.outbox.claim("w", NOW, 10, MINUTE)
    assert stores.ledger.retry(session.sid, "", NOW + MINUTE - 1) == 0
    assert stores.ledger.retry(session.sid, "", NOW + MINUTE) == 1


@pytest.mark.parametrize("kind", ["oidc", "poll"])
@pytest.mark.parametrize("uri", ["", "https://shop.example/logout"])
@pytest.mark.parametrize("state", [State.PENDING, State.REFUSED, State.ABANDONED, State.MOOT, State.ACKNOWLEDGED])
def test_every_store_tries_again_what_the_core_says_can_be(stores, state, uri, kind):
    session = ended(stores, logout_uri=uri, kind=kind)
    (row,) = stores.ledger.of_session(session.sid)
    if state is State.ABANDONED:
        stores.ledger.abandon(session.sid, "", "root", NOW)
    elif row.next_attempt_at is not None:
        settle(stores, state)
    for now in (NOW + 9, row.local_until - 1, row.local_until):
        (row,) = stores.ledger.of_session(session.sid)
        assert stores.ledger.retry(session.sid, "", now) == can_retry(row, now)


def test_what_has_no_address_cannot_be_tried_again(stores):
    session = ended(stores, logout_uri="")
    assert stores.ledger.retry(session.sid, "", NOW + 9) == 0
    assert states(stores, session) == {"shop": State.NO_ADDRESS}


def test_abandoning_gives_up_by_name_what_is_pending_or_claimed(stores):
    session = several(stores, "shop", "wiki", "blog")
    by_client = {row.client_id: row for row in stores.outbox.claim("w", NOW, 10, MINUTE)}
    stores.outbox.record(
        [
            a_result(by_client["shop"], State.REFUSED, status=400),
            a_result(by_client["wiki"], State.PENDING, next_attempt_at=NOW + HOUR),
        ],
        NOW + 1,
    )
    assert stores.ledger.abandon(session.sid, "", "root", NOW + 2) == 2
    rows = {row.client_id: row for row in stores.ledger.of_session(session.sid)}
    assert rows["shop"].state is State.REFUSED
    for client in ("wiki", "blog"):
        assert (rows[client].state, rows[client].last_error) == (State.ABANDONED, "by:root")
        assert (rows[client].final_at, rows[client].next_attempt_at) == (NOW + 2, None)
    assert stores.outbox.next_due(NOW) is None


def test_abandoning_one_client_leaves_the_others(stores):
    session = several(stores, "shop", "wiki")
    assert stores.ledger.abandon(session.sid, "shop", "root", NOW) == 1
    assert states(stores, session) == {"shop": State.ABANDONED, "wiki": State.PENDING}


def test_a_failure_that_comes_in_after_giving_up_changes_nothing_and_a_success_does(stores):
    session = several(stores, "shop", "wiki")
    rows = stores.outbox.claim("w", NOW, 10, MINUTE)
    stores.ledger.abandon(session.sid, "", "root", NOW)
    late = {"shop": State.PENDING, "wiki": State.ACKNOWLEDGED}
    stores.outbox.record([a_result(row, late[row.client_id], next_attempt_at=None) for row in rows], NOW + 1)
    assert states(stores, session) == {"shop": State.ABANDONED, "wiki": State.ACKNOWLEDGED}


def test_final_rows_wait_for_the_audit_until_they_are_marked(stores):
    session = several(stores, "shop", "wiki")
    silent = ended(stores, logout_uri="")
    by_client = {row.client_id: row for row in stores.outbox.claim("w", NOW, 10, MINUTE)}
    stores.outbox.record([a_result(by_client["shop"], State.ACKNOWLEDGED)], NOW + 1)
    rows = stores.archive.list_archivable(10)
    assert {(row.sid, row.client_id) for row in rows} == {(session.sid, "shop"), (silent.sid, "shop")}
    assert {row.state for row in rows} == {State.ACKNOWLEDGED, State.NO_ADDRESS}
    assert len(stores.archive.list_archivable(1)) == 1
    stores.archive.mark_archived(rows[:1])
    assert stores.archive.list_archivable(10) == rows[1:]
    stores.archive.mark_archived(rows)
    assert stores.archive.list_archivable(10) == []
    stores.archive.mark_archived([])


def test_an_archived_row_that_is_acknowledged_after_all_comes_again(stores):
    store = store_id()
    session = ended(stores, store_id=store, reports=True)
    stores.ledger.abandon(session.sid, "", "root", NOW)
    stores.archive.mark_archived(stores.archive.list_archivable(10))
    stores.check_ins.check_in(a_report(store, acks=(session.sid,)), NOW + 5, 10)
    (row,) = stores.archive.list_archivable(10)
    assert row.state is State.ACKNOWLEDGED


def test_what_changed_on_its_way_to_the_audit_is_not_marked(stores):
    store = store_id()
    session = ended(stores, store_id=store, reports=True)
    stores.ledger.abandon(session.sid, "", "root", NOW)
    read = stores.archive.list_archivable(10)
    stores.check_ins.check_in(a_report(store, acks=(session.sid,)), NOW + 5, 10)
    stores.archive.mark_archived(read)
    assert [row.state for row in stores.archive.list_archivable(10)] == [State.ACKNOWLEDGED]


def test_a_row_that_is_tried_again_leaves_the_queue_for_the_audit(stores):
    session = ended(stores)
    settle(stores, State.REFUSED)
    stores.ledger.retry(session.sid, "", NOW + 2)
    assert stores.archive.list_archivable(10) == []
