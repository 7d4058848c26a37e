"""SessionLists: reading across sessions."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import exists

from sso_server.core.sessions import Participant, Session
from sso_server.stores.sql import ending
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.records import session_of
from sso_server.stores.sql.tables import participants, sessions

_LIVE = sa.select(sessions).where(sessions.c.ended_at.is_(None)).order_by(sessions.c.sid)
_COUNT = sa.select(sa.func.count()).select_from(sessions).where(sessions.c.ended_at.is_(None))


class SqlSessionLists:
    """Implements `ports.SessionLists`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_live(
        self,
        now: int,
        limit: int,
        *,
        user_id: str = "",
        client_id: str = "",
        older_than_version: int = 0,
        opened_before: int = 0,
        after_sid: str = "",
    ) -> list[Session]:
        """Not-ended sessions by sid, `after_sid` exclusive; empty or 0 means: no such condition. Raises Unavailable."""
        del now  # whether one has ended is written in its row; whether it is due, the caller sees
        query = _LIVE.limit(limit)
        if user_id:
            query = query.where(sessions.c.user_id == user_id)
        if client_id:
            query = query.where(
                exists().where(participants.c.sid == sessions.c.sid, participants.c.client_id == client_id)
            )
        if older_than_version:
            query = query.where(sessions.c.user_version < older_than_version)
        if opened_before:
            query = query.where(sessions.c.created_at < opened_before)
        if after_sid:
            query = query.where(sessions.c.sid > after_sid)
        with self._database.read() as connection:
            return [session_of(row) for row in connection.execute(query)]

    def participants(self, sid: str) -> list[Participant]:
        """The map session -> registered sites, in the order of registration. Raises Unavailable."""
        with self._database.read() as connection:
            return ending.participants_of(connection, sid)

    def count_live(self, now: int) -> int:
        """How many sessions are not ended. Raises Unavailable."""
        del now  # as above
        with self._database.read() as connection:
            return connection.execute(_COUNT).scalar_one()
