"""Tokens, what is denied, and long pages on every engine."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from sso_client import LocalStore
from sso_client.clock import Instant
from sso_client.records import CheckInAnswer, Denied, End, LocalSession, Tokens
from sso_client.stores import DENIED_MARGIN_MS, MAX_PAGE, MAX_PAGES, PAGE_MS, SIDS_EVERY_MS
from tests.support.forks import Forked, in_processes
from tests.support.local_stores import LocalPlace
from tests.support.sdk import MovedClock, a_session

NOW = Instant(1_800_000_000_000, 5_000_000, "boot-one")
OK = CheckInAnswer((), False, "mark", 0, 60_000, 0, 60_000, "epoch")
TOKENS = Tokens("access", 1_800_000_300_000, "refresh", 300_000)


def with_tokens(store: LocalStore, **changes) -> LocalSession:
    session = replace(a_session(), **changes)
    assert store.sessions.open(session, None, tokens=TOKENS)
    return session


def by_check_in(store: LocalStore, session: LocalSession) -> None:
    told = store.journal.gather(NOW.wall_ms, False)
    store.journal.apply(replace(OK, ends=(End(session.sid, "sign_out", 5),)), told, NOW)


def by_lapse(store: LocalStore, session: LocalSession) -> None:
    assert session in store.sessions.drop_lapsed(10**15)


ENDS: dict[str, Callable[[LocalStore, LocalSession], object]] = {
    "logout call": lambda store, session: store.inbox.end_by_sid(session.sid, "jti", 2000),
    "logout call for the person": lambda store, session: store.inbox.end_by_sub(session.sub, 100, "jti", 2000),
    "check-in": by_check_in,
    "sign-out here": lambda store, session: store.sessions.end_here(session.cookie_hash, 2000, True),
    "sign-out here with an older cookie's session": lambda store, session: store.sessions.end_here("older", 2000, True),
    "this site alone": lambda store, session: store.sessions.leave(session.cookie_hash),
    "a refused renewal": lambda store, session: store.tokens.end_refused(session.cookie_hash, "refresh"),
    "told afterwards": lambda store, session: store.sessions.tell_end(session.sid, 2000),
    "another cookie": lambda store, session: store.sessions.open(a_session(cookie_hash="new"), session.cookie_hash),
    "its time": by_lapse,
}


@pytest.mark.covers("line-121")
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_tokens_go_with_their_session_whatever_ends_it(end, store: LocalStore) -> None:
    session = with_tokens(store)
    store.sessions.open(replace(session, cookie_hash="older"), None)
    assert store.tokens.find(session.cookie_hash) == TOKENS
    assert store.tokens.take_renewal(session.cookie_hash, NOW)
    end(store, session)
    assert store.tokens.find(session.cookie_hash) is None
    assert not store.tokens.keep_renewed(session.cookie_hash, "refresh", Tokens("new", 5, "newer"))
    assert store.tokens.find(session.cookie_hash) is None
    assert not store.tokens.take_renewal(session.cookie_hash, NOW), "there is nothing to renew"


def test_a_session_may_have_no_tokens_or_none_to_renew_with(store: LocalStore) -> None:
    store.sessions.open(a_session(cookie_hash="none"), None)
    store.sessions.open(a_session(cookie_hash="access"), None, tokens=Tokens("only access", 5))
    assert store.tokens.find("none") is None
    assert store.tokens.find("unknown") is None
    assert store.tokens.find("access") == Tokens("only access", 5, None)
    assert not store.tokens.take_renewal("none", NOW)


def test_renewed_tokens_replace_the_spent_ones_only(store: LocalStore) -> None:
    cookie = with_tokens(store).cookie_hash
    newer = Tokens("newer", 6, "second", 60_000)
    assert store.tokens.take_renewal(cookie, NOW)
    assert store.tokens.keep_renewed(cookie, "refresh", newer)
    assert not store.tokens.keep_renewed(cookie, "refresh", Tokens("late", 7, "third")), "a slower worker's answer"
    assert store.tokens.find(cookie) == newer
    assert store.tokens.take_renewal(cookie, NOW), "keeping gives the right back"
    assert store.tokens.keep_renewed(cookie, "second", Tokens("last", 8, None))
    assert store.tokens.find(cookie) == Tokens("last", 8, None)


def test_a_refused_renewal_ends_the_session_only_while_the_token_is_its_own(store: LocalStore) -> None:
    session = with_tokens(store)
    assert store.tokens.end_refused(session.cookie_hash, "spent long ago") is None
    assert store.tokens.end_refused("unknown", "refresh") is None
    assert store.sessions.find(session.cookie_hash, 2000)[0] == session
    assert store.tokens.end_refused(session.cookie_hash, "refresh") == session
    assert store.sessions.find(session.cookie_hash, 2000)[0] is None
    assert not store.journal.has_untold_ends()
    assert store.sessions.open(session, None), "the centre knows what it refused"


def test_one_worker_renews_until_it_is_done_or_gives_up(store: LocalStore) -> None:
    cookie = with_tokens(store).cookie_hash
    assert store.tokens.take_renewal(cookie, NOW)
    assert not store.tokens.take_renewal(cookie, NOW.earlier(-9_999))
    store.tokens.give_renewal_back(cookie)
    assert store.tokens.take_renewal(cookie, NOW)


def test_of_ten_processes_one_may_renew(place: LocalPlace, store: LocalStore, clock: MovedClock) -> None:
    cookies = [f"h{number}" for number in range(5)]
    for cookie in cookies:
        store.sessions.open(a_session(cookie_hash=cookie), None, tokens=TOKENS)

    def work(number: int) -> list[str]:
        mine = (
            store
            if number % 2
            else place.open(replace(clock, boot=f"boot-{number}" if place.engine == "redis" else "b"))
        )
        return [cookie for cookie in cookies if mine.tokens.take_renewal(cookie, replace(NOW, boot_id="b"))]

    taken = [cookie for answer in in_processes(*(partial(work, number) for number in range(10))) for cookie in answer]
    assert sorted(taken) == cookies


def lapse(place: LocalPlace, request: pytest.FixtureRequest) -> Instant:
    """Let ten seconds pass for the right: by the host's clock, or by Redis' own."""
    if place.engine == "redis":
        raw = request.getfixturevalue("raw")
        (key,) = [key for key in raw.scan_iter("*:session:hash", count=1000) if f":{place.client_id}:" in key]
        raw.hincrby(key, "renewing", -10_000)
    return NOW.earlier(-10_000)


def test_a_worker_that_was_killed_while_renewing_holds_up_the_others_for_ten_seconds(
    place: LocalPlace, store: LocalStore, request: pytest.FixtureRequest
) -> None:
    cookie = with_tokens(store).cookie_hash
    assert Forked(lambda: store.tokens.take_renewal(cookie, NOW)).answer() is True
    assert not store.tokens.take_renewal(cookie, NOW.earlier(-9_999))
    assert store.tokens.take_renewal(cookie, lapse(place, request))


def test_a_right_that_an_earlier_boot_or_another_clock_gave_holds_up_nobody(
    place: LocalPlace, store: LocalStore, request: pytest.FixtureRequest
) -> None:
    cookie = with_tokens(store).cookie_hash
    assert store.tokens.take_renewal(cookie, NOW)
    if place.engine == "redis":
        raw = request.getfixturevalue("raw")
        (key,) = [key for key in raw.scan_iter("*:session:hash", count=1000) if f":{place.client_id}:" in key]
        raw.hincrby(key, "renewing", 60_000)
    assert store.tokens.take_renewal(cookie, replace(NOW, boot_id="boot-two"))


def feed(store: LocalStore, *denied: Denied, to: int | None, sent: Instant = NOW, more: bool = False):
    told = store.journal.gather(sent.wall_ms, False)
    store.journal.apply(replace(OK, denied=denied, denied_to=to, more=more), told, sent)
    return told


def test_what_check_in_hands_out_is_denied_until_it_is_moot(store: LocalStore) -> None:
    wall = NOW.wall_ms
    assert store.denied.find("sid-1", "jti-1", wall)[0::2] == (False, False)
    feed(store, Denied("sid-1", None, wall + 1000), Denied(None, "jti-2", wall + 1000), to=7)
    found = {name: store.denied.find(*name, wall)[0] for name in (("sid-1", "x"), ("x", "jti-2"), ("jti-2", "sid-1"))}
    assert found == {("sid-1", "x"): True, ("x", "jti-2"): True, ("jti-2", "sid-1"): False}
    denied, lease, kept, _ = store.denied.find(None, None, wall)
    assert (denied, lease.stamp, kept) == (False, NOW, True)
    over = wall + 1000 + DENIED_MARGIN_MS
    assert [store.denied.find("sid-1", None, at)[0] for at in (over - 1, over)] == [True, False]


def test_a_denial_that_comes_twice_lasts_as_long_as_the_longer(store: LocalStore) -> None:
    for until in (5000, 9000, 1000):
        feed(store, Denied("sid-1", None, NOW.wall_ms + until), to=7)
    assert store.denied.find("sid-1", None, NOW.wall_ms + 8999 + DENIED_MARGIN_MS)[0]


def test_what_is_moot_is_forgotten_with_the_next_answer(store: LocalStore) -> None:
    feed(store, Denied("sid-1", None, NOW.wall_ms), to=7)
    feed(store, to=8, sent=NOW.earlier(-2 * DENIED_MARGIN_MS))
    assert not store.denied.find("sid-1", None, NOW.wall_ms)[0], "by a clock that is behind, it would still be there"


def test_an_older_centre_keeps_no_such_list(store: LocalStore) -> None:
    feed(store, to=None)
    assert store.denied.find("sid", "jti", NOW.wall_ms)[2] is False


def test_the_feed_goes_on_where_it_stopped_and_begins_again_with_each_list(store: LocalStore) -> None:
    assert feed(store, to=7, more=True).denied_from is None
    assert feed(store, to=9).denied_from == 7
    asked = store.journal.gather(NOW.wall_ms, False)
    feed(store, to=12)
    store.journal.apply(replace(OK, denied_to=10), asked, NOW)  # an answer that was overtaken
    assert store.journal.gather(NOW.wall_ms, False).denied_from == 10, "what lies between is asked for once more"
    later = NOW.earlier(-SIDS_EVERY_MS)
    assert feed(store, to=3, sent=later).denied_from is None, "a centre that went back in time may count anew"
    assert store.journal.gather(later.wall_ms, False).denied_from == 3


def test_what_is_denied_is_known_before_the_lease_covers_it(store: LocalStore) -> None:
    feed(store, Denied("sid-1", None, NOW.wall_ms + 1000), to=7, more=True)
    denied, lease, kept, _ = store.denied.find("sid-1", None, NOW.wall_ms)
    assert (denied, lease.stamp, kept) == (True, None, True)


def test_a_list_that_is_cut_goes_on_where_it_stopped_and_confirms_when_it_is_whole(store: LocalStore) -> None:
    def attempt(to: int, *, more: bool, sent: Instant = NOW, epoch: str = "epoch") -> tuple[int | None, bool]:
        told = store.journal.gather(sent.wall_ms, True)  # as after a gap
        applied = store.journal.apply(replace(OK, denied_to=to, more=more, epoch=epoch), told, sent)
        return told.denied_from, applied.confirmed

    assert [attempt(5, more=True), attempt(10, more=True)] == [(None, False), (5, False)]
    asked = store.journal.gather(NOW.wall_ms, False)
    assert attempt(12, more=False) == (10, True)
    assert attempt(5, more=True) == (None, False), "after a gap it begins anew"
    store.journal.apply(replace(OK, denied_to=20), replace(asked, denied_from=12), NOW)
    assert store.denied.find(None, None, NOW.wall_ms)[1].stamp == NOW
    assert attempt(7, more=True) == (5, False), "who asked before it was begun makes no whole one"
    assert attempt(9, more=False, epoch="another") == (7, False)
    assert attempt(3, more=False, epoch="another") == (None, True), "another life may count anew"


def test_the_list_of_another_worker_is_not_put_back(store: LocalStore) -> None:
    feed(store, to=5, more=True)
    late = store.journal.gather(NOW.wall_ms, False)
    feed(store, to=10, more=True)
    feed(store, to=15, more=True)
    assert not store.journal.apply(replace(OK, denied_to=10, more=True), late, NOW).confirmed
    assert store.journal.gather(NOW.wall_ms, False).denied_from == 15


def test_when_the_centre_was_first_seen_under_another_epoch_is_remembered(store: LocalStore) -> None:
    def seen(epoch: str, at_ms: int) -> int:
        sent = Instant(at_ms, 5_000_000, "boot-one")
        store.journal.apply(replace(OK, epoch=epoch), store.journal.gather(at_ms, False), sent)
        return store.denied.find(None, None, at_ms)[3]

    assert [seen("a", 2000), seen("a", 3000), seen("b", 4000), seen("b", 5000)] == [0, 0, 4000, 4000]


def test_a_long_page_is_kept_for_an_hour(store: LocalStore) -> None:
    page = "/search?q=" + "张" * 5000
    name = store.pages.keep(page, 1000)
    assert len(name) < 64
    assert store.pages.find(name, 1000 + PAGE_MS - 1) == page
    assert store.pages.find(name, 1000 + PAGE_MS) is None
    assert store.pages.find("unknown", 1000) is None
    assert store.pages.find(store.pages.keep("x" * MAX_PAGE, 1000), 1000) == "x" * MAX_PAGE
    with pytest.raises(ValueError, match="16385"):
        store.pages.keep("x" * (MAX_PAGE + 1), 1000)


def test_only_so_many_pages_are_kept_the_newest(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PAGES == 1000
    for engine in ("sqlite", "redis"):
        monkeypatch.setattr(f"sso_client.stores.{engine}_tokens.MAX_PAGES", 5)
    names = [store.pages.keep(f"/{number}", 1000 + number) for number in range(8)]
    assert [store.pages.find(name, 2000) for name in names] == [None] * 3 + [f"/{number}" for number in range(3, 8)]
