"""What people may do to the ledger's rows: have a site told again now, or give it up. Who did what is in the audit.

The store decides row by row, in its own step. How often the person at the page may ask is decided here, because an
operator may ask as often as he likes: he mends a site and tries it, mends it and tries it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sso_server.core.events import Event, EventKind
from sso_server.core.guesses import Limit
from sso_server.core.notifications import POLLED, Notification, State
from sso_server.core.policy import MINUTE, SECOND
from sso_server.core.ports import AuditStore, Clock, GuessStore, Ledger, SessionStore, Wake
from sso_server.core.sessions import Session

#: Whoever has the address of a report may press its button: a site must not be hammered through it.
REST_MS = 5 * SECOND
#: And a web thread must not be held up: a sign-out everywhere can have ended hundreds of sessions.
MOST_AT_ONCE = 100


def can_retry(row: Notification, now: int) -> bool:
    """Whether trying now would do something. The stores' `retry` repeats these lines in their own words."""
    if row.state in (State.ACKNOWLEDGED, State.MOOT) or now >= row.local_until:
        return False
    if row.state is State.CLAIMED and now < row.claimed_until:
        # It is being told this very moment; a second call beside the first one only confuses the site.
        return False
    if row.kind == POLLED:
        # Nobody calls it. What it refused is offered to it again; what it hasn't fetched is on offer already.
        return row.state.is_final
    return bool(row.logout_uri)


def can_abandon(row: Notification) -> bool:
    """Whether there is anything to give up."""
    return not row.state.is_final


class Interventions:
    """An actor is `user`, `cli` or `admin:USERNAME`."""

    def __init__(
        self,
        ledger: Ledger,
        sessions: SessionStore,
        limits: GuessStore,
        audit: AuditStore,
        wake: Wake,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._limits = limits
        self._audit = audit
        self._wake = wake
        self._clock = clock

    def find(self, sid: str) -> Session | None:
        """The ended session whose rows these are; None for one that lives, is forgotten or never was."""
        session = self._sessions.find(sid)
        return session if session is not None and session.ended_at is not None else None

    def retry(self, sid: str, client_id: str, *, actor: str) -> int:
        """Make what `can_retry` of that client (empty: of every client) due now; how many rows. Raises Unavailable."""
        now = self._clock.now()
        count = self._ledger.retry(sid, client_id, now)
        if count:
            self._wake.ring()
            self._audit.append(_retried(sid, client_id, actor, now, count))
        return count

    def retry_rested(self, rows: Iterable[Notification], *, actor: str) -> int:
        """The same for the sites of these rows, each at most once in REST_MS for one person, however many sessions of
        theirs ended there; how many rows. At most MOST_AT_ONCE sessions' sites: whoever presses once more, later, has
        the next ones told, and those that are due already come no sooner. Raises Unavailable."""
        now = self._clock.now()
        late = [row for row in rows if can_retry(row, now) and not _is_due(row, now)]
        sites = {(row.user_id, row.client_id) for row in late}
        rested = {site for site in sites if self._has_rested(*site, now)}
        pairs = list(dict.fromkeys((row.sid, row.client_id) for row in late if (row.user_id, row.client_id) in rested))
        done = self._ledger.retry_all(pairs[:MOST_AT_ONCE], now)
        if done:
            self._wake.ring()
            self._audit.append(*(_retried(sid, client, actor, now, count) for (sid, client), count in done.items()))
        return sum(done.values())

    def abandon(self, sid: str, client_id: str, *, actor: str) -> int:
        """Give up what is still being tried for that client; how many rows. A store of ours goes on hearing of it at
        its check-ins. Raises Unavailable.
        """
        now = self._clock.now()
        count = self._ledger.abandon(sid, client_id, actor.removeprefix("admin:"), now)
        if count:
            self._audit.append(_event(EventKind.NOTIFICATION_ABANDONED, sid, client_id, actor, now, count))
        return count

    def _has_rested(self, user_id: str, client_id: str, now: int) -> bool:
        limit = Limit(f"retry:{user_id}:{client_id}", free=1, base_ms=REST_MS, cap_ms=REST_MS, forget_ms=MINUTE)
        return self._limits.begin((limit,), now) == 0


def _is_due(row: Notification, now: int) -> bool:
    return row.next_attempt_at is not None and row.next_attempt_at <= now


def _retried(sid: str, client_id: str, actor: str, now: int, count: int) -> Event:
    return _event(EventKind.NOTIFICATION_RETRIED, sid, client_id, actor, now, count)


def _event(kind: EventKind, sid: str, client_id: str, actor: str, now: int, count: int) -> Event:
    return Event(now, kind, sid=sid, client_id=client_id, actor=actor, data={"count": count})
