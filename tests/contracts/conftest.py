"""The stores under test: every engine behind the same fixtures.

`LOCKSTEP_POSTGRES_URL` (an empty database that may be wiped) adds PostgreSQL.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sso_server.stores.sql import migrate
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.tables import metadata
from tests.support.engines import Place

POSTGRES = os.environ.get("LOCKSTEP_POSTGRES_URL", "")
SQL = ["sqlite", *(["postgresql"] if POSTGRES else [])]


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to be copied: migrating for each test would take longer than the test."""
    path = tmp_path_factory.mktemp("contracts") / "empty.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres() -> str:
    migrate.upgrade(POSTGRES)
    return POSTGRES


def make_place(engine: str, request: pytest.FixtureRequest) -> Place:
    if engine == "redis":
        return Place(engine, request.getfixturevalue("redis_url"), prefix=f"test-{secrets.token_hex(6)}")
    if engine == "postgresql":
        url = request.getfixturevalue("migrated_postgres")
        database = Database(url)
        with database.write() as connection:
            connection.execute(sa.text(f"TRUNCATE {', '.join(metadata.tables)}"))
        database.close()
        return Place(engine, url)
    path = request.getfixturevalue("tmp_path") / "lockstep.db"
    shutil.copy(request.getfixturevalue("empty_sqlite"), path)
    return Place(engine, f"sqlite:///{path}")


@pytest.fixture(params=[*SQL, pytest.param("redis", marks=pytest.mark.redis)])
def place(request: pytest.FixtureRequest) -> Place:
    """Empty stores on each engine that keeps sessions."""
    return make_place(request.param, request)


@pytest.fixture(params=SQL)
def sql_place(request: pytest.FixtureRequest) -> Place:
    """Empty stores on each engine that keeps accounts."""
    return make_place(request.param, request)


@pytest.fixture
def open_stores() -> Iterator[Callable[[Place], Any]]:
    """Opens stores and closes them after the test."""
    opened: list[Any] = []

    def open_place(place: Place) -> Any:
        opened.append(place.open())
        return opened[-1]

    yield open_place
    for stores in opened:
        stores.close()


@pytest.fixture
def stores(place: Place, open_stores: Callable[[Place], Any]) -> Any:
    """The session side: sessions, lists, sweeps, tickets, tokens, check_ins, outbox, ledger, archive, guesses ..."""
    return open_stores(place)


@pytest.fixture
def other_stores(place: Place, open_stores: Callable[[Place], Any]) -> Any:
    """A second instance on the same data with connections and locks of its own, as another process would have."""
    return open_stores(place)


@pytest.fixture
def sql_stores(sql_place: Place, open_stores: Callable[[Place], Any]) -> Any:
    """Everything that only SQL keeps: users, end_orders, clients, audit, one_time, keys."""
    return open_stores(sql_place)
