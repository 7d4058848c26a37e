"""Many workers on one store: they agree on its name, fork safely, race, and may be killed at any moment."""

import os
import signal
import threading
from dataclasses import replace
from functools import partial

from sso_client import LocalStore
from sso_client.clock import Instant
from sso_client.records import CheckInAnswer, End, LocalSession, Tokens
from sso_client.stores import TURN_MS, Turn
from tests.support.forks import Forked, in_processes
from tests.support.local_stores import LocalPlace
from tests.support.sdk import MovedClock, a_session, new_sid, wait_until

NOW = Instant(1_800_000_000_000, 5_000_000, "boot-one")
OK = CheckInAnswer((), False, "mark", 0, 60_000, 0, 60_000, "epoch")
TOKENS = Tokens("access", 5, "refresh")


def names(place: LocalPlace):
    def open_and_say() -> str:
        store = place.open()
        store.close()
        return store.store_id

    return open_and_say


def test_workers_that_start_together_agree_on_one_store_id(place: LocalPlace) -> None:
    found = in_processes(*[names(place)] * 4)
    ready = threading.Barrier(4)

    def start() -> None:
        ready.wait()
        found.append(names(place)())

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert found[0].startswith("st-")
    assert len(found[0]) == 35


def test_what_one_process_ends_is_over_for_all(place: LocalPlace, store: LocalStore) -> None:
    sessions = [a_session(cookie_hash=f"h{number}") for number in range(4)]
    for session in sessions:
        assert store.sessions.open(session, None)

    def ending(number: int):
        return lambda: len(place.open().inbox.end_by_sid(sessions[number].sid, f"jti{number}", 2000).sessions)

    assert in_processes(ending(0), ending(1)) == [1, 1]
    found = [store.sessions.find(session.cookie_hash, 3000)[0] is not None for session in sessions]
    assert found == [False, False, True, True]


def test_forked_workers_use_the_parents_store_each_with_connections_of_its_own(store: LocalStore) -> None:
    """A preloading server opens the store before it forks."""
    sessions = [a_session(cookie_hash=f"h{number}") for number in range(40)]
    for session in sessions:
        store.sessions.open(session, None)

    def serve(first: int):
        def work() -> list[bool]:
            mine = sessions[first::4]
            seen = [store.sessions.find(session.cookie_hash, 2000)[0] == session for session in mine]
            return seen + [bool(store.inbox.end_by_sid(session.sid, session.sid, 2000).sessions) for session in mine]

        return work

    assert in_processes(*(serve(first) for first in range(4))) == [[True] * 20] * 4
    assert all(store.sessions.find(session.cookie_hash, 3000)[0] is None for session in sessions)


def test_a_request_in_flight_never_brings_an_ended_session_back(store: LocalStore) -> None:
    for number in range(40):
        session = a_session(cookie_hash=f"hash{number}")
        store.sessions.open(session, None, tokens=TOKENS)
        in_flight, _ = store.sessions.find(session.cookie_hash, 2000)
        ready = threading.Barrier(4)

        def serve(session: LocalSession = in_flight, ready: threading.Barrier = ready) -> None:
            ready.wait()
            store.sessions.mark_served(session, 3000)

        def reopen(session: LocalSession = session, ready: threading.Barrier = ready) -> None:
            ready.wait()
            again = replace(session, cookie_hash=session.cookie_hash + "'")
            store.sessions.open(again, session.cookie_hash, tokens=TOKENS)

        def renew(session: LocalSession = session, ready: threading.Barrier = ready) -> None:
            ready.wait()
            store.tokens.keep_renewed(session.cookie_hash, "refresh", Tokens("newer", 6, "newer"))

        threads = [threading.Thread(target=each) for each in (serve, reopen, renew)]
        for thread in threads:
            thread.start()
        ready.wait()
        store.inbox.end_by_sid(session.sid, f"jti{number}", 2500)
        for thread in threads:
            thread.join()
        assert store.sessions.mark_served(in_flight, 3500) is False
        for cookie in (session.cookie_hash, session.cookie_hash + "'"):
            assert store.sessions.find(cookie, 4000)[0] is None
            assert store.tokens.find(cookie) is None


def test_of_many_at_once_one_has_the_turn(place: LocalPlace, store: LocalStore, clock: MovedClock) -> None:
    def work() -> str:
        return place.open(clock).journal.take_turn(NOW, 1000).name

    assert sorted(in_processes(*[work] * 6)) == ["BUSY"] * 5 + ["MINE"]


def test_two_workers_that_check_in_at_once_lose_nothing(place: LocalPlace, store: LocalStore) -> None:
    sessions = [a_session(cookie_hash=f"h{number}") for number in range(60)]
    for session in sessions:
        store.sessions.open(session, None)

    def check_in(first: int):
        def work() -> int:
            mine, ended = place.open(), 0
            for session in sessions[first::2]:
                told = mine.journal.gather(NOW.wall_ms, False)
                answer = replace(OK, ends=(End(session.sid, "sign_out", 5), End(sessions[0].sid, "sign_out", 5)))
                ended += sum(len(gone) for _, gone in mine.journal.apply(answer, told, NOW).ends)
            return ended

        return work

    assert sum(in_processes(check_in(0), check_in(1))) == 60, "each session ended once"
    assert store.sessions.drop_lapsed(10**15, limit=1000) == ()


def killed_after(work) -> None:
    """kill -9 of a worker that has done this much."""
    done, says = os.pipe()

    def until_killed() -> None:
        work()
        os.write(says, b"x")
        signal.pause()

    worker = Forked(until_killed)
    assert os.read(done, 1) == b"x"
    worker.kill()
    os.close(done)
    os.close(says)


def test_a_worker_killed_while_it_asks_holds_up_the_others_for_three_seconds(store: LocalStore) -> None:
    def ask() -> None:
        store.journal.take_turn(NOW, 1000)
        store.journal.gather(NOW.wall_ms, True)

    killed_after(ask)
    assert store.journal.take_turn(NOW, 1000) is Turn.BUSY
    assert store.journal.take_turn(NOW.earlier(-TURN_MS), 1000) is Turn.MINE


def test_a_worker_killed_between_an_answer_and_its_acknowledgement_leaves_that_to_the_next(store: LocalStore) -> None:
    session = a_session()
    store.sessions.open(session, None, tokens=TOKENS)

    def hear() -> None:
        told = store.journal.gather(NOW.wall_ms, True)
        store.journal.apply(replace(OK, ends=(End(session.sid, "sign_out", 5),)), told, NOW)
        store.journal.gather(NOW.wall_ms, False)  # what it would have sent next

    killed_after(hear)
    assert store.journal.gather(NOW.wall_ms, False).acks == (session.sid,)
    assert store.sessions.find(session.cookie_hash, 3000)[0] is None


def test_a_worker_killed_after_a_sign_out_leaves_the_telling_to_the_next(store: LocalStore) -> None:
    session = a_session()
    store.sessions.open(session, None)

    def leave() -> None:
        store.sessions.end_here(session.cookie_hash, NOW.wall_ms, True)
        store.journal.gather(NOW.wall_ms, False)

    killed_after(leave)
    assert store.journal.gather(NOW.wall_ms, False).ended == (session.sid,)


def test_a_worker_killed_at_any_moment_leaves_no_half_step(place: LocalPlace, store: LocalStore) -> None:
    """Each round: open with tokens, serve, renew, sign out. Whatever is left stands whole or not at all."""

    def work(sids: list[str]) -> None:
        mine = place.open()
        for sid in sids:
            session = a_session(sid, cookie_hash=f"cookie of {sid}")
            mine.sessions.open(session, None, tokens=TOKENS)
            mine.sessions.mark_served(session, 2000)
            mine.tokens.keep_renewed(session.cookie_hash, "refresh", Tokens("newer", 6, "newer"))
            mine.sessions.end_here(session.cookie_hash, 3000, True)

    for number in range(12):
        sids = [new_sid() for _ in range(100)]
        before = len(store.journal.gather(NOW.wall_ms, False).ended)
        worker = Forked(partial(work, sids))
        wait_until(lambda enough=before + 1 + number: len(store.journal.gather(NOW.wall_ms, False).ended) >= enough)
        worker.kill()
        ended = set(store.journal.gather(NOW.wall_ms, False).ended)
        standing = {sid for sid in sids if store.sessions.find(f"cookie of {sid}", 4000)[0]}
        assert standing == {sid for sid in sids if store.tokens.find(f"cookie of {sid}")}
        assert len(standing) <= 1, "one worker, one session at a time"
        assert not standing & ended
    fresh = a_session(cookie_hash="fresh")
    assert store.sessions.open(fresh, None, tokens=TOKENS), "no lock is left behind"
    assert store.tokens.find("fresh") == TOKENS
