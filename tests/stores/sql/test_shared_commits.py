"""Who comes while a process writes shares its commit: all of them stay, or are told that they don't."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import event, exc, text

from sso_server.core.errors import Unavailable
from sso_server.stores.sql import migrate, sqlite
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.prepared import Prepared
from tests.support.sdk import wait_until

WRITERS = 6
#: As the hot steps write: past SQLAlchemy.
INSERT = Prepared(text("INSERT INTO one_time (key, expires_at) VALUES (:_name, 1)"))


class Crowd:
    """One writer is held up inside its unit until the others stand behind it; each writes a row of its own."""

    def __init__(self, database, statements):
        self.database = database
        self.statements = statements
        self.threads = ThreadPoolExecutor(WRITERS + 1)

    def write_all(self, unit):
        """What became of the first one, and of `unit(connection, n)` of each of the others, by the name of its row:
        None or what was raised. And which of them saw their row from outside when they were told so."""
        inside, leave, seen = threading.Event(), threading.Event(), set()

        def one(name, work):
            with self.database.write() as connection:
                write(connection, name)
                work(connection)
            seen.update({name} & names(self.database.url.database))

        def hold(_connection):
            inside.set()
            assert leave.wait(30)

        futures = {"first": self.threads.submit(one, "first", hold)}
        assert inside.wait(30)
        for n in range(WRITERS):
            futures[f"w{n}"] = self.threads.submit(one, f"w{n}", lambda connection, n=n: unit(connection, n))
        wait_until(lambda: self.database._writes._waiting == WRITERS)
        leave.set()
        return {name: future.exception(30) for name, future in futures.items()}, seen

    def writes_on(self, path):
        with self.database.write() as connection:
            write(connection, "later")
        return "later" in names(path)


def write(connection, name):
    INSERT.run(connection, {"_name": name})


def names(path):
    """What somebody else sees."""
    with closing(sqlite3.connect(path)) as other:
        return {name for (name,) in other.execute("SELECT key FROM one_time")}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "lockstep.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def crowd(path, monkeypatch):
    # However slow the machine is.
    monkeypatch.setattr(sqlite, "_LONGEST_BATCH_S", 60)
    monkeypatch.setattr(sqlite, "_LOOK_AGAIN_S", 30)
    database, statements = Database(f"sqlite:///{path}"), []

    @event.listens_for(database._engine, "connect")
    def watch(connection, _record):
        connection.set_trace_callback(statements.append)

    crowd = Crowd(database, statements)
    yield crowd
    crowd.threads.shutdown()
    database.close()


def test_those_who_wait_are_committed_together_and_seen_by_all_when_told_so(path, crowd):
    outcomes, seen = crowd.write_all(lambda connection, n: None)
    assert seen == names(path) == set(outcomes)
    assert crowd.statements.count("COMMIT") == 1
    assert crowd.writes_on(path)


def test_a_unit_that_fails_takes_nothing_of_the_others_along(path, crowd):
    def unit(connection, n):
        if n % 2:
            raise KeyError(n)

    outcomes, _ = crowd.write_all(unit)
    failed = {f"w{n}" for n in range(1, WRITERS, 2)}
    assert {name for name, outcome in outcomes.items() if isinstance(outcome, KeyError)} == failed
    assert names(path) == set(outcomes) - failed
    assert crowd.writes_on(path)


def test_a_statement_that_is_refused_takes_nothing_of_the_others_along(path, crowd):
    def unit(connection, n):
        if n % 2:
            write(connection, "first")

    outcomes, _ = crowd.write_all(unit)
    failed = {f"w{n}" for n in range(1, WRITERS, 2)}
    assert {name for name, outcome in outcomes.items() if isinstance(outcome, exc.IntegrityError)} == failed
    assert names(path) == set(outcomes) - failed
    assert crowd.statements.count("COMMIT") == 1
    assert crowd.writes_on(path)


def test_what_the_database_takes_back_for_all_is_confirmed_to_nobody(path, crowd):
    """A full disk, a read error: SQLite ends the transaction by itself."""

    def unit(connection, n):
        if n == WRITERS // 2:
            connection.exec_driver_sql("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")

    outcomes, _ = crowd.write_all(unit)
    assert isinstance(outcomes["first"], Unavailable)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes.values() if outcome is not None)
    assert names(path) == {name for name, outcome in outcomes.items() if outcome is None}
    assert crowd.writes_on(path)


def test_whoever_counted_on_somebody_who_gave_up_commits_itself(path, crowd, monkeypatch):
    monkeypatch.setattr(sqlite, "_LOOK_AGAIN_S", 0.01)

    def write_alone():
        with crowd.database.write() as connection:
            write(connection, "alone")
            crowd.database._writes._waiting += 1

    crowd.threads.submit(write_alone).result(30)
    assert names(path) == {"alone"}


def test_without_wal_a_writer_waits_for_those_who_read(path):
    """Network file systems have none: then a commit needs the whole file for a moment."""
    database, reading, leave = Database(f"sqlite:///{path}"), threading.Event(), threading.Event()

    @event.listens_for(database._engine, "connect")
    def without_wal(connection, _record):
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)

    def read():
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT key FROM one_time").fetchall()
            reading.set()
            assert leave.wait(30)

    with database.write():
        pass
    with ThreadPoolExecutor(2) as pool:
        reader = pool.submit(read)
        assert reading.wait(30)
        timer = threading.Timer(0.1, leave.set)
        timer.start()
        with database.write() as connection:
            write(connection, "in the end")
        reader.result(30)
        timer.join()
    database.close()
    assert "in the end" in names(path)


def test_closing_commits_for_those_who_wait(path, crowd):
    """Somebody who was about to write gave up; the others count on a commit that nobody makes."""
    writes = crowd.database._writes
    writes._waiting += 1
    waits = crowd.threads.submit(lambda: write_once(crowd.database, "waits"))
    wait_until(lambda: writes._batch is not None and writes._batch.committed is not None)
    crowd.database.close()
    assert waits.exception(30) is None
    assert "waits" in names(path)
    writes._waiting -= 1


def write_once(database, name):
    with database.write() as connection:
        write(connection, name)
