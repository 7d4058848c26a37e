"""A Redis with replicas and the sentinels that watch them, all our own on 127.0.0.1."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

from tests.support.ports import wait_until_listening
from tests.support.services import OwnRedis

SERVICE = "lockstep"


class SentinelSet:
    """`nodes` are the redis-servers, the first of them the first master; `sentinels` watch them."""

    def __init__(self, nodes: Sequence[OwnRedis], sentinels: Sequence[OwnRedis], secrets: tuple[str, str]) -> None:
        self.nodes = tuple(nodes)
        self.sentinels = tuple(sentinels)
        self.password, self.sentinel_password = secrets
        self.url = self.url_for(password=self.password)

    def url_for(self, user: str = "", password: str = "") -> str:
        """`redis+sentinel://` with all sentinels, for somebody with this name and password at the redis-servers."""
        who = f"{user}:{password}@" if user or password else ""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        asked = f"?sentinel_password={self.sentinel_password}" if self.sentinel_password else ""
        return f"redis+sentinel://{who}{hosts}/{SERVICE}/0{asked}"

    def ask(self, node: OwnRedis, *words: str | int) -> Any:
        """The answer of this very node (or sentinel) to a command. Raises redis.RedisError."""
        password = self.sentinel_password if node in self.sentinels else self.password
        with redis.Redis(port=node.port, password=password or None, socket_timeout=5, protocol=2) as connection:
            connection.response_callbacks.clear()
            answer = connection.execute_command(*words)
        return answer.decode() if isinstance(answer, bytes) else answer

    def master(self) -> OwnRedis:
        """Whom most of the answering sentinels name. It may have died a moment ago."""
        named: list[int] = []
        for sentinel in self.sentinels:
            with contextlib.suppress(redis.RedisError):
                named.append(int(self.ask(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1]))
        port = max(set(named), key=named.count)
        return next(node for node in self.nodes if node.port == port)

    def replicas(self) -> list[OwnRedis]:
        """Who runs and isn't named as the master."""
        master = self.master()
        return [node for node in self.nodes if node.running and node is not master]

    def wait_for_another_master(self, old: OwnRedis, *, timeout_s: float = 30.0) -> OwnRedis:
        """Who was promoted, when it says itself that it is the master. TimeoutError otherwise."""
        _wait(lambda: self.master() is not old and self._leads(self.master()), timeout_s, "another master")
        return self.master()

    def wait_until_whole(self, *, timeout_s: float = 30.0) -> None:
        """Every running replica follows the master, and every sentinel knows of all the others. TimeoutError if not."""
        _wait(self._is_whole, timeout_s, "replicas and sentinels to find each other")

    def stop(self) -> None:
        """All that runs, paused or not."""
        for each in (*self.sentinels, *self.nodes):
            each.resume()
            each.kill()

    def _leads(self, node: OwnRedis) -> bool:
        try:
            return node.running and self.ask(node, "ROLE")[0] == b"master"
        except redis.RedisError:
            return False

    def _is_whole(self) -> bool:
        others = sum(each.running for each in self.sentinels) - 1
        try:
            for sentinel in (each for each in self.sentinels if each.running):
                answer = self.ask(sentinel, "SENTINEL", "MASTER", SERVICE)
                said = dict(zip(answer[::2], answer[1::2], strict=True))
                if int(said[b"num-other-sentinels"]) < others or int(said[b"num-slaves"]) < len(self.replicas()):
                    return False
            roles = [self.ask(node, "ROLE") for node in self.replicas()]
        except redis.RedisError:
            return False
        port = self.master().port
        return self._leads(self.master()) and all(r[0] == b"slave" and r[2:4] == [port, b"connected"] for r in roles)


@contextlib.contextmanager
def running_sentinel(
    directory: Path,
    *options: str,
    replicas: int = 2,
    sentinels: int = 3,
    password: str = "",
    sentinel_password: str = "",
    down_after_ms: int = 1000,
    failover_timeout_ms: int = 5000,
    info_period_ms: int = 1000,
) -> Iterator[SentinelSet]:
    """One master with replicas under sentinels, most of whom must agree that it is down; about two seconds.

    `options` are for each redis-server, e.g. `"--appendonly", "yes", "--min-replicas-to-write", "1"`. Sentinels look at
    each server's roles every `info_period_ms`: in real life 10,000, for so long a dead master that came back leads.
    """
    common = ["--appendonly", "no", "--repl-diskless-sync-delay", "0", "--maxmemory-policy", "noeviction"]
    if password:
        common += ["--requirepass", password, "--masterauth", password]
    nodes = [OwnRedis(directory / "node-0", *common, *options)]
    follow = ("--replicaof", f"127.0.0.1 {nodes[0].port}")
    nodes += [OwnRedis(directory / f"node-{n}", *common, *follow, *options) for n in range(1, replicas + 1)]
    lines = [
        f"sentinel monitor {SERVICE} 127.0.0.1 {nodes[0].port} {sentinels // 2 + 1}",
        f"sentinel down-after-milliseconds {SERVICE} {down_after_ms}",
        f"sentinel failover-timeout {SERVICE} {failover_timeout_ms}",
        f"sentinel parallel-syncs {SERVICE} {max(1, replicas)}",
    ]
    if password:
        lines.append(f"sentinel auth-pass {SERVICE} {password}")
    if sentinel_password:
        lines += [f"requirepass {sentinel_password}", f"sentinel sentinel-pass {sentinel_password}"]
    watchers = [_sentinel(directory / f"sentinel-{n}", lines) for n in range(sentinels)]
    found = SentinelSet(nodes, watchers, (password, sentinel_password))
    try:
        for each in (*nodes, *watchers):
            each.begin()
        for each in (*nodes, *watchers):
            wait_until_listening(each.port, timeout_s=20)
        for each in watchers:
            found.ask(each, "SENTINEL", "DEBUG", "info-period", info_period_ms)
        found.wait_until_whole()
        yield found
    finally:
        found.stop()


def _sentinel(directory: Path, lines: list[str]) -> OwnRedis:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "sentinel.conf"  # it keeps in it what it learns
    file.write_text("\n".join([*lines, ""]))
    return OwnRedis(directory, mode=(str(file), "--sentinel"))


def _wait(holds: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(0.05)
