"""SessionStore: open, find, touch, end. How a session ends is in ending.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy import and_, bindparam, exc, or_
from sqlalchemy.engine import Connection

from sso_server.core.errors import Unavailable
from sso_server.core.sessions import EndReason, Opened, Session
from sso_server.core.sign_out import Ended
from sso_server.stores.sql import ending
from sso_server.stores.sql.denials import deny_unknown, note_forgotten
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.records import due_at_of, later, session_of, session_values
from sso_server.stores.sql.tables import sessions

_BY_SID = Prepared(sa.select(sessions).where(sessions.c.sid == bindparam("_sid")))
_BY_COOKIE = Prepared(
    sa.select(sessions)
    .where(
        or_(
            sessions.c.cookie_hash == bindparam("_cookie"),
            and_(
                sessions.c.previous_cookie_hash == bindparam("_cookie"),
                sessions.c.previous_cookie_until > bindparam("_now"),
            ),
        )
    )
    .limit(1)
)
_OF_BROWSER = Prepared(
    sa.select(sessions)
    .where(sessions.c.browser_hash == bindparam("_browser"), sessions.c.ended_at.is_(None))
    .with_for_update()
)
_INSERT = Prepared(sa.insert(sessions))
_RENEW = sa.update(sessions).where(sessions.c.sid == bindparam("_sid"))
_active = later(sessions.c.last_active_at, bindparam("_now", type_=sa.BigInteger))
_TOUCH = (
    sa.update(sessions)
    .where(sessions.c.sid == bindparam("_sid"), sessions.c.ended_at.is_(None), sessions.c.due_at > bindparam("_now"))
    .values(last_active_at=_active, due_at=due_at_of(_active))
)
_OPEN_TRIES = 3


class SqlSessions:
    """Implements `ports.SessionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, candidate: Session, now: int, overlap_ms: int, *, shown: str = "") -> Opened | None:
        """One live session per browser, in one step; None when another person's is in the way. Raises Unavailable."""
        for _ in range(_OPEN_TRIES):
            try:
                with self._database.write() as connection:
                    return _open(connection, candidate, now, overlap_ms, shown)
            except exc.IntegrityError:
                # Only on PostgreSQL: another request of the same browser wrote its session after we looked, and the
                # unique index refused ours. Look again: now it is there.
                continue
        raise Unavailable(detail="database: one browser opens sessions faster than they can be told apart")

    def find_by_cookie(self, cookie_hash: str, bucket: int, now: int) -> Session | None:
        """The session of the current cookie or of a previous one within its overlap. Raises Unavailable."""
        del bucket  # an index finds it; Redis needs to know where to look
        with self._database.read() as connection:
            row = _BY_COOKIE.find(connection, {"_cookie": cookie_hash, "_now": now})
        return None if row is None else session_of(row)

    def find(self, sid: str) -> Session | None:
        """The session, live or ended but not yet purged. Raises Unavailable."""
        with self._database.read() as connection:
            row = _BY_SID.find(connection, {"_sid": sid})
        return None if row is None else session_of(row)

    def touch(self, sid: str, now: int) -> None:
        """last_active_at = max(it, now), if the session is live. Raises Unavailable."""
        with self._database.write() as connection:
            connection.execute(_TOUCH, {"_sid": sid, "_now": now})

    def end(self, sid: str, reason: str, now: int, *, bulk: bool = False) -> Ended | None:
        """End it and write its notifications in one step; later calls return the first result. Raises Unavailable."""
        with self._database.write() as connection:
            ended = ending.end(connection, sid, reason, now, bulk=bulk)
            if ended is not None:
                return ended
            deny_unknown(connection, sid, now)
            row = _BY_SID.find(connection, {"_sid": sid})
            if row is None:
                return None
            return Ended(session_of(row), ending.notifications_of(connection, sid), first=False)

    def note_forgotten(self, audience: Sequence[str], until: int, now: int) -> None:
        """For whose APIs any session may have tokens that this database doesn't know. Raises Unavailable."""
        del now  # what is over is passed over, and purged
        with self._database.write() as connection:
            note_forgotten(connection, audience, until)


def _open(connection: Connection, candidate: Session, now: int, overlap_ms: int, shown: str) -> Opened | None:
    row = _OF_BROWSER.find(connection, {"_browser": candidate.browser_hash})
    present = None if row is None else session_of(row)
    replaced: Ended | None = None
    if present is not None:
        if present.is_live(now) and present.user_id == candidate.user_id:
            return Opened(_renew(connection, present, candidate, now, overlap_ms), renewed=True)
        if present.is_live(now):
            if not present.is_cookie(shown, now):
                return None
            replaced = ending.end(connection, present.sid, EndReason.REPLACED.value, now)
        else:
            replaced = ending.end_if_due(connection, present, now)
    _INSERT.run(connection, session_values(candidate))
    return Opened(candidate, renewed=False, replaced=replaced.session if replaced else None)


def _renew(connection: Connection, present: Session, candidate: Session, now: int, overlap_ms: int) -> Session:
    renewed = replace(
        present,
        cookie_hash=candidate.cookie_hash,
        previous_cookie_hash=present.cookie_hash,
        previous_cookie_until=now + overlap_ms,
        auth_time=candidate.auth_time,
        amr=candidate.amr,
        user_version=candidate.user_version,
        user_agent=candidate.user_agent,
        address=candidate.address,
        remembered=candidate.remembered,
        last_active_at=candidate.last_active_at,
        absolute_until=max(present.absolute_until, candidate.absolute_until),
        idle_off=present.idle_off or candidate.idle_off,
    )
    connection.execute(_RENEW.values(session_values(renewed)), {"_sid": present.sid})
    return renewed
