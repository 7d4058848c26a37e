"""Under an event loop nothing of the SDK holds the loop up, and who hangs up leaves nothing behind."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from sso_client import AsyncSSOClient, LocalStore, Settings, open_sqlite_store
from sso_client.async_waiting import AnyioWaiting
from sso_client.clock import now
from sso_client.stores import Turn
from tests.support.all_sites import FORM
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid

CHECK_IN = "/check-in"
#: How long what blocks does so, and how much of that the loop may stand still.
BLOCK_S = 2.0
STALL_S = 0.75
_BEAT_S = 0.01
Run = Callable[[Callable[[AsyncSSOClient], Coroutine[Any, Any, Any]]], Any]


@pytest.fixture
def store(settings: Settings, tmp_path: Path) -> Iterator[LocalStore]:
    """It waits for a lock for as long as the machine needs."""
    opened = open_sqlite_store(
        tmp_path / "sso.sqlite3", issuer=settings.issuer, client_id=settings.client_id, busy_s=20.0
    )
    yield opened
    opened.close()


@pytest.fixture
def run(settings: Settings, store: LocalStore, clock: MovedClock) -> Run:
    """Runs a story with a client in an event loop of its own."""

    async def told(story: Callable[[AsyncSSOClient], Coroutine[Any, Any, Any]]) -> Any:
        client = AsyncSSOClient(settings, store, clock=clock)
        try:
            return await story(client)
        finally:
            await client._http.close()  # the store is the fixture's

    return lambda story: asyncio.run(told(story))


async def sign_in(client: AsyncSSOClient, centre: FakeProvider, sid: str | None = None) -> str:
    url, attempt = await client.login_url("/")
    ticket = centre.issue_ticket(url, sid=sid or new_sid())
    cookie, _ = await client.open_session(await client.validate_ticket(ticket, attempt))
    return cookie


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """How long the loop was held up while the rest of the process went on, worst last, once the block is over.

    Told by the beats of a thread: a machine that stands still as a whole holds the thread up as well.
    """
    stalls, beats, over = [0.0], 0, threading.Event()

    def beat() -> None:
        nonlocal beats
        while not over.wait(_BEAT_S):
            beats += 1

    async def tick() -> None:
        while True:
            before = beats
            await asyncio.sleep(_BEAT_S)
            stalls.append((beats - before) * _BEAT_S)

    heart = threading.Thread(target=beat)
    heart.start()
    ticker = asyncio.ensure_future(tick())
    await asyncio.sleep(0.05)
    try:
        yield stalls
        await asyncio.sleep(0.05)  # a tick that is late is measured when it comes
    finally:
        over.set()
        ticker.cancel()
        with suppress(asyncio.CancelledError):
            await ticker
        heart.join()
        stalls.sort()


@pytest.mark.parametrize("how", ["fine", "slow", "hanging"])
def test_two_hundred_requests_at_once_ask_the_centre_once_and_hold_nothing_up(
    how: str, run: Run, centre: FakeProvider, clock: MovedClock
) -> None:
    async def story(client: AsyncSSOClient) -> None:
        cookie = await sign_in(client, centre)
        await client.check_in()
        clock.go(31)
        before = len(centre.check_ins)
        centre.failing[CHECK_IN] = {"fine": 0.0, "slow": BLOCK_S, "hanging": 30.0}[how]
        async with watched() as stalls:
            found = await asyncio.gather(*(client.find_session(cookie) for _ in range(200)))
        assert all(session is not None for session in found), "within N nobody is stopped"
        assert sum(1 for path, _, _ in centre.requests if path == CHECK_IN) - before <= 2
        assert stalls[-1] < STALL_S

    run(story)


def test_a_store_that_another_process_has_locked_holds_nothing_up(
    run: Run, centre: FakeProvider, clock: MovedClock, tmp_path: Path
) -> None:
    async def story(client: AsyncSSOClient) -> None:
        cookie = await sign_in(client, centre)
        clock.go(40)  # activity is to be noted, and the lease to be renewed: both are writes
        locked, done = threading.Event(), threading.Event()

        def lock_file() -> None:
            other = sqlite3.connect(tmp_path / "sso.sqlite3")
            other.execute("BEGIN IMMEDIATE")
            locked.set()
            done.wait(BLOCK_S * 3)
            other.rollback()
            other.close()

        locker = threading.Thread(target=lock_file)
        locker.start()
        locked.wait(20)
        async with watched() as stalls:
            request = asyncio.ensure_future(client.find_session(cookie))
            await asyncio.sleep(BLOCK_S)
            assert not request.done(), "it waits for the lock"
            done.set()
            assert await request is not None
        assert stalls[-1] < STALL_S
        locker.join()

    run(story)


def test_hooks_that_block_hold_nothing_up(run: Run, centre: FakeProvider) -> None:
    async def story(client: AsyncSSOClient) -> None:
        client.hooks.on_login = lambda user: time.sleep(BLOCK_S) or user.sub
        async with watched() as stalls:
            await sign_in(client, centre)
        assert stalls[-1] < STALL_S

    run(story)


@pytest.mark.parametrize("lapsed", [False, True])
@pytest.mark.parametrize("hang_up", ["cancel", "time-out"])
def test_who_hangs_up_during_a_renewal_leaves_no_turn_behind(
    hang_up: str, lapsed: bool, run: Run, store: LocalStore, centre: FakeProvider, clock: MovedClock, monkeypatch
) -> None:
    answering, heard = threading.Event(), centre.check_in
    monkeypatch.setattr(centre, "check_in", lambda told: answering.wait(20) and heard(told))

    async def story(client: AsyncSSOClient) -> None:
        cookie = await sign_in(client, centre)
        answering.set()
        await client.check_in()
        clock.go(61 if lapsed else 31)
        answering.clear()
        asked = centre.calls(CHECK_IN)
        request = asyncio.ensure_future(client.find_session(cookie))
        await until(lambda: centre.calls(CHECK_IN) > asked)
        if hang_up == "cancel":
            request.cancel()
        else:
            with suppress(TimeoutError):
                await asyncio.wait_for(request, 0.01)
        assert store.journal.take_turn(now(clock), 0) is Turn.BUSY, "the centre is still being asked"
        answering.set()
        await until_nobody_is_on_the_way(client)
        assert store.journal.take_turn(now(clock), 0) is Turn.MINE
        store.journal.give_turn_back()
        asked = centre.calls(CHECK_IN)
        assert await client.find_session(cookie) is not None
        assert centre.calls(CHECK_IN) == asked, "the answer was not lost with who asked for it"

    run(story)


def test_who_hangs_up_while_a_token_is_renewed_leaves_neither_right_nor_spent_token(
    run: Run, centre: FakeProvider, clock: MovedClock
) -> None:
    async def story(client: AsyncSSOClient) -> None:
        cookie = await sign_in(client, centre)
        first = await client.access_token(cookie)
        await client.check_in()
        clock.go(295)
        centre.skew_s += 295
        await client.find_session(cookie)
        centre.failing["/token"], asked = 0.4, centre.calls("/token")
        request = asyncio.ensure_future(client.access_token(cookie))
        await until(lambda: centre.calls("/token") > asked)
        request.cancel()
        await until_nobody_is_on_the_way(client)
        second = await client.access_token(cookie)
        assert second != first
        assert centre.calls("/token") == asked + 1, "what was renewed is kept, though nobody waited for it"

    run(story)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks.json"])
def test_who_hangs_up_while_something_is_fetched_holds_no_lock(path: str, run: Run, centre: FakeProvider) -> None:
    async def story(client: AsyncSSOClient) -> None:
        centre.failing[path] = 30.0
        body = centre.logout_form(sid=new_sid())
        call = asyncio.ensure_future(client.receive_logout(body, FORM))
        await until(lambda: centre.calls(path) > 0)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        centre.failing.clear()
        assert (await client.receive_logout(body, FORM)).status == 200

    run(story)


def test_a_site_hears_of_an_end_although_the_caller_gave_up_waiting(run: Run, centre: FakeProvider) -> None:
    async def story(client: AsyncSSOClient) -> None:
        heard: list[str] = []
        started = threading.Event()

        def slow(user: Any, reason: str) -> None:
            started.set()
            time.sleep(0.2)
            heard.append(reason)

        async def then(user: Any, reason: str) -> None:
            await asyncio.sleep(0.05)
            heard.append(f"{reason} too")

        client.hooks.on_logout += [slow, then]
        sid = new_sid()
        await sign_in(client, centre, sid)
        body = centre.logout_form(sid=sid)
        call = asyncio.ensure_future(client.receive_logout(body, FORM))
        await until(started.is_set)
        call.cancel()
        await until_nobody_is_on_the_way(client)
        assert heard == ["sign_out", "sign_out too"]

    run(story)


def test_one_client_serves_two_event_loops_side_by_side(
    settings: Settings, store: LocalStore, clock: MovedClock, centre: FakeProvider
) -> None:
    client = AsyncSSOClient(settings, store, clock=clock)
    centre.failing["/.well-known/openid-configuration"] = 0.2
    opened: list[str] = []

    async def story() -> None:
        opened.append(await sign_in(client, centre))
        assert await client.find_session(opened[-1]) is not None
        await client._http.close()

    loops = [threading.Thread(target=lambda: asyncio.run(story()), daemon=True) for _ in range(4)]
    started = time.monotonic()
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join(20)
    assert len(opened) == 4
    assert time.monotonic() - started < 8, "nobody sleeps until a time-out wakes him"


async def until_nobody_is_on_the_way(client: AsyncSSOClient) -> None:
    """Until whatever goes on after its caller has gone is over."""
    waiting = client._waiting
    assert isinstance(waiting, AnyioWaiting)
    await until(lambda: not waiting._under_way)


async def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_the_sdk_does_not_wait_for_the_applications_own_threads(run: Run, centre: FakeProvider) -> None:
    async def story(client: AsyncSSOClient) -> None:
        cookie = await sign_in(client, centre)
        shared, done = anyio.to_thread.current_default_thread_limiter(), threading.Event()
        shared.total_tokens = 1
        busy = asyncio.ensure_future(anyio.to_thread.run_sync(done.wait, 30))
        await asyncio.sleep(0)
        try:
            assert await asyncio.wait_for(client.find_session(cookie), 20)
        finally:
            done.set()
            await busy

    run(story)
