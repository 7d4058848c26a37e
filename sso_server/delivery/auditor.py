"""Sees to it that every ended session has its line in the audit before the session is forgotten.

`core.sign_out` writes the line after the end, which must not wait for it: a full disk, a killed process or a lost
answer leave an end without one. This reads ended sessions page by page, newest first, and writes what is missing;
`Sweeper` forgets nothing before that has come to its end. The sessions need no flag: the audit itself says which lines
are there. Who ended the session can't be known here: the actor of such a line is `unknown`.
"""

from __future__ import annotations

import structlog

from sso_server.core.events import EventKind
from sso_server.core.policy import MINUTE
from sso_server.core.ports import AuditStore, Clock, Ledger
from sso_server.core.sessions import Session
from sso_server.core.sign_out import ended_event

#: A line may still be on its way: stores wait for their turn, and the clocks of nodes differ by up to two seconds.
SLACK_MS = MINUTE
_EVERY_MS = MINUTE
_PAGE = 200

_log = structlog.get_logger("sso_server.delivery")


class Auditor:
    """One per delivery process; any number may run beside each other (at worst a line is there twice)."""

    def __init__(self, ledger: Ledger, audit: AuditStore, clock: Clock, audit_ms: int) -> None:
        """`audit_ms`: how long the audit keeps a line."""
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._audit_ms = audit_ms
        self._done_to = 0
        """Sessions that ended before this moment have their line. 0: nothing has been looked at in this process."""
        self._top: int | None = None
        """Up to where the pass under way looks; None: none is."""
        self._before = 0
        self._page = _PAGE

    def catch_up(self) -> bool:
        """Look at one page; whether every end up to a minute or two ago has its line now. Raises Unavailable."""
        now = self._clock.now()
        if self._top is None:
            top = now - SLACK_MS
            # A clock that was set back by more than a little begins again.
            if -SLACK_MS <= top - self._done_to < _EVERY_MS:
                return True
            self._top = self._before = top
        found = self._ledger.list_ended(self._page, before=self._before)
        since = max(self._done_to, now - self._audit_ms)
        self._write_missing([session for session in found if _end_of(session) >= since])
        if len(found) < self._page or _end_of(found[-1]) < self._done_to:
            self._done_to, self._top, self._page = self._top, None, _PAGE
            # After an outage or a long way here, what has ended meanwhile is for the next pass.
            return now - SLACK_MS - self._done_to < _EVERY_MS
        # Many end in the same millisecond: those of the last one are looked at again, in a larger page if it was all.
        last = _end_of(found[-1]) + 1
        self._page = _PAGE if last < self._before else self._page * 2
        self._before = last
        return False

    def _write_missing(self, sessions: list[Session]) -> None:
        missing = [
            session
            for session in sessions
            if not self._audit.list_events(1, kind=EventKind.SESSION_ENDED, sid=session.sid)
        ]
        if missing:
            self._audit.append(*(ended_event(session, "unknown", found_later=1) for session in missing))
            _log.warning("ends_audited_late", count=len(missing))


def _end_of(session: Session) -> int:
    return session.ended_at or 0
