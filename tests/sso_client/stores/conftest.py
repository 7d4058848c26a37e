"""One store for each engine: every sentence about local stores is said of SQLite and of Redis."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from sso_client import LocalStore
from tests.support.local_stores import LocalPlace
from tests.support.sdk import MovedClock
from tests.support.services import OwnRedis


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> LocalPlace:
    """An empty place of each kind."""
    if request.param == "sqlite":
        return LocalPlace("sqlite", f"sqlite:///{tmp_path}/sso.sqlite3", "shop")
    return LocalPlace("redis", request.getfixturevalue("redis_url"), f"shop-{secrets.token_hex(6)}")


@pytest.fixture
def redis_place(redis_url: str) -> LocalPlace:
    return LocalPlace("redis", redis_url, f"shop-{secrets.token_hex(6)}")


@pytest.fixture
def store(place: LocalPlace, clock: MovedClock) -> Iterator[LocalStore]:
    opened = place.open(clock)
    yield opened
    opened.close()


@pytest.fixture
def redis_store(redis_place: LocalPlace, clock: MovedClock) -> Iterator[LocalStore]:
    opened = redis_place.open(clock)
    yield opened
    opened.close()


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    """A plain connection, to look and to meddle."""
    with redis.Redis.from_url(redis_url, socket_timeout=5, decode_responses=True) as connection:
        yield connection


@pytest.fixture
def own(tmp_path: Path):
    """A redis-server that this test may stop and start."""
    server = OwnRedis(tmp_path / "redis", "--appendonly", "no")
    server.start()
    yield server
    server.kill()
