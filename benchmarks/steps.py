"""What each hot step costs while the store fills: the same calls at 1,000 sessions and at many, in one run.

Time is what a caller beside the store waits, and nine in ten wait longer: what other programs on the machine add is no
part of it, what a fuller store adds is part of every call. `cpu` is the server's (Redis' own counter, PostgreSQL's
processes, for SQLite this process).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.bed import percentile
from benchmarks.filling import LOGOUT_URI, Filler
from sso_server.core.notifications import State
from sso_server.core.policy import MINUTE, SECOND
from sso_server.core.sessions import Session
from sso_server.core.tickets import Ticket
from tests.support.builders import (
    a_redemption,
    a_report,
    a_result,
    a_rotation,
    a_session,
    a_ticket,
    again,
    bucket,
    store_id,
)

CLIENT, STORE = "shop", store_id()
OTHER, OTHER_STORE = "reports", store_id()
SITES = ((OTHER, OTHER_STORE), (CLIENT, STORE))
CROWDED = "usr-many-browsers"

Call = Callable[[], object]


@dataclass(frozen=True)
class Taken:
    """One step at one size, per call."""

    step: str
    sessions: int
    ms: float
    cpu_ms: float
    sent: float
    received: float


class Steps:
    """The steps in an order in which each finds what it needs. Nothing of a fill is touched but read."""

    def __init__(self, filler: Filler, repeats: int) -> None:
        self.stores = filler.stores
        self.filler = filler
        self.repeats = repeats
        self.now = filler.now + SECOND
        self.sessions: list[Session] = []
        self.tickets: list[Ticket] = []

    def each(self) -> Iterator[tuple[str, list[Call]]]:
        """(name, the calls to be measured); what a call needs is made ready before, unmeasured."""
        stores, now, some = self.stores, self.now, range(self.repeats)
        candidates = [a_session(created_at=now, last_active_at=now, auth_time=now) for _ in some]
        candidates = [
            replace(one, user_id=f"usr-{one.sid[7:]}", absolute_until=now + 60 * MINUTE) for one in candidates
        ]
        yield (
            "open",
            [lambda one=one: self.sessions.append(stores.sessions.open(one, now, 0).session) for one in candidates],
        )
        yield (
            "find by cookie",
            [lambda s=s: stores.sessions.find_by_cookie(s.cookie_hash, bucket(s.sid), now) for s in self.sessions],
        )
        yield "touch", [lambda s=s: stores.sessions.touch(s.sid, now + 1) for s in self.sessions]
        yield (
            "open again (renew)",
            [lambda s=s: stores.sessions.open(self._again(s), now + 2, MINUTE) for s in self.sessions],
        )
        fresh = [self._ticket(s, client) for client, _ in SITES for s in self.sessions]
        yield "put ticket", [lambda t=t: stores.tickets.put(t) for t in fresh]
        redemptions = [
            self._redemption(t, store) for t, (_, store) in zip(fresh, [x for x in SITES for _ in some], strict=True)
        ]
        yield "redeem", [lambda r=r: stores.tickets.redeem(r, now + 4) for r in redemptions]
        yield (
            "find token",
            [
                lambda r=r: stores.tokens.find_token(r.access.token_hash, "at", r.bucket, now + 5)
                for r in redemptions[: self.repeats]
            ],
        )
        rotations = [
            replace(a_rotation(r.refresh, now + 6, s.sid), client_id=r.client_id)
            for r, s in zip(redemptions[: self.repeats], self.sessions, strict=True)
            if r.refresh
        ]
        yield "rotate", [lambda r=r: stores.tokens.rotate(r, now + 6) for r in rotations]
        idle = [self._report() for _ in range(max(3, self.repeats // 10))]
        yield "check-in, nothing new", [lambda r=r: stores.check_ins.check_in(r, now + 7, 100) for r in idle]
        active = replace(self._report(), active=tuple(s.sid for s in self.sessions[:20]))
        yield "check-in, 20 active", [lambda: stores.check_ins.check_in(active, now + 8, 100)] * 5
        yield (
            "list of a person",
            [lambda s=s: stores.lists.list_live(now + 9, 50, user_id=s.user_id) for s in self.sessions],
        )
        yield "count for /metrics", [lambda: stores.census.count(now + 9)] * 20
        yield "sweeper's look", [lambda: stores.sweeps.oldest_due(now + 9)] * 20
        yield "worker's look", [lambda: stores.outbox.claim("w", now + 9, 50, MINUTE)] * 20
        yield "next due", [lambda: stores.outbox.next_due(now + 9)] * 20
        yield "end", [lambda s=s: stores.sessions.end(s.sid, "sign_out", now + 10) for s in self.sessions]
        yield "check-in, ends waiting", [lambda r=r: stores.check_ins.check_in(r, now + 11, 50) for r in idle[:10]]
        rows: list[Any] = []
        claims = max(1, 2 * self.repeats // 50)
        yield "claim 50 rows", [lambda: rows.extend(stores.outbox.claim("w", now + 12, 50, MINUTE))] * claims
        told = [a_result(row, State.ACKNOWLEDGED) for row in rows]
        parts = [told[i : i + 50] for i in range(0, len(told), 50)]
        yield "record 50 results", [lambda p=p: stores.outbox.record(p, now + 13) for p in parts]
        yield "list 20 to archive", [lambda: stores.archive.list_archivable(20)] * 10
        final = stores.archive.list_archivable(200)
        twenties = [final[i : i + 20] for i in range(0, len(final), 20)]
        yield "mark 20 archived", [lambda f=f: stores.archive.mark_archived(f) for f in twenties]
        yield "purge, nothing to do", [lambda: stores.sweeps.purge(now + 14, 200)] * 20
        yield "sign-outs, newest 50", [lambda: stores.ledger.list_ended(50)] * 10
        yield "sessions, first 50", [lambda: stores.lists.list_live(now + 15, 50)] * 10

    def _again(self, session: Session) -> Session:
        return again(
            session,
            created_at=self.now,
            last_active_at=self.now,
            auth_time=self.now,
            absolute_until=session.absolute_until,
        )

    def _ticket(self, session: Session, client_id: str) -> Ticket:
        return a_ticket(session, client_id=client_id, issued_at=self.now + 3, expires_at=self.now + MINUTE)

    def _redemption(self, ticket: Ticket, store: str) -> Any:
        return a_redemption(ticket, self.now + 4, store_id=store, reports=True, logout_uri=LOGOUT_URI)

    def _report(self) -> Any:
        return a_report(STORE, client_id=CLIENT, logout_uri=LOGOUT_URI)


def measure(filler: Filler, repeats: int, spent: Callable[[], tuple[float, int, int]]) -> list[Taken]:
    """Every step with the store as it is. `spent`: the server's processor time (ms), bytes to and from it, so far."""
    found = []
    for name, calls in Steps(filler, repeats).each():
        took = []
        before = spent()
        for call in calls:
            begun = time.perf_counter()
            call()
            took.append((time.perf_counter() - begun) * 1000)
        after = spent()
        cpu_ms, sent, received = ((b - a) / len(calls) for a, b in zip(before, after, strict=True))
        found.append(Taken(name, filler.count, percentile(took, 10), cpu_ms, sent, received))
    return found


def growth(taken: Sequence[Taken], step: str) -> float:
    """The last size against the first: of the times."""
    times = [one.ms for one in taken if one.step == step]
    return times[-1] / times[0]
