"""Connections, units of work, and what a database's failures mean. One `Database` per process, opened after any fork.

SQLite: WAL, synchronous=FULL, the driver's autocommit; a write unit is BEGIN IMMEDIATE behind one lock per process,
because a read that is upgraded to a write fails at once with "locked", whatever the busy time-out.
PostgreSQL: READ COMMITTED; reads outside a transaction; the rest of it in postgres.py.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection

from sso_server.core.errors import Unavailable
from sso_server.stores.sql.address import parse_url
from sso_server.stores.sql.presence import Presence

BUSY_MS = 5_000
_POOL_SIZE = 8
_POOL_OVERFLOW = 24
# On PostgreSQL, for one process: so many work at once, others wait for a moment (docs/postgresql.md has the sum).
CONNECTIONS = 10
# How often a write asks for SQLite's lock; after how long without a pause a process leaves it free for once, and for
# how long: others ask at least twice meanwhile.
_ASK_AGAIN_S = 0.001
_LONGEST_HOLD_S = 0.02
_GAP_S = 0.003

# What a driver raises because of what we asked: an IntegrityError is an answer, the others are our own mistakes. All
# else means that the database can't do its work: locked, read-only, full, damaged, connection lost, dead lock.
_ABOUT_THE_QUESTION = (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.NotSupportedError)


class Database:
    """Hands out connections. Thread-safe."""

    def __init__(
        self, database_url: str, *, busy_ms: int = BUSY_MS, connections: int = CONNECTIONS, patient: bool = False
    ) -> None:
        """`busy_ms`: how long a write waits for its turn, in the process and again at the file. PostgreSQL alone:
        `connections`, how many at most; `patient`, nothing but connecting has a time limit. Connects lazily."""
        self.url = parse_url(database_url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._busy_ms = busy_ms
        self._turn = threading.Lock()
        self._held_s = 0.0
        """How long this process has had SQLite's lock without a gap."""
        self._released_at = 0.0
        self._presence = Presence(str(self.url.database)) if self.is_sqlite else None
        self._engine = (
            self._make_sqlite_engine() if self.is_sqlite else self._make_postgres_engine(connections, patient=patient)
        )
        # Single statements need no transaction around them: no BEGIN and COMMIT round trips on PostgreSQL.
        self._reading = self._engine if self.is_sqlite else self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; each statement sees its own snapshot. Raises Unavailable."""
        with _translated(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed at the end of the block. Not re-entrant. Raises Unavailable."""
        if not self.is_sqlite:
            with _translated(), self._engine.begin() as connection:
                yield connection
            return
        if not self._turn.acquire(timeout=self._busy_ms / 1000):
            raise Unavailable(detail=f"sqlite: this process's writers kept each other waiting for {self._busy_ms} ms")
        begun = None
        try:
            self._let_others_in()
            with _translated(), self._engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                self._begin(driver)
                begun = monotonic()
                yield connection
                # The driver's own: SQLAlchemy has seen no statement where only prepared ones ran.
                driver.execute("COMMIT")
        finally:
            self._released_at = monotonic()
            self._held_s += self._released_at - begun if begun is not None else 0.0
            self._turn.release()

    def _let_others_in(self) -> None:
        """SQLite keeps no queue: beside a process that writes without a pause (a mass end) the others would come in
        only by luck, after seconds. So it makes the pause itself."""
        idle_s = monotonic() - self._released_at
        if idle_s < _GAP_S and self._held_s >= _LONGEST_HOLD_S:
            sleep(_GAP_S - idle_s)
            idle_s = _GAP_S
        if idle_s >= _GAP_S:
            self._held_s = 0.0

    def _begin(self, driver: Any) -> None:
        """BEGIN IMMEDIATE, asked for every millisecond: SQLite's own waiting asks ever more rarely, at last ten times a
        second, and misses every gap."""
        deadline = monotonic() + self._busy_ms / 1000
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    driver.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() >= deadline:
                        raise
                sleep(_ASK_AGAIN_S)
        finally:
            driver.execute(f"PRAGMA busy_timeout = {self._busy_ms}")

    def enter(self) -> None:
        """Nobody may replace an SQLite file from now on until `close`; the first connection does the same. Raises
        Unavailable while somebody does."""
        if self._presence is not None:
            self._presence.enter()

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()
        if self._presence is not None:
            self._presence.leave()

    def _make_postgres_engine(self, connections: int, *, patient: bool) -> sa.Engine:
        # The driver is an extra.
        from sso_server.stores.sql.postgres import make_engine

        return make_engine(self.url, busy_ms=self._busy_ms, connections=connections, patient=patient)

    def _make_sqlite_engine(self) -> sa.Engine:
        engine = sa.create_engine(
            self.url,
            hide_parameters=True,
            pool_size=_POOL_SIZE,
            max_overflow=_POOL_OVERFLOW,
            pool_timeout=self._busy_ms / 1000,
            # isolation_level=None is the driver's autocommit: it never begins a transaction behind our back.
            connect_args={"isolation_level": None, "check_same_thread": False, "timeout": self._busy_ms / 1000},
        )
        busy_ms = self._busy_ms

        @event.listens_for(engine, "do_connect")
        def enter(*_: Any) -> None:
            self.enter()

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            # NORMAL loses the last commits at a power cut: a sign-out that was confirmed would never have happened.
            connection.execute("PRAGMA synchronous = FULL")

        return engine


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _ABOUT_THE_QUESTION:
        raise
    except (exc.DBAPIError, exc.TimeoutError, sqlite3.Error) as error:
        # sqlite3's own errors come unwrapped from the preparation of a new connection.
        cause = getattr(error, "orig", None) or error
        raise Unavailable(detail=f"database: {type(cause).__name__}: {str(cause).strip()}") from error
