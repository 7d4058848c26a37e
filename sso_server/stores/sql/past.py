"""PastStore on SQL: which server this is. A heartbeat in the database alone would go back together with what it is
compared with; that of an SQLite file is compared with the one beside the file.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress

from sqlalchemy import text
from sqlalchemy.engine import Connection

from sso_server.core.errors import Unavailable
from sso_server.core.restorations import Past
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.side_file import SideFile

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
# The installation's name is that of the first row of restorations.
_BEAT = Prepared(
    text(
        "SELECT (SELECT restoration_id FROM restorations ORDER BY number LIMIT 1) AS installation,"
        " (SELECT value FROM marks WHERE name = 'beat') AS heartbeat"
    )
)
_WRITE_BEAT = Prepared(
    text("INSERT INTO marks (name, value) VALUES ('beat', :at) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
)


class SqlPast:
    """Implements `ports.PastStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inode = 0
        """Of the SQLite file that our connections were opened on."""

    def look(self) -> Past:
        """Raises Unavailable."""
        with self._database.read() as connection:
            return read_past(connection, self._database)

    def beat(self, now: int, floor: int) -> Past:
        """See ports.PastStore. Raises Unavailable."""
        past = self.look()
        if not self._database.is_sqlite or (past.is_behind and floor >= 0):
            return past
        # Without this one the last heartbeat goes on being compared with: only what must be put right now can't wait.
        with suppress(Unavailable) if floor >= 0 else nullcontext():
            self._write_beat(now, in_any_case=floor < 0)
        return self.look()

    def _write_beat(self, now: int, *, in_any_case: bool) -> None:
        file = SideFile(str(self._database.url.database))
        inode = file.inode_of_database()
        self._inode = self._inode or inode
        if inode != self._inode:
            # Somebody has put another file in its place under our feet. We still write to the one that is gone, and
            # what it knows must not accuse the new one again and again.
            return
        with self._database.write() as connection:
            installation, beaten = _BEAT.find(connection, {})
            if installation is None:
                return
            known, (owner, noted) = beaten or 0, file.read() or ("", 0)
            noted = noted if owner == installation else 0
            if noted > known and not in_any_case:
                return
            # Each is larger than the one before, also those of a clock that goes backwards.
            heartbeat = max(now, known + 1, noted)
            _WRITE_BEAT.run(connection, {"at": heartbeat})
        file.write(installation, heartbeat)


def read_past(connection: Connection, database: Database) -> Past:
    """The past of the server at the other end of this very connection."""
    if database.is_sqlite:
        return Past("sqlite", is_behind=_is_behind(connection, SideFile(str(database.url.database))))
    if not connection.execute(_MAY_ASK).scalar_one():
        return Past()
    return Past(f"postgresql:{connection.execute(_INCARNATION).scalar_one()}")


def _is_behind(connection: Connection, file: SideFile) -> bool:
    # The file first: the database has had whatever is in it, and is only read after that.
    noted = file.read()
    if noted is None:
        return False
    installation, heartbeat = _BEAT.find(connection, {})
    return bool(noted[0] == installation and noted[1] > (heartbeat or 0))
