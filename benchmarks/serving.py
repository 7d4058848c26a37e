"""W0 to W5 and CAS: what a request costs here and at the floor, and at other people's servers if they are asked too.

`python -m benchmarks serving --rounds 2 --secs 1 --web-servers gunicorn --stores redis --workloads R,W3u`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import partial

from benchmarks.floor_server import FloorServer
from benchmarks.given import Given
from benchmarks.lockstep_server import LockstepServer
from benchmarks.results import Figure
from benchmarks.rounds import Reading, interleaved
from benchmarks.servers import Server
from benchmarks.workloads import WORKLOADS

#: With RSA signatures only what has one is another thing.
SIGNING = ("W2", "R", "W4")
_NAMES = tuple(field.name for field in fields(Reading) if field.name.endswith("_ms"))


def servers(given: Given) -> list[Callable[[], Server]]:
    """Lockstep and its floor beside each other, then the next pair, then the peers that scripts/bench-peers brought."""
    found: list[Callable[[], Server]] = []
    for store in given.stores:
        for web_server in given.web_servers:
            for algorithm in ("ES256", "RS256") if store == "redis" else ("ES256",):
                found += [
                    partial(LockstepServer, web_server=web_server, store=store, algorithm=algorithm),
                    partial(FloorServer, web_server=web_server, store=store, algorithm=algorithm),
                ]
    if given.peers:
        from benchmarks.peers.recipes import peers

        found += peers(given.peers)
    return found


def workloads_of(server: Server, given: Given) -> Sequence[str]:
    """Those that say something about it."""
    wanted = given.workloads or tuple(WORKLOADS)
    return [name for name in wanted if name in SIGNING or server.case.algorithm != "RS256"]


def figures(given: Given) -> Iterator[Figure]:
    """Of each reading."""
    for reading in interleaved(
        servers(given),
        lambda server: workloads_of(server, given),
        rounds=given.rounds,
        seconds=given.seconds,
        connections=(given.connections, 1),
    ):
        yield from figures_of(reading)


def figures_of(reading: Reading) -> Iterator[Figure]:
    """Its numbers."""
    said = {name: getattr(reading, name) for name in (*_NAMES, "cpu_ms", "per_second")}
    for name, value in said.items():
        yield Figure(reading.case, reading.workload, name, value, reading.round, str(reading.connections))
