"""AuditStore: what happened, in the order in which it was written."""

from __future__ import annotations

import json

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from sso_server.core.events import Event, EventKind
from sso_server.stores.sql.account_tables import audit
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.prepared import Prepared

_INSERT = Prepared(sa.insert(audit))
_NEWEST = sa.select(audit).order_by(audit.c.at.desc(), audit.c.number.desc())
_PURGE = sa.delete(audit).where(
    audit.c.number.in_(
        sa.select(audit.c.number)
        .where(audit.c.at < bindparam("_before"))
        .order_by(audit.c.at)
        .limit(bindparam("_limit"))
    )
)


class SqlAudit:
    """Implements `ports.AuditStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, *events: Event) -> None:
        """Write them, all or none. Raises Unavailable."""
        if not events:
            return
        with self._database.write() as connection:
            write_events(connection, *events)

    def list_events(
        self, limit: int, *, before: int = 0, kind: EventKind | None = None, user_id: str = "", sid: str = ""
    ) -> list[Event]:
        """Newest first; `before` (ms, exclusive) pages on. Raises Unavailable."""
        # A newer version, working beside this one, writes kinds that this one has no name for.
        query = _NEWEST.where(audit.c.kind.in_([known.value for known in EventKind])).limit(limit)
        if before:
            query = query.where(audit.c.at < before)
        if kind is not None:
            query = query.where(audit.c.kind == kind.value)
        if user_id:
            query = query.where(audit.c.user_id == user_id)
        if sid:
            query = query.where(audit.c.sid == sid)
        with self._database.read() as connection:
            return [
                Event(
                    at=row.at,
                    kind=EventKind(row.kind),
                    user_id=row.user_id,
                    sid=row.sid,
                    client_id=row.client_id,
                    actor=row.actor,
                    data=json.loads(row.data),
                )
                for row in connection.execute(query)
            ]

    def purge_events(self, older_than: int, limit: int) -> int:
        """Drop events before `older_than` (ms), oldest first; how many. Raises Unavailable."""
        with self._database.write() as connection:
            return connection.execute(_PURGE, {"_before": older_than, "_limit": limit}).rowcount


def write_events(connection: Connection, *events: Event | None) -> None:
    """In the transaction of what they tell of; None: nothing is to be told."""
    rows = [
        {
            "at": event.at,
            "kind": event.kind.value,
            "user_id": event.user_id,
            "sid": event.sid,
            "client_id": event.client_id,
            "actor": event.actor,
            "data": json.dumps(event.data, ensure_ascii=False),
        }
        for event in events
        if event is not None
    ]
    if rows:
        _INSERT.run_each(connection, rows)
