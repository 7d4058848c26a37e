"""StoreHealth: the database's clock, proof that it can be written, and settings that endanger the promise."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

from sso_server.core.denials import OVERLAP_US
from sso_server.stores.sql.engine import Database

# SQLite's own function; it reads the clock of this machine, which is the store's machine.
_SQLITE_CLOCK = text("SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)")
_POSTGRES_CLOCK = text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
# A full disk still reads, and still begins transactions: only a write that was committed proves that writing works.
_TRIAL = text(
    "INSERT INTO marks (name, value) VALUES ('trial_write', :now)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def store_clock(connection: Connection) -> int:
    """The database's clock at this moment, not at its transaction's beginning (ms)."""
    is_sqlite = connection.dialect.name == "sqlite"
    now: int = connection.execute(_SQLITE_CLOCK if is_sqlite else _POSTGRES_CLOCK).scalar_one()
    return now


class SqlHealth:
    """Implements `ports.StoreHealth`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def store_time(self) -> int:
        """The database's clock (ms). Raises Unavailable when it is away or can't be written."""
        with self._database.write() as connection:
            now = store_clock(connection)
            connection.execute(_TRIAL, {"now": now})
        return now

    def problems(self) -> list[str]:
        """In words an operator understands; empty when all is well. Raises Unavailable."""
        with self._database.read() as connection:
            return _sqlite_problems(connection) if self._database.is_sqlite else _postgres_problems(connection)


def _sqlite_problems(connection: Connection) -> list[str]:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode != "wal":
        cure = "A network file system is the usual cause: put SSO_DATA_DIR on a local disk."
        return [f"SQLite could not switch to WAL (journal_mode is {mode}), so that readers block writers. {cure}"]
    return []


_SETTINGS = text(
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes',"
    " 'synchronous_standby_names', 'max_connections', 'superuser_reserved_connections', 'statement_timeout',"
    " 'lock_timeout', 'idle_in_transaction_session_timeout', 'server_version', 'server_version_num')"
)
# What any role may ask. Who copies the log is a standby, or a backup that runs.
_STANDING = text(
    "SELECT pg_is_in_recovery() AS is_standby, (SELECT count(*) FROM pg_stat_replication) AS standbys,"
    " (SELECT sum(numbackends) FROM pg_stat_database) AS connections"
)
_OLDEST = 14
_OFF = (
    ("fsync", "a crash may corrupt the database"),
    ("synchronous_commit", "a crash may lose sign-outs that were already confirmed"),
    ("full_page_writes", "a crash may corrupt the database"),
)
_LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def _postgres_problems(connection: Connection) -> list[str]:
    settings = {row.name: row.setting for row in connection.execute(_SETTINGS)}
    standing = connection.execute(_STANDING).one()
    problems = [f"PostgreSQL runs with {name} = off: {why}." for name, why in _OFF if settings[name] == "off"]
    if standing.is_standby:
        problems.append("SSO_DATABASE_URL leads to a PostgreSQL standby: it can't be written. Connect to the primary.")
    if standing.standbys and not (settings["synchronous_standby_names"] and settings["synchronous_commit"] != "local"):
        problems.append(
            "PostgreSQL has standbys and waits for none of them (synchronous_standby_names is empty, or"
            " synchronous_commit is local): a failover may lose sign-outs that were already confirmed."
        )
    usable = int(settings["max_connections"]) - int(settings["superuser_reserved_connections"])
    if standing.connections >= usable * 0.9:
        problems.append(
            f"{standing.connections} of PostgreSQL's {usable} connections are taken (max_connections): the next ones"
            " are refused. Lower SSO_DATABASE_CONNECTIONS, or raise max_connections."
        )
    if int(settings["server_version_num"]) < _OLDEST * 10_000:
        problems.append(f"PostgreSQL {settings['server_version']} is older than {_OLDEST}: upgrade it.")
    # What was written into the feed for APIs must not be committed later than it is read again for (core/denials.py).
    over = int(settings["statement_timeout"]) + int(settings["idle_in_transaction_session_timeout"])
    if any(settings[name] == "0" for name in _LIMITS) or over * 1000 >= OVERLAP_US:
        problems.append(
            f"The connections to PostgreSQL have no time limit, or too long a one ({', '.join(_LIMITS)}). Behind a"
            " pooler they are the role's: see docs/postgresql.md."
        )
    return problems
