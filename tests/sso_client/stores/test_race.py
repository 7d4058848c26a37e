"""Requests against sign-outs, 10,000 rounds on each engine: no request brings an ended session back.

Two processes. One is the site at work: it opens a session, finds it, then notes activity, renews its tokens or opens it
again under a new cookie. The other ends that session meanwhile: by a logout call, a check-in or a sign-out here, each
before, beside and after each kind of request. `LOCKSTEP_RACE_ROUNDS` says how many on each; a fortieth of them more go
through a client's verbs.
"""

import mmap
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import pytest

from sso_client import LocalStore, Settings, SSOClient
from sso_client.clock import Instant
from sso_client.identifiers import hashed
from sso_client.records import CheckInAnswer, End, LocalSession, Outgoing, Tokens
from sso_client.stores import LocalSessions
from tests.support.fake_provider import FakeProvider
from tests.support.forks import in_processes
from tests.support.luck import until_caught
from tests.support.sdk import MovedClock, a_session

ROUNDS = int(os.environ.get("LOCKSTEP_RACE_ROUNDS", "10000"))
STEPS = 3
WAIT_S = 60
NOW = Instant(1_800_000_000_000, 5_000_000, "boot-one")
OK = CheckInAnswer((), False, "mark", 0, 60_000, 0, 60_000, "epoch")
TOLD = Outgoing(NOW.wall_ms, None, (), (), (), None, "", "")
TOKENS, NEWER = Tokens("access", 5, "refresh"), Tokens("newer", 6, "second")


class Count:
    """A number that two processes see."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)

    def set(self, number: int) -> None:
        self._memory[:] = struct.pack("q", number)

    def wait_for(self, number: int) -> None:
        looks, deadline = 0, time.monotonic() + WAIT_S
        while struct.unpack("q", self._memory[:])[0] < number:
            looks += 1
            assert time.monotonic() < deadline, f"the other process never came to {number}"
            time.sleep(0 if looks < 20 else 0.00002)  # the other one needs the processor, too


def session_of(number: int) -> LocalSession:
    return a_session(f"sid-07-{number:032}", cookie_hash=f"cookie {number}")


def race(store: LocalStore, rounds: range) -> None:
    done, ended = Count(), Count()
    ends: list[Callable[[LocalSession], object]] = [
        lambda session: store.inbox.end_by_sid(session.sid, f"jti {session.sid}", 2000),
        lambda session: store.journal.apply(replace(OK, ends=(End(session.sid, "sign_out", 5),)), TOLD, NOW),
        lambda session: store.sessions.end_here(session.cookie_hash, 2000, True),
    ]
    writes: list[Callable[[LocalSession], object]] = [
        lambda session: store.sessions.mark_served(session, 1600),
        lambda session: store.tokens.keep_renewed(session.cookie_hash, "refresh", NEWER),
        lambda session: store.sessions.open(
            replace(session, cookie_hash=f"{session.cookie_hash} again"),
            # A sign-out knows its browser by the cookie: the older one must still be there for it.
            session.cookie_hash if int(session.sid[-9:]) % len(ends) != 2 else None,
            tokens=TOKENS,
        ),
    ]

    def requests() -> int:
        served = 0
        for number in rounds:
            session, first = session_of(number), number * STEPS
            store.sessions.open(session, None, tokens=TOKENS)
            done.set(first + 1)
            found, _ = store.sessions.find(session.cookie_hash, 1500)
            done.set(first + 2)
            if found is not None:
                served += bool(writes[number // len(ends) % len(writes)](found))
            done.set(first + STEPS)
            ended.wait_for(number + 1)
        return served

    def sign_outs() -> int:
        for number in rounds:
            done.wait_for(number * STEPS + 1 + number // (len(ends) * len(writes)) % STEPS)
            ends[number % len(ends)](session_of(number))
            ended.set(number + 1)
        return len(rounds)

    served, _ = in_processes(requests, sign_outs)
    assert 0 < served <= len(rounds)


def came_back(store: LocalStore, rounds: range) -> list[str]:
    """Whom a request brought back: sessions that stand, and tokens without one."""
    tokens = [f"tokens of {number}" for number in rounds[::10] if store.tokens.find(f"cookie {number}")]
    return tokens + [session.cookie_hash for session in store.sessions.drop_lapsed(10**15, limit=2 * len(rounds))]


def test_no_request_brings_an_ended_session_back(store: LocalStore) -> None:
    rounds = range(ROUNDS)
    race(store, rounds)
    assert came_back(store, rounds) == []


def test_no_request_through_a_client_finds_who_has_signed_out_beside_it(
    store: LocalStore, clock: MovedClock, settings: Settings, centre: FakeProvider
) -> None:
    centre.lease_s = 3600
    client, rounds = SSOClient(settings, store, clock=clock), range(ROUNDS // 40)
    client.check_in()
    centre.down()  # its time is not what is measured
    begun, ended = Count(), Count()

    def requests() -> list[int]:
        found = [0, 0]
        for number in rounds:
            cookie = f"cookie-{number}"
            opened = replace(session_of(number), cookie_hash=hashed(cookie), opened_at_ms=clock.wall_ms())
            store.sessions.open(opened, None, tokens=TOKENS)
            begun.set(2 * number + 1)
            found[0] += client.find_session(cookie) is not None
            begun.set(2 * number + 2)
            ended.wait_for(number + 1)
            found[1] += client.find_session(cookie) is not None
        return found

    def sign_outs() -> None:
        for number in rounds:
            begun.wait_for(2 * number + 1 + number % 2)  # beside the request, or after it
            client.sign_out(f"cookie-{number}")
            ended.set(number + 1)

    before, after = in_processes(requests, sign_outs)[0]
    assert (before > 0, after) == (True, 0)
    assert came_back(store, rounds) == []


@dataclass
class WritesBack:
    """Keeps sessions as a store of whole sessions does: what a request read, it writes at its end."""

    real: LocalSessions

    def mark_served(self, session: LocalSession, now_ms: int) -> bool:
        if not self.real.mark_served(session, now_ms):
            # Under no sid: the real store refuses to write an ended one.
            return self.real.open(replace(session, sid=None), None)
        return True

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


def test_the_race_catches_a_store_that_revives(store: LocalStore) -> None:
    faulty_store = replace(store, sessions=WritesBack(store.sessions))
    firsts = count(0, 300)

    def back() -> list[str]:
        first = next(firsts)
        rounds = range(first, first + 300)
        race(faulty_store, rounds)
        return came_back(store, rounds)

    assert until_caught(back)


def test_a_side_that_fails_leaves_the_other_waiting_no_longer_than_a_minute(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.WAIT_S", 0.5)
    with pytest.raises(AssertionError):
        race(replace(store, inbox=None), range(3))
    with pytest.raises(AssertionError):
        race(replace(store, tokens=None), range(3, 12))
