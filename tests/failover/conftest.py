"""What the runs share. All tests here are `failover`; each prints its row of docs/failover.md."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.failover.town import SETTINGS, Town, peopled
from tests.support.centre import Centre
from tests.support.postgres import Postgres
from tests.support.services import OwnRedis

_HERE = Path(__file__).parent
SECRET = "one-secret-for-all-nodes-0123456789abcdef"
StartTown = Callable[..., Town]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Too much for `make test`."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker("failover")
            item.add_marker("redis")


@pytest.fixture
def start_town(tmp_path: Path) -> Iterator[StartTown]:
    """A centre on this Redis (none: sessions live in the database) and this PostgreSQL (none: SQLite), with its people.
    Options of the centre as keyword arguments (`redis_replicas=1`)."""
    with contextlib.ExitStack() as stack:

        def start(setting: str, redis_url: str = "", database_url: str = "", **options: Any) -> Town:
            settings = SETTINGS | {f"SSO_{name.upper()}": str(value) for name, value in options.items()}
            if database_url:
                settings |= {"SSO_DATABASE_URL": database_url, "SSO_SECRET_KEY": SECRET}
            centre = Centre(tmp_path, redis_url, settings)
            stack.callback(centre.process.stop)
            centre.start()
            return stack.enter_context(peopled(tmp_path, centre, setting))

        yield start


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Callable[..., OwnRedis]]:
    """A redis-server that the test hurts, with these options."""
    with contextlib.ExitStack() as stack:

        def start(*options: str) -> OwnRedis:
            server = OwnRedis(tmp_path / "redis", "--maxmemory-policy", "noeviction", *options)
            stack.callback(server.kill)
            stack.callback(server.resume)
            server.start()
            return server

        yield start


__all__ = ["Postgres", "StartTown"]
