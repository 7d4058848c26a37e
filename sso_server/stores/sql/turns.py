"""Which rows a statement takes on PostgreSQL, and in which order: nobody waits crosswise, nobody reads a whole table
for a handful. On SQLite whoever writes is alone, and nothing here costs anything.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from sso_server.stores.sql.tables import notifications

_ORDERED = (
    sa.select(notifications.c.number)
    .order_by(notifications.c.sid, notifications.c.client_id, notifications.c.store_id)
    .with_for_update()
)


def take_in_order(connection: Connection, which: ColumnElement[bool], values: dict[str, Any]) -> None:
    """Lock the ledger's rows that are about to be changed by the session, client and store. Of two that change many of
    the same, one then waits for the other; without it PostgreSQL ends one of them as a dead lock now and then."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ORDERED.where(which), values)


def among(column: sa.Column[Any], few: sa.Select[Any], *, sqlite: bool) -> ColumnElement[bool]:
    """`column` is one of the `few`, found first and once. With IN, PostgreSQL may join the whole table with them: it
    doesn't know the limit of a prepared statement, and takes a tenth of all rows for few."""
    if sqlite:
        return column.in_(few)
    return column == sa.any_(sa.func.array(few.scalar_subquery()))
