"""Stores that count and time what goes through them. Each port is stood in front of, so that no other code knows of it.

A count is made when the step is done: what a store could not do hasn't happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from sso_server.core.census import Findings
from sso_server.core.errors import Unavailable
from sso_server.core.events import Event, EventKind
from sso_server.core.guesses import Limit
from sso_server.core.notifications import AttemptResult, Notification, State
from sso_server.core.policy import SECOND
from sso_server.core.ports import PasswordHasher
from sso_server.core.tickets import Redeemed, Redemption
from sso_server.core.tokens import Rotated, Rotation
from sso_server.metrics.numbers import Numbers

T = TypeVar("T")
#: Of the counters of guesses (core/guesses.py) those that slow sign-in.
_OF_SIGN_IN = ("k:", "ua:", "u:", "a:")
_NO_PORTS = ("database", "link")
_OUTCOMES = {
    State.ACKNOWLEDGED: "acknowledged",
    State.PENDING: "again",
    State.REFUSED: "refused",
    State.ABANDONED: "abandoned",
}


def watch_stores(stores: object, store: str, numbers: Numbers) -> None:
    """From now on every step of every port of these stores is timed, under `store`, and what it means is counted."""
    counts = _Counts(numbers)
    after: dict[str, dict[str, Callable[..., None]]] = {
        "audit": {"append": counts.audited},
        "guesses": {"begin": counts.guessed},
        "tickets": {"put": counts.issued, "redeem": counts.redeemed},
        "tokens": {"rotate": counts.rotated},
        "outbox": {"record": counts.recorded},
        "archive": {"mark_archived": counts.archived},
    }
    for name, port in _ports(stores):
        steps = (step for step in dir(type(port)) if not step.startswith("_") and callable(getattr(type(port), step)))
        for step in steps:
            _watch(port, step, partial(_Step, numbers, store, f"{name}.{step}"), after.get(name, {}).get(step))


def watch_sender(sender: T, numbers: Numbers) -> T:
    """The same `delivery.outgoing.Sender`; each call of a site is timed."""
    _watch(sender, "send", partial(_Call, numbers), None)
    return sender


class _Step:
    """One step of one port, once it has been called: a series that nobody needs is not made."""

    def __init__(self, numbers: Numbers, store: str, step: str) -> None:
        self.took: Callable[[float], None] = numbers.store_seconds.labels(store, step).observe
        self.failed: Callable[[], None] = numbers.store_failures.labels(store, step).inc


class _Call:
    """One call of a site. The sender never raises Unavailable: what a site does isn't a failure of ours."""

    def __init__(self, numbers: Numbers) -> None:
        self.took: Callable[[float], None] = numbers.attempt_seconds.observe

    def failed(self) -> None:
        """See `_Step`."""


def _watch(port: object, step: str, make: Callable[[], _Step | _Call], after: Callable[..., None] | None) -> None:
    """Stand in front of one method of one object."""
    kind, seen = type(port), list[_Step | _Call]()

    def call(*args: Any, **more: Any) -> Any:
        if not seen:
            seen.append(make())
        watch, begun = seen[0], perf_counter()
        try:
            # Looked up at each call: what a test does to the class holds.
            answer = getattr(kind, step)(port, *args, **more)
        except Unavailable:
            watch.failed()
            raise
        finally:
            watch.took(perf_counter() - begun)
        if after is not None:
            after(answer, *args)
        return answer

    setattr(port, step, call)


class WatchedHasher:
    """`ports.PasswordHasher`: how many wait, and how long it takes."""

    def __init__(self, inner: PasswordHasher, numbers: Numbers) -> None:
        self._inner = inner
        self._numbers = numbers

    def hash(self, password: str) -> str:
        """See ports.PasswordHasher."""
        with self._watched():
            return self._inner.hash(password)

    def verify(self, password_hash: str | None, password: str) -> bool:
        """See ports.PasswordHasher."""
        with self._watched():
            return self._inner.verify(password_hash, password)

    def needs_rehash(self, password_hash: str) -> bool:
        """See ports.PasswordHasher."""
        return self._inner.needs_rehash(password_hash)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        numbers, begun = self._numbers, perf_counter()
        numbers.hashes_waiting.inc()
        try:
            yield
        except Unavailable:
            numbers.sign_ins.labels("busy").inc()
            raise
        finally:
            numbers.hashes_waiting.dec()
            numbers.hash_seconds.observe(perf_counter() - begun)


def tell(numbers: Numbers, found: Findings, now: int) -> None:
    """What the delivery process has counted, for `delivery.census`. `now` in ms."""
    counted = found.counted
    numbers.live.set(counted.live)
    numbers.lag.set(found.lag / SECOND)
    for state in ("due", "due_bulk", "later", "later_bulk", "when_asked", "to_archive"):
        numbers.waiting.labels(state).set(getattr(counted, state))
    numbers.oldest_due.labels("urgent").set(found.due_since / SECOND)
    numbers.oldest_due.labels("bulk").set(found.due_since_bulk / SECOND)
    oldest = counted.oldest_unfinished
    numbers.oldest_unfinished.set(0 if oldest is None else max(0, now - oldest) / SECOND)
    numbers.restoring.set(int(found.is_restoring))
    for store, difference in found.differences.items():
        numbers.clock_difference.labels(store).set(difference / SECOND)
    numbers.counted_at.set(now / SECOND)


class _Counts:
    """What each answer of a store adds to the numbers."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        # Looked up once: 2 us each, up to three times a request.
        self._access, self._refresh = (numbers.tokens_issued.labels(kind).inc for kind in ("access", "refresh"))

    def audited(self, _answer: None, *events: Event) -> None:
        for event in events:
            self._numbers.events.labels(event.kind.value).inc()
            if event.kind is EventKind.SESSION_ENDED:
                self._numbers.sessions_ended.labels(str(event.data.get("reason"))).inc()
            elif event.kind is EventKind.SIGNED_IN:
                self._numbers.sign_ins.labels("renewed" if event.data.get("renewed") else "signed_in").inc()
            elif event.kind is EventKind.SIGN_IN_FAILED:
                self._numbers.sign_ins.labels("wrong").inc()

    def guessed(self, wait_ms: int, limits: Sequence[Limit], _now: int) -> None:
        if wait_ms > 0 and limits[0].key.startswith(_OF_SIGN_IN):
            self._numbers.sign_ins.labels("guessing").inc()

    def issued(self, _answer: None, *_: object) -> None:
        self._numbers.tickets_issued.inc()

    def redeemed(self, answer: Redeemed, redemption: Redemption, _now: int) -> None:
        if answer.refusal is not None:
            self._numbers.tickets_refused.labels(answer.refusal.value).inc()
            return
        self._numbers.tickets_redeemed.inc()
        self._access()
        if redemption.refresh is not None and answer.ticket is not None and answer.ticket.refreshable:
            self._refresh()

    def rotated(self, answer: Rotated, _rotation: Rotation, _now: int) -> None:
        if answer.refusal is not None:
            self._numbers.refreshes_refused.labels(answer.refusal.value).inc()
            return
        self._access()
        self._refresh()

    def recorded(self, _answer: None, results: Sequence[AttemptResult], _now: int) -> None:
        for result in results:
            if result.sent:
                self._numbers.attempts.labels(_OUTCOMES.get(result.state, "again")).inc()

    def archived(self, _answer: None, rows: Sequence[Notification]) -> None:
        for row in rows:
            self._numbers.final.labels(row.state.value).inc()
            if row.state is State.ACKNOWLEDGED and row.final_at is not None:
                self._numbers.heard_seconds.observe(max(0, row.final_at - row.ended_at) / SECOND)


def _ports(stores: object) -> Iterator[tuple[str, object]]:
    """What is public and no connection."""
    names = [part.name for part in fields(stores)] if is_dataclass(stores) else list(vars(stores))
    return ((name, getattr(stores, name)) for name in names if not name.startswith("_") and name not in _NO_PORTS)
