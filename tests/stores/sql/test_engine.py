import sqlite3
import threading
from contextlib import ExitStack, closing

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from sso_server.core.errors import Unavailable
from sso_server.stores.sql import SqlStores, migrate
from sso_server.stores.sql.address import parse_url
from sso_server.stores.sql.engine import Database
from tests.support.builders import NOW, a_session, opened


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "lockstep.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def stores(path):
    stores = SqlStores.open(f"sqlite:///{path}", busy_ms=200)
    yield stores
    stores.close()


def refusal_of(call):
    with pytest.raises(Unavailable) as caught:
        call()
    return caught.value.detail


def test_every_connection_waits_writes_ahead_and_syncs_each_commit(stores):
    with stores.database.read() as one, stores.database.read() as two:
        for connection in (one, two):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 200


def test_readers_go_on_while_somebody_writes(path, stores):
    session = opened(stores)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM sessions")
        assert stores.sessions.find(session.sid) == session


def test_a_reader_finds_its_connection_again_and_sees_what_was_committed_meanwhile(stores):
    session = opened(stores)
    with stores.database.read() as connection:
        # Not read to its end, and seen by SQLAlchemy alone: nothing of it may stay open.
        connection.exec_driver_sql("SELECT 1 UNION SELECT 2").fetchone()
    taken = []
    event.listen(stores.database._engine, "checkout", lambda *_: taken.append(1))
    assert stores.sessions.find(session.sid) == session
    stores.sessions.touch(session.sid, NOW + 1)
    assert stores.sessions.find(session.sid).last_active_at == NOW + 1
    assert taken == []


def test_readers_leave_most_places_to_others_when_they_are_done(stores):
    with ExitStack() as all_at_once:
        for _ in range(32):
            all_at_once.enter_context(stores.database.read())
    with ExitStack() as others:
        for _ in range(28):
            others.enter_context(stores.database._engine.connect())


def test_a_read_that_fails_leaves_no_connection_that_is_used_again(stores):
    with pytest.raises(KeyError), stores.database.read() as broken:
        raise KeyError("halfway")
    with stores.database.read() as connection:
        assert connection is not broken
    assert broken.closed


def test_a_locked_database_is_away_and_comes_back(path, stores):
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert "locked" in refusal_of(lambda: opened(stores))
    opened(stores)


def test_a_writer_that_waits_too_long_for_its_turn_in_the_process_gives_up(stores):
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with stores.database.write():
            inside.set()
            leave.wait(timeout=30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert inside.wait(timeout=30)
        assert "200 ms" in refusal_of(lambda: opened(stores))
    finally:
        leave.set()
        holder.join(timeout=30)
    opened(stores)


def test_a_full_disk_is_away_and_loses_nothing(path, stores):
    session = opened(stores)
    stores.close()

    @event.listens_for(stores.database._engine, "checkout")
    def no_room(connection, _record, _proxy):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill():
        for _ in range(1000):
            opened(stores)

    assert "full" in refusal_of(fill)
    assert stores.sessions.find(session.sid) == session
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_database_that_is_read_only_is_away_for_writing_and_says_so_when_asked_for_its_health(path, stores):
    @event.listens_for(stores.database._engine, "checkout")
    def read_only(connection, _record, _proxy):
        connection.execute("PRAGMA query_only = ON")

    assert "readonly" in refusal_of(lambda: opened(stores))
    assert "readonly" in refusal_of(stores.health.store_time)
    assert stores.sessions.find(a_session().sid) is None


def test_a_directory_that_is_not_there_is_away(tmp_path):
    stores = SqlStores.open(f"sqlite:///{tmp_path}/nowhere/lockstep.db")
    assert "unable to open" in refusal_of(lambda: opened(stores))
    assert "unable to open" in refusal_of(stores.health.store_time)
    stores.close()


def test_a_file_that_is_no_database_is_away(tmp_path):
    path = tmp_path / "lockstep.db"
    path.write_bytes(b"not a database at all" * 100)
    stores = SqlStores.open(f"sqlite:///{path}")
    assert "not a database" in refusal_of(lambda: opened(stores))
    stores.close()


def test_a_unit_that_fails_halfway_leaves_nothing_behind(stores):
    session = opened(stores)

    def fail_halfway():
        with stores.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM sessions")
            raise KeyError("halfway")

    with pytest.raises(KeyError):
        fail_halfway()
    assert stores.sessions.find(session.sid) == session
    stores.sessions.touch(session.sid, NOW + 1)


def test_a_database_without_wal_is_a_problem_in_words(path, stores):
    assert stores.health.problems() == []
    stores.close()

    @event.listens_for(stores.database._engine, "checkout")
    def no_wal(connection, _record, _proxy):
        connection.execute("PRAGMA journal_mode = DELETE")

    (problem,) = stores.health.problems()
    assert "journal_mode is delete" in problem
    assert "SSO_DATA_DIR" in problem


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "file"),
        ("sqlite:///:memory:", "file"),
        ("mysql://127.0.0.1/x", "mysql"),
        ("nonsense", "URL"),
    ],
)
def test_an_address_that_cannot_work_is_refused_at_once(url, why):
    with pytest.raises(ValueError, match=why):
        Database(url)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_goes_through_psycopg_3(scheme):
    assert parse_url(f"{scheme}://user@127.0.0.1/lockstep").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT * FROM sessions WHERE cookie_hash = ? OR (previous_cookie_hash = ? AND 1)", "cookie_hash"),
        ("SELECT min(due_at) FROM sessions WHERE ended_at IS NULL AND due_at <= ?", "ix_sessions_due_at"),
        (
            "SELECT min(due_at) FROM notifications WHERE bulk = ? AND due_at IS NOT NULL",
            "SEARCH notifications USING COVERING INDEX ix_notifications_due_at (bulk=?",
        ),
        (
            "SELECT number FROM notifications WHERE bulk = ? AND due_at IS NOT NULL AND due_at <= ? ORDER BY due_at",
            "SEARCH notifications USING COVERING INDEX ix_notifications_due_at (bulk=?",
        ),
        (
            "SELECT sid FROM notifications WHERE client_id = ? AND store_id = ? AND state <> 'acknowledged'",
            "ix_notifications_unheard",
        ),
    ],
)
def test_the_frequent_questions_are_answered_from_an_index(path, query, index):
    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", ["x"] * query.count("?")).fetchall()
    steps = " ".join(step[3] for step in plan)
    assert index in steps
    assert "SCAN sessions" not in steps.replace("SCAN sessions USING", "")


def test_an_error_text_shows_no_values(stores):
    def insert():
        with stores.database.write() as connection:
            connection.execute(text("INSERT INTO one_time VALUES (:key, 1)"), {"key": "hunter2"})

    insert()
    with pytest.raises(IntegrityError) as caught:
        insert()
    assert "hunter2" not in str(caught.value)


def test_several_hosts_lead_to_the_one_that_takes_writes():
    url = parse_url("postgresql://lockstep:p%40ss@one:5433,two,[::1]:7/name?sslmode=require")
    assert (url.username, url.password, url.database) == ("lockstep", "p@ss", "name")
    assert dict(url.query) == {
        "host": "one,two,::1",
        "port": "5433,5432,7",
        "sslmode": "require",
        "target_session_attrs": "read-write",
    }
    chosen = parse_url("postgresql://one,two/name?target_session_attrs=any")
    assert chosen.query["target_session_attrs"] == "any"
    assert not parse_url("postgresql://user:with,comma@one/name").query
