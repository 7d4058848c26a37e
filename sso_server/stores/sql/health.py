"""StoreHealth: the database's clock, proof that it can be written, and settings that endanger the promise."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

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


def _postgres_problems(connection: Connection) -> list[str]:
    problems = []
    for name, why in (
        ("fsync", "a crash may corrupt the database"),
        ("synchronous_commit", "a crash may lose sign-outs that were already confirmed"),
        ("full_page_writes", "a crash may corrupt the database"),
    ):
        if connection.exec_driver_sql(f"SHOW {name}").scalar_one() == "off":
            problems.append(f"PostgreSQL runs with {name} = off: {why}.")
    if connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one():
        problems.append("SSO_DATABASE_URL leads to a PostgreSQL standby: it can't be written. Connect to the primary.")
    return problems
