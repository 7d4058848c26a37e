"""PollStore: the rows of sites without our SDK, offered to those that ask. Which ones: `notifications.is_offered`."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import and_, bindparam, text
from sqlalchemy.engine import Connection

from sso_server.core.notifications import POLL_REFUSAL, State
from sso_server.core.policy import SECOND
from sso_server.core.polls import PollAnswer, PollEvent, PollReport
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.tables import notifications, site_stores
from sso_server.stores.sql.turns import take_in_order

# Who asks every second need not cost a commit every second.
NOTE_EVERY_MS = 10 * SECOND
_CHUNK = 500
# Word for word the condition of the index ix_notifications_unheard: a bound value would not match it.
_UNHEARD = text("state <> 'acknowledged'")

_sids: sa.BindParameter[Sequence[str]] = bindparam("_sids", expanding=True)
_own = and_(notifications.c.client_id == bindparam("_client"), notifications.c.store_id == "", _UNHEARD)
_offered = and_(
    _own,
    notifications.c.state != State.MOOT.value,
    sa.not_(
        and_(
            notifications.c.state == State.REFUSED.value,
            notifications.c.last_error.startswith(POLL_REFUSAL, autoescape=True),
        )
    ),
)
_settled: dict[str, object] = {
    "final_at": bindparam("_now"),
    "to_archive_at": bindparam("_now"),
    "next_attempt_at": None,
    "due_at": None,
    "claimed_by": "",
    "claimed_until": 0,
}
_told = and_(_own, notifications.c.sid.in_(_sids))
_ACKNOWLEDGE = sa.update(notifications).where(_told).values(state=State.ACKNOWLEDGED.value, last_error="", **_settled)
_REFUSE = (
    sa.update(notifications)
    .where(_offered, notifications.c.sid == bindparam("_sid"))
    .values(state=State.REFUSED.value, last_error=bindparam("_error"), **_settled)
)
_LIST = (
    sa.select(notifications.c.sid, notifications.c.user_id, notifications.c.reason, notifications.c.ended_at)
    .where(_offered, notifications.c.local_until > bindparam("_now"))
    .order_by(notifications.c.ended_at, notifications.c.number)
    .limit(bindparam("_limit"))
)
_LOOK = sa.select(notifications.c.number).where(_offered, notifications.c.local_until > bindparam("_now")).limit(1)
# Beside the stores of sites with our SDK: the one without a name is the client itself.
_LAST = sa.select(site_stores.c.last_check_in_at).where(
    site_stores.c.client_id == bindparam("_client"), site_stores.c.store_id == ""
)
_NOTE = text(
    "INSERT INTO site_stores (client_id, store_id, last_check_in_at, lease_s, grace_s)"
    " VALUES (:_client, '', :_now, 0, 0) ON CONFLICT (client_id, store_id)"
    " DO UPDATE SET last_check_in_at = excluded.last_check_in_at"
)


class SqlPolls:
    """Implements `ports.PollStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def poll(self, report: PollReport, now: int, limit: int) -> PollAnswer:
        """Apply what the client says and list what it is offered. Raises Unavailable."""
        last = self.last_poll_at(report.client_id)
        if not report.says_something and last is not None and abs(now - last) < NOTE_EVERY_MS:
            with self._database.read() as connection:
                return _list(connection, report.client_id, now, limit)
        own = {"_client": report.client_id, "_now": now}
        with self._database.write() as connection:
            said = sorted({*report.acks, *(sid for sid, _ in report.refusals)})
            for i in range(0, len(said), _CHUNK):
                take_in_order(connection, _told, {**own, "_sids": said[i : i + _CHUNK]})
            for i in range(0, len(report.acks), _CHUNK):
                connection.execute(_ACKNOWLEDGE, {**own, "_sids": report.acks[i : i + _CHUNK]})
            if report.refusals:
                connection.execute(_REFUSE, [{**own, "_sid": sid, "_error": error} for sid, error in report.refusals])
            connection.execute(_NOTE, own)
            return _list(connection, report.client_id, now, limit)

    def has_waiting(self, client_id: str, now: int) -> bool:
        """Whether a row is offered now. Raises Unavailable."""
        with self._database.read() as connection:
            return connection.execute(_LOOK, {"_client": client_id, "_now": now}).first() is not None

    def last_poll_at(self, client_id: str) -> int | None:
        """When the client last polled (ms), as written down. Raises Unavailable."""
        with self._database.read() as connection:
            return connection.execute(_LAST, {"_client": client_id}).scalar_one_or_none()


def _list(connection: Connection, client_id: str, now: int, limit: int) -> PollAnswer:
    rows = connection.execute(_LIST, {"_client": client_id, "_now": now, "_limit": limit + 1}).all()
    events = tuple(PollEvent(row.sid, row.user_id, row.reason, row.ended_at) for row in rows[:limit])
    return PollAnswer(events, more=len(rows) > limit)
