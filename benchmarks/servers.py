"""What a measurement needs of a server, whoever wrote it; and the Redis that each is given."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.traffic import CasTraffic, Traffic
from tests.support.services import OwnRedis

#: As docker-compose.yml: everything that was said is written down each second.
REDIS_OPTIONS = (
    *("--appendonly", "yes", "--hash-max-listpack-value", "512", "--zset-max-listpack-value", "128"),
    *("--maxmemory-policy", "noeviction"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What runs: one row of a table."""

    product: str
    """`lockstep`, `floor`, or a peer's name."""
    web_server: str
    """`gunicorn`, `granian`, `node` ..."""
    store: str
    """`redis` or `sqlite`; a peer's own otherwise."""
    algorithm: str = "ES256"
    """Of ID tokens and logout tokens."""

    def __str__(self) -> str:
        return f"{self.product} {self.web_server} {self.store} {self.algorithm}"


class Server(Protocol):
    """One server that can be started, asked, measured and stopped; a new one for each round."""

    @property
    def case(self) -> Case:
        """What it is."""
        ...

    @property
    def workloads(self) -> frozenset[str]:
        """What it can be asked (names in `workloads.WORKLOADS`, and `W6`, `W6h` ...)."""
        ...

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers."""
        ...

    @property
    def openid(self) -> Traffic | None:
        """How its OpenID Connect is asked."""
        ...

    @property
    def cas(self) -> CasTraffic | None:
        """How its CAS is asked."""
        ...

    def start(self) -> None:
        """Empty stores, accounts and clients as `traffic` names them; returns when it answers."""
        ...

    def stop(self) -> None:
        """All of its processes are gone, and its data."""
        ...

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Pids by what they do: `web`, `delivery` ..., and `redis` if it has one."""
        ...


@contextmanager
def started(server: Server) -> Iterator[Server]:
    """It runs in this block."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


def own_redis(directory: Path) -> OwnRedis:
    """A Redis of its own, started."""
    redis = OwnRedis(directory, *REDIS_OPTIONS)
    redis.start()
    return redis


def redis_commands(redis: OwnRedis) -> int:
    """How many commands it has been sent so far; a script is one more than it calls."""
    with socket.create_connection(("127.0.0.1", redis.port), timeout=10) as connection:
        connection.sendall(b"INFO stats\r\n")
        heard = b""
        while b"\r\ntotal_net_input_bytes" not in heard:
            heard += connection.recv(65_536)
    return int(heard.split(b"total_commands_processed:")[1].split(b"\r\n")[0])
