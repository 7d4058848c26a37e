"""Outbox: the worker's side of the ledger. No row to two workers, no claim for ever, success from any attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, text
from sqlalchemy.sql.dml import ReturningUpdate

from sso_server.core.notifications import AttemptResult, Notification, State
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.records import notification_of
from sso_server.stores.sql.tables import notifications
from sso_server.stores.sql.turns import among, take_in_order

# due_at is the next attempt of a pending row and the end of the claim of a claimed one: one index, by class, finds
# both, also what a dead worker left.
_NEXT_DUE = Prepared(
    sa.select(sa.func.min(notifications.c.due_at).label("due_at")).where(
        notifications.c.bulk == bindparam("_bulk"), notifications.c.due_at.is_not(None)
    )
)
_due = (
    sa.select(notifications.c.number)
    .where(
        notifications.c.bulk == bindparam("_bulk"),
        notifications.c.due_at.is_not(None),
        notifications.c.due_at <= bindparam("_now"),
    )
    .order_by(notifications.c.due_at, notifications.c.number)
    .limit(bindparam("_limit"))
    .with_for_update(skip_locked=True)
)


def _claim(*, sqlite: bool) -> ReturningUpdate[Any]:
    return (
        sa.update(notifications)
        .where(among(notifications.c.number, _due, sqlite=sqlite))
        .values(
            state=State.CLAIMED.value,
            attempt=notifications.c.attempt + 1,
            claimed_by=bindparam("_worker"),
            claimed_until=bindparam("_until"),
            due_at=bindparam("_until"),
        )
        .returning(*notifications.c)
    )


_CLAIM = {sqlite: Prepared(_claim(sqlite=sqlite)) for sqlite in (True, False)}
# By the index of what is due, not by the state: the claims of now stand among the rows of the next half minute.
_CLAIMED = (
    sa.select(notifications)
    .where(
        notifications.c.bulk == bindparam("_bulk"),
        notifications.c.due_at > bindparam("_now"),
        notifications.c.due_at <= bindparam("_until"),
        notifications.c.state == State.CLAIMED.value,
    )
    .order_by(notifications.c.due_at, notifications.c.number)
    .limit(bindparam("_limit"))
)
_record = (
    sa.update(notifications)
    .where(
        notifications.c.sid == bindparam("_sid"),
        notifications.c.client_id == bindparam("_client"),
        notifications.c.store_id == bindparam("_store"),
    )
    .values(
        state=bindparam("_state"),
        next_attempt_at=bindparam("_next"),
        due_at=bindparam("_due"),
        final_at=bindparam("_final"),
        to_archive_at=bindparam("_final"),
        last_status=bindparam("_status"),
        last_error=bindparam("_error"),
        sends=notifications.c.sends + bindparam("_sent"),
        claimed_by="",
        claimed_until=0,
    )
)
_NAMED = sa.tuple_(notifications.c.sid, notifications.c.client_id, notifications.c.store_id).in_(
    bindparam("_names", expanding=True)
)
# The site has ended its session: no later failure, claim or giving up makes that untrue.
_RECORD_SUCCESS = Prepared(_record.where(text("state <> 'acknowledged'")))
# Anything else may come from an attempt that somebody else has repeated since.
_RECORD_FAILURE = Prepared(
    _record.where(notifications.c.state == State.CLAIMED.value, notifications.c.attempt == bindparam("_attempt"))
)


class SqlOutbox:
    """Implements `ports.Outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, worker: str, now: int, limit: int, claim_ms: int, *, bulk: bool = False) -> list[Notification]:
        """Due rows of the class, longest due first, claimed by this worker until now + claim_ms. Raises Unavailable."""
        due = self.next_due(now, bulk=bulk)
        if due is None or due > now:
            # Looking costs a read; most polls find nothing and take no lock.
            return []
        values = {"_worker": worker, "_now": now, "_limit": limit, "_until": now + claim_ms, "_bulk": bulk}
        with self._database.write() as connection:
            rows = _CLAIM[self._database.is_sqlite].find_all(connection, values)
        return [notification_of(row) for row in sorted(rows, key=lambda row: (row.next_attempt_at or 0, row.number))]

    def record(self, results: Sequence[AttemptResult], now: int) -> None:
        """Write outcomes in a batch. Raises Unavailable."""
        successes = [_values(result, now) for result in results if result.state is State.ACKNOWLEDGED]
        failures = [
            {**_values(result, now), "_attempt": result.attempt}
            for result in results
            if result.state is not State.ACKNOWLEDGED
        ]
        if not results:
            return
        names = [(result.sid, result.client_id, result.store_id) for result in results]
        with self._database.write() as connection:
            take_in_order(connection, _NAMED, {"_names": names})
            if failures:
                _RECORD_FAILURE.run_each(connection, failures)
            if successes:
                _RECORD_SUCCESS.run_each(connection, successes)

    def list_claimed(self, now: int, limit: int, claim_ms: int) -> list[Notification]:
        """Rows whose claim is not over; see ports.Outbox. Raises Unavailable."""
        values = {"_now": now, "_until": now + claim_ms, "_limit": limit}
        with self._database.read() as connection:
            rows = [row for bulk in (False, True) for row in connection.execute(_CLAIMED, {**values, "_bulk": bulk})]
        return [notification_of(row) for row in rows[:limit]]

    def next_due(self, now: int, *, bulk: bool | None = None) -> int | None:
        """When the next row of the class (None: of either) is due (ms), in the past if it is overdue; None when there
        is none. Raises Unavailable."""
        del now  # the moment stands in the row
        classes = (False, True) if bulk is None else (bulk,)
        with self._database.read() as connection:
            # One look for each class: each is the first entry of the index, a minimum over both would read all of it.
            dues = [_NEXT_DUE.find(connection, {"_bulk": one}).due_at for one in classes]
        return min((due for due in dues if due is not None), default=None)


def _values(result: AttemptResult, now: int) -> dict[str, object]:
    return {
        "_sid": result.sid,
        "_client": result.client_id,
        "_store": result.store_id,
        "_state": result.state.value,
        "_next": result.next_attempt_at,
        "_due": result.next_attempt_at if result.state is State.PENDING else None,
        "_final": now if result.state.is_final else None,
        "_status": result.status,
        "_error": result.error,
        "_sent": int(result.sent),
    }
