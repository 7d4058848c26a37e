"""A refresh token that the centre refused ends its session, on every engine, and only as long as it is its own."""

from dataclasses import replace
from functools import partial

from sso_client import LocalStore
from sso_client.clock import Instant
from sso_client.records import Tokens
from tests.support.forks import in_processes
from tests.support.sdk import a_session

NOW = Instant(1_800_000_000_000, 5_000_000, "boot-one")
TOKENS = Tokens("access", 1_800_000_300_000, "refresh", 300_000)


def test_a_token_keeps_what_it_was_given_to_live(store: LocalStore) -> None:
    session = a_session()
    store.sessions.open(session, None, tokens=TOKENS)
    assert store.tokens.find(session.cookie_hash) == TOKENS
    renewed = Tokens("newer", 1_800_000_900_000, "second", 600_000)
    assert store.tokens.keep_renewed(session.cookie_hash, "refresh", renewed)
    assert store.tokens.find(session.cookie_hash) == renewed


def test_the_session_of_a_refused_token_ends_and_nobody_is_told(store: LocalStore) -> None:
    session = replace(a_session(), leased=True)
    store.sessions.open(session, None, tokens=TOKENS)
    other = replace(a_session(sid=session.sid, cookie_hash="of another sign-in"))
    store.sessions.open(other, None, tokens=replace(TOKENS, refresh_token="another"))
    assert store.tokens.end_refused(session.cookie_hash, "refresh") == session
    assert store.sessions.find(session.cookie_hash, NOW.wall_ms)[0] is None
    assert store.tokens.find(session.cookie_hash) is None
    assert store.sessions.find(other.cookie_hash, NOW.wall_ms)[0] == other
    assert not store.journal.has_untold_ends()
    assert store.tokens.end_refused(session.cookie_hash, "refresh") is None
    assert store.sessions.open(replace(session, cookie_hash="again"), None), "the sid may be opened again"


def test_a_token_that_was_renewed_meanwhile_ends_nothing(store: LocalStore) -> None:
    session = a_session()
    store.sessions.open(session, None, tokens=TOKENS)
    assert store.tokens.keep_renewed(session.cookie_hash, "refresh", replace(TOKENS, refresh_token="second"))
    assert store.tokens.end_refused(session.cookie_hash, "refresh") is None
    store.sessions.open(a_session(cookie_hash="without tokens"), None)
    assert store.tokens.end_refused("without tokens", "refresh") is None
    assert store.sessions.find(session.cookie_hash, NOW.wall_ms)[0] == session


def test_of_ten_workers_that_are_refused_one_has_ended_it(store: LocalStore) -> None:
    session = a_session()
    store.sessions.open(session, None, tokens=TOKENS)

    def work(_: int) -> bool:
        return store.tokens.end_refused(session.cookie_hash, "refresh") is not None

    assert sum(in_processes(*(partial(work, number) for number in range(10)))) == 1
