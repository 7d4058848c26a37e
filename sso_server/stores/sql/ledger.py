"""Ledger and Archive: people's side of the notifications, and their way to the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, exists, text

from sso_server.core.notifications import POLLED, Notification, State
from sso_server.core.sessions import Session
from sso_server.stores.sql import ending
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.records import notification_of, session_of
from sso_server.stores.sql.tables import notifications, participants, sessions

_PAGE = 500
_ENDED = (
    sa.select(sessions)
    .where(sessions.c.ended_at.is_not(None))
    .order_by(sessions.c.ended_at.desc(), sessions.c.sid.desc())
)
_UNFINISHED = exists().where(notifications.c.sid == sessions.c.sid, notifications.c.final_at.is_(None))
# core/interventions.py, can_retry: keep these lines equal to those.
_RETRY = (
    sa.update(notifications)
    .where(
        notifications.c.sid == bindparam("_sid"),
        notifications.c.state.not_in((State.ACKNOWLEDGED.value, State.MOOT.value)),
        notifications.c.local_until > bindparam("_now"),
        sa.or_(
            notifications.c.state != State.CLAIMED.value,
            notifications.c.claimed_until <= bindparam("_now"),
        ),
        sa.or_(
            sa.and_(notifications.c.kind != POLLED, notifications.c.logout_uri != ""),
            sa.and_(notifications.c.kind == POLLED, notifications.c.final_at.is_not(None)),
        ),
    )
    .values(
        bulk=False,
        state=State.PENDING.value,
        next_attempt_at=bindparam("_now"),
        due_at=bindparam("_now"),
        final_at=None,
        to_archive_at=None,
        claimed_by="",
        claimed_until=0,
        # The count of answers in a row begins anew: whoever presses a button must not use up the tries that a site has.
        last_error="",
    )
)
# A page at a time, each after the last: as long as a write takes, nobody else writes.
_ASKING = (
    sa.select(participants.c.number)
    .where(
        participants.c.client_id == bindparam("_client"),
        participants.c.store_id == "",
        participants.c.kind == POLLED,
        participants.c.number > bindparam("_after"),
    )
    .order_by(participants.c.number)
    .limit(_PAGE)
)
_REGISTER_CALLED = (
    sa.update(participants)
    .where(participants.c.number.in_(bindparam("_numbers", expanding=True)))
    .values(kind=bindparam("_kind"), logout_uri=bindparam("_uri"))
)
_IS_UNASKED = sa.and_(
    notifications.c.state == State.PENDING.value,
    text("state <> 'acknowledged'"),  # what the condition of an index says
    notifications.c.due_at.is_(None),
)
_UNASKED = (
    sa.select(notifications.c.number)
    .where(
        notifications.c.client_id == bindparam("_client"),
        notifications.c.store_id == "",
        notifications.c.number > bindparam("_after"),
        _IS_UNASKED,
    )
    .order_by(notifications.c.number)
    .limit(_PAGE)
)
_CALL = (
    sa.update(notifications)
    .where(notifications.c.number.in_(bindparam("_numbers", expanding=True)), _IS_UNASKED)
    .values(
        kind=bindparam("_kind"),
        logout_uri=bindparam("_uri"),
        bulk=True,
        next_attempt_at=bindparam("_now"),
        due_at=bindparam("_now"),
    )
)
_ABANDON = (
    sa.update(notifications)
    .where(notifications.c.sid == bindparam("_sid"), notifications.c.final_at.is_(None))
    .values(
        state=State.ABANDONED.value,
        next_attempt_at=None,
        due_at=None,
        final_at=bindparam("_now"),
        to_archive_at=bindparam("_now"),
        last_error=bindparam("_by"),
        claimed_by="",
        claimed_until=0,
    )
)
_ARCHIVABLE = (
    sa.select(notifications)
    .where(notifications.c.to_archive_at.is_not(None))
    .order_by(notifications.c.to_archive_at, notifications.c.number)
    .limit(bindparam("_limit"))
)
# Only in the state that was archived: an acknowledgement that came in between is news.
_ARCHIVED = (
    sa.update(notifications)
    .where(
        notifications.c.sid == bindparam("_sid"),
        notifications.c.client_id == bindparam("_client"),
        notifications.c.store_id == bindparam("_store"),
        notifications.c.state == bindparam("_state"),
    )
    .values(to_archive_at=None)
)


class SqlLedger:
    """Implements `ports.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_session(self, sid: str) -> list[Notification]:
        """All rows of a session, in the order in which its sites were registered. Raises Unavailable."""
        with self._database.read() as connection:
            return list(ending.notifications_of(connection, sid))

    def list_ended(
        self, limit: int, *, before: int = 0, before_sid: str = "", unfinished_only: bool = False, user_id: str = ""
    ) -> list[Session]:
        """Ended sessions, newest end first; see ports.Ledger for the cursor. Raises Unavailable."""
        query = _ENDED.limit(limit)
        if before and before_sid:
            same = sa.and_(sessions.c.ended_at == before, sessions.c.sid < before_sid)
            # The first condition alone lets the index be used.
            query = query.where(sessions.c.ended_at <= before, sa.or_(sessions.c.ended_at < before, same))
        elif before:
            query = query.where(sessions.c.ended_at < before)
        if unfinished_only:
            query = query.where(_UNFINISHED)
        if user_id:
            query = query.where(sessions.c.user_id == user_id)
        with self._database.read() as connection:
            return [session_of(row) for row in connection.execute(query)]

    def retry(self, sid: str, client_id: str, now: int) -> int:
        """Make due now what `interventions.can_retry`; how many rows. Raises Unavailable."""
        return self._update(_RETRY, client_id, {"_sid": sid, "_now": now})

    def retry_all(self, pairs: Sequence[tuple[str, str]], now: int) -> dict[tuple[str, str], int]:
        """See ports.Ledger. One transaction. Raises Unavailable."""
        if not pairs:
            return {}
        statement = _RETRY.where(notifications.c.client_id == bindparam("_client"))
        with self._database.write() as connection:
            counts = {
                pair: connection.execute(statement, {"_sid": pair[0], "_client": pair[1], "_now": now}).rowcount
                for pair in pairs
            }
        return {pair: count for pair, count in counts.items() if count}

    def call_from_now(self, client_id: str, kind: str, logout_uri: str, now: int) -> int:
        """See ports.Ledger. First the registrations: a session that ends in between is told rightly. Raises
        Unavailable."""
        values = {"_kind": kind, "_uri": logout_uri}
        self._in_pages(_ASKING, client_id, _REGISTER_CALLED, values)
        return self._in_pages(_UNASKED, client_id, _CALL, {**values, "_now": now})

    def _in_pages(self, look: sa.Select[Any], client_id: str, change: sa.Update, values: Mapping[str, object]) -> int:
        count, after = 0, 0
        while True:
            with self._database.read() as connection:
                numbers = list(connection.execute(look, {"_client": client_id, "_after": after}).scalars())
            if not numbers:
                return count
            with self._database.write() as connection:
                count += connection.execute(change, {**values, "_numbers": numbers}).rowcount
            after = numbers[-1]

    def abandon(self, sid: str, client_id: str, by: str, now: int) -> int:
        """Give up rows that are pending or claimed (an empty client: of every client); how many. Raises Unavailable."""
        return self._update(_ABANDON, client_id, {"_sid": sid, "_now": now, "_by": f"by:{by}"})

    def _update(self, statement: sa.Update, client_id: str, values: dict[str, object]) -> int:
        if client_id:
            statement = statement.where(notifications.c.client_id == client_id)
        with self._database.write() as connection:
            return connection.execute(statement, values).rowcount


class SqlArchive:
    """Implements `ports.Archive`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_archivable(self, limit: int) -> list[Notification]:
        """Final rows not yet archived, oldest first. Raises Unavailable."""
        with self._database.read() as connection:
            return [notification_of(row) for row in connection.execute(_ARCHIVABLE, {"_limit": limit})]

    def mark_archived(self, rows: Sequence[Notification]) -> None:
        """They are in the audit now, in this state. Raises Unavailable."""
        if not rows:
            return
        values = [
            {"_sid": row.sid, "_client": row.client_id, "_store": row.store_id, "_state": row.state.value}
            for row in rows
        ]
        with self._database.write() as connection:
            connection.execute(_ARCHIVED, values)
