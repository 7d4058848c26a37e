"""What a request must find when it has waited: asking takes seconds, and the world goes on meanwhile."""

import sqlite3
import threading

import pytest

from sso_client import LeaseExpired, LocalSession, SSOClient, SSOError
from sso_client.clock import now
from sso_client.stores import Turn
from sso_client.stores.sqlite_journal import SqliteJournal
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, wait_until


@pytest.fixture
def served(person: Person, client: SSOClient) -> tuple[str, LocalSession]:
    """A session whose store has a fresh lease."""
    cookie, session = person.sign_in()
    assert client.find_session(cookie) is not None
    return cookie, session


def test_a_renewal_that_hangs_admits_nobody_beyond_n(served, client, centre: FakeProvider, clock: MovedClock) -> None:
    centre.failing["/check-in"] = 5.0
    clock.go(59.5)
    before = centre.calls("/check-in")
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])
    assert centre.calls("/check-in") == before + 1, "the renewal began within the lease"


def test_rounds_of_more_to_come_have_one_deadline_together(served, client, centre: FakeProvider, clock) -> None:
    centre.failing["/check-in"] = 1.2
    centre.check_in_changes = {"more": True}
    clock.go(58)
    before = centre.calls("/check-in")
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])
    assert 2 <= centre.calls("/check-in") - before <= 3


def test_discovery_and_check_in_have_one_deadline_together(
    served, settings, store, centre: FakeProvider, clock: MovedClock
) -> None:
    # Of three seconds the document may take half; each of the two would be in time alone.
    centre.failing["/.well-known/openid-configuration"] = 0.5
    centre.failing["/check-in"] = 2.7
    restarted = SSOClient(settings, store, clock=clock)
    before = centre.calls("/check-in")
    clock.go(58)
    with pytest.raises(LeaseExpired):
        restarted.find_session(served[0])
    restarted.close()
    assert centre.calls("/check-in") == before + 1


def test_a_renewal_does_not_wait_for_another_requests_discovery(
    served, settings, store, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.failing["/.well-known/openid-configuration"] = 4.5
    restarted = SSOClient(settings, store, clock=clock)
    signing_in = threading.Thread(target=restarted.login_url)
    before = centre.calls("/.well-known/openid-configuration")
    signing_in.start()
    wait_until(lambda: centre.calls("/.well-known/openid-configuration") > before)
    clock.go(31)
    assert restarted.find_session(served[0]) is not None
    assert signing_in.is_alive(), "the renewal waited for the document"
    signing_in.join()
    restarted.close()


def test_a_logout_that_another_worker_received_during_a_failing_renewal_counts(
    served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.failing["/check-in"] = 1.0
    centre.check_in_changes = {"mark": 7}
    clock.go(31)
    before, found = centre.calls("/check-in"), []
    renewing = threading.Thread(target=lambda: found.append(client.find_session(served[0])))
    renewing.start()
    wait_until(lambda: centre.calls("/check-in") > before)
    client.store.inbox.end_by_sid(served[1].sid, "jti", clock.wall_ms())
    renewing.join()
    assert found == [None]


@pytest.mark.parametrize("seconds", [31, 61])
def test_whoever_gets_the_turn_after_anothers_answer_asks_no_more(
    seconds: int, served, client, centre: FakeProvider, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.go(seconds)
    take_turn = SqliteJournal.take_turn

    def too_late(journal, *args):
        monkeypatch.undo()
        client.check_in()  # another worker's, between this request's judging and its turn
        return take_turn(journal, *args)

    before = centre.calls("/check-in")
    monkeypatch.setattr(SqliteJournal, "take_turn", too_late)
    assert client.find_session(served[0]) is not None
    assert centre.calls("/check-in") == before + 1
    assert client.store.journal.take_turn(now(clock), 0) is Turn.MINE, "the turn was not given back"


def test_whoever_is_overtaken_on_the_way_to_the_turn_does_not_get_it_too(client: SSOClient, clock: MovedClock) -> None:
    journal, early = client.store.journal, now(clock)
    assert journal.take_turn(early.earlier(-700), 0) is Turn.MINE
    assert journal.take_turn(early, 0) is Turn.BUSY
    journal.note_failure("unreachable", early.earlier(-900))
    assert journal.take_turn(early, 1000) is Turn.RESTING
    assert journal.take_turn(early.earlier(60_000), 1000) is Turn.MINE, "written before a reboot"


def test_a_sign_in_while_the_centre_hides_its_check_in_lifts_nobody_elses_lease(
    served, settings, store, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.leases = False
    confused = SSOClient(settings, store, clock=clock)
    cookie, session = Person(confused, centre).sign_in()
    confused.close()
    centre.leases = True
    centre.down()
    clock.go(61)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])
    assert client.find_session(cookie) is not None
    centre.stores[session.sid] = store.store_id
    centre.up()
    clock.go(11)
    client.check_in()
    assert client.find_session(cookie).leased, "the centre knows it now"


def test_a_store_that_cannot_be_written_stops_nobody_while_the_lease_holds(
    served, client: SSOClient, clock: MovedClock, tmp_path
) -> None:
    other = sqlite3.connect(tmp_path / "sso.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    clock.go(20)
    assert client.find_session(served[0]) is not None
    clock.go(41)
    with pytest.raises(SSOError) as error:
        client.find_session(served[0])
    assert error.value.code == "store_busy"
    other.execute("ROLLBACK")
    other.close()
    assert client.find_session(served[0]) is not None
