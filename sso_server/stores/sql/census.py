"""CensusStore on SQL: four counts, each over a partial index that holds only what is counted."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import bindparam, text

from sso_server.core.census import Counted
from sso_server.core.notifications import State
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.tables import notifications, sessions

# `due_at` instead of a star: the index of what is due holds nothing but that, and every live session.
_LIVE = sa.select(sa.func.count(sessions.c.due_at)).where(sessions.c.ended_at.is_(None))
_QUEUED = (
    sa.select(
        notifications.c.bulk,
        sa.func.count(),
        sa.func.sum(sa.case((notifications.c.due_at <= bindparam("_now"), 1), else_=0)),
    )
    .where(notifications.c.due_at.is_not(None))
    .group_by(notifications.c.bulk)
)
_UNFINISHED = sa.select(
    sa.func.count(), sa.func.count(notifications.c.due_at), sa.func.min(notifications.c.ended_at)
).where(
    notifications.c.state.in_((State.PENDING.value, State.CLAIMED.value)),
    text("state <> 'acknowledged'"),  # what the condition of an index says
)
_TO_ARCHIVE = sa.select(sa.func.count(notifications.c.to_archive_at)).where(notifications.c.to_archive_at.is_not(None))


class SqlCensus:
    """Implements `ports.CensusStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, now: int) -> Counted:
        """See ports.CensusStore. Raises Unavailable."""
        with self._database.read() as connection:
            live: int = connection.execute(_LIVE).scalar_one()
            queued = {bool(bulk): (count, due) for bulk, count, due in connection.execute(_QUEUED, {"_now": now})}
            unfinished, with_time, oldest = connection.execute(_UNFINISHED).one()
            to_archive: int = connection.execute(_TO_ARCHIVE).scalar_one()
        count, due = queued.get(False, (0, 0))
        count_bulk, due_bulk = queued.get(True, (0, 0))
        return Counted(
            live=live,
            due=due,
            due_bulk=due_bulk,
            later=count - due,
            later_bulk=count_bulk - due_bulk,
            when_asked=unfinished - with_time,
            to_archive=to_archive,
            oldest_unfinished=oldest,
        )
