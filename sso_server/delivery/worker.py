"""The delivery worker: claims due rows, has each told by its builder and the sender, hands the outcome to the clerk.

States are `core.notifications`' business, fairness is `lanes`', writing is `clerk`'s. A worker that is killed loses
nothing: its claims run out, or its successor releases them (`take_over`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic
from typing import Protocol

import structlog

from sso_server.core.clients import Client, ClientDirectory
from sso_server.core.clock_guard import ClockGuard
from sso_server.core.errors import Unavailable
from sso_server.core.logout_address import logout_address
from sso_server.core.notifications import (
    CLAIM_MS,
    SEND_MS,
    Answer,
    AttemptResult,
    Notification,
    State,
    after_answer,
    left_to_poll,
    moot,
    released,
    without_address,
)
from sso_server.core.policy import SECOND
from sso_server.core.ports import Archive, AuditStore, Clock, Outbox
from sso_server.core.records import record
from sso_server.delivery.clerk import Clerk, SafeBy
from sso_server.delivery.lanes import Lanes
from sso_server.delivery.outages import Outage
from sso_server.delivery.outgoing import Builder, Sender

POLL_S = 0.25
_BATCH = 100
_MOST_BACKLOG = 5000
_SLOW_S = 1.0
_THREADS_PER_SLOT = 4
# A send takes five seconds at most; the supervisor gives us seven.
_DRAIN_S = 5.5
_PAUSES_S = (0.25, 0.5, 1.0, 2.0, 5.0)
_MOST_TAKEN_OVER = 5000
_OUR_FAULT = "centre_failed"

_log = structlog.get_logger("sso_server.delivery")


class Listener(Protocol):
    """`wake.WakeListener`."""

    def wait(self, timeout_s: float) -> bool:
        """Whether somebody rang within the time."""


@record
class _Done:
    """What a sending thread brings back."""

    number: int
    row: Notification
    answer: Answer
    took_ms: int


class Worker:
    """One per process, under a name of its own. `concurrency` sends run at once; hanging ones don't count."""

    def __init__(
        self,
        outbox: Outbox,
        archive: Archive,
        audit: AuditStore,
        safe_by: SafeBy,
        clients: ClientDirectory,
        builders: Mapping[str, Builder],
        sender: Sender,
        clock: Clock,
        clock_guard: ClockGuard,
        jitter: Callable[[], float],
        name: str,
        concurrency: int = 32,
    ) -> None:
        self.name = name
        self._outbox = outbox
        self._clients = clients
        self._builders = builders
        self._sender = sender
        self._clock = clock
        self._made_at = clock.now()
        self._guard = clock_guard
        self._trusts_clock = True
        self._jitter = jitter
        self._concurrency = concurrency
        self._clerk = Clerk(outbox, archive, audit, safe_by, clock)
        self._lanes = Lanes()
        self._outage = Outage(_log, "delivery_resumed")
        self._inbox: queue.SimpleQueue[_Done | None] = queue.SimpleQueue()
        self._begun: dict[int, float] = {}
        self._number = 0

    def run_once(self) -> int:
        """Claim one batch, send all of it, write down what came of it; how many rows. Raises Unavailable."""
        with self._pool() as pool:
            rows = self._claim(pool)
            while self._lanes.waiting or self._lanes.running:
                self._dispatch(pool)
                if self._lanes.running:
                    self._collect(POLL_S)
        self._clerk.flush()
        return len(rows)

    def run(self, stop: threading.Event, listener: Listener | None = None) -> None:
        """Until stopped, then drain: running sends end, the rest is released. Takes at most about six seconds for that.

        A store that is away pauses the loop, nothing ends it.
        """
        written = threading.Event()
        threads = [threading.Thread(target=self._clerk.run, args=(written,), name="clerk")]
        if listener is not None:
            threads.append(threading.Thread(target=self._listen, args=(listener, stop), name="listener"))
        for thread in threads:
            thread.start()
        failures = 0
        next_claim = 0.0
        with self._pool() as pool:
            while not stop.is_set():
                try:
                    if monotonic() >= next_claim:
                        next_claim = self._claim_and_plan(pool)
                    self._dispatch(pool)
                    rung = self._collect(max(0.001, min(POLL_S, next_claim - monotonic())))
                    if rung:
                        next_claim = 0.0
                    failures = 0
                except Exception as error:  # noqa: BLE001  (the last handler of the process' main loop)
                    pause_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
                    failures += 1
                    next_claim = monotonic() + pause_s
                    self._outage.failed("delivery_pauses", error)
            self._drain()
        written.set()
        for thread in threads:
            thread.join()
        try:
            self._clerk.flush()
        except Unavailable:
            _log.warning("results_lost_to_claims", count=self._clerk.backlog)

    def take_over(self, is_dead: Callable[[str], bool]) -> int:
        """Release what dead workers had claimed, so that it needn't wait for the claims to run out; how many rows.

        Safe even if one of them lives: its attempt no longer matches, only a success of it still counts. Runs beside
        this worker, which may have a dead one's name (a container's processes are numbered alike): under it only what
        was claimed before this one was made. Raises Unavailable.
        """
        if not self._guard.is_right():
            return 0
        now = self._clock.now()
        results = [
            released(row, now)
            for row in self._outbox.list_claimed(now, _MOST_TAKEN_OVER, CLAIM_MS)
            if is_dead(row.claimed_by) and (row.claimed_by != self.name or row.claimed_until < self._made_at + CLAIM_MS)
        ]
        if results:
            self._outbox.record(results, now)
            _log.info("claims_taken_over", count=len(results))
        return len(results)

    def archive_final(self) -> int:
        """Copy final rows to the audit; how many. The running worker does so by itself. Raises Unavailable."""
        return self._clerk.archive_final()

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._concurrency * _THREADS_PER_SLOT, thread_name_prefix="send")

    def _claim_and_plan(self, pool: ThreadPoolExecutor) -> float:
        """Claim a batch and begin with it; when to claim again (monotonic seconds)."""
        now = self._clock.now()
        if self._clerk.backlog > _MOST_BACKLOG:
            return monotonic() + POLL_S
        if len(self._claim(pool)) >= _BATCH:
            wait_s = 0.0
        elif not self._trusts_clock:
            wait_s = POLL_S
        else:
            # Bulk rows that have no room are due and stay so; who is waited for comes between them.
            due = self._outbox.next_due(now, bulk=None if self._lanes.room(bulk=True) else False)
            wait_s = POLL_S if due is None else (due - self._clock.now()) / 1000
            # Never sooner than a few milliseconds: what is due and was not handed out belongs to somebody else.
            wait_s = min(POLL_S, max(0.005, wait_s))
        # Only here: sending and collecting go on without the store and say nothing about it.
        self._outage.is_over()
        return monotonic() + wait_s

    def _claim(self, pool: ThreadPoolExecutor | None = None) -> list[Notification]:
        """A batch into the lanes; with a pool, what somebody waits for is on its way when this returns."""
        self._trusts_clock = self._guard.is_right()
        if not self._trusts_clock:
            # Rows that are due to be told would be taken for moot, which is final. What waits here is left to its
            # claims: they run out, and a node with the right time goes on. The sweeper beside us says so in the log.
            self._lanes.take_all()
            return []
        rows: list[Notification] = []
        # What somebody waits for first; mass ends get what is left of the batch, a quarter of it at least.
        for bulk, most in ((False, _BATCH), (True, _BATCH // 4)):
            if room := self._lanes.room(bulk=bulk):
                limit = min(max(most, _BATCH - len(rows)), room)
                claimed = self._outbox.claim(self.name, self._clock.now(), limit, CLAIM_MS, bulk=bulk)
                for row in claimed:
                    self._place(row, self._clock.now())
                # Before looking any further: the looks that follow take 1-2 ms, and somebody waits for these.
                if pool is not None:
                    self._dispatch(pool)
                rows += claimed
        return rows

    def _place(self, row: Notification, now: int) -> None:
        """Decide what becomes of a claimed row."""
        settled = _settled_unsent(row, self._clients.find(row.client_id), now)
        if settled is not None:
            self._clerk.put(settled)
        elif not self._lanes.add(row, now):
            self._clerk.put(self._lanes.postponed(row, now))

    def _dispatch(self, pool: ThreadPoolExecutor) -> None:
        """Start what may be started. A send that hangs for a second no longer takes a slot from the others."""
        now = self._clock.now()
        for row in self._lanes.take_surplus(now):
            self._clerk.put(self._lanes.postponed(row, now))
        while len(self._begun) < self._concurrency * _THREADS_PER_SLOT:
            late = monotonic() - _SLOW_S
            if sum(begun > late for begun in self._begun.values()) >= self._concurrency:
                return
            taken = self._lanes.take()
            if taken is None:
                return
            client = self._still_to_be_sent(taken)
            if client is None:
                self._lanes.finish(taken, None, now)
                continue
            self._number += 1
            self._begun[self._number] = monotonic()
            pool.submit(self._send, self._number, taken, client)

    def _still_to_be_sent(self, row: Notification) -> Client | None:
        """The client to be told now; None when waiting in the lane has settled the matter otherwise."""
        now = self._clock.now()
        try:
            client = self._clients.find(row.client_id)
        except Unavailable:
            client = None
        else:
            settled = _settled_unsent(row, client, now)
            if settled is not None:
                self._clerk.put(settled)
                return None
        if client is None or row.claimed_until - now < SEND_MS + SECOND:
            # Somebody else may claim it while we send: it waits for its next turn instead.
            self._clerk.put(released(row, now))
            return None
        return client

    def _send(self, number: int, row: Notification, client: Client) -> None:
        """In a thread of the pool. The client's present address is called, never the one of the row (design 5.12)."""
        begun = monotonic()
        try:
            post = self._builders[row.kind](replace(row, logout_uri=logout_address(row, client)), client)
            answer = self._sender.send(post.url, post.body, post.headers, allow_private=client.allow_private)
        except Exception as error:  # noqa: BLE001  (whatever a builder does wrong, the row must come back)
            problem = None if isinstance(error, Unavailable) else error
            _log.error("attempt_failed_here", client_id=row.client_id, kind=row.kind, exc_info=problem)
            answer = Answer(None, _OUR_FAULT)
        self._inbox.put(_Done(number, row, answer, int((monotonic() - begun) * 1000)))

    def _collect(self, timeout_s: float) -> bool:
        """Wait for the next outcome and take all that are there; whether the bell was rung among them."""
        rung = False
        try:
            done = self._inbox.get(timeout=timeout_s)
            while True:
                if done is None:
                    rung = True
                else:
                    self._settle(done)
                done = self._inbox.get_nowait()
        except queue.Empty:
            return rung

    def _settle(self, done: _Done) -> None:
        row, now = done.row, self._clock.now()
        del self._begun[done.number]
        # A token that we couldn't sign says nothing about the site.
        answer = None if done.answer.error == _OUR_FAULT else done.answer
        self._lanes.finish(row, answer, now, done.took_ms)
        result = after_answer(row, done.answer, now, self._jitter)
        if self._trusts_clock or result.state is State.ACKNOWLEDGED:
            # By a wrong clock the next try could be weeks away.
            self._clerk.put(result)
        _log.info(
            "notification_sent",
            client_id=row.client_id,
            sid=row.sid,
            attempt=row.sends + 1,
            state=result.state.value,
            status=result.status,
            error=result.error,
            took_ms=done.took_ms,
        )

    def _listen(self, listener: Listener, stop: threading.Event) -> None:
        while not stop.is_set():
            if listener.wait(0.5):
                self._inbox.put(None)

    def _drain(self) -> None:
        """No new sends: running ones may end, waiting rows are due for whoever claims next."""
        now = self._clock.now()
        for row in self._lanes.take_all():
            self._clerk.put(released(row, now))
        deadline = monotonic() + _DRAIN_S
        while self._lanes.running and monotonic() < deadline:
            self._collect(POLL_S)


def _settled_unsent(row: Notification, client: Client | None, now: int) -> AttemptResult | None:
    """What becomes of a row that is not to be sent; None: it is. The order of the checks is that of their finality."""
    if client is None or now >= row.local_until:
        return moot(row)
    if client.delivery == "poll" and not row.store_id:
        return left_to_poll(row)
    return None if logout_address(row, client) else without_address(row)
