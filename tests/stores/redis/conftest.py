"""A fresh prefix on the session's redis-server, and a server of its own for tests that hurt it."""

import secrets
from collections.abc import Iterator

import pytest
import redis

from sso_server.stores.redis import RedisStores


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def stores(redis_url: str, prefix: str) -> Iterator[RedisStores]:
    stores = RedisStores.open(redis_url, prefix)
    yield stores
    stores.close()


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    """A plain connection, to look and to meddle."""
    with redis.Redis.from_url(redis_url, socket_timeout=5, decode_responses=True) as connection:
        yield connection
