"""OneTimeStore: small things that work once, by digest."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import bindparam, text

from sso_server.stores.sql.account_tables import one_time
from sso_server.stores.sql.engine import Database

_PUT = text(
    "INSERT INTO one_time (key, expires_at) VALUES (:key, :expires_at)"
    " ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at"
)
_CLAIM = text(
    "INSERT INTO one_time (key, expires_at) VALUES (:key, :expires_at)"
    " ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at WHERE one_time.expires_at <= :now"
)
_HAS = sa.select(one_time.c.key).where(one_time.c.key == bindparam("_key"), one_time.c.expires_at > bindparam("_now"))
_TAKE = sa.delete(one_time).where(one_time.c.key == bindparam("_key"), one_time.c.expires_at > bindparam("_now"))
# At READ COMMITTED (design 4.3) two that replace each other at once wouldn't see, and so would leave, the other's row.
_ONE_AT_A_TIME = text("LOCK TABLE one_time IN SHARE ROW EXCLUSIVE MODE")
_DROP_ALIKE = sa.delete(one_time).where(one_time.c.key.startswith(bindparam("_prefix")))
_DROP_EXPIRED = sa.delete(one_time).where(one_time.c.expires_at <= bindparam("_now"))


class SqlOneTime:
    """Implements `ports.OneTimeStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_once(self, key: str, expires_at: int, *, replaces: str = "") -> None:
        """Keep it until then (ms), and no other that begins with `replaces`. Raises Unavailable."""
        with self._database.write() as connection:
            if replaces:
                if not self._database.is_sqlite:
                    connection.execute(_ONE_AT_A_TIME)
                connection.execute(_DROP_ALIKE, {"_prefix": replaces})
            connection.execute(_PUT, {"key": key, "expires_at": expires_at})

    def claim_once(self, key: str, expires_at: int, now: int) -> bool:
        """Keep it until then (ms) if it isn't there: True for exactly one caller. Raises Unavailable."""
        with self._database.write() as connection:
            return connection.execute(_CLAIM, {"key": key, "expires_at": expires_at, "now": now}).rowcount == 1

    def has_once(self, key: str, now: int) -> bool:
        """It is there and not expired. Raises Unavailable."""
        with self._database.read() as connection:
            return connection.execute(_HAS, {"_key": key, "_now": now}).first() is not None

    def take_once(self, key: str, now: int) -> bool:
        """True for exactly one caller. Raises Unavailable."""
        with self._database.write() as connection:
            taken = connection.execute(_TAKE, {"_key": key, "_now": now}).rowcount == 1
            connection.execute(_DROP_EXPIRED, {"_now": now})
        return taken
