"""A Redis Cluster of our own on 127.0.0.1: masters that share the slots, each with replicas if a test asks for them.

Its nodes die, stop, hang (SIGSTOP) and come back with what their directories hold; who is master is asked, not guessed.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

from tests.support.ports import free_port, wait_until_listening
from tests.support.services import OwnRedis

SLOTS = 16384


class ClusterNode(OwnRedis):
    """One redis-server of the cluster; `id` is its name there and stays as long as its directory."""

    def __init__(self, directory: Path, *options: str, password: str) -> None:
        self.bus = free_port()  # the default, port + 10000, may be somebody else's
        own = ["--cluster-enabled", "yes", "--cluster-port", str(self.bus), "--cluster-announce-ip", "127.0.0.1"]
        super().__init__(directory, *own, *options)
        self.id = ""
        self._password = password

    def ask(self, *words: str | int) -> Any:
        """The answer of this very node to a command. Raises redis.RedisError."""
        with redis.Redis(port=self.port, password=self._password or None, socket_timeout=5, protocol=2) as connection:
            # redis-py would read the answers of CLUSTER commands for us, each in a way of its own
            connection.response_callbacks.clear()
            answer = connection.execute_command(*words)
        return answer.decode() if isinstance(answer, bytes) else answer

    def info(self, section: str) -> dict[str, str]:
        """A section of INFO (or CLUSTER INFO, under the name `cluster state`), as it stands there."""
        text = self.ask("CLUSTER", "INFO") if section == "cluster state" else self.ask("INFO", section)
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def is_master(self) -> bool:
        """By its own word: one that is cut off may say so wrongly. False if it doesn't answer."""
        try:
            return self.running and self.info("replication")["role"] == "master"
        except redis.RedisError:
            return False


class RedisCluster:
    """The first nodes are the masters of the beginning, in the order of their slots; their replicas come after."""

    def __init__(self, nodes: Sequence[ClusterNode], masters: int, password: str) -> None:
        self.nodes = tuple(nodes)
        self.first_masters = self.nodes[:masters]
        self.password = password
        self.url = self.url_for(password=password)

    def url_for(self, user: str = "", password: str = "") -> str:
        """`redis+cluster://` with all nodes, for somebody with this name and password."""
        who = f"{user}:{password}@" if user or password else ""
        return f"redis+cluster://{who}{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}"

    def replicas_of(self, master: ClusterNode) -> list[ClusterNode]:
        """Who follows this node now, by their own word."""
        return [n for n in self.nodes if n.running and n.info("replication").get("master_port") == str(master.port)]

    def slots(self, asked: ClusterNode | None = None) -> list[tuple[int, int, int]]:
        """First slot, last slot and the port of the master that serves them, as one running node sees it."""
        node = asked or next(each for each in self.nodes if each.running)
        return sorted((row[0], row[1], row[2][1]) for row in node.ask("CLUSTER", "SLOTS"))

    def master_of(self, key: str) -> ClusterNode:
        """Which node serves this key now, as one running node sees it."""
        asked = next(each for each in self.nodes if each.running)
        slot = asked.ask("CLUSTER", "KEYSLOT", key)
        (port,) = [port for first, last, port in self.slots(asked) if first <= slot <= last]
        return next(node for node in self.nodes if node.port == port)

    def move_slot(self, slot: int, source: ClusterNode, target: ClusterNode) -> None:
        """A slot and its keys change their master, as `redis-cli --cluster reshard` does it."""
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            auth = ("AUTH", self.password) if self.password else ()
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, *auth, "KEYS", *keys)
        for node in (target, source):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def wait_until_whole(self, *, timeout_s: float = 30.0) -> None:
        """Every running node sees all slots served, and every replica follows its master. TimeoutError otherwise."""
        _wait(lambda: all(_is_whole(node) for node in self.nodes if node.running), timeout_s, "a whole cluster")

    def empty(self) -> None:
        """Throw away all keys, not the cluster."""
        for node in self.nodes:
            if node.is_master():
                node.ask("FLUSHALL")

    def stop(self) -> None:
        """Every node that runs, paused or not."""
        for node in self.nodes:
            node.resume()
            node.kill()


@contextlib.contextmanager
def running_cluster(
    directory: Path, replicas: int = 0, *options: str, masters: int = 3, password: str = "", users: Sequence[str] = ()
) -> Iterator[RedisCluster]:
    """Each of the masters with so many replicas, ready to serve; about three seconds, with replicas a second more.

    `options` are for each node, e.g. `"--appendonly", "yes", "--min-replicas-to-write", "1"`. `users` are lines of an
    access list (`user centre on >secret ~lockstep:* +@all`); the default user may do everything, with `password` if
    there is one.
    """
    common = ["--cluster-node-timeout", "1000", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
    common += ["--maxmemory-policy", "noeviction"]
    if users:
        directory.mkdir(parents=True, exist_ok=True)
        access = f">{password}" if password else "nopass"
        lists = directory / "users.acl"
        lists.write_text("\n".join([f"user default on {access} ~* &* +@all", *users, ""]))
        common += ["--aclfile", str(lists)]
    elif password:
        common += ["--requirepass", password]
    if password:
        common += ["--masterauth", password]
    count = masters * (1 + replicas)
    nodes = [ClusterNode(directory / f"node-{n}", *common, *options, password=password) for n in range(count)]
    cluster = RedisCluster(nodes, masters, password)
    try:
        _join(cluster, replicas)
        yield cluster
    finally:
        cluster.stop()


def _join(cluster: RedisCluster, replicas: int) -> None:
    for node in cluster.nodes:
        node.begin()
    for node in cluster.nodes:
        wait_until_listening(node.port, timeout_s=20)
        node.id = node.ask("CLUSTER", "MYID")
    masters = cluster.first_masters
    edges = [SLOTS * n // len(masters) for n in range(len(masters) + 1)]
    for number, node in enumerate(masters):
        node.ask("CLUSTER", "ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for node in cluster.nodes:
        for other in cluster.nodes:
            if node is not other:
                node.ask("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus)
    _wait(lambda: all(_knows_all(node, cluster) for node in cluster.nodes), 20, "the nodes to know each other")
    for number, node in enumerate(cluster.nodes[len(masters) :]):
        node.ask("CLUSTER", "REPLICATE", masters[number // replicas].id)
    cluster.wait_until_whole()
    followers = len(masters) * replicas
    _wait(lambda: sum(len(cluster.replicas_of(node)) for node in masters) == followers, 20, "the replicas")


def _knows_all(node: ClusterNode, cluster: RedisCluster) -> bool:
    known = {line.split()[0] for line in node.ask("CLUSTER", "NODES").splitlines() if "handshake" not in line}
    return known == {each.id for each in cluster.nodes}


def _is_whole(node: ClusterNode) -> bool:
    try:
        state, replication = node.info("cluster state"), node.info("replication")
    except redis.RedisError:
        return False
    served = state["cluster_state"] == "ok" and state["cluster_slots_ok"] == str(SLOTS)
    return served and (replication["role"] == "master" or replication.get("master_link_status") == "up")


def _wait(holds: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(0.05)
