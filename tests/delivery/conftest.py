"""A worker over real stores, the real sender, and sites on real sockets. `pytest --engines` says where the session side
lives; accounts and clients are in SQLite then, and where it is PostgreSQL beside it.
"""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sso_server.stores.sql import SqlStores, migrate
from tests.support.deliveries import Deliveries
from tests.support.engines import SQL_ENGINES, Place, params
from tests.support.snapshots import Snapshot
from tests.support.went_back import Site


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("delivery") / "empty.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def short() -> Iterator[Path]:
    """pytest's own directories have paths too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="ls-") as path:
        yield Path(path)


@pytest.fixture
def sql_place(request: pytest.FixtureRequest, empty_database: Path, tmp_path: Path) -> Place:
    if getattr(request.node, "callspec", None) and request.node.callspec.params.get("place") == "postgresql":
        return Place("postgresql", request.getfixturevalue("empty_postgres_url"))
    shutil.copy(empty_database, tmp_path / "lockstep.db")
    return Place("sqlite", f"sqlite:///{tmp_path / 'lockstep.db'}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    named = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "place" in metafunc.fixturenames and "place" not in named:
        engines = [
            e for e in metafunc.config.option.engines if e != "postgresql" or "snapshot" not in metafunc.fixturenames
        ]
        metafunc.parametrize("place", params(engines), indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, sql_place: Place) -> Place:
    """Where sessions and the ledger live."""
    if request.param in SQL_ENGINES:
        return sql_place
    prefix = f"test-{secrets.token_hex(6)}"
    if request.param == "redis":
        return Place("redis", request.getfixturevalue("redis_url"), prefix)
    return Place(request.param, request.getfixturevalue(f"redis_{request.param}").url, prefix)


@pytest.fixture
def sql(sql_place: Place) -> Iterator[SqlStores]:
    stores: SqlStores = sql_place.open()
    yield stores
    stores.close()


@pytest.fixture
def deliveries(place: Place, sql: SqlStores) -> Iterator[Deliveries]:
    """On each engine."""
    made = Deliveries(place.open(), sql)
    yield made
    made.close()


@pytest.fixture
def deliveries_on(sql: SqlStores) -> Iterator[Callable[..., Deliveries]]:
    """On SQLite alone, with other parts than usual."""
    made: list[Deliveries] = []

    def make(**parts: object) -> Deliveries:
        made.append(Deliveries(sql, sql, **parts))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def site(deliveries: Deliveries) -> Site:
    return Site(deliveries)


@pytest.fixture
def snapshot(place: Place, tmp_path: Path) -> Callable[[], Snapshot]:
    return lambda: Snapshot(place, tmp_path)
