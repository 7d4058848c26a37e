"""The stores under test: every engine behind the same fixtures. `pytest --engines` says which (tests/conftest.py)."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sso_server.core.clients import Client
from sso_server.stores.sql import migrate
from tests.contracts.ticket_world import BACK, WIKI, World, a_client, a_world
from tests.support.engines import SQL_ENGINES, Place, params


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test on every engine that was asked for and that keeps what the test is about."""
    engines: list[str] = metafunc.config.option.engines
    if "place" in metafunc.fixturenames:
        metafunc.parametrize("place", params(engines), indirect=True)
    if "sql_place" in metafunc.fixturenames:
        # Where none was asked for there is still something to show: the account side never lives in Redis.
        metafunc.parametrize("sql_place", params(e for e in SQL_ENGINES if e in engines) or ["sqlite"], indirect=True)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to be copied: migrating for each test would take longer than the test."""
    path = tmp_path_factory.mktemp("contracts") / "empty.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


def make_place(engine: str, request: pytest.FixtureRequest) -> Place:
    if engine in SQL_ENGINES:
        is_sqlite = engine == "sqlite"
        return Place(engine, _sqlite(request) if is_sqlite else request.getfixturevalue("empty_postgres_url"))
    prefix = f"test-{secrets.token_hex(6)}"
    if engine == "redis":
        return Place(engine, request.getfixturevalue("redis_url"), prefix)
    return Place(engine, request.getfixturevalue(f"redis_{engine}").url, prefix)


def _sqlite(request: pytest.FixtureRequest) -> str:
    path = request.getfixturevalue("tmp_path") / "lockstep.db"
    shutil.copy(request.getfixturevalue("empty_sqlite"), path)
    return f"sqlite:///{path}"


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """Empty stores on each engine that keeps sessions."""
    return make_place(request.param, request)


@pytest.fixture
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


@pytest.fixture
def world(stores: Any) -> World:
    """Services of the CAS protocol over the stores."""
    return a_world(stores)


@pytest.fixture
def wiki() -> Client:
    """A CAS site,"""
    return a_client("wiki", WIKI)


@pytest.fixture
def back() -> Client:
    """and another one."""
    return a_client("back", BACK)
