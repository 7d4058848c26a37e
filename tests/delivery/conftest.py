"""A worker over real stores (SQLite, and Redis for the session side), the real sender, and sites on real sockets."""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sso_server.stores.sql import SqlStores, migrate
from tests.support.deliveries import Deliveries
from tests.support.engines import Place
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
def sql_place(empty_database: Path, tmp_path: Path) -> Place:
    shutil.copy(empty_database, tmp_path / "lockstep.db")
    return Place("sqlite", f"sqlite:///{tmp_path / 'lockstep.db'}")


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def place(request: pytest.FixtureRequest, sql_place: Place) -> Place:
    """Where sessions and the ledger live."""
    if request.param == "sqlite":
        return sql_place
    return Place("redis", request.getfixturevalue("redis_url"), prefix=f"test-{secrets.token_hex(6)}")


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
