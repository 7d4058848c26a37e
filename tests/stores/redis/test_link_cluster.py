"""The link to a cluster: which master has what, slots that move, masters that hang, die and come back as replicas."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.crc import key_slot

from sso_server.stores.redis import RedisStores, cluster
from sso_server.stores.redis.link import Link, command
from tests.stores.redis.asked import BUCKETS, detail, works
from tests.stores.redis.story import NOW, Story, new_session
from tests.support.deliveries import eventually
from tests.support.redis_cluster import ClusterNode, RedisCluster, running_cluster

pytestmark = [pytest.mark.redis, pytest.mark.engines]


@pytest.fixture
def link(three: RedisCluster) -> Iterator[Link]:
    made = Link(three.url)
    yield made
    made.close()


@pytest.fixture
def six(tmp_path: Path) -> Iterator[RedisCluster]:
    """Three masters, each with a replica, for a test that hurts them."""
    with running_cluster(tmp_path / "six", 1) as made:
        yield made


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the map was read."""
    found: list[float] = []
    read = cluster.Cluster._read

    def counted(self, first):
        found.append(time.monotonic())
        return read(self, first)

    monkeypatch.setattr(cluster.Cluster, "_read", counted)
    return found


def move(three: RedisCluster, slot: int, source: ClusterNode, target: ClusterNode) -> None:
    """And wait until every node knows: two moves that cross each other can leave nodes that never agree."""
    three.move_slot(slot, source, target)
    eventually(lambda: all(three.slots(node) == three.slots(target) for node in three.nodes))


def owners(three: RedisCluster, key: str) -> tuple[ClusterNode, ClusterNode]:
    """Who serves it, and another."""
    source = three.master_of(key)
    return source, next(node for node in three.nodes if node is not source)


def test_keys_are_grouped_by_the_master_that_serves_them(link: Link, three: RedisCluster, reads: list[float]) -> None:
    groups = link.by_server(BUCKETS)
    assert len(groups) == 3
    assert sorted(key for group in groups for key in group) == BUCKETS
    for group in groups:
        assert len({three.master_of(key).port for key in group}) == 1
    assert len(reads) == 1, "read once, when first needed"


def test_calls_go_to_their_masters_and_their_answers_come_back_in_order(link: Link, reads: list[float]) -> None:
    link.send_all([command("SET", f"{bucket}:x", n) for n, bucket in enumerate(BUCKETS)])
    assert link.send_all([command("GET", f"{bucket}:x") for bucket in BUCKETS]) == [str(n) for n in range(len(BUCKETS))]
    assert len(reads) == 1


def test_a_call_without_a_key_goes_where_it_is_told(link: Link) -> None:
    times = link.send_all([command("TIME", at=group[0]) for group in link.by_server(BUCKETS)])
    assert len(times) == 3
    with pytest.raises(ValueError, match="which server"):
        link.send(command("TIME"))
    assert len({master.name for master in link.masters()}) == 3
    assert all(len(master.send(command("TIME"))) == 2 for master in link.masters())


def test_a_slot_that_has_moved_is_found_and_what_was_refused_is_sent_once_more(
    link: Link, three: RedisCluster, reads: list[float]
) -> None:
    key = f"{BUCKETS[3]}:counter"
    link.send(command("SET", key, 1))
    source, target = owners(three, key)
    move(three, key_slot(key.encode()), source, target)
    assert link.send_all([command("INCR", key), command("INCR", key)]) == [2, 3], "each done once"
    assert len(reads) == 2
    assert link.send(command("INCR", key)) == 4
    assert len(reads) == 2, "never more often than needed"
    move(three, key_slot(key.encode()), target, source)


def test_one_view_of_all_masters_or_none(link: Link, three: RedisCluster, reads: list[float]) -> None:
    key = f"{BUCKETS[4]}:x"
    looks = [command("EXISTS", f"{bucket}:x") for bucket in BUCKETS]
    link.send_all(looks, one_view=True)
    source, target = owners(three, key)
    move(three, key_slot(key.encode()), source, target)
    assert "its slots are with other servers" in detail(lambda: link.send_all(looks, one_view=True))
    assert len(link.send_all(looks, one_view=True)) == 64
    assert len(reads) == 2
    move(three, key_slot(key.encode()), target, source)


def test_a_bucket_whose_slot_is_being_moved_is_unavailable_and_nothing_of_it_is_half_done(three: RedisCluster) -> None:
    stores = RedisStores.open(three.url, "moving")
    before, other = new_session(17), new_session(18)
    stores.sessions.open(before, NOW, 1)
    key = "moving:{b17}"
    source, target = owners(three, key)
    slot = key_slot(key.encode())
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
    held = source.ask("CLUSTER", "COUNTKEYSINSLOT", slot)
    for step in (
        lambda: stores.sessions.open(new_session(17), NOW, 1),
        lambda: stores.sessions.end(before.sid, "sign_out", NOW),
        lambda: stores.polls.has_waiting("shop", NOW),
    ):
        assert "being moved" in detail(step)
    assert source.ask("CLUSTER", "COUNTKEYSINSLOT", slot) == held
    assert target.ask("CLUSTER", "COUNTKEYSINSLOT", slot) == 0
    assert stores.sessions.open(other, NOW, 1) is not None, "the other buckets go on"
    # What goes through all keys would miss those on their way.
    assert "slots are being moved" in detail(lambda: stores.tokens.revoke_grants_before(NOW, NOW))
    move(three, slot, source, target)
    found = stores.sessions.find(before.sid)
    assert found is not None
    assert found.ended_at is None
    move(three, slot, target, source)
    assert stores.sessions.end(before.sid, "sign_out", NOW) is not None
    stores.close()


def test_what_goes_through_all_keys_visits_every_master_and_notices_what_moved(three: RedisCluster) -> None:
    stores = RedisStores.open(three.url, "walk")
    story = Story(stores)
    list(story.steps())
    grants = stores.tokens._grants
    buckets = {bucket for page in grants.find_all() for bucket in page}
    expected = {int(name[len("walk:{b") :][:2]) for node in three.nodes for name in keys_of(node, "walk:*:grant:*")}
    assert buckets == expected
    assert expected
    key = "walk:{b17}"
    source, target = owners(three, key)

    def walk_while_a_slot_moves() -> None:
        for n, _ in enumerate(grants.find_all()):
            if n == 0:
                move(three, key_slot(key.encode()), source, target)

    assert "slots have moved" in detail(walk_while_a_slot_moves)
    move(three, key_slot(key.encode()), target, source)
    stores.close()


def keys_of(node: ClusterNode, pattern: str) -> list[str]:
    return [name.decode() for name in node.ask("KEYS", pattern)]


def test_what_relies_on_an_index_is_sent_when_the_index_is_written(three: RedisCluster) -> None:
    stores = RedisStores.open(three.url, "order")
    # A person whose index lies with another master than the session.
    bucket = three.master_of("order:{b17}")
    user = next(f"usr-{n}" for n in range(99) if three.master_of(f"order:{{u:usr-{n}}}") is not bucket)
    session = new_session(17, user_id=user)
    index = three.master_of(f"order:{{u:{user}}}")
    index.ask("SET", f"order:{{u:{user}}}:sessions", "not an index")
    assert "ResponseError" in detail(lambda: stores.sessions.open(session, NOW, 1))
    assert stores.sessions.find(session.sid) is None, "no session that its index doesn't name"
    index.ask("DEL", f"order:{{u:{user}}}:sessions")
    assert stores.sessions.open(session, NOW, 1) is not None
    stores.close()


def test_a_master_that_hangs_costs_about_a_second_also_when_all_are_asked(three: RedisCluster) -> None:
    stores = RedisStores.open(three.url, "hang")
    session = new_session(17)
    stores.sessions.open(session, NOW, 1)
    hanging = three.master_of("hang:{b18}")
    hanging.pause()
    try:
        for _ in range(3):
            began = time.monotonic()
            assert "Timeout" in detail(lambda: stores.sweeps.end_due(NOW, 10))
            assert time.monotonic() - began < 5, "a second for each would be three, with the map four"
        began = time.monotonic()
        if three.master_of("hang:{b17}") is not hanging:
            assert stores.sessions.find(session.sid) is not None, "the others answer"
            assert time.monotonic() - began < 5
    finally:
        hanging.resume()
    three.wait_until_whole()
    eventually(lambda: works(lambda: stores.sweeps.end_due(NOW, 10)))
    assert stores.lists.count_live(NOW) == 1, "no answer of before is taken for one of now"
    stores.close()


def test_a_promoted_replica_is_found_and_taught_its_scripts(six: RedisCluster) -> None:
    stores = RedisStores.open(six.url, "six")
    before = new_session(17)
    stores.sessions.open(before, NOW, 1)
    dead = six.master_of("six:{b17}")
    written = int(dead.info("replication")["master_repl_offset"])
    (replica,) = six.replicas_of(dead)
    eventually(lambda: int(replica.info("replication")["slave_repl_offset"]) >= written)
    dead.kill()
    began = time.monotonic()
    detail(lambda: stores.sessions.find(before.sid))
    assert time.monotonic() - began < 5
    eventually(lambda: works(lambda: stores.sessions.end(before.sid, "sign_out", NOW)), timeout_s=30)
    # Who is asked may hear of it a moment after we did.
    eventually(lambda: six.master_of("six:{b17}") is not dead)
    # It comes back as a replica, and whoever still believes in it is told.
    dead.start()
    six.wait_until_whole()
    assert not dead.is_master()
    found = stores.sessions.find(before.sid)
    assert found is not None
    assert found.ended_at == NOW
    stores.close()


def test_a_master_that_has_become_a_replica_serves_nobody(six: RedisCluster) -> None:
    """Its connections stay open after a manual failover: whoever asks on one of them is sent on."""
    stores = RedisStores.open(six.url, "six")
    session = new_session(17)
    stores.sessions.open(session, NOW, 1)
    old = six.master_of("six:{b17}")
    (replica,) = six.replicas_of(old)
    replica.ask("CLUSTER", "FAILOVER")
    eventually(lambda: six.master_of("six:{b17}") is replica)
    eventually(lambda: works(lambda: stores.sessions.touch(session.sid, NOW + 1)))
    assert stores.sessions.find(session.sid) is not None
    stores.close()


def test_a_fence_that_refuses_makes_the_map_be_read_again(six: RedisCluster) -> None:
    """Otherwise a process that missed a failover would ask a replica of now for ever."""
    admitted: set[str] = set()
    stores = RedisStores.open(six.url, "six", fence=lambda incarnation: incarnation in admitted)

    def learn() -> None:
        admitted.clear()
        for node in six.nodes:
            if node.is_master():
                info = node.info("server") | node.info("replication")
                admitted.add(f"redis:{info['run_id']}:{info['master_replid']}")

    learn()
    session = new_session(17)
    assert stores.sessions.open(session, NOW, 1) is not None
    old = six.master_of("six:{b17}")
    (replica,) = six.replicas_of(old)
    replica.ask("CLUSTER", "FAILOVER")
    eventually(lambda: six.master_of("six:{b17}") is replica)
    six.wait_until_whole()
    stores.close()  # whoever connects anew finds a replica at the old address
    eventually(lambda: not works(lambda: stores.sessions.touch(session.sid, NOW + 1)))
    learn()
    eventually(lambda: works(lambda: stores.sessions.touch(session.sid, NOW + 1)))
    stores.close()


def test_many_threads_read_the_map_once(three: RedisCluster, reads: list[float]) -> None:
    link = Link(three.url)
    threads = [threading.Thread(target=link.by_server, args=(BUCKETS,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1
    link.close()


def test_nodes_that_are_known_by_name_are_found_by_name(three: RedisCluster) -> None:
    for node in three.nodes:
        node.ask("CONFIG", "SET", "cluster-announce-hostname", "localhost")
        node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname")
    try:
        eventually(lambda: all(row[2][0] == b"localhost" for row in three.nodes[0].ask("CLUSTER", "SLOTS")))
        link = Link(f"redis+cluster://127.0.0.1:{three.nodes[0].port}")
        assert {master.name.rpartition(":")[0] for master in link.masters()} == {"localhost"}
        assert link.send_all([command("EXISTS", bucket) for bucket in BUCKETS]) == [0] * 64
        link.close()
        for node in three.nodes:
            node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "unknown-endpoint")
        link = Link(f"redis+cluster://127.0.0.1:{three.nodes[0].port}")
        assert {master.name.rpartition(":")[0] for master in link.masters()} == {"127.0.0.1"}
        link.close()
    finally:
        for node in three.nodes:
            node.ask("CONFIG", "SET", "cluster-announce-hostname", "")
            node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "ip")
