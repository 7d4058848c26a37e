"""Connections, units of work, and what a database's failures mean. One `Database` per process, opened after any fork.

SQLite: WAL, synchronous=FULL, the driver's autocommit; a write unit is BEGIN IMMEDIATE, because a read that is upgraded
to a write fails at once with "locked", whatever the busy time-out. Who writes when is sqlite.py's.
PostgreSQL: READ COMMITTED; reads outside a transaction; the rest of it in postgres.py.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from sso_server.core.errors import Unavailable
from sso_server.stores.sql.address import parse_url
from sso_server.stores.sql.presence import Presence
from sso_server.stores.sql.sqlite import Reads, Writes, make_engine

BUSY_MS = 5_000
# On PostgreSQL, for one process: so many work at once, others wait for a moment (docs/postgresql.md has the sum).
CONNECTIONS = 10

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
        self._presence = Presence(str(self.url.database)) if self.is_sqlite else None
        self._engine = self._make_engine(busy_ms, connections, patient=patient)
        self._writes = Writes(self._engine, busy_ms) if self.is_sqlite else None
        self._reads = Reads(self._engine) if self.is_sqlite else None
        # Single statements need no transaction around them: no BEGIN and COMMIT round trips on PostgreSQL.
        self._reading = self._engine if self.is_sqlite else self._engine.execution_options(isolation_level="AUTOCOMMIT")

    def read(self) -> AbstractContextManager[Connection]:
        """A connection for reading; each statement sees its own snapshot. Raises Unavailable."""
        return self._read() if self._reads is None else _Reading(self._reads)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with _translated(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed at the end of the block. Not re-entrant. Raises Unavailable."""
        with _translated(), self._writes.unit() if self._writes is not None else self._engine.begin() as connection:
            yield connection

    def enter(self) -> None:
        """Nobody may replace an SQLite file from now on until `close`; the first connection does the same. Raises
        Unavailable while somebody does."""
        if self._presence is not None:
            self._presence.enter()

    def close(self) -> None:
        """Close every pooled connection."""
        if self._writes is not None:
            self._writes.close()
        if self._reads is not None:
            self._reads.close()
        self._engine.dispose()
        if self._presence is not None:
            self._presence.leave()

    def _make_engine(self, busy_ms: int, connections: int, *, patient: bool) -> sa.Engine:
        if self.is_sqlite:
            return make_engine(self.url, busy_ms=busy_ms, enter=self.enter)
        # The driver is an extra.
        from sso_server.stores.sql import postgres

        return postgres.make_engine(self.url, busy_ms=busy_ms, connections=connections, patient=patient)


class _Reading:
    """`Database.read` on SQLite, by hand: generators around each other cost 3 us more, as much as a small query."""

    __slots__ = ("_connection", "_reads")

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def __enter__(self) -> Connection:
        try:
            self._connection = self._reads.take()
        except _FAILURES as error:
            _raise(error)
        return self._connection

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            if error is None:
                self._reads.give_back(self._connection)
            else:
                self._connection.close()
        except _FAILURES as failure:
            with contextlib.suppress(*_FAILURES):
                self._connection.close()
            _raise(failure)
        if isinstance(error, _FAILURES) and not isinstance(error, _ABOUT_THE_QUESTION):
            _raise(error)


# sqlite3's own errors come unwrapped from the preparation of a new connection.
_FAILURES = (exc.DBAPIError, exc.TimeoutError, sqlite3.Error)


def _raise(error: Exception) -> NoReturn:
    if isinstance(error, _ABOUT_THE_QUESTION):
        raise error
    cause = getattr(error, "orig", None) or error
    raise Unavailable(detail=f"database: {type(cause).__name__}: {str(cause).strip()}") from error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        _raise(error)
