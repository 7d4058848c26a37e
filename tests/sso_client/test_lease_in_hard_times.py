"""The lease against late sweepers, sleep, wrong clocks and refusals: doubt stops people, it never lets them through."""

import pytest

from sso_client import LeaseExpired, LocalSession, SSOClient
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person


@pytest.fixture
def served(person: Person, client: SSOClient, centre: FakeProvider) -> tuple[str, LocalSession]:
    """A session whose store has a fresh lease."""
    centre.session_expires_in = 86_400
    cookie, session = person.sign_in()
    assert client.find_session(cookie) is not None
    return cookie, session


def test_a_centre_that_lags_by_more_than_n_confirms_nobody(served, client, centre: FakeProvider, clock) -> None:
    centre.lag_ms = 60_100
    clock.go(61)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])
    centre.lag_ms = 20_000
    clock.go(2)
    assert client.find_session(served[0]) is not None


def test_a_lag_beyond_n_is_no_reason_for_grace(served, client, centre: FakeProvider, clock: MovedClock) -> None:
    centre.lag_ms, centre.grace_s = 60_100, 600
    clock.go(61)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])


@pytest.mark.parametrize("wall_s", [0, 3600])
def test_after_a_sleep_nobody_is_served_before_the_centre_has_answered(
    wall_s: int, served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    """The laptop slept for an hour: the boot clock went on, the wall clock may not have been set yet."""
    centre.down()
    clock.boot_shift_ms += 3_600_000
    clock.wall_shift_ms += wall_s * 1000
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])
    centre.up()
    centre.end(served[1].sid)
    clock.go(11)
    assert client.find_session(served[0]) is None, "what ended meanwhile is heard first"


def test_a_sleep_while_the_centre_answers_counts_against_the_lease(
    served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    answer = centre.check_in

    def sleep(told):
        reply = answer(told)
        centre.check_in = answer
        clock.boot_shift_ms += 3_600_000
        return reply

    centre.check_in = sleep
    clock.go(31)
    before = len(centre.check_ins)
    assert client.find_session(served[0]) is not None
    assert len(centre.check_ins) == before + 2, "the answer from before the sleep confirms nobody after it"


JUMPS = {
    "wall clock back": (-5_000, 0, ""),
    "wall clock back by years": (-(10**11), 0, ""),
    "wall clock ahead": (61_000, 0, ""),
    "boot clock back": (0, -5_000, ""),
    "boot clock ahead": (0, 61_000, ""),
    "both back": (-5_000, -5_000, ""),
    "one ahead, one back": (61_000, -5_000, ""),
    "reboot": (0, -(10**9), "boot-two"),
    "reboot long enough ago": (0, 10, "boot-two"),
    "reboot with a wall clock that stands still": (-1_000, 0, "boot-two"),
}


@pytest.mark.parametrize("jump", JUMPS)
def test_after_a_jump_nobody_is_served_while_the_centre_cannot_be_asked(
    jump: str, served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.grace_s = 600
    client.check_in()
    centre.down()
    wall_ms, boot_ms, boot = JUMPS[jump]
    clock.wall_shift_ms += wall_ms
    clock.boot_shift_ms += boot_ms
    clock.boot = boot or clock.boot
    if jump in ("wall clock ahead", "boot clock ahead"):
        assert client.find_session(served[0]) is not None, "older by a minute: the site's own grace covers that"
        return
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])


@pytest.mark.parametrize("jump", JUMPS)
def test_after_a_jump_the_first_answer_restores_everybody(
    jump: str, served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    wall_ms, boot_ms, boot = JUMPS[jump]
    clock.wall_shift_ms += wall_ms
    clock.boot_shift_ms += boot_ms
    clock.boot = boot or clock.boot
    before = len(centre.check_ins)
    for _ in range(3):
        assert client.find_session(served[0]) is not None
    assert [told.get("sids") for told in centre.check_ins[before:]] == [[served[1].sid]]


@pytest.mark.parametrize("fault", [400, 401, 403, 404, 413, 302])
def test_grace_never_covers_a_refusal(fault: int, served, client, centre: FakeProvider, clock: MovedClock) -> None:
    centre.grace_s = 600
    client.check_in()
    centre.failing["/check-in"] = fault
    clock.go(61)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])


@pytest.mark.parametrize("fault", [500, 502, 503, 504, 408, 425, 429, "hang up", "drip body"])
def test_grace_covers_an_outage_for_as_long_as_the_site_chose_and_no_longer(
    fault, served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.grace_s = 30
    client.check_in()
    centre.failing["/check-in"] = fault
    clock.go(80)
    assert client.find_session(served[0]) is not None
    clock.go(11)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])


def test_without_a_choice_there_is_no_grace(served, client, centre: FakeProvider, clock: MovedClock) -> None:
    centre.failing["/check-in"] = 503
    clock.go(61)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])


def test_an_older_answer_that_arrives_late_only_shortens_the_lease(
    served, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    answer, other = centre.check_in, []

    def overtaken(told):
        reply = answer(told)
        centre.check_in = answer
        clock.go(20)
        other.append(client.check_in())  # another worker's call, sent later, answered earlier
        return reply

    centre.check_in = overtaken
    clock.go(31)
    assert client.find_session(served[0]) is not None
    assert other[0].confirmed
    centre.down()
    clock.go(41)
    with pytest.raises(LeaseExpired):
        client.find_session(served[0])
