"""A master with replicas: cut off from them it renews no lease, and an operator who let it do so is told."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from sso_server.core.errors import Unavailable
from sso_server.stores.redis import RedisStores
from tests.stores.redis.asked import works
from tests.stores.redis.story import NOW, new_report
from tests.support.deliveries import eventually
from tests.support.services import OwnRedis

pytestmark = pytest.mark.redis
StartPair = Callable[..., tuple[RedisStores, OwnRedis, OwnRedis]]


@pytest.fixture
def start_pair(tmp_path: Path) -> Iterator[StartPair]:
    """A master, with these options, and its replica; the stores are on the master."""
    servers: list[OwnRedis] = []
    opened: list[RedisStores] = []

    def start(*options: str) -> tuple[RedisStores, OwnRedis, OwnRedis]:
        master = OwnRedis(tmp_path / "master", "--appendonly", "yes", "--repl-diskless-sync-delay", "0", *options)
        servers.append(master)
        master.start()
        replica = OwnRedis(tmp_path / "replica", "--replicaof", "127.0.0.1", str(master.port))
        servers.append(replica)
        replica.start()
        with redis.Redis.from_url(replica.url, decode_responses=True) as connection:
            eventually(lambda: connection.info("replication")["master_link_status"] == "up")  # type: ignore[index]
        opened.append(RedisStores.open(master.url))
        return opened[-1], master, replica

    yield start
    for stores in opened:
        stores.close()
    for server in servers:
        server.kill()


def refuses(stores: RedisStores) -> bool:
    try:
        stores.check_ins.check_in(new_report(), NOW, 10)
    except Unavailable as error:
        return "NOREPLICAS" in error.detail or "good replicas" in error.detail
    return False


def test_a_master_that_is_cut_off_from_its_replicas_answers_no_check_in(start_pair: StartPair) -> None:
    stores, _, replica = start_pair("--min-replicas-to-write", "1", "--min-replicas-max-lag", "2")
    eventually(lambda: not refuses(stores))
    assert stores.health.problems() == []
    replica.kill()
    eventually(lambda: refuses(stores))
    replica.start()
    eventually(lambda: not refuses(stores))


def test_a_master_that_would_go_on_without_its_replicas_is_named(start_pair: StartPair) -> None:
    stores, master, _ = start_pair()
    (problem,) = stores.health.problems()
    assert "min-replicas-to-write" in problem
    with redis.Redis.from_url(master.url) as connection:
        connection.execute_command("ACL", "SETUSER", "limited", "on", ">pw", "~*", "+@all", "-config")
        limited = RedisStores.open(master.url.replace("redis://", "redis://limited:pw@"))
        (problem,) = limited.health.problems()
        assert "min-replicas-to-write" in problem
        connection.config_set("min-replicas-to-write", "1")
    eventually(lambda: limited.health.problems() == stores.health.problems() == [])
    limited.close()


def test_another_life_of_a_server_and_a_promoted_replica_are_others(start_pair: StartPair) -> None:
    stores, master, replica = start_pair()
    first = stores.past.look().incarnation
    promoted = RedisStores.open(replica.url)
    assert first
    assert promoted.past.look().incarnation not in ("", first)
    promoted.close()
    master.stop()
    master.start()
    # It listens before it has loaded its data.
    eventually(lambda: works(stores.past.look))
    assert stores.past.look().incarnation not in ("", first)


def test_a_server_that_was_a_replica_in_between_is_another(start_pair: StartPair) -> None:
    stores, master, replica = start_pair()
    first = stores.past.look().incarnation
    with redis.Redis.from_url(replica.url) as two, redis.Redis.from_url(master.url) as one:
        two.execute_command("REPLICAOF", "NO", "ONE")
        one.execute_command("REPLICAOF", "127.0.0.1", str(replica.port))
        eventually(lambda: one.info("replication")["master_link_status"] == "up")  # type: ignore[index]
        one.execute_command("REPLICAOF", "NO", "ONE")
    assert stores.past.look().incarnation.split(":")[1] == first.split(":")[1], "the same process"
    assert stores.past.look().incarnation != first


def test_a_server_that_forbids_info_says_nothing_of_itself(start_pair: StartPair) -> None:
    _, master, _ = start_pair()
    with redis.Redis.from_url(master.url) as connection:
        connection.execute_command("ACL", "SETUSER", "mute", "on", ">pw", "~*", "+@all", "-info")
    mute = RedisStores.open(master.url.replace("redis://", "redis://mute:pw@"))
    assert mute.past.look().incarnation == ""
    assert mute.past.beat(NOW, 0).heartbeat == NOW
    mute.close()
