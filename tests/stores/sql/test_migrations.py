import multiprocessing
import sqlite3
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from sso_server.core.errors import Refused, Unavailable
from sso_server.stores.sql import SqlStores, migrate
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.tables import metadata
from tests.support.builders import opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lockstep.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


def test_the_migrations_add_up_to_the_tables(url):
    migrate.upgrade(url)
    database = Database(url)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_the_migrations_make_the_same_indexes_to_the_letter(url, tmp_path):
    """Alembic compares the columns of an index, not its condition."""
    migrate.upgrade(url)
    declared = Database(f"sqlite:///{tmp_path}/declared.db")
    with declared.write() as connection:
        metadata.create_all(connection)
    declared.close()

    def indexes(path):
        with closing(sqlite3.connect(path)) as connection:
            return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql <> ''"))

    assert indexes(tmp_path / "lockstep.db") == indexes(tmp_path / "declared.db")


def test_upgrading_again_changes_nothing(url):
    migrate.upgrade(url)
    stores = SqlStores.open(url)
    session = opened(stores)
    migrate.upgrade(url)
    assert stores.sessions.find(session.sid) == session
    stores.close()


def test_only_the_newest_schema_is_current(url, path):
    assert not migrate.current_is_head(url)
    assert not path.exists(), "asking makes no file"
    migrate.upgrade(url)
    assert migrate.current_is_head(url)
    migrate.downgrade(url, "base")
    assert not migrate.current_is_head(url)


def test_every_step_can_be_taken_back_and_taken_again(url, path):
    migrate.upgrade(url)
    migrate.downgrade(url, "base")
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables - {"sqlite_sequence"} == {"alembic_version"}
    migrate.upgrade(url)
    assert migrate.current_is_head(url)


def test_many_processes_upgrade_once(url):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=migrate.upgrade, args=(url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert migrate.current_is_head(url)


def test_a_directory_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(Unavailable) as caught:
        migrate.upgrade(f"sqlite:///{tmp_path}/nowhere/lockstep.db")
    assert "nowhere" in caught.value.detail


def test_a_schema_of_a_newer_program_is_refused_in_words_and_left_alone(url, path):
    migrate.upgrade(url)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Refused, match="made by a newer version of this program"):
        migrate.upgrade(url)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
