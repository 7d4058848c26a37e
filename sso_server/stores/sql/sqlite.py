"""Connections to SQLite, and who writes: one at a time in a process, and who comes meanwhile shares a commit.

A commit waits for the disk, for milliseconds; as long as it lasts, others of the process queue up. They write one after
the other, and the last of them commits for all. What the failures mean to the rest is engine.py's.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection

from sso_server.core.errors import Unavailable

_POOL_SIZE = 8
_POOL_OVERFLOW = 24
#: For reading, of those.
_KEPT = 4
# How often a write asks for SQLite's lock; after how long without a pause a process leaves it free for once, and for
# how long: others ask at least twice meanwhile.
_ASK_AGAIN_S = 0.001
_LONGEST_HOLD_S = 0.02
_GAP_S = 0.003
# What one commit is for at most: units, and for how long the first of them waits for the others.
_MOST_UNITS = 32
_LONGEST_BATCH_S = 0.01
# Whoever was about to go on may have given up: who waits for the commit looks, and makes it.
_LOOK_AGAIN_S = 0.02


def make_engine(url: URL, *, busy_ms: int, enter: Callable[[], None]) -> sa.Engine:
    """Connects lazily, after `enter`."""
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=busy_ms / 1000,
        # isolation_level=None is the driver's autocommit: it never begins a transaction behind our back. The statements
        # of a whole process stay prepared.
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": busy_ms / 1000,
            "cached_statements": 512,
        },
    )

    @event.listens_for(engine, "do_connect")
    def come_in(*_: Any) -> None:
        enter()

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL loses the last commits at a power cut: a sign-out that was confirmed would never have happened.
        connection.execute("PRAGMA synchronous = FULL")

    return engine


class Reads:
    """Connections for reading, kept between reads: to take one out of SQLAlchemy's pool and to put it back costs 14 us,
    five times what the query does. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._idle: list[Connection] = []
        self._is_closed = False

    def take(self) -> Connection:
        """One for the caller alone. Raises Unavailable, sqlite3.Error and SQLAlchemy's."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._engine.connect()

    def give_back(self, connection: Connection) -> None:
        """After reading that went well; what didn't is closed, and the pool looks what it still is."""
        if connection.in_transaction():
            # In SQLAlchemy's books: the driver begins none by itself.
            connection.rollback()
        # The others go back, so that the pool's places are there for whoever else needs one.
        if self._is_closed or len(self._idle) >= _KEPT:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Give them all back."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()


class _Batch:
    """What one commit is for. `committed` is there once somebody waits for it."""

    __slots__ = ("begun", "committed", "connection", "driver", "ended", "failure", "units")

    def __init__(self, connection: Connection, driver: Any) -> None:
        self.connection = connection
        self.driver = driver
        self.begun = monotonic()
        self.units = 0
        self.ended = False
        self.failure: sqlite3.Error | None = None
        self.committed: threading.Event | None = None


class Writes:
    """The writing of one process, on a connection of its own. Thread-safe."""

    def __init__(self, engine: sa.Engine, busy_ms: int) -> None:
        self._engine = engine
        self._busy_ms = busy_ms
        self._turn = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._connection: Connection | None = None
        self._batch: _Batch | None = None
        self._held_s = 0.0
        """How long this process has had SQLite's lock without a gap."""
        self._released_at = 0.0

    @contextmanager
    def unit(self) -> Iterator[Connection]:
        """All of the block or nothing, committed when it is left. Raises Unavailable, sqlite3.Error."""
        self._take_turn()
        try:
            batch = self._batch or self._begin()
            joins = batch.units > 0
            if joins:
                batch.driver.execute("SAVEPOINT unit")
            batch.units += 1
            try:
                yield batch.connection
            except BaseException:
                self._undo(batch, joins=joins)
                raise
            finally:
                self._commit_or_leave(batch)
        finally:
            self._turn.release()
        self._wait_for(batch)

    def close(self) -> None:
        """Give the connection back, when who waits for a commit has had it."""
        with self._turn:
            if self._batch is not None:
                self._commit(self._batch)
            self._drop()

    def _take_turn(self) -> None:
        if self._turn.acquire(blocking=False):
            return
        with self._count:
            self._waiting += 1
        try:
            has_turn = self._turn.acquire(timeout=self._busy_ms / 1000)
        finally:
            with self._count:
                self._waiting -= 1
        if not has_turn:
            raise Unavailable(detail=f"sqlite: this process's writers kept each other waiting for {self._busy_ms} ms")

    def _begin(self) -> _Batch:
        self._let_others_in()
        connection = self._connection or self._connect()
        driver: Any = connection.connection.driver_connection
        try:
            self._ask(driver, "BEGIN IMMEDIATE")
        except sqlite3.Error:
            self._drop()
            raise
        # In SQLAlchemy's books, too: outside a transaction it would take everything back when a statement fails, and
        # with it what the others of this batch have written.
        connection.begin()
        self._batch = _Batch(connection, driver)
        return self._batch

    def _ask(self, driver: Any, word: str) -> None:
        """Every millisecond until nobody is in the way: SQLite's own waiting asks ever more rarely, at last ten times a
        second, and misses every gap. Raises sqlite3.Error."""
        deadline = monotonic() + self._busy_ms / 1000
        while True:
            try:
                driver.execute(word)
                return
            except sqlite3.Error as error:
                if (getattr(error, "sqlite_errorcode", 0) & 0xFF) != sqlite3.SQLITE_BUSY or monotonic() >= deadline:
                    raise
            sleep(_ASK_AGAIN_S)

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA busy_timeout = 0")
        self._connection = connection
        return connection

    def _let_others_in(self) -> None:
        """SQLite keeps no queue: beside a process that writes without a pause (a mass end) the others would come in
        only by luck, after seconds. So it makes the pause itself."""
        idle_s = monotonic() - self._released_at
        if idle_s < _GAP_S and self._held_s >= _LONGEST_HOLD_S:
            sleep(_GAP_S - idle_s)
            idle_s = _GAP_S
        if idle_s >= _GAP_S:
            self._held_s = 0.0

    def _undo(self, batch: _Batch, *, joins: bool) -> None:
        """Nothing of this unit stays, and everything of those before it."""
        try:
            if joins and batch.driver.in_transaction:
                batch.driver.execute("ROLLBACK TO unit")
                return
            if batch.driver.in_transaction:
                batch.driver.execute("ROLLBACK")
            # Of a full disk or a read error SQLite itself takes everything back, for all who wait for the commit.
            self._end(batch, sqlite3.OperationalError("a unit of the same commit failed") if joins else None)
        except sqlite3.Error as error:
            self._end(batch, error)

    def _commit_or_leave(self, batch: _Batch) -> None:
        if batch.ended:
            return
        is_long = batch.units >= _MOST_UNITS or monotonic() - batch.begun >= _LONGEST_BATCH_S
        if self._waiting and not is_long:
            batch.committed = batch.committed or threading.Event()
            return
        self._commit(batch)

    def _commit(self, batch: _Batch) -> None:
        failure = None
        try:
            # The driver's own: SQLAlchemy has seen no statement where only prepared ones ran. Without WAL (there are
            # file systems that can't) readers are in its way.
            self._ask(batch.driver, "COMMIT")
        except sqlite3.Error as error:
            failure = error
        self._end(batch, failure)

    def _end(self, batch: _Batch, failure: sqlite3.Error | None) -> None:
        batch.failure, batch.ended = failure, True
        self._batch = None
        self._released_at = monotonic()
        self._held_s += self._released_at - batch.begun
        if failure is not None:
            self._drop()
        elif batch.connection.in_transaction():
            # In SQLAlchemy's books only; the driver's is over.
            batch.connection.rollback()
        if batch.committed is not None:
            batch.committed.set()

    def _wait_for(self, batch: _Batch) -> None:
        while not batch.ended and batch.committed is not None and not batch.committed.wait(_LOOK_AGAIN_S):
            if self._turn.acquire(timeout=_LOOK_AGAIN_S):
                try:
                    if not batch.ended:
                        self._commit(batch)
                finally:
                    self._turn.release()
        if batch.failure is not None:
            raise sqlite3.OperationalError(str(batch.failure)) from batch.failure

    def _drop(self) -> None:
        """Another one is made for the next unit."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error, sa.exc.SQLAlchemyError):
                connection.invalidate()
            connection.close()
