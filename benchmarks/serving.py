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
from benchmarks.servers import Case, Server
from benchmarks.workloads import WORKLOADS

#: With RSA signatures only what has one is another thing.
SIGNING = ("W2", "R", "W4")
_NAMES = tuple(field.name for field in fields(Reading) if field.name.endswith("_ms"))


def servers(given: Given) -> list[list[Callable[[], Server]]]:
    """In groups that are compared with each other: one for each store and algorithm. The peers that scripts/bench-peers
    has brought are asked beside those on Redis. What RSA adds is the signature: there the floor isn't asked again."""
    groups: dict[tuple[str, str], list[Callable[[], Server]]] = {}
    for store, algorithm in (("redis", "ES256"), ("redis", "RS256"), ("sqlite", "ES256")):
        if store in given.stores and (algorithm == "ES256" or not given.alone):
            group = groups[store, algorithm] = []
            for web_server in given.web_servers:
                kind = (web_server, store, algorithm)
                group.append(partial(LockstepServer, *kind))
                if algorithm == "ES256":
                    group.append(partial(FloorServer, *kind))
    if given.peers:
        from benchmarks.peers.recipes import peers

        for make in peers(given.peers):
            # Whoever signs with RSA is compared with those who do, too.
            algorithm = "RS256" if make().case.algorithm == "RS256" else "ES256"
            groups.setdefault(("redis", algorithm), []).append(make)
    return list(groups.values())


def figures(given: Given) -> Iterator[Figure]:
    """Of each reading."""
    if given.workloads and WORKLOADS.keys().isdisjoint(given.workloads):
        return
    groups = servers(given)
    signs_both = {make().case.product for make in groups[0]}

    def names(server: Server) -> Sequence[str]:
        is_second = server.case.algorithm == "RS256" and server.case.product in signs_both
        return [name for name in given.workloads or WORKLOADS if name in SIGNING or not is_second]

    connections = (given.connections,) if given.alone else (given.connections, 1)
    for reading in interleaved(
        groups, names, rounds=given.rounds, seconds=given.seconds, connections=connections, is_asked_alone=_is_plain
    ):
        yield from figures_of(reading)


def _is_plain(case: Case) -> bool:
    """How long one person alone waits is said of Lockstep and its floor on Redis: elsewhere it is little else."""
    return case.product in ("lockstep", "floor") and (case.store, case.algorithm) == ("redis", "ES256")


def figures_of(reading: Reading) -> Iterator[Figure]:
    """Its numbers."""
    said = {name: getattr(reading, name) for name in (*_NAMES, "cpu_ms", "per_second")}
    for name, value in said.items():
        yield Figure(reading.case, reading.workload, name, value, reading.round, str(reading.connections))
