"""What people do to rows, on every engine: who may ask how often, and what the audit keeps of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from sso_server.core.events import EventKind
from sso_server.core.interventions import MOST_AT_ONCE, REST_MS, Interventions
from sso_server.core.notifications import State
from sso_server.core.policy import MINUTE
from tests.support.builders import NOW, a_result, ended, opened, registered


class Bell:
    rung = 0

    def ring(self) -> None:
        self.rung += 1


class Journal(list[Any]):
    def append(self, *events: Any) -> None:
        self.extend(events)


@pytest.fixture
def desk(stores: Any) -> SimpleNamespace:
    """Interventions at a clock that the test sets, beside what they rang and wrote."""
    clock, bell = SimpleNamespace(at=NOW), Bell()
    journal: Any = Journal()
    clock.now = lambda: clock.at
    verbs = Interventions(stores.ledger, stores.sessions, stores.guesses, journal, bell, clock)
    return SimpleNamespace(verbs=verbs, clock=clock, bell=bell, journal=journal)


def fail(stores: Any, now: int) -> None:
    rows = stores.outbox.claim("w", now, 100, MINUTE)
    stores.outbox.record([a_result(row, State.PENDING, next_attempt_at=now + MINUTE) for row in rows], now)


def test_a_retry_rings_the_bell_and_is_written_down_once(stores: Any, desk: SimpleNamespace) -> None:
    session = ended(stores)
    fail(stores, NOW)
    assert desk.verbs.retry(session.sid, "shop", actor="admin:root") == 1
    (event,) = desk.journal
    assert (event.kind, event.sid, event.client_id, event.actor, event.data) == (
        EventKind.NOTIFICATION_RETRIED, session.sid, "shop", "admin:root", {"count": 1},
    )  # fmt: skip
    assert desk.bell.rung == 1


def test_where_nothing_could_be_done_nothing_is_rung_or_written(stores: Any, desk: SimpleNamespace) -> None:
    session = ended(stores)
    assert desk.verbs.retry(session.sid, "nobody", actor="cli") == 0
    assert desk.verbs.abandon(session.sid, "nobody", actor="cli") == 0
    assert (desk.bell.rung, desk.journal) == (0, [])


def test_giving_up_keeps_the_name_in_the_row_and_the_actor_in_the_audit(stores: Any, desk: SimpleNamespace) -> None:
    session = ended(stores)
    assert desk.verbs.abandon(session.sid, "shop", actor="admin:root") == 1
    (row,) = stores.ledger.of_session(session.sid)
    assert (row.state, row.last_error) == (State.ABANDONED, "by:root")
    (event,) = desk.journal
    assert (event.kind, event.actor) == (EventKind.NOTIFICATION_ABANDONED, "admin:root")


def test_the_person_has_each_site_tried_at_most_once_in_five_seconds(stores: Any, desk: SimpleNamespace) -> None:
    session = opened(stores)
    for client in ("shop", "wiki"):
        registered(stores, session, client)
    stores.sessions.end(session.sid, "sign_out", NOW)

    def press(at: int) -> int:
        desk.clock.at = at
        fail(stores, at)
        count: int = desk.verbs.retry_rested(stores.ledger.of_session(session.sid), actor="user")
        return count

    assert [press(at) for at in (NOW, NOW + 1, NOW + REST_MS - 1)] == [2, 0, 0]
    assert press(NOW + REST_MS) == 2
    assert press(NOW + REST_MS + 1) == 0
    assert desk.verbs.retry(session.sid, "", actor="cli") == 2, "an operator may ask as often as he likes"


def test_a_retry_begins_the_count_of_answers_anew(stores: Any, desk: SimpleNamespace) -> None:
    session = ended(stores)
    (row,) = stores.outbox.claim("w", NOW, 1, MINUTE)
    stores.outbox.record([a_result(row, State.ABANDONED, status=404, error="http_404/3")], NOW)
    assert desk.verbs.retry(session.sid, "shop", actor="user") == 1
    (row,) = stores.ledger.of_session(session.sid)
    assert (row.state, row.last_status, row.last_error) == (State.PENDING, 404, "")


def test_a_site_rests_whichever_of_a_person_s_sessions_it_was(stores: Any, desk: SimpleNamespace) -> None:
    bob = "usr-" + "b" * 32
    first, second, of_bob = ended(stores), ended(stores), opened(stores, NOW - 1000, user_id=bob)
    registered(stores, of_bob, now=NOW - 1000)
    stores.sessions.end(of_bob.sid, "sign_out", NOW)
    fail(stores, NOW)
    pressed = [desk.verbs.retry_rested(stores.ledger.of_session(one.sid), actor="user") for one in (first, second)]
    assert pressed == [1, 0]
    assert desk.verbs.retry_rested(stores.ledger.of_session(of_bob.sid), actor="user") == 1, "another person's"


def test_one_press_after_a_sign_out_everywhere_is_one_batch_of_bounded_size(stores: Any, desk: SimpleNamespace) -> None:
    sessions = [ended(stores) for _ in range(MOST_AT_ONCE + 20)]
    for _ in range(2):
        fail(stores, NOW)

    def press(at: int) -> int:
        desk.clock.at = at
        rows = [row for session in sessions for row in stores.ledger.of_session(session.sid)]
        count: int = desk.verbs.retry_rested(rows, actor="user")
        return count

    assert press(NOW) == MOST_AT_ONCE
    assert (desk.bell.rung, len(desk.journal)) == (1, MOST_AT_ONCE)
    assert press(NOW + REST_MS) == 20, "those that are due already take no place of the others"


def test_what_cannot_be_tried_again_uses_no_turn_up(stores: Any, desk: SimpleNamespace) -> None:
    session = ended(stores)
    stores.outbox.claim("w", NOW, 10, MINUTE)
    assert desk.verbs.retry_rested(stores.ledger.of_session(session.sid), actor="user") == 0
    fail(stores, NOW + MINUTE)
    desk.clock.at = NOW + MINUTE
    assert desk.verbs.retry_rested(stores.ledger.of_session(session.sid), actor="user") == 1


def test_only_an_ended_session_is_found(stores: Any, desk: SimpleNamespace) -> None:
    session = ended(stores)
    found = desk.verbs.find(session.sid)
    assert found is not None
    assert found.sid == session.sid
    assert desk.verbs.find(opened(stores).sid) is None
    assert desk.verbs.find("nonsense") is None
