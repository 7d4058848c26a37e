"""A cluster as a whole: whether every slot is served, which master is unfit or hangs, and how one begins."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from redis.crc import key_slot

from sso_server.clock import SystemClock
from sso_server.stores.redis import RedisStores
from sso_server.stores.redis.link import Link, command
from sso_server.web.readiness import Readiness, store_check
from tests.stores.redis.asked import BUCKETS, detail, works
from tests.stores.redis.story import NOW, new_session
from tests.support.deliveries import eventually
from tests.support.ports import free_port
from tests.support.redis_cluster import RedisCluster
from tests.support.services import OwnRedis

pytestmark = [pytest.mark.redis, pytest.mark.engines]


def test_a_server_alone_is_no_cluster_and_a_cluster_no_server_alone(three: RedisCluster, redis_url: str) -> None:
    alone = Link(redis_url.replace("redis://", "redis+cluster://").removesuffix("/0"))
    assert "cluster support disabled" in detail(lambda: alone.by_server(BUCKETS))
    node = Link(three.nodes[0].url)
    # Not even for what that node itself could answer: the centre would be ready, and out of order for most people.
    near = next(bucket for bucket in BUCKETS if three.master_of(bucket) is three.nodes[0])
    assert "redis+cluster://" in detail(lambda: node.send(command("EXISTS", near)))
    alone.close()
    node.close()


def test_health_names_the_masters(three: RedisCluster) -> None:
    stores = RedisStores.open(three.url, "health")
    assert abs(stores.health.store_time() - time.time() * 1000) < 10_000
    (kept,) = stores.health.problems()
    assert "appendonly yes" in kept
    assert all(f"127.0.0.1:{node.port}" in kept for node in three.nodes)
    one = three.nodes[1]
    one.ask("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
    evicts = stores.health.problems()[1]
    assert evicts.startswith(f"Redis (127.0.0.1:{one.port}) may throw sessions away")
    one.ask("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")
    stores.close()


def test_readiness_says_which_master_hangs(three: RedisCluster) -> None:
    stores = RedisStores.open(three.url, "health")
    hanging = three.nodes[2]
    name = f"127.0.0.1:{hanging.port}"
    patient, hasty = (Readiness([store_check("Redis", stores.health, SystemClock())], fresh_s=0) for _ in "12")
    assert patient.report(20).reasons == []
    hanging.pause()
    try:
        (finding,) = patient.report(20).findings
        assert finding.reasons == ("Redis cannot answer right now.",)
        assert name in finding.detail
        # Who has a second hears of the look before.
        began = time.monotonic()
        eventually(lambda: name in hasty.report(0.2).findings[0].detail)
        assert time.monotonic() - began < 20
        assert name not in str(hasty.report(0.2).reasons), "what anybody may read has no addresses"
    finally:
        hanging.resume()
    three.wait_until_whole()
    stores.close()


def test_slots_that_nobody_serves_are_named_and_the_others_answer(three: RedisCluster) -> None:
    slot = key_slot(BUCKETS[9].encode())
    owner = three.master_of(BUCKETS[9])
    for node in three.nodes:
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        node.ask("CLUSTER", "DELSLOTS", slot)
    stores = RedisStores.open(three.url)
    try:
        assert any("Not every slot of the Redis cluster is served" in line for line in stores.health.problems())
        assert "no master serves" in detail(lambda: stores.sweeps.end_due(NOW, 1))
        assert stores.sessions.find(new_session(10).sid) is None
    finally:
        owner.ask("CLUSTER", "ADDSLOTS", slot)
        for node in three.nodes:
            node.ask("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    three.wait_until_whole()
    eventually(lambda: works(lambda: stores.sweeps.end_due(NOW, 1)))
    stores.close()


def test_a_server_alone_becomes_a_cluster_with_its_sessions(tmp_path: Path) -> None:
    """As the page describes it."""
    program = shutil.which("redis-cli")
    assert program is not None
    server = OwnRedis(tmp_path / "alone", "--appendonly", "yes")
    server.start()
    stores = RedisStores.open(server.url)
    session = new_session(17)
    stores.sessions.open(session, NOW, 1)
    stores.close()
    server.stop()
    mode = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    server._options = ("--appendonly", "yes", *mode)
    server.start()
    try:
        fix = [program, "--cluster", "fix", f"127.0.0.1:{server.port}"]
        subprocess.run(fix, input="yes\n", capture_output=True, text=True, timeout=60, check=False)
        stores = RedisStores.open(f"redis+cluster://127.0.0.1:{server.port}")
        eventually(lambda: works(lambda: stores.sessions.find(session.sid)))
        found = stores.sessions.find(session.sid)
        assert found is not None
        assert found.ended_at is None
        assert [one.sid for one in stores.lists.list_live(NOW, 10, user_id=session.user_id)] == [session.sid]
        stores.close()
    finally:
        server.kill()
