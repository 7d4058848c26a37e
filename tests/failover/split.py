"""A service under Sentinel, its master on one side and its replicas on the other, a node of the centre on each side."""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
import requests

from tests.failover.relay import Way, relayed
from tests.failover.sides import Network, Side, two_sides
from tests.failover.town import SETTINGS, Town, peopled
from tests.support.centre import Centre, Process, clean_env, wait_until
from tests.support.ports import free_port
from tests.support.postgres import Postgres

SERVICE = "lockstep"
SECRET = "one-secret-for-all-nodes-0123456789abcdef"


class Here(Side):
    """No namespace: a side by its wires alone, for whoever isn't root."""

    def command(self, argv: list[str]) -> list[str]:
        return argv


class Wire:
    """What replicas and sentinels reach the master by, and the way to the node beside it."""

    def __init__(self, way: Way, door: Way, master: int, other_node: int) -> None:
        self._way, self._door, self._master, self._other_node = way, door, master, other_node

    def cut(self) -> None:
        """Nobody of the other side reaches the master any more."""
        self._way.close_for_now()

    def heal(self) -> None:
        """They do; and the node beside it, which knows this one master only, gets no more visitors."""
        self._way.lead_to(self._master)
        before = self._door.lead_to(self._other_node)
        # Questions of now are answered where they were asked; what is kept open for the next ones goes.
        time.sleep(1)
        self._door.hang_up(before)


@dataclass
class Split:
    """`town.lines[0]` is the node beside the old master, `town.lines[1]` the one beside the replicas."""

    town: Town
    network: Network | Wire
    replicas: list[tuple[str, int]]

    def wait_for_another_master(self) -> None:
        """Until a replica says that it leads."""

        def leads() -> bool:
            return any(_role(address) == "master" for address in self.replicas)

        wait_until(leads, seconds=30, why="a replica to be promoted")


def _role(address: tuple[str, int]) -> str:
    with contextlib.suppress(redis.RedisError), redis.Redis(*address, socket_timeout=2) as connection:
        return str(connection.role()[0].decode())
    return ""


@contextlib.contextmanager
def running_split(
    directory: Path, setting: str, database: Postgres, *options: str, replicas: int = 0
) -> Iterator[Split]:
    """`options` are the redis-servers'; `replicas` is SSO_REDIS_REPLICAS. The database's server stands here."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(two_sides())
        master = _start_redis(stack, network.left, directory / "master", *options)
        follow = ("--replicaof", f"{network.left.address} {master}")
        others = [_start_redis(stack, network.right, directory / f"replica-{n}", *follow, *options) for n in range(2)]
        watchers = [
            (side, _start_sentinel(stack, side, directory / f"sentinel-{n}", network.left.address, master))
            for n, side in enumerate((network.left, network.right, network.right))
        ]
        _wait_until_whole(watchers)
        hosts = ",".join(f"{side.address}:{port}" for side, port in watchers)
        settings = SETTINGS | {"SSO_SECRET_KEY": SECRET, "SSO_REDIS_REPLICAS": str(replicas)}
        settings["SSO_DATABASE_URL"] = database.create_database().replace("127.0.0.1", network.here)
        redis_url = f"redis+sentinel://{hosts}/{SERVICE}/0"
        centre = Centre(directory, redis_url, settings)
        nodes = [_Node(centre, side) for side in (network.left, network.right)]
        for node in nodes:
            stack.callback(node.process.stop)
            node.start()
        # Who asks by the issuer's name comes to the node beside the old master: its sites are the ones in danger.
        stack.enter_context(relayed("127.0.0.1", centre.port, (nodes[0].side.address, nodes[0].port)))
        bases = [f"http://{node.side.address}:{node.port}" for node in nodes]
        town = stack.enter_context(peopled(directory, centre, setting, bases, called_at=network.here))
        yield Split(town, network, [(network.right.address, port) for port in others])


@contextlib.contextmanager
def running_split_here(directory: Path, setting: str, database: Postgres, *options: str) -> Iterator[Split]:
    """The same on 127.0.0.1, without rights: the node beside the old master has its own address in SSO_REDIS_URL."""
    with contextlib.ExitStack() as stack:
        left, right = Here("left", "127.0.0.1"), Here("right", "127.0.0.1")
        master = _start_redis(stack, left, directory / "master", *options)
        way = stack.enter_context(Way(master))
        follow = ("--replicaof", f"127.0.0.1 {way.port}")
        others = [_start_redis(stack, right, directory / f"replica-{n}", *follow, *options) for n in range(2)]
        watchers = [
            (right, _start_sentinel(stack, right, directory / f"sentinel-{n}", "127.0.0.1", way.port)) for n in range(3)
        ]
        _wait_until_whole(watchers)
        hosts = ",".join(f"127.0.0.1:{port}" for _, port in watchers)
        settings = SETTINGS | {"SSO_SECRET_KEY": SECRET, "SSO_DATABASE_URL": database.create_database()}
        centre = Centre(directory, f"redis+sentinel://{hosts}/{SERVICE}/0", settings)
        nodes = [_Node(centre, left, SSO_REDIS_URL=f"redis://127.0.0.1:{master}/0"), _Node(centre, right)]
        for node in nodes:
            stack.callback(node.process.stop)
            node.start()
        door = stack.enter_context(Way(nodes[0].port, at=("127.0.0.1", centre.port)))
        bases = [centre.issuer, f"http://127.0.0.1:{nodes[1].port}"]
        town = stack.enter_context(peopled(directory, centre, setting, bases))
        yield Split(town, Wire(way, door, master, nodes[1].port), [("127.0.0.1", port) for port in others])


class _Node:
    """`sso serve` on one side, with a data directory of its own."""

    def __init__(self, centre: Centre, side: Side, **settings: str) -> None:
        self.side, self.port = side, free_port()
        env = {**clean_env(), **centre.env, "SSO_DATA_DIR": str(centre.directory / side.name), **settings}
        argv = [sys.executable, "-m", "sso_server.cli", "serve", "--workers", "2"]
        argv += ["--bind", f"{side.address}:{self.port}"]
        self.log = centre.directory / f"{side.name}.log"
        self.process = Process(side.command(argv), env, self.log)

    def start(self) -> None:
        self.process.start()
        url = f"http://{self.side.address}:{self.port}/readyz"
        wait_until(
            lambda: requests.get(url, timeout=2).status_code == 200,
            seconds=90,
            why=f"the node to be ready: {self.log.read_text()[-2000:]}",
        )


def _start_redis(stack: contextlib.ExitStack, side: Side, directory: Path, *options: str) -> int:
    port = free_port()
    program = shutil.which("redis-server")
    assert program is not None
    common = ["--bind", side.address, "--port", str(port), "--dir", str(directory), "--protected-mode", "no"]
    common += ["--replica-announce-ip", side.address, "--save", "", "--appendonly", "yes"]
    common += ["--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0", "--repl-timeout", "5"]
    _start(stack, side, directory, [program, *common, *options])
    return port


def _start_sentinel(stack: contextlib.ExitStack, side: Side, directory: Path, master: str, port: int) -> int:
    own = free_port()
    program = shutil.which("redis-server")
    assert program is not None
    directory.mkdir(parents=True)
    file = directory / "sentinel.conf"
    lines = [
        f"port {own}",
        f"bind {side.address}",
        "protected-mode no",
        f"sentinel announce-ip {side.address}",
        f"sentinel monitor {SERVICE} {master} {port} 2",
        f"sentinel down-after-milliseconds {SERVICE} 1000",
        f"sentinel failover-timeout {SERVICE} 5000",
    ]
    file.write_text("\n".join([*lines, ""]))
    _start(stack, side, directory, [program, str(file), "--sentinel"])
    return own


def _start(stack: contextlib.ExitStack, side: Side, directory: Path, argv: list[str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(side.command(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    stack.callback(process.wait, 10)
    stack.callback(process.kill)


def _wait_until_whole(watchers: list[tuple[Side, int]]) -> None:
    def whole() -> bool:
        for side, port in watchers:
            try:
                with redis.Redis(side.address, port, socket_timeout=2, protocol=2) as connection:
                    connection.execute_command("SENTINEL", "DEBUG", "info-period", 1000)
                    state = connection.sentinel_master(SERVICE)
            except redis.RedisError:
                return False
            if state["num-slaves"] != 2 or state["num-other-sentinels"] != 2:
                return False
        return True

    wait_until(whole, seconds=30, why="replicas and sentinels to find each other")
