"""Nobody is served longer than N after the centre last confirmed the store; unreachable is not ended."""

import threading

import pytest

from sso_client import LeaseExpired, LocalSession, SSOClient
from sso_client.clock import Instant
from sso_client.lease import Lease, Standing, age_ms, grace_holds, judge
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, new_sid, wait_until

STAMP = Instant(1_000_000, 5_000, "boot")


@pytest.mark.parametrize(
    ("later_wall_ms", "later_boot_ms", "boot", "standing"),
    [
        (0, 0, "boot", Standing.FRESH),
        (29_999, 29_999, "boot", Standing.FRESH),
        (30_000, 30_000, "boot", Standing.RENEW),
        (60_000, 60_000, "boot", Standing.RENEW),
        (60_001, 60_001, "boot", Standing.EXPIRED),
        (1, 60_001, "boot", Standing.EXPIRED),  # the wall clock was set back
        (60_001, 1, "boot", Standing.EXPIRED),  # the boot clock stood still
        (-1, 10, "boot", Standing.EXPIRED),
        (10, -1, "boot", Standing.EXPIRED),
        (10, 10, "another boot", Standing.EXPIRED),
    ],
)
def test_the_age_is_the_larger_of_both_clocks_and_doubt_means_expired(
    later_wall_ms: int, later_boot_ms: int, boot: str, standing: Standing
) -> None:
    lease = Lease(STAMP, 60_000, 0, 60_000, "")
    moment = Instant(STAMP.wall_ms + later_wall_ms, STAMP.boot_ms + later_boot_ms, boot)
    assert judge(lease, moment) is standing


def test_a_store_without_a_stamp_is_expired() -> None:
    assert age_ms(None, STAMP) is None
    assert judge(Lease(None, 0, 0, 60_000, ""), STAMP) is Standing.EXPIRED


def test_grace_covers_an_unreachable_centre_only() -> None:
    moment = Instant(STAMP.wall_ms + 70_000, STAMP.boot_ms + 70_000, "boot")
    assert grace_holds(Lease(STAMP, 60_000, 10_000, 60_000, "unreachable"), moment)
    assert not grace_holds(Lease(STAMP, 60_000, 10_000, 60_000, "refused"), moment)
    assert not grace_holds(Lease(STAMP, 60_000, 9_999, 60_000, "unreachable"), moment)
    assert not grace_holds(Lease(STAMP, 60_000, 10_000, 60_000, "unreachable"), Instant(moment.wall_ms, 0, "boot"))


@pytest.fixture
def served(person: Person, client: SSOClient) -> tuple[str, LocalSession]:
    """A session whose store has a fresh lease."""
    cookie, session = person.sign_in()
    assert client.find_session(cookie) is not None
    return cookie, session


def test_a_fresh_lease_asks_nobody(served, client: SSOClient, centre: FakeProvider, clock: MovedClock) -> None:
    before = len(centre.check_ins)
    clock.go(25)
    assert client.find_session(served[0]) is not None
    assert len(centre.check_ins) == before


def test_from_half_time_on_a_request_renews(served, client, centre: FakeProvider, clock: MovedClock) -> None:
    before = len(centre.check_ins)
    for _ in range(10):
        clock.go(31)
        assert client.find_session(served[0]) is not None
    assert len(centre.check_ins) == before + 10


def test_a_cut_off_site_serves_nobody_beyond_n_and_everybody_after_the_first_good_check_in(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookies = [person.sign_in()[0] for _ in range(3)]
    assert all(client.find_session(cookie) for cookie in cookies)
    centre.down()
    clock.go(59)
    assert all(client.find_session(cookie) for cookie in cookies)
    clock.go(2)
    for cookie in cookies:
        with pytest.raises(LeaseExpired) as expired:
            client.find_session(cookie)
        assert expired.value.retry_after_s > 0
    centre.up()
    clock.go(2)
    assert all(client.find_session(cookie) for cookie in cookies)


def test_an_end_that_was_missed_is_heard_before_anybody_is_served_again(
    served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = served
    centre.end(session.sid)
    clock.go(61)
    assert client.find_session(cookie) is None
    assert centre.rows[client.store.store_id] == {}, "the end was not acknowledged straight away"
    assert "check-in heard of the sign-out (sign_out)" in client.recent_events(1)[0].text


def test_a_renewal_that_hears_of_the_end_serves_it_no_more(served, client, centre: FakeProvider, clock) -> None:
    centre.end(served[1].sid)
    clock.go(31)
    assert client.find_session(served[0]) is None


def test_grace_serves_while_the_centre_is_down_but_not_when_it_refuses(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.grace_s = 30
    cookie, _ = person.sign_in()
    assert client.find_session(cookie)
    centre.failing["/check-in"] = 500
    clock.go(70)
    assert client.find_session(cookie) is not None
    centre.failing["/check-in"] = 401
    clock.go(2)
    with pytest.raises(LeaseExpired):
        client.find_session(cookie)
    centre.failing["/check-in"] = "hang up"
    clock.go(2)
    assert client.find_session(cookie) is not None
    clock.go(30)
    with pytest.raises(LeaseExpired):
        client.find_session(cookie)


@pytest.mark.parametrize("fault", [408, 425, 429, 503])
def test_not_now_is_no_refusal(fault: int, person: Person, client, centre: FakeProvider, clock: MovedClock) -> None:
    centre.grace_s = 30
    cookie, _ = person.sign_in()
    assert client.find_session(cookie)
    centre.failing["/check-in"] = fault
    clock.go(70)
    assert client.find_session(cookie) is not None


@pytest.mark.parametrize("fault", [400, 401, 403, 404, 302, 413])
def test_a_refused_check_in_does_not_extend_the_lease_and_is_logged_loudly(
    fault: int, served, client: SSOClient, centre: FakeProvider, clock: MovedClock, caplog: pytest.LogCaptureFixture
) -> None:
    centre.failing["/check-in"] = fault
    clock.go(40)
    assert client.find_session(served[0]) is not None
    assert "ERROR" in {record.levelname for record in caplog.records if "check-in refused" in record.message}
    assert client.recent_events(1)[0].kind == "check_in_refused"
    clock.go(21)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])


@pytest.mark.parametrize(
    "changes", [{"ends": "none"}, {"lease_s": 0}, {"lag_ms": -1}, {"mark": 7}, {"ends": [{"sid": 1}]}, {"more": None}]
)
def test_a_half_read_answer_confirms_nobody(changes, served, client, centre: FakeProvider, clock) -> None:
    centre.check_in_changes = changes
    clock.go(61)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])


def test_the_lag_of_the_centre_shortens_the_lease(served, client, centre: FakeProvider, clock: MovedClock) -> None:
    centre.lag_ms = 50_000
    clock.go(40)
    assert client.find_session(served[0]) is not None
    centre.down()
    clock.go(5)
    assert client.find_session(served[0]) is not None
    clock.go(6)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])


def test_the_lease_counts_from_the_sending_not_from_the_answer(served, client, centre: FakeProvider, clock) -> None:
    def slow(told, answer=centre.check_in):
        clock.go(20)  # the answer is on its way for twenty seconds
        return answer(told)

    centre.check_in = slow
    clock.go(40)
    assert client.find_session(served[0]) is not None
    centre.down()
    clock.go(41)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])


def test_while_more_is_to_come_the_lease_is_not_stamped(served, client, centre: FakeProvider, clock) -> None:
    centre.check_in_changes = {"more": True}
    clock.go(61)
    before = len(centre.check_ins)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])
    assert 2 <= len(centre.check_ins) - before <= 500
    centre.check_in_changes = {}
    centre.more_rounds = 2
    clock.go(2)
    assert client.find_session(served[0]) is not None


@pytest.mark.parametrize("change", ["another boot", "wall clock set back", "boot clock set back", "wall clock ahead"])
def test_after_a_clock_jump_or_reboot_the_centre_is_asked_first(
    change: str, served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    match change:
        case "another boot":
            clock.boot = "boot-two"
            clock.boot_shift_ms -= 10**9
        case "wall clock set back":
            clock.wall_shift_ms -= 5000
        case "boot clock set back":
            clock.boot_shift_ms -= 5000
        case "wall clock ahead":
            clock.wall_shift_ms += 61_000
    before = len(centre.check_ins)
    assert client.find_session(served[0]) is not None
    assert len(centre.check_ins) == before + 1
    assert centre.check_ins[-1]["sids"] == [served[1].sid]
    assert client.find_session(served[0]) is not None
    assert len(centre.check_ins) == before + 1, "the new stamp must hold"


def test_one_request_renews_while_the_others_go_on(served, client, centre: FakeProvider, clock: MovedClock) -> None:
    answer, answering = centre.check_in, threading.Event()
    centre.check_in = lambda told: answering.wait(20) and answer(told)
    clock.go(31)
    before = centre.calls("/check-in")
    slow = threading.Thread(target=client.find_session, args=(served[0],))
    slow.start()
    wait_until(lambda: centre.calls("/check-in") == before + 1)
    for _ in range(20):
        assert client.find_session(served[0]) is not None
    assert slow.is_alive(), "the others waited for the renewal"
    answering.set()
    slow.join()
    assert centre.calls("/check-in") == before + 1


def test_beyond_n_the_others_wait_for_the_one_that_asks(served, client, centre: FakeProvider, clock) -> None:
    centre.failing["/check-in"] = 0.5
    clock.go(61)
    before = centre.calls("/check-in")
    found: list[LocalSession | None] = []
    threads = [threading.Thread(target=lambda: found.append(client.find_session(served[0]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(session is not None for session in found)
    assert len(found) == 8
    assert centre.calls("/check-in") == before + 1


def test_after_a_failure_the_others_are_answered_at_once(served, client, centre: FakeProvider, clock) -> None:
    centre.failing["/check-in"] = 503
    clock.go(61)
    before = centre.calls("/check-in")
    for _ in range(20):
        with pytest.raises(LeaseExpired):
            client.find_session(served[0])
    assert centre.calls("/check-in") <= before + 3


def test_the_turn_of_a_killed_worker_is_over_after_three_seconds(served, client, centre, clock: MovedClock) -> None:
    clock.go(61)
    client.store.journal.take_turn(Instant(clock.wall_ms(), clock.boot_ms(), clock.boot_id()), 0)
    clock.go(3.1)
    assert client.find_session(served[0]) is not None


def test_a_site_that_starts_while_the_centre_is_down_keeps_to_the_lease_of_its_store(
    served, settings, store, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.down()
    restarted = SSOClient(settings, store, clock=clock)
    assert restarted.find_session(served[0]) is not None
    clock.go(61)
    with pytest.raises(LeaseExpired):
        restarted.find_session(served[0])
    centre.up()
    clock.go(11)
    assert restarted.find_session(served[0]) is not None
    restarted.close()


def test_a_session_the_centre_does_not_know_ends(served, client, centre: FakeProvider, clock: MovedClock) -> None:
    centre.stores.clear()
    centre.stores[new_sid()] = client.store.store_id
    clock.go(61)
    assert client.find_session(served[0]) is None
