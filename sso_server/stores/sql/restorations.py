"""RestorationStore: each time that the store of sessions went back in time, and the heartbeat it is compared with."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, text

from sso_server.core.restorations import Cause, Restoration, RestorationState
from sso_server.stores.sql.account_tables import audit, marks, restorations
from sso_server.stores.sql.engine import Database

_HEARTBEAT = "heartbeat"

_ROWS = restorations.alias("rows")
_LAST = audit.alias("last")
_line_of = (_LAST.c.at, _LAST.c.kind, _LAST.c.user_id, _LAST.c.sid, _LAST.c.client_id, _LAST.c.actor, _LAST.c.data)
_real = sa.select(sa.func.max(_ROWS.c.detected_at)).where(_ROWS.c.cause != Cause.FIRST_SEEN.value)
_STATE = (
    sa.select(
        restorations,
        sa.select(_ROWS.c.restoration_id).order_by(_ROWS.c.number).limit(1).scalar_subquery().label("installation"),
        _real.scalar_subquery().label("last_at"),
        sa.select(marks.c.value).where(marks.c.name == _HEARTBEAT).scalar_subquery().label("heartbeat"),
        _LAST.c.number.label("journal_end"),
        *(column.label(f"line_{column.name}") for column in _line_of),
    )
    .join_from(
        restorations, _LAST, _LAST.c.number == sa.select(sa.func.max(audit.c.number)).scalar_subquery(), isouter=True
    )
    .order_by(restorations.c.number.desc())
    .limit(1)
)
_ALL = sa.select(restorations).order_by(restorations.c.number)
_LINE = sa.select(*(column.label(f"line_{column.name}") for column in _line_of)).where(
    _LAST.c.number == bindparam("_number")
)
_FIRST_LINE = sa.select(sa.func.min(audit.c.number))
_NEWEST = sa.select(restorations).order_by(restorations.c.number.desc()).limit(1)
# Two nodes that find out together: the second must see what the first has written. SQLite's write units are alone.
_ALONE = text("LOCK TABLE restorations IN SHARE ROW EXCLUSIVE MODE")
_INSERT = sa.insert(restorations)
_newest_number = sa.select(sa.func.max(_ROWS.c.number)).scalar_subquery()
_LEARN = (
    sa.update(restorations)
    .where(restorations.c.number == _newest_number, restorations.c.incarnation == "")
    .values(incarnation=bindparam("_incarnation"))
)
_BEAT = text(
    "INSERT INTO marks (name, value) VALUES (:name, :at) ON CONFLICT (name) DO UPDATE SET value ="
    " CASE WHEN excluded.value > marks.value THEN excluded.value ELSE marks.value END"
)
_FINISH = (
    sa.update(restorations)
    .where(restorations.c.restoration_id == bindparam("_id"), restorations.c.finished_at.is_(None))
    .values(finished_at=bindparam("_now"), incarnation=bindparam("_incarnation"), ended=bindparam("_ended"))
)


class SqlRestorations:
    """Implements `ports.RestorationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self) -> RestorationState | None:
        """What is known, in one read; None before the first row. Raises Unavailable."""
        with self._database.read() as connection:
            row = connection.execute(_STATE).one_or_none()
        if row is None:
            return None
        return RestorationState(
            newest=_restoration(row),
            installation=row.installation,
            detected_at=row.last_at or 0,
            heartbeat=row.heartbeat or 0,
            journal_end=row.journal_end or 0,
            journal_line=_digest(row) if row.journal_end else "",
        )

    def rows(self) -> list[Restoration]:
        """All of them, in the order in which they were found. Raises Unavailable."""
        with self._database.read() as connection:
            return [_restoration(row) for row in connection.execute(_ALL)]

    def holds_line(self, number: int, line: str) -> bool:
        """The audit's line `number` is the one with this digest, or was so old that it was purged.

        Raises Unavailable.
        """
        if not number:
            return True
        with self._database.read() as connection:
            row = connection.execute(_LINE, {"_number": number}).one_or_none()
            if row is not None:
                return _digest(row) == line
            first: int | None = connection.execute(_FIRST_LINE).scalar_one()
        return first is not None and number < first

    def begin(self, restoration: Restoration, *, after: str) -> bool:
        """Write it if the newest row still is `after` and finished (empty: there is none). Raises Unavailable."""
        with self._database.write() as connection:
            if not self._database.is_sqlite:
                connection.execute(_ALONE)
            newest = connection.execute(_NEWEST).one_or_none()
            found, is_finished = ("", True) if newest is None else (newest.restoration_id, newest.finished_at)
            if found != after or not is_finished:
                return False
            connection.execute(_INSERT, asdict(restoration))
        return True

    def learn(self, incarnation: str) -> None:
        """The newest row's incarnation, if it has none. Raises Unavailable."""
        with self._database.write() as connection:
            connection.execute(_LEARN, {"_incarnation": incarnation})

    def note_heartbeat(self, at: int) -> None:
        """The larger of what is noted and `at` (ms). Raises Unavailable."""
        with self._database.write() as connection:
            connection.execute(_BEAT, {"name": _HEARTBEAT, "at": at})

    def finish(self, restoration_id: str, incarnation: str, ended: int, now: int) -> None:
        """It is done, if it wasn't (the first one's word stays). Raises Unavailable."""
        values = {"_id": restoration_id, "_incarnation": incarnation, "_ended": ended, "_now": now}
        with self._database.write() as connection:
            connection.execute(_FINISH, values)


def _restoration(row: Any) -> Restoration:
    return Restoration(
        restoration_id=row.restoration_id,
        cause=row.cause,
        detected_at=row.detected_at,
        since=row.since,
        end_all=row.end_all,
        incarnation=row.incarnation,
        finished_at=row.finished_at,
        ended=row.ended,
        answers=row.answers,
    )


def _digest(row: Any) -> str:
    """Of a line of the audit: a mark goes out to sites, and what the line says is none of theirs."""
    return sha256(json.dumps([getattr(row, f"line_{column.name}") for column in _line_of]).encode()).hexdigest()[:32]
