"""What a store tells at check-in, and what it forgets only after a 200."""

import pytest

from sso_client import LeaseExpired, SSOClient, SSOError
from sso_client.stores import MAX_LIST
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, new_sid


def test_a_fresh_store_lists_its_sessions_and_again_after_ten_minutes(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = person.sign_in()
    client.find_session(cookie)
    assert centre.check_ins[0]["sids"] == [session.sid]
    assert centre.check_ins[0]["mark"] is None
    for _ in range(22):
        clock.go(29)
        client.find_session(cookie)
    listed = [told for told in centre.check_ins[1:] if "sids" in told]
    assert len(listed) == 1
    assert centre.check_ins[-1]["mark"] == f"mark-{len(centre.check_ins) - 1}"


def test_only_sessions_that_were_served_are_reported_active(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    idle, _ = person.sign_in()
    used, session = person.sign_in()
    client.find_session(idle)
    client.find_session(used)
    for _ in range(4):
        clock.go(31)
        client.find_session(used)
    reported = [sid for told in centre.check_ins[-3:] for sid in told["active"]]
    assert reported == [session.sid] * 3


def test_somebody_back_after_a_pause_is_reported_at_once(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    visitor, session = person.sign_in()
    busy, _ = person.sign_in()
    for _ in range(14):
        clock.go(31)
        client.find_session(busy)
    client.check_in()
    client.find_session(visitor)
    assert session.sid in centre.check_ins[-1]["active"]


@pytest.mark.parametrize(("lease_s", "report_s", "quiet_s"), [(60, None, 61), (60, 240, 289), (3600, 90, 100)])
def test_a_click_after_which_nobody_comes_is_reported_though_the_lease_is_fresh(
    lease_s: int, report_s: int | None, quiet_s: int, person: Person, client: SSOClient, centre: FakeProvider, clock
) -> None:
    centre.lease_s, centre.report_s = lease_s, report_s
    cookie, session = person.sign_in()
    client.find_session(cookie)
    clock.go(quiet_s)
    client.check_in()  # somebody else's request has just renewed the lease
    client.find_session(cookie)
    assert session.sid in centre.check_ins[-1]["active"]
    before = len(centre.check_ins)
    for _ in range(5):
        client.find_session(cookie)
    assert len(centre.check_ins) == before, "reported once is enough"


def test_whoever_is_let_through_by_a_new_lease_has_been_reported_with_it(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = person.sign_in()
    client.find_session(cookie)
    before = len(centre.check_ins)
    clock.go(61)
    client.find_session(cookie)
    assert [told["active"] for told in centre.check_ins[before:]] == [[session.sid]]
    clock.go(40)
    client.check_in()
    assert centre.check_ins[-1]["active"] == [], "one click is told once"


@pytest.mark.parametrize(("lease_s", "quiet_s"), [(3600, 22), (30, 14)])
def test_activity_is_noted_twice_in_a_lease_and_four_times_while_the_centre_waits_for_it(
    lease_s: int, quiet_s: int, person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.lease_s, centre.report_s = lease_s, 90
    cookie, _ = person.sign_in()
    client.find_session(cookie)
    first = client.find_session(cookie)
    clock.go(quiet_s)
    assert client.find_session(cookie).generation == first.generation
    clock.go(1)
    assert client.find_session(cookie).generation == first.generation + 1


def test_more_busy_sessions_than_one_list_holds_are_all_reported(
    person: Person, client: SSOClient, centre: FakeProvider, store, clock: MovedClock
) -> None:
    cookie, session = person.sign_in(sid="sid-07-zzz")  # last by name
    client.find_session(cookie)
    with store.sessions._file.write() as file:
        file.executemany(
            "INSERT INTO sessions SELECT ?, ?, sub, '', id_token_iat, claims, asked, 1, opened_at_ms, until_ms,"
            " served_at_ms + 99, served_at_ms + 9, leased, site_user FROM sessions WHERE cookie_hash = ?",
            [(f"hash{number}", new_sid(), session.cookie_hash) for number in range(MAX_LIST)],
        )
        centre.stores |= dict.fromkeys((row[0] for row in file.execute("SELECT sid FROM sessions")), store.store_id)
    told_before = len(centre.check_ins)
    reported: set[str] = set()
    for _ in range(3):  # on a busy machine one renewal may run out of its three seconds
        clock.go(31)
        client.find_session(cookie)
        reported = {sid for told in centre.check_ins[told_before:] for sid in told["active"]}
        if len(reported) > MAX_LIST:
            break
    assert session.sid in reported
    assert len(reported) == MAX_LIST + 1


def test_whoever_has_waited_longest_to_be_reported_comes_first(person: Person, store) -> None:
    _, session = person.sign_in(sid="sid-07-zzz")  # last by name
    with store.sessions._file.write() as file:
        file.execute("UPDATE sessions SET served_at_ms = 200, reported_at_ms = 100")
        file.executemany(
            "INSERT INTO sessions SELECT ?, ?, sub, '', id_token_iat, claims, asked, 1, opened_at_ms, until_ms,"
            " 300, 109, leased, site_user FROM sessions WHERE cookie_hash = ?",
            [(f"hash{number}", new_sid(), session.cookie_hash) for number in range(MAX_LIST)],
        )
    told = store.journal.gather(session.opened_at_ms, False)
    assert told.active[0] == session.sid
    assert len(told.active) == MAX_LIST


@pytest.mark.parametrize("report_s", [0, -1, "90", True, 90_000])
def test_a_waiting_time_that_cannot_be_is_refused(report_s, client: SSOClient, centre: FakeProvider) -> None:
    centre.report_s = report_s
    with pytest.raises(SSOError, match="check_in_malformed"):
        client.check_in()


@pytest.mark.parametrize(
    "changes",
    [
        {"lag_ms": 10**30},
        {"mark": "\ud800"},
        {"epoch": "\udfff"},
        {"ends": [{"sid": "\ud800", "reason": "sign_out", "ended_at": 1}]},
        {"ends": [{"sid": "sid", "reason": "\ud800", "ended_at": 1}]},
        {"ends": [{"sid": "sid", "reason": "sign_out", "ended_at": 10**30}]},
        {"ends": [{"sid": "sid", "reason": "sign_out", "ended_at": -(2**63)}]},
        {"denied": [{"sid": "sid"}], "denied_to": 1},
        {"denied": [{"jti": "jti", "until": "soon"}], "denied_to": 1},
        {"denied": ["sid"], "denied_to": 1},
        {"denied": {}, "denied_to": 1},
        {"denied": [], "denied_to": True},
        {"denied": [], "denied_to": -1},
    ],
    ids=str,
)
def test_an_answer_that_no_store_can_keep_confirms_nobody(
    changes, person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, _ = person.sign_in()
    assert client.find_session(cookie) is not None
    centre.check_in_changes = changes
    clock.go(61)
    with pytest.raises(LeaseExpired):
        client.find_session(cookie)
    with pytest.raises(SSOError, match="check_in_malformed"):
        client.check_in()


def test_a_page_that_polls_is_no_activity(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = person.sign_in()
    for _ in range(10):
        clock.go(31)
        assert client.find_session(cookie, activity=False) is not None
    assert [told["active"] for told in centre.check_ins if told["active"]] == []
    kept, _ = client.store.sessions.find(session.cookie_hash, clock.wall_ms())
    assert kept.served_at_ms == session.served_at_ms
    assert kept.until_ms == session.until_ms


def test_a_stream_that_looks_whether_somebody_is_still_signed_in_is_no_activity(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = person.sign_in()
    for _ in range(3):
        clock.go(31)
        assert client.still_signed_in(cookie)
    assert [told["active"] for told in centre.check_ins if told["active"]] == []
    kept, _ = client.store.sessions.find(session.cookie_hash, clock.wall_ms())
    assert kept.served_at_ms == session.served_at_ms


def test_a_request_within_half_a_lease_writes_nothing(person: Person, client: SSOClient, clock: MovedClock) -> None:
    cookie, _ = person.sign_in()
    first = client.find_session(cookie)
    clock.go(10)
    assert client.find_session(cookie).generation == first.generation


def test_acknowledgements_are_repeated_until_they_arrive(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    _, ended = person.sign_in()
    other, _ = person.sign_in()
    client.find_session(other)
    centre.end(ended.sid)
    answer = centre.check_in

    def lose_the_second(told):
        reply = answer(told)
        centre.failing["/check-in"] = "hang up"
        return reply

    centre.check_in = lose_the_second
    clock.go(31)
    assert client.find_session(other) is not None, "a lost acknowledgement must not stop anybody"
    assert ended.sid in centre.rows[client.store.store_id]
    centre.check_in = answer
    centre.failing.clear()
    clock.go(31)
    client.find_session(other)
    assert centre.rows[client.store.store_id] == {}


def test_ends_are_asked_for_until_none_is_left(person: Person, client: SSOClient, centre: FakeProvider, clock) -> None:
    cookies = [person.sign_in() for _ in range(4)]
    client.find_session(cookies[0][0])
    for _, session in cookies[1:]:
        centre.end(session.sid)
    centre.more_rounds = 1
    clock.go(31)
    client.find_session(cookies[0][0])
    assert [client.find_session(cookie) is None for cookie, _ in cookies] == [False, True, True, True]
    assert centre.rows[client.store.store_id] == {}


def test_more_sessions_than_one_list_holds_are_listed_in_parts(
    person: Person, client: SSOClient, centre: FakeProvider, store, tmp_path
) -> None:
    _, session = person.sign_in()
    with store.sessions._file.write() as file:
        file.executemany(
            "INSERT INTO sessions SELECT ?, ?, sub, '', id_token_iat, claims, asked, 1, opened_at_ms, until_ms,"
            " served_at_ms, reported_at_ms, leased, site_user FROM sessions WHERE cookie_hash = ?",
            [(f"hash{number}", new_sid(), session.cookie_hash) for number in range(MAX_LIST)],
        )
        centre.stores |= dict.fromkeys((row[0] for row in file.execute("SELECT sid FROM sessions")), store.store_id)
    client.check_in()
    parts = [told["sids"] for told in centre.check_ins]
    assert [len(part) for part in parts] == [MAX_LIST, 1]
    assert len({sid for part in parts for sid in part}) == MAX_LIST + 1


def test_a_provider_without_check_in_says_so(client: SSOClient, centre: FakeProvider) -> None:
    centre.leases = False
    with pytest.raises(SSOError) as error:
        client.check_in()
    assert error.value.code == "check_in_refused"


def test_a_list_that_six_rounds_did_not_end_is_gone_on_with_by_the_next_request(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, _ = person.sign_in()
    client.find_session(cookie)
    centre.check_in_changes = {"more": True}
    clock.go(31)
    told = [len(centre.check_ins)]
    for _ in range(2):
        assert client.find_session(cookie) is not None
        told.append(len(centre.check_ins))
    assert told[0] < told[1] < told[2]
