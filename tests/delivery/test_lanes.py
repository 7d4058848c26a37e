from dataclasses import replace

from sso_server.core.notifications import Answer, Notification, State
from sso_server.delivery.lanes import AT_ONCE, Lanes

NOW = 1_800_000_000_000
OK = Answer(200)
AWAY = Answer(None, "timeout")

ROW = Notification(
    sid="sid-00-" + "a" * 32,
    client_id="shop",
    store_id="",
    kind="oidc",
    logout_uri="https://shop.example/",
    user_id="usr-alice",
    reason="sign_out",
    ended_at=NOW,
    local_until=NOW + 86_400_000,
    state=State.CLAIMED,
    attempt=1,
)


def row(client_id: str, *, bulk: bool = False) -> Notification:
    return replace(ROW, client_id=client_id, bulk=bulk)


def filled(lanes: Lanes, *client_ids: str, bulk: bool = False) -> Lanes:
    for client_id in client_ids:
        assert lanes.add(row(client_id, bulk=bulk), NOW)
    return lanes


def takes(lanes: Lanes) -> list[str]:
    taken = []
    while (one := lanes.take()) is not None:
        taken.append(one.client_id)
    return taken


def test_sites_take_turns() -> None:
    lanes = filled(Lanes(), "a", "a", "a", "b", "c")
    assert takes(lanes) == ["a", "b", "c"]
    for client_id in ("a", "b", "c"):
        lanes.finish(row(client_id), OK, NOW)
    filled(lanes, "b")
    assert sorted(takes(lanes)) == ["a", "a", "b"]


def test_a_site_that_never_answered_gets_one_at_a_time_and_then_four() -> None:
    lanes = filled(Lanes(), *["a"] * 8)
    assert takes(lanes) == ["a"]
    assert takes(lanes) == []
    lanes.finish(row("a"), OK, NOW)
    assert takes(lanes) == ["a"] * AT_ONCE
    lanes.finish(row("a"), AWAY, NOW)
    assert takes(lanes) == []
    assert (lanes.waiting, lanes.running) == (3, 3)


def test_a_site_that_fails_three_times_in_a_row_is_left_alone_for_a_while() -> None:
    lanes = Lanes()
    for _ in range(3):
        filled(lanes, "a", "b")
        takes(lanes)
        lanes.finish(row("a"), AWAY, NOW)
        lanes.finish(row("b"), OK, NOW)
    assert lanes.not_before("b") == 0
    pause = lanes.not_before("a")
    assert pause > NOW
    assert not lanes.add(row("a"), pause - 1)
    assert lanes.add(row("a"), pause)
    takes(lanes)
    lanes.finish(row("a"), OK, pause)
    assert lanes.not_before("a") == 0


def test_pauses_grow_to_a_minute_and_no_further() -> None:
    lanes, now, pauses = Lanes(), NOW, []
    for _ in range(12):
        lanes.add(row("a"), now)
        lanes.take()
        lanes.finish(row("a"), AWAY, now)
        pauses.append(max(0, lanes.not_before("a") - now) // 1000)
        now = max(now, lanes.not_before("a"))
    assert pauses == [0, 0, 2, 5, 15, 30, 60, 60, 60, 60, 60, 60]


def test_what_a_pausing_site_has_waiting_is_given_back() -> None:
    lanes = filled(Lanes(), *["a"] * 5, "b", "b")
    for _ in range(3):
        lanes.take()
        lanes.finish(row("a"), AWAY, NOW)
        takes(lanes)
    surplus = lanes.take_surplus(NOW)
    assert surplus
    assert {one.client_id for one in surplus} == {"a"}
    assert lanes.waiting == 1


def test_a_site_on_probation_can_have_only_few_waiting() -> None:
    lanes = Lanes()
    assert sum(lanes.add(row("a"), NOW) for _ in range(100)) == 8
    lanes.take()
    lanes.finish(row("a"), OK, NOW)
    assert sum(lanes.add(row("a"), NOW) for _ in range(100)) == 100


def test_a_busy_site_s_surplus_is_due_when_its_turn_will_have_come() -> None:
    lanes = Lanes()
    for _ in range(200):
        filled(lanes, "a")
        lanes.take()
        lanes.finish(row("a"), OK, NOW, took_ms=40)
    accepted = 0
    while lanes.add(row("a"), NOW):
        accepted += 1
    assert 450 <= accepted <= 500
    due = [lanes.postponed(row("a"), NOW).next_attempt_at for _ in range(1000)]
    # Four at once and 40 ms each: a hundred a second, behind those that wait here already.
    assert due == sorted(due)
    assert 4_500 <= due[0] - NOW <= 5_100
    assert 9_900 <= due[-1] - due[0] <= 10_500


def test_a_slow_site_has_few_waiting_because_claims_run_out() -> None:
    lanes = Lanes()
    for _ in range(50):
        filled(lanes, "a")
        lanes.take()
        lanes.finish(row("a"), OK, NOW, took_ms=2000)
    assert sum(lanes.add(row("a"), NOW) for _ in range(100)) <= 12
    far = [lanes.postponed(row("a"), NOW).next_attempt_at for _ in range(5000)]
    assert far[-1] == NOW + 300_000


def test_what_an_absent_site_can_t_take_is_due_when_it_may_be_called_again_one_after_the_other() -> None:
    lanes = Lanes()
    for _ in range(3):
        filled(lanes, "a")
        lanes.take()
        lanes.finish(row("a"), AWAY, NOW)
    due = [lanes.postponed(replace(row("a"), attempt=9), NOW) for _ in range(30_000)]
    assert {one.error for one in due} == {"timeout"}
    assert [one.next_attempt_at for one in due[:3]] == [NOW + 2020, NOW + 2040, NOW + 2060]
    assert due[-1].next_attempt_at == NOW + 300_000, "never so late that nobody would notice that it is back"


def test_slots_given_while_a_site_was_away_delay_nobody_once_it_is_back() -> None:
    lanes = Lanes()
    for _ in range(3):
        filled(lanes, "a")
        lanes.take()
        lanes.finish(row("a"), AWAY, NOW)
    for _ in range(10_000):
        lanes.postponed(row("a"), NOW)
    back = lanes.not_before("a")
    assert lanes.add(row("a"), back)
    lanes.take()
    lanes.finish(row("a"), OK, back, took_ms=40)
    due = lanes.postponed(row("a"), back).next_attempt_at
    assert due is not None
    assert due < back + 1000


def test_an_attempt_that_failed_at_the_centre_says_nothing_about_the_site() -> None:
    lanes = filled(Lanes(), "a")
    lanes.take()
    lanes.finish(row("a"), None, NOW)
    assert (lanes.not_before("a"), lanes.running, lanes.waiting) == (0, 0, 0)
