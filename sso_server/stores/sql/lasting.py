"""LastingStore: values that are made once and never change."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import bindparam, text

from sso_server.stores.sql.account_tables import lasting
from sso_server.stores.sql.engine import Database

_PUT = text("INSERT INTO lasting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING")
_FIND = sa.select(lasting.c.value).where(lasting.c.name == bindparam("_name"))


class SqlLasting:
    """Implements `ports.LastingStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_or_put(self, name: str, value: str) -> str:
        """The kept one; of several at once, the first one's. Raises Unavailable."""
        with self._database.write() as connection:
            connection.execute(_PUT, {"name": name, "value": value})
            return str(connection.execute(_FIND, {"_name": name}).scalar_one())
