"""Two nodes behind nginx on what operators run them on: PostgreSQL with Redis, PostgreSQL alone; on one machine, one
SQLite file. All tests here are `failover`.
"""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nodes.farm import Farm, running_farm
from tests.support.postgres import Postgres, running_postgres
from tests.support.services import running_redis

_HERE = Path(__file__).parent
_numbers = itertools.count(1)
ENGINES = ["postgresql+redis", "postgresql", "sqlite"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes, nginx and PostgreSQL: too much for `make test`."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            for name in ("failover", "nginx", "postgres", "redis"):
                item.add_marker(name)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One server for all farms."""
    with running_postgres(tmp_path_factory.mktemp("postgres"), max_connections="300") as server:
        yield server


@contextlib.contextmanager
def a_farm(engine: str, directory: Path, postgres: Postgres, **settings: str) -> Iterator[Farm]:
    """A fresh farm on this engine."""
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(running_redis(directory)) if engine.endswith("+redis") else ""
        url = f"sqlite:///{directory}/shared.sqlite3" if engine == "sqlite" else postgres.create_database()
        yield stack.enter_context(running_farm(directory, url, redis_url, **settings))


@pytest.fixture(scope="session", params=ENGINES)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[Farm]:
    """One farm per engine for the tests that leave it as it is."""
    with a_farm(request.param, tmp_path_factory.mktemp("farm"), postgres) as farm:
        yield farm


@pytest.fixture
def farm(running: Farm, monkeypatch: pytest.MonkeyPatch) -> Farm:
    """The running one, with an account that no other test knows (`farm.centre.username`)."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", running.ca_file)
    running.centre.username = f"alice-{next(_numbers)}"
    running.centre.add_user(running.centre.username)
    return running


@pytest.fixture
def own_farm(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    """PostgreSQL and Redis, for a test that stops, starts and breaks."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with a_farm("postgresql+redis", tmp_path, postgres) as farm:
        farm.centre.add_user()
        yield farm
