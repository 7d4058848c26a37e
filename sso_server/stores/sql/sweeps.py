"""Sweeps: ending what is due, dropping what nobody needs any more."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import and_, bindparam, exists, or_
from sqlalchemy.engine import Connection

from sso_server.core.notifications import POLL_REFUSAL, State
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.sign_out import Ended
from sso_server.stores.sql import ending
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.records import session_of
from sso_server.stores.sql.tables import (
    denied,
    forgotten,
    grants,
    guesses,
    notifications,
    participants,
    sessions,
    site_stores,
    slips,
    tickets,
    tokens,
)
from sso_server.stores.sql.turns import among

# How many sessions one transaction ends: the write lock is free for others in between.
_BATCH = 20
KEEP_TICKET_MS = 10 * MINUTE
KEEP_ENDED_MS = DAY
KEEP_STORE_MS = 400 * DAY

_OLDEST_DUE = sa.select(sa.func.min(sessions.c.due_at)).where(
    sessions.c.ended_at.is_(None), sessions.c.due_at <= bindparam("_now")
)
_DUE = (
    sa.select(sessions)
    .where(sessions.c.ended_at.is_(None), sessions.c.due_at <= bindparam("_now"))
    .order_by(sessions.c.due_at)
    .limit(bindparam("_limit"))
    # Two sweepers share the work instead of waiting for each other.
    .with_for_update(skip_locked=True)
)

_MOOT = (
    sa.update(notifications)
    .where(
        notifications.c.state == State.PENDING.value,
        sa.text("state <> 'acknowledged'"),
        notifications.c.next_attempt_at.is_(None),
        notifications.c.local_until <= bindparam("_now"),
    )
    .values(state=State.MOOT.value, final_at=bindparam("_now"), to_archive_at=bindparam("_now"))
)


def _expired(
    table: sa.Table, key: sa.Column[Any], end: sa.Column[int], *more_ends: sa.Column[int]
) -> dict[bool, sa.Delete]:
    """For SQLite (True) and for PostgreSQL."""
    over = (column <= bindparam("_before") for column in (end, *more_ends))
    doomed = sa.select(key).where(*over).order_by(end).limit(bindparam("_limit")).with_for_update(skip_locked=True)
    return {sqlite: sa.delete(table).where(among(key, doomed, sqlite=sqlite)) for sqlite in (True, False)}


# What expires by itself, and how long each is kept beyond its end.
_EXPIRED = (
    (_expired(tickets, tickets.c.ticket_hash, tickets.c.expires_at), KEEP_TICKET_MS),
    # A JWT that is over here can still be revoked while an API, by a clock that is behind, would take it.
    (_expired(tokens, tokens.c.token_hash, tokens.c.expires_at, tokens.c.deny_until), 0),
    (_expired(grants, grants.c.grant_id, grants.c.keep_until), 0),
    (_expired(guesses, guesses.c.key, guesses.c.forget_at), 0),
    (_expired(slips, slips.c.name, slips.c.expires_at), 0),
    (_expired(denied, denied.c.number, denied.c.until), 0),
    (_expired(forgotten, forgotten.c.client_id, forgotten.c.until), 0),
    # A store that has been silent for longer than any local session lives is gone (a container has a new one each
    # time).
    (_expired(site_stores, site_stores.c.store_id, site_stores.c.last_check_in_at), KEEP_STORE_MS),
)

_STILL_NEEDED = exists().where(
    notifications.c.sid == sessions.c.sid,
    or_(
        notifications.c.final_at.is_(None),
        notifications.c.to_archive_at.is_not(None),
        and_(
            or_(
                # A store of ours hears of it at its check-in.
                sa.func.substr(notifications.c.store_id, 1, 3) == "st-",
                # What push gave up, its site may still hear by a poll, or by an operator's retry; what it refused by a
                # poll itself it won't.
                and_(
                    notifications.c.state.in_([State.REFUSED.value, State.ABANDONED.value]),
                    sa.not_(notifications.c.last_error.startswith(POLL_REFUSAL, autoescape=True)),
                ),
            ),
            notifications.c.state != State.ACKNOWLEDGED.value,
            notifications.c.local_until > bindparam("_now"),
        ),
    ),
)
_FINISHED = (
    sa.select(sessions.c.sid)
    .where(sessions.c.ended_at.is_not(None), sessions.c.ended_at < bindparam("_before"), ~_STILL_NEEDED)
    .order_by(sessions.c.ended_at)
    .limit(bindparam("_limit"))
    .with_for_update(skip_locked=True)
)


class SqlSweeps:
    """Implements `ports.Sweeps`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def end_due(self, now: int, limit: int) -> list[Ended]:
        """End sessions with due_at <= now, oldest first; each re-checked in its own step. Raises Unavailable."""
        swept: list[Ended] = []
        # Looking costs a read; most calls find nothing and take no lock.
        while len(swept) < limit and self.oldest_due(now) is not None:
            with self._database.write() as connection:
                batch = {"_now": now, "_limit": min(_BATCH, limit - len(swept))}
                due = [session_of(row) for row in connection.execute(_DUE, batch)]
                swept += [
                    ended for session in due if (ended := ending.end_if_due(connection, session, now)) is not None
                ]
            if not due:
                # Another sweeper holds them.
                break
        return swept

    def oldest_due(self, now: int) -> int | None:
        """The smallest due_at <= now of a session that is not ended. Raises Unavailable."""
        with self._database.read() as connection:
            oldest: int | None = connection.execute(_OLDEST_DUE, {"_now": now}).scalar_one()
        return oldest

    def purge(self, now: int, limit: int) -> int:
        """Drop at most about `limit` rows or sessions that nobody needs any more; how many rows. Raises Unavailable."""
        dropped = 0
        with self._database.write() as connection:
            connection.execute(_MOOT, {"_now": now})
            for statement, keep_ms in _EXPIRED:
                if dropped < limit:
                    window = {"_before": now - keep_ms, "_limit": limit - dropped}
                    dropped += connection.execute(statement[self._database.is_sqlite], window).rowcount
            if dropped < limit:
                dropped += _purge_sessions(connection, now, limit - dropped)
        return dropped


def _purge_sessions(connection: Connection, now: int, limit: int) -> int:
    window = {"_now": now, "_before": now - KEEP_ENDED_MS, "_limit": limit}
    sids = list(connection.execute(_FINISHED, window).scalars())
    if not sids:
        return 0
    return sum(
        connection.execute(sa.delete(table).where(table.c.sid.in_(sids))).rowcount
        for table in (notifications, participants, sessions)
    )
