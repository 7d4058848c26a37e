"""SlipStore: small texts that live for minutes. Whether a slip is still good is asked in every statement."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import bindparam, text

from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.tables import slips

_ADD = text(
    "INSERT INTO slips (name, content, expires_at) VALUES (:name, :content, :expires_at)"
    " ON CONFLICT (name) DO UPDATE SET content = excluded.content, expires_at = excluded.expires_at"
    " WHERE slips.expires_at <= :now"
)
_LIVE = (slips.c.name == bindparam("_name")) & (slips.c.expires_at > bindparam("_now"))
_FIND = sa.select(slips.c.content).where(_LIVE)
_REPLACE = sa.update(slips).where(_LIVE, slips.c.content == bindparam("_was")).values(content=bindparam("_content"))
_EXTEND = sa.update(slips).where(_LIVE).values(expires_at=bindparam("_expires_at"))
_TAKE = sa.delete(slips).where(_LIVE).returning(slips.c.content)


class SqlSlips:
    """Implements `ports.SlipStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, content: str, expires_at: int, now: int) -> bool:
        """True for exactly one caller while it lives. Raises Unavailable."""
        with self._database.write() as connection:
            values = {"name": name, "content": content, "expires_at": expires_at, "now": now}
            return connection.execute(_ADD, values).rowcount == 1

    def find(self, name: str, now: int) -> str | None:
        """Its content while it lives. Raises Unavailable."""
        with self._database.read() as connection:
            return connection.execute(_FIND, {"_name": name, "_now": now}).scalar_one_or_none()

    def replace(self, name: str, was: str, content: str, now: int) -> bool:
        """Exchange the content if it still is `was`. Raises Unavailable."""
        with self._database.write() as connection:
            values = {"_name": name, "_was": was, "_content": content, "_now": now}
            return connection.execute(_REPLACE, values).rowcount == 1

    def extend(self, name: str, expires_at: int, now: int) -> bool:
        """Another end, while it lives. Raises Unavailable."""
        with self._database.write() as connection:
            return connection.execute(_EXTEND, {"_name": name, "_now": now, "_expires_at": expires_at}).rowcount == 1

    def take(self, name: str, now: int) -> str | None:
        """Its content, for exactly one caller. Raises Unavailable."""
        with self._database.write() as connection:
            return connection.execute(_TAKE, {"_name": name, "_now": now}).scalar_one_or_none()
