"""Statements that the driver runs itself: the same rows, the same errors, on both engines' terms."""

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam, text
from sqlalchemy.exc import IntegrityError, OperationalError

from sso_server.core.errors import Unavailable
from sso_server.stores.sql import migrate
from sso_server.stores.sql.account_tables import one_time
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.tables import notifications

ADD = Prepared(sa.insert(one_time))
FIND = Prepared(sa.select(one_time).where(one_time.c.key == bindparam("_key")))
LATE = Prepared(sa.select(one_time.c.key).where(one_time.c.expires_at > 1).order_by(one_time.c.key).limit(2))
MOVE = Prepared(
    sa.update(one_time)
    .where(one_time.c.key == bindparam("_key"))
    .values(expires_at=one_time.c.expires_at + bindparam("_by"))
    .returning(*one_time.c)
)
FLAG = Prepared(sa.select(notifications.c.bulk.label("bulk"), sa.literal(1).label("one")).limit(1))


@pytest.fixture
def database(tmp_path):
    migrate.upgrade(url := f"sqlite:///{tmp_path / 'lockstep.db'}")
    database = Database(url)
    yield database
    database.close()


def test_rows_have_names_and_constants_of_the_statement_count(database):
    with database.write() as connection:
        ADD.run_each(
            connection, [{"key": key, "expires_at": at} for key, at in (("c", 3), ("a", 1), ("b", 2), ("d", 4))]
        )
        assert FIND.find(connection, {"_key": "b"}).expires_at == 2
        assert FIND.find(connection, {"_key": "nobody"}) is None
        assert [row.key for row in LATE.find_all(connection, {})] == ["b", "c"]
        assert MOVE.find(connection, {"_key": "b", "_by": 5}) == ("b", 7)


def test_yes_and_no_are_no_numbers(database):
    values = ", ".join(
        f"{column.name}" for column in notifications.c if not column.nullable and column.name != "number"
    )
    with database.write() as connection:
        zeros = ", ".join("1" for _ in values.split(", "))
        connection.execute(text(f"INSERT INTO notifications ({values}) VALUES ({zeros})"))
        assert FLAG.find(connection, {}).bulk is True


def test_what_was_written_only_by_the_driver_is_committed_or_taken_back(database):
    with database.write() as connection:
        assert ADD.run(connection, {"key": "kept", "expires_at": 1}) == 1

    def fail():
        with database.write() as connection:
            ADD.run(connection, {"key": "lost", "expires_at": 1})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with database.read() as connection:
        assert FIND.find(connection, {"_key": "kept"}) is not None
        assert FIND.find(connection, {"_key": "lost"}) is None


def test_errors_are_sqlalchemys_and_show_no_values(database):
    with database.write() as connection:
        ADD.run(connection, {"key": "hunter2", "expires_at": 1})

    def again():
        with database.write() as connection:
            ADD.run(connection, {"key": "hunter2", "expires_at": 1})

    with pytest.raises(IntegrityError) as caught:
        again()
    assert "hunter2" not in str(caught.value)


def test_a_database_that_cannot_do_its_work_is_away(database):
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE one_time RENAME TO gone")

    def look():
        with database.read() as connection:
            FIND.find(connection, {"_key": "x"})

    with pytest.raises(Unavailable) as caught:
        look()
    assert isinstance(caught.value.__cause__, OperationalError)
