"""A fresh prefix on the session's redis-server, and a server of its own for tests that hurt it."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from sso_server.stores.redis import RedisStores
from tests.support.redis_cluster import RedisCluster, running_cluster
from tests.support.services import OwnRedis, patient


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def stores(redis_url: str, prefix: str) -> Iterator[RedisStores]:
    stores = RedisStores.open(patient(redis_url), prefix)
    yield stores
    stores.close()


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    """A plain connection, to look and to meddle."""
    with redis.Redis.from_url(redis_url, socket_timeout=5, decode_responses=True) as connection:
        yield connection


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    """A server that this test may hurt."""
    server = OwnRedis(tmp_path / "own", "--appendonly", "no")
    server.start()
    yield server
    server.resume()
    server.kill()


@pytest.fixture
def meddler(own: OwnRedis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(own.url, socket_timeout=5, decode_responses=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """Three masters that call no one of them dead within the time of these tests. Whoever moves a slot puts it back."""
    with running_cluster(tmp_path_factory.mktemp("three"), 0, "--cluster-node-timeout", "15000") as made:
        yield made
