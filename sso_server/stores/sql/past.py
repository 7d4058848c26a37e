"""PastStore on SQL: which server this is. No heartbeat: it would go back together with the one it is compared with."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

from sso_server.core.restorations import Past
from sso_server.stores.sql.engine import Database

# A timeline begins with every failover and every recovery to a moment; the system's identifier with every new cluster.
# Both functions may be called by anybody unless somebody has forbidden it.
_MAY_ASK = text(
    "SELECT has_function_privilege('pg_control_system()', 'execute')"
    " AND has_function_privilege('pg_current_wal_lsn()', 'execute')"
    " AND has_function_privilege('pg_walfile_name(pg_lsn)', 'execute')"
)
_INCARNATION = text(
    "SELECT system_identifier || ':' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()"
)


class SqlPast:
    """Implements `ports.PastStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self) -> Past:
        """Raises Unavailable."""
        with self._database.read() as connection:
            return read_past(connection, is_sqlite=self._database.is_sqlite)

    def beat(self, now: int, floor: int) -> Past:
        """Only looks. Raises Unavailable."""
        del now, floor
        return self.look()


def read_past(connection: Connection, *, is_sqlite: bool) -> Past:
    """The past of the server at the other end of this very connection."""
    if is_sqlite:
        # A file that was put back looks like itself: only the marks of sites can tell.
        return Past("sqlite")
    if not connection.execute(_MAY_ASK).scalar_one():
        return Past()
    return Past(f"postgresql:{connection.execute(_INCARNATION).scalar_one()}")
