"""Every end is in the audit before the session is forgotten, whatever happened to the line that was due at the end."""

from typing import Any

import pytest

from sso_server.core.errors import Unavailable
from sso_server.core.events import EventKind
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.sessions import EndReason
from sso_server.delivery.auditor import SLACK_MS, Auditor
from sso_server.delivery.sweeper import Sweeper
from tests.support.builders import opened
from tests.support.clocks import StoreClock
from tests.support.deliveries import Deliveries


class Full:
    """The audit of a disk that is full: it can be read."""

    def __init__(self, audit: Any) -> None:
        self.audit = audit
        self.append = audit.append

    def break_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_events: object) -> None:
            raise Unavailable(detail="disk full")

        monkeypatch.setattr(self.audit, "append", refuse)

    def mend_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(self.audit, "append", self.append)


@pytest.fixture
def full(deliveries: Deliveries) -> Full:
    return Full(deliveries.sql.audit)


def a_sweeper(deliveries: Deliveries) -> Sweeper:
    stores, clock = deliveries.stores, deliveries.clock
    health: Any = StoreClock(clock)
    return Sweeper(deliveries.sign_out(), stores.sweeps, stores.ledger, health, deliveries.sql.audit, clock)


def lines(deliveries: Deliveries) -> dict[str, list[str]]:
    """The actors of the ends in the audit, by session."""
    found: dict[str, list[str]] = {}
    for event in deliveries.sql.audit.list_events(10_000, kind=EventKind.SESSION_ENDED):
        found.setdefault(event.sid, []).append(event.actor)
    return found


def live(deliveries: Deliveries) -> int:
    count: int = deliveries.stores.lists.count_live(deliveries.clock.now())
    return count


def test_an_end_is_answered_as_one_although_the_audit_is_full_and_its_line_comes_later(
    deliveries: Deliveries, full: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_out = deliveries.sign_out()
    one, two = (opened(deliveries.stores, deliveries.clock.now()) for _ in range(2))
    sign_out.end(one.sid, EndReason.SIGN_OUT, actor="user")
    full.break_it(monkeypatch)
    deliveries.clock.pass_ms(5)
    ended = sign_out.end(two.sid, EndReason.SIGN_OUT_EVERYWHERE, actor="user")
    assert ended is not None
    assert ended.first
    full.mend_it(monkeypatch)
    sweeper = a_sweeper(deliveries)
    sweeper.run_once()
    # Not yet: the line might be on its way.
    assert lines(deliveries) == {one.sid: ["user"]}
    deliveries.clock.pass_ms(2 * MINUTE)
    for _ in range(3):
        sweeper.run_once()
        deliveries.clock.pass_ms(2 * MINUTE)
    assert lines(deliveries) == {one.sid: ["user"], two.sid: ["unknown"]}
    (late,) = deliveries.sql.audit.list_events(10, sid=two.sid)
    assert (late.at, late.user_id) == (ended.session.ended_at, "usr-alice")
    assert (late.data["reason"], late.data["found_later"]) == ("sign_out_everywhere", 1)


def test_a_swept_batch_is_swept_whole_and_none_of_it_is_forgotten_before_the_audit_has_it(
    deliveries: Deliveries, full: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    sids = {opened(deliveries.stores, deliveries.clock.now()).sid for _ in range(205)}
    deliveries.clock.pass_ms(DAY)
    full.break_it(monkeypatch)
    sweeper = a_sweeper(deliveries)
    assert sum(iter(sweeper.run_once, 0)) == 205, "in as many rounds of a second as a slow machine needs"
    assert live(deliveries) == 0
    for _ in range(5):
        deliveries.clock.pass_ms(DAY)
        # What is due is swept in time, whatever the audit does.
        due = opened(deliveries.stores, deliveries.clock.now() - DAY).sid
        sids.add(due)
        assert sweeper.run_once() == 1
        assert deliveries.stores.sessions.find(due) is not None
    assert all(deliveries.stores.sessions.find(sid) is not None for sid in sids)
    full.mend_it(monkeypatch)
    for _ in range(6):
        deliveries.clock.pass_ms(2 * MINUTE)
        sweeper.run_once()
    assert lines(deliveries) == {sid: ["unknown"] for sid in sids}
    assert not all(deliveries.stores.sessions.find(sid) is not None for sid in sids)


def test_more_ends_in_one_millisecond_than_a_page_holds_are_all_found(deliveries: Deliveries) -> None:
    now = deliveries.clock.now()
    sids = [opened(deliveries.stores, now - 1000).sid for _ in range(450)]
    for at, sid in enumerate(sids):
        deliveries.stores.sessions.end(sid, "sign_out", now if at < 445 else now + 1 - at % 3)
    auditor = Auditor(deliveries.stores.ledger, deliveries.sql.audit, deliveries.clock, DAY)
    deliveries.clock.pass_ms(SLACK_MS + 10)
    turns = 0
    while not auditor.catch_up():
        turns += 1
        assert turns < 10
    assert lines(deliveries) == {sid: ["unknown"] for sid in sids}
    assert auditor.catch_up()


def test_a_line_that_the_audit_has_dropped_for_its_age_is_not_written_again(deliveries: Deliveries) -> None:
    old = deliveries.ended()
    deliveries.clock.pass_ms(DAY + 1)
    new = deliveries.ended()
    deliveries.clock.pass_ms(SLACK_MS + 1)
    assert Auditor(deliveries.stores.ledger, deliveries.sql.audit, deliveries.clock, DAY).catch_up()
    assert deliveries.stores.sessions.find(old.sid) is not None
    assert lines(deliveries) == {new.sid: ["unknown"]}
