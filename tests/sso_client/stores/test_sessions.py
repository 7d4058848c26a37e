"""Local sessions on every engine: how they begin, end, and stay ended."""

from dataclasses import replace

import pytest

from sso_client import LocalStore
from sso_client.records import Event, LocalSession, Tokens
from sso_client.stores import TOMBSTONE_MS
from tests.support.sdk import a_session, new_sid

DAY = 86_400_000


def is_there(store: LocalStore, session: LocalSession, now_ms: int = 3000) -> bool:
    return store.sessions.find(session.cookie_hash, now_ms)[0] is not None


def test_a_session_is_found_as_it_was_opened(store: LocalStore) -> None:
    sessions = [
        a_session(cookie_hash="plain"),
        replace(
            a_session(cookie_hash="odd"),
            sid=None,
            sub="张三 \0 {x}",
            claims={"name": "李四 😀", "n": 1.5, "big": 2**53, "deep": {"list": [None, True, "x"]}, "empty": []},
            asked=False,
            leased=False,
            site_user="17",
        ),
        replace(a_session(cookie_hash="later"), until_ms=9_999_999_999_999, served_at_ms=1_795_317_407_687),
    ]
    for session in sessions:
        assert store.sessions.open(session, None)
    for session in sessions:
        assert store.sessions.find(session.cookie_hash, 2000)[0] == session
    assert store.sessions.find("unknown", 2000)[0] is None


def test_a_call_that_nobody_signed_ends_what_it_names_and_is_remembered_for_what_comes_late(store: LocalStore) -> None:
    here, late = a_session(cookie_hash="here"), a_session(cookie_hash="late")
    store.sessions.open(here, None)
    ended = store.inbox.end_unsigned([late.sid, here.sid, "another"], 2000)
    assert [session.cookie_hash for session in ended] == ["here"]
    assert store.inbox.end_unsigned([here.sid], 2000) == ()
    assert not store.sessions.open(late, None), "the call came first"
    assert store.sessions.open(replace(late, opened_at_ms=2001 + TOMBSTONE_MS), None)


NOON = 1_795_000_000_500


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many are remembered here, for these tests to be quick."""
    for engine in ("sqlite", "redis"):
        monkeypatch.setattr(f"sso_client.stores.{engine}_sessions.MAX_UNSIGNED", 50)
    return 50


def made_up(count: int) -> list[str]:
    return [new_sid() for _ in range(count)]


def redeemed(after_s: int, session: LocalSession) -> LocalSession:
    """By a ticket of so long after noon."""
    return replace(session, id_token_iat=NOON // 1000 + after_s, opened_at_ms=NOON + after_s * 1000 + 700)


def test_whoever_sends_thousands_of_such_calls_opens_nothing_that_a_real_one_has_ended(
    few: int, store: LocalStore
) -> None:
    real, other = a_session(cookie_hash="real"), a_session(cookie_hash="other")
    store.inbox.end_unsigned([real.sid], NOON)
    store.inbox.end_unsigned(made_up(few), NOON + 2000)
    assert not store.sessions.open(replace(redeemed(-1, real), opened_at_ms=NOON + 3000), None)
    assert store.sessions.open(redeemed(3, other), None), "nobody else is kept out"


def test_such_calls_of_a_time_when_the_clock_was_ahead_neither_keep_anybody_out_nor_weaken_that(
    few: int, store: LocalStore
) -> None:
    store.inbox.end_unsigned(made_up(few + 1), NOON + DAY)
    assert store.sessions.open(redeemed(0, a_session()), None)
    real = a_session(cookie_hash="real")
    store.inbox.end_unsigned([real.sid], NOON)
    store.inbox.end_unsigned(made_up(few), NOON + 2000)
    assert not store.sessions.open(replace(redeemed(-1, real), opened_at_ms=NOON + 3000), None)
    store.inbox.end_unsigned(made_up(1), NOON + 60_000)
    assert store.sessions.open(redeemed(60, a_session(cookie_hash="next")), None)


def test_a_session_is_over_when_its_time_is_and_somebody_hears_of_it_once(store: LocalStore) -> None:
    for number in range(5):
        assert store.sessions.open(replace(a_session(cookie_hash=f"h{number}"), until_ms=5000 + number), None)
    stays = a_session(cookie_hash="stays")
    store.sessions.open(stays, None)
    assert store.sessions.find("h0", 4999)[0] is not None
    assert store.sessions.find("h0", 5000)[0] is None
    assert store.sessions.drop_lapsed(4999) == ()
    first = store.sessions.drop_lapsed(5003, limit=3)
    rest = store.sessions.drop_lapsed(5003, limit=3)
    assert len(first) == 3
    assert {session.cookie_hash for session in first + rest} == {"h0", "h1", "h2", "h3"}
    assert store.sessions.drop_lapsed(5003) == ()
    assert is_there(store, stays)


@pytest.mark.parametrize("known", [True, False])
def test_an_ended_sid_is_not_opened_before_every_ticket_of_before_is_over(known: bool, store: LocalStore) -> None:
    session = a_session()
    if known:
        store.sessions.open(session, None)
    ended = store.inbox.end_by_sid(session.sid, "jti", 2000)
    assert ended.sessions == ((session,) if known else ())
    late = replace(session, cookie_hash="late")
    assert not store.sessions.open(replace(late, opened_at_ms=2000 + TOMBSTONE_MS - 1), None)
    assert not is_there(store, late)
    assert store.sessions.open(replace(late, opened_at_ms=2000 + TOMBSTONE_MS), None)


def test_a_logout_call_ends_all_of_a_sid_and_nobody_else(store: LocalStore) -> None:
    sid = new_sid()
    mine = [a_session(sid, cookie_hash=f"mine{number}") for number in range(3)]
    others = [a_session(sid + "0", "longer"), a_session(sid[:-1], "shorter"), replace(a_session(), cookie_hash="other")]
    for session in mine + others:
        store.sessions.open(session, None)
    assert sorted(store.inbox.end_by_sid(sid, "jti", 2000).sessions, key=lambda each: each.cookie_hash) == mine
    assert [is_there(store, session) for session in mine + others] == [False] * 3 + [True] * 3


def test_a_repeated_logout_call_is_known_as_such_and_its_work_is_done_all_the_same(store: LocalStore) -> None:
    session = a_session()
    assert not store.inbox.end_by_sid(session.sid, "jti", 2000).repeated
    assert store.inbox.end_by_sid(session.sid, "jti", 2001).repeated
    other = a_session()
    store.sessions.open(other, None)
    again = store.inbox.end_by_sid(other.sid, "jti", 2002)
    assert again.repeated
    assert again.sessions == (other,)
    assert not store.inbox.end_by_sub("usr-x", 1, "jti", 2000 + TOMBSTONE_MS).repeated, (
        "a jti is forgotten with its use"
    )


def test_a_logout_by_person_ends_what_is_not_younger_than_it(store: LocalStore) -> None:
    old, same, young = (a_session(cookie_hash=f"at{iat}", iat=iat) for iat in (99, 100, 101))
    other = a_session(cookie_hash="other", sub="usr-ab", iat=50)
    for session in (old, same, young, other):
        store.sessions.open(session, None)
    ended = store.inbox.end_by_sub("usr-a", 100, "jti", 2000)
    assert {session.cookie_hash for session in ended.sessions} == {"at99", "at100"}
    assert [is_there(store, session) for session in (old, same, young, other)] == [False, False, True, True]


def test_a_watermark_only_rises(store: LocalStore) -> None:
    store.inbox.end_by_sub("usr-a", 200, "jti1", 2000)
    store.inbox.end_by_sub("usr-a", 150, "jti2", 2000)
    assert not store.sessions.open(a_session(iat=200), None)
    assert store.sessions.open(a_session(iat=201), None)
    assert not store.sessions.open(a_session(cookie_hash="other", iat=180), None)


def test_a_watermark_is_forgotten_when_no_id_token_can_be_so_old(store: LocalStore) -> None:
    store.inbox.end_by_sub("usr-a", 200, "jti1", 2000)
    late = replace(a_session(iat=100), opened_at_ms=2000 + 31 * DAY)
    assert not store.sessions.open(replace(late, opened_at_ms=late.opened_at_ms - 1), None)
    assert store.sessions.open(late, None)


def test_a_new_cookie_takes_the_place_of_the_older_one(store: LocalStore) -> None:
    older, newer = a_session(cookie_hash="older"), a_session(cookie_hash="newer")
    store.sessions.open(older, None)
    assert store.sessions.open(newer, "older")
    assert not is_there(store, older)
    assert is_there(store, newer)


def test_a_refused_session_leaves_the_older_one(store: LocalStore) -> None:
    older, ended = a_session(cookie_hash="older"), a_session(cookie_hash="newer")
    store.sessions.open(older, None)
    store.inbox.end_by_sid(ended.sid, "jti", 900)
    assert not store.sessions.open(ended, "older")
    assert is_there(store, older)


def test_activity_is_noted_only_while_row_and_generation_stand(store: LocalStore) -> None:
    session = a_session()
    store.sessions.open(session, None)
    assert store.sessions.mark_served(session, 2000) is True
    assert store.sessions.mark_served(session, 3000) is False
    newer, _ = store.sessions.find(session.cookie_hash, 3000)
    assert (newer.served_at_ms, newer.generation) == (2000, 2)
    store.inbox.end_by_sid(session.sid, "jti", 3000)
    assert store.sessions.mark_served(newer, 4000) is False
    assert not is_there(store, session)


def test_a_report_of_the_future_hides_no_activity(store: LocalStore) -> None:
    session = replace(a_session(), reported_at_ms=9000)
    store.sessions.open(session, None)
    assert store.journal.gather(2000, False).active == ()
    store.sessions.mark_served(session, 2000)
    assert store.journal.gather(2000, False).active == (session.sid,)


@pytest.mark.parametrize(("leased", "report"), [(True, False), (False, True), (True, True)])
def test_a_sign_out_here_ends_the_whole_sid_and_is_told(leased: bool, report: bool, store: LocalStore) -> None:
    session = replace(a_session(), leased=leased)
    older = replace(session, cookie_hash="older cookie")
    for each in (session, older):
        store.sessions.open(each, None)
    assert not store.journal.has_untold_ends()
    assert store.sessions.end_here(session.cookie_hash, 2000, report) == session
    assert store.sessions.end_here(session.cookie_hash, 2001, report) is None
    assert not is_there(store, older)
    assert store.journal.has_untold_ends()
    assert store.journal.gather(2000, False).ended == (session.sid,)
    # Not even when every tombstone is over: the centre still believes that the session lives.
    assert not store.sessions.open(replace(session, opened_at_ms=2000 + 2 * TOMBSTONE_MS), None)


def test_a_sign_out_that_nobody_is_told_lets_the_sid_in_again(store: LocalStore) -> None:
    session = replace(a_session(), leased=False)
    older = replace(session, cookie_hash="older cookie")
    for each in (session, older):
        store.sessions.open(each, None)
    assert store.sessions.end_here(session.cookie_hash, 2000, False) == session
    assert not is_there(store, older)
    assert not store.journal.has_untold_ends()
    assert store.sessions.open(session, None)


def test_leaving_this_site_alone_tells_nobody(store: LocalStore) -> None:
    session = a_session()
    older, other = replace(session, cookie_hash="older cookie"), a_session(cookie_hash="other")
    for each in (session, older, other):
        store.sessions.open(each, None)
    assert store.sessions.leave(session.cookie_hash) == session
    assert store.sessions.leave(session.cookie_hash) is None
    assert [is_there(store, each) for each in (session, older, other)] == [False, False, True]
    assert not store.journal.has_untold_ends()
    assert store.sessions.open(session, None)


def test_leaving_without_a_sid_ends_one_session(store: LocalStore) -> None:
    session, other = (replace(a_session(cookie_hash=name), sid=None) for name in ("one", "two"))
    for each in (session, other):
        store.sessions.open(each, None)
    assert store.sessions.leave("one") == session
    assert is_there(store, other)


def test_what_was_left_can_be_told_afterwards(store: LocalStore) -> None:
    session = a_session()
    store.sessions.open(session, None)
    store.sessions.leave(session.cookie_hash)
    store.sessions.tell_end(session.sid, 2000)
    assert store.journal.gather(2000, False).ended == (session.sid,)
    assert not store.sessions.open(session, None)


def test_a_cookie_is_never_two_sessions(store: LocalStore) -> None:
    from sso_client import SSOError

    first = a_session(cookie_hash="same")
    store.sessions.open(first, None)
    with pytest.raises(SSOError, match="store_failed"):
        store.sessions.open(a_session(cookie_hash="same"), None, tokens=Tokens("access", 5))
    assert store.sessions.find("same", 2000)[0] == first
    assert store.tokens.find("same") is None


def test_the_event_log_is_bounded_and_newest_first(store: LocalStore) -> None:
    for number in range(520):
        store.events.record(Event(number, "kind", f"event {number} 张三", "sid", 31))
    events = store.events.recent(1000)
    assert len(events) == 500
    assert events[0] == Event(519, "kind", "event 519 张三", "sid", 31)
    assert [event.at_ms for event in store.events.recent(2)] == [519, 518]
