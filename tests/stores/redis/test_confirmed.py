"""What a step has written is answered when enough replicas have it, and not before."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from sso_server.core.errors import Unavailable
from sso_server.stores.redis import RedisStores
from sso_server.stores.redis.link import Link, command, step
from tests.stores.redis.story import NOW, new_session
from tests.support.deliveries import eventually
from tests.support.services import OwnRedis

pytestmark = pytest.mark.redis
#: A replica has a third of a second and the server itself twenty: one that stands still for a moment isn't silent yet.
PATIENT, CONFIRM_MS = "?socket_timeout=20", 300


@pytest.fixture
def replica(own: OwnRedis, tmp_path: Path, meddler: redis.Redis) -> Iterator[OwnRedis]:
    meddler.config_set("repl-diskless-sync-delay", 0)
    server = OwnRedis(tmp_path / "replica", "--replicaof", "127.0.0.1", str(own.port))
    server.start()
    eventually(lambda: meddler.set("first", 1) and meddler.wait(1, 100) == 1 and meddler.set("second", 2))
    eventually(lambda: meddler.wait(1, 100) == 1)
    yield server
    server.resume()
    server.kill()


def test_a_step_that_writes_is_answered_when_a_replica_has_it(own: OwnRedis, replica: OwnRedis) -> None:
    stores = RedisStores.open(own.url, replicas=1)
    session = new_session()
    assert stores.sessions.open(session, NOW, 1) is not None
    with redis.Redis.from_url(replica.url) as raw:
        assert raw.exists(f"lockstep:{{b17}}:session:{session.sid}") == 1
    stores.close()


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_step_that_no_replica_confirms_is_unavailable_although_it_is_done(
    own: OwnRedis, replica: OwnRedis, meddler: redis.Redis, is_forgotten: bool
) -> None:
    stores = RedisStores.open(own.url + PATIENT, replicas=1)
    session = new_session()
    stores.sessions.open(session, NOW, 1)
    stores._link._confirm_ms = CONFIRM_MS
    replica.pause()
    if is_forgotten:
        # Then the step is sent once more, and it is the second time that counts.
        meddler.script_flush()
    began = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        stores.sessions.end(session.sid, "sign_out", NOW)
    assert time.monotonic() - began < 5
    assert caught.value.detail == "Redis: done, and not confirmed by 1 replicas"
    # Reading waits for nobody.
    found = stores.sessions.find(session.sid)
    assert found is not None
    assert found.ended_at == NOW
    replica.resume()

    def ends_again() -> bool:
        try:
            ended = stores.sessions.end(session.sid, "sign_out", NOW + 1)
        except Unavailable:
            return False
        assert ended is not None
        return not ended.first

    eventually(ends_again)
    stores.close()


def test_too_few_replicas_are_named(own: OwnRedis, replica: OwnRedis) -> None:
    stores = RedisStores.open(own.url, replicas=2)
    assert any("has 1 replicas, and SSO_REDIS_REPLICAS says that 2" in line for line in stores.health.problems())
    stores.close()
    confirmed = RedisStores.open(own.url, replicas=1)
    assert not [line for line in confirmed.health.problems() if "replica" in line]
    confirmed.close()


def test_a_replica_is_named_as_one(own: OwnRedis, replica: OwnRedis) -> None:
    stores = RedisStores.open(replica.url)
    assert any("is a replica and takes no writes" in line for line in stores.health.problems())
    with pytest.raises(Unavailable):
        stores.health.store_time()
    stores.close()


def test_what_was_sent_once_more_confirms_nothing_of_what_went_before(
    own: OwnRedis, replica: OwnRedis, meddler: redis.Redis
) -> None:
    link = Link(own.url + PATIENT, replicas=1)
    reads = step("rows", "bucket", "sid")
    link.send_all([command("SET", "key", 1), reads])
    link._confirm_ms = CONFIRM_MS
    replica.pause()
    meddler.script_flush()
    with pytest.raises(Unavailable) as caught:
        link.send_all([command("SET", "key", 2), reads])
    assert caught.value.detail == "Redis: done, and not confirmed by 1 replicas"
    link.close()
