"""Activity isn't lost: neither to a store that is locked, nor to another's check-in, nor to a clock that was wrong."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sso_client import LocalSession, LocalStore, SSOClient, SSOError, open_sqlite_store
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, wait_until


@pytest.fixture
def store(settings, tmp_path: Path) -> Iterator[LocalStore]:
    """A store that gives up soon when it is locked."""
    opened = open_sqlite_store(
        tmp_path / "sso.sqlite3", issuer=settings.issuer, client_id=settings.client_id, busy_s=0.2
    )
    yield opened
    opened.close()


@pytest.fixture
def quiet(person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock) -> tuple[str, LocalSession]:
    """A person who paused for longer than the centre waits for news, at a site whose lease is fresh."""
    centre.lease_s, centre.report_s = 600, 90
    cookie, session = person.sign_in()
    client.find_session(cookie)
    clock.go(100)
    client.check_in()
    return cookie, session


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    other = sqlite3.connect(tmp_path / "sso.sqlite3", isolation_level=None, check_same_thread=False)
    yield other
    other.close()


def reported(centre: FakeProvider, session: LocalSession, since: int = 0) -> int:
    return sum(session.sid in told["active"] for told in centre.check_ins[since:])


def test_a_click_after_a_pause_is_told_though_the_store_is_locked(quiet, client, centre: FakeProvider, lock) -> None:
    before = len(centre.check_ins)
    lock.execute("BEGIN IMMEDIATE")
    assert client.find_session(quiet[0]) is not None
    assert reported(centre, quiet[1], before) == 1, "nobody may come after to tell it"
    assert centre.check_ins[-1]["acks"] == centre.check_ins[-1]["ended"] == []
    lock.execute("ROLLBACK")


def test_a_click_told_past_the_store_confirms_nobody(quiet, client, centre: FakeProvider, clock, lock) -> None:
    _, before = client.store.sessions.find(quiet[1].cookie_hash, clock.wall_ms())
    lock.execute("BEGIN IMMEDIATE")
    client.find_session(quiet[0])
    lock.execute("ROLLBACK")
    _, after = client.store.sessions.find(quiet[1].cookie_hash, clock.wall_ms())
    assert after.stamp == before.stamp


def test_a_click_soon_after_the_last_one_waits_for_the_next_request(quiet, client, centre, clock, lock) -> None:
    client.find_session(quiet[0])
    clock.go(40)
    before = len(centre.check_ins)
    lock.execute("BEGIN IMMEDIATE")
    assert client.find_session(quiet[0]) is not None
    assert len(centre.check_ins) == before, "the centre waits longer than that anyway"
    lock.execute("ROLLBACK")
    clock.go(1)
    client.find_session(quiet[0])
    client.check_in()
    assert reported(centre, quiet[1], before) == 1


def test_a_click_that_was_noted_is_told_though_the_store_is_locked_by_then(quiet, client, centre, clock, lock) -> None:
    centre.failing["/check-in"] = 503
    client.find_session(quiet[0])  # noted, not told
    centre.failing.clear()
    clock.go(10)
    before = len(centre.check_ins)
    lock.execute("BEGIN IMMEDIATE")
    assert client.find_session(quiet[0]) is not None
    lock.execute("ROLLBACK")
    assert reported(centre, quiet[1], before) == 1


def test_neither_store_nor_centre_still_stops_nobody_under_a_lease_that_holds(quiet, client, centre, lock) -> None:
    before = len(centre.check_ins)
    centre.down()
    lock.execute("BEGIN IMMEDIATE")
    assert client.find_session(quiet[0]) is not None
    lock.execute("ROLLBACK")
    centre.up()
    client.find_session(quiet[0])
    assert reported(centre, quiet[1], before) == 1


def test_a_click_while_another_asks_is_told_when_that_one_is_done(
    quiet, person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    busy, _ = person.sign_in()
    client.find_session(busy)
    clock.go(91)
    answer, asked = centre.check_in, threading.Event()

    def slow(told):
        reply = answer(told)
        if not asked.is_set():
            asked.set()
            visitor.start()
            wait_until(lambda: served_at(client, quiet[1], clock) > quiet[1].served_at_ms)
        return reply

    visitor = threading.Thread(target=client.find_session, args=(quiet[0],))
    centre.check_in = slow
    before = len(centre.check_ins)
    client.find_session(busy)
    visitor.join()
    assert [quiet[1].sid in told["active"] for told in centre.check_ins[before:]] == [False, True]


def test_a_click_while_another_asks_for_long_is_told_past_it(
    quiet, person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    busy, _ = person.sign_in()
    client.find_session(busy)
    clock.go(91)
    answer, asked, clicked = centre.check_in, threading.Event(), threading.Event()

    def slow(told):
        if not asked.is_set():
            asked.set()
            clicked.wait(2.5)
        return answer(told)

    centre.check_in = slow
    before = len(centre.check_ins)
    other = threading.Thread(target=client.find_session, args=(busy,))
    other.start()
    assert asked.wait(5)
    assert client.find_session(quiet[0]) is not None
    assert reported(centre, quiet[1], before) == 1, "nobody may come after to tell it"
    clicked.set()
    other.join()


def test_a_click_soon_after_anothers_attempt_failed_is_told_all_the_same(
    quiet, person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    busy, _ = person.sign_in()
    clock.go(91)
    centre.failing["/check-in"] = 503
    client.find_session(busy)
    asked, before = centre.calls("/check-in"), len(centre.check_ins)
    for _ in range(5):
        assert client.find_session(quiet[0]) is not None
    assert centre.calls("/check-in") == asked + 1, "a centre that is down isn't asked with each click"
    centre.failing.clear()
    clock.go(2.1)
    assert client.find_session(quiet[0]) is not None
    assert reported(centre, quiet[1], before) == 1


def served_at(client: SSOClient, session: LocalSession, clock: MovedClock) -> int:
    return client.store.sessions.find(session.cookie_hash, clock.wall_ms())[0].served_at_ms


@pytest.mark.parametrize("hours", [1, 9])
def test_after_the_wall_clock_was_ahead_clicks_are_told_again(
    hours: int, person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.session_expires_in = 86_400
    cookie, session = person.sign_in()
    clock.wall_shift_ms += hours * 3_600_000
    client.find_session(cookie)
    client.check_in()
    clock.wall_shift_ms -= hours * 3_600_000
    clock.go(31)
    before = len(centre.check_ins)
    client.find_session(cookie)
    assert reported(centre, session, before) == 1


def test_a_click_of_the_future_is_told_once_and_keeps_nobody_active(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.session_expires_in = 86_400
    cookie, session = person.sign_in()
    client.find_session(cookie)
    clock.wall_shift_ms += 3_600_000
    centre.failing["/check-in"] = 503
    with pytest.raises(Exception, match="lease_expired"):
        client.find_session(cookie)
    centre.failing.clear()
    clock.wall_shift_ms -= 3_600_000
    before = len(centre.check_ins)
    for _ in range(3):
        clock.go(31)
        client.check_in()
    assert reported(centre, session, before) == 1


def test_many_clicks_under_a_store_that_is_locked_now_and_then_are_all_told(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock, lock
) -> None:
    centre.report_s = 60
    people = [person.sign_in() for _ in range(10)]
    for cookie, _ in people:
        client.find_session(cookie)
    for turn, (cookie, session) in enumerate(people):
        clock.go(100)
        before = len(centre.check_ins)
        if turn % 2:
            client.check_in()
            lock.execute("BEGIN IMMEDIATE")
        client.find_session(cookie)
        if turn % 2:
            lock.execute("ROLLBACK")
        assert reported(centre, session, before) >= 1


def test_a_click_that_is_not_let_through_is_no_activity(quiet, client, centre: FakeProvider, clock, lock) -> None:
    clock.go(601)
    before = len(centre.check_ins)
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(SSOError, match="store_busy"):
        client.find_session(quiet[0])
    lock.execute("ROLLBACK")
    assert len(centre.check_ins) == before
