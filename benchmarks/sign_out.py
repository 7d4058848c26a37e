"""W6 and W6h: somebody signs out of 20 sites; all of them answer, or three of them hang.

How long the person waits, when the last site hears, and what that takes of the processor (Redis, and all that is done
after the answer, with it). `make bench-peers` asks the others the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bed import percentile
from benchmarks.floor_server import FloorServer
from benchmarks.given import Given
from benchmarks.listeners import Listeners, listening
from benchmarks.load import Operation, once
from benchmarks.lockstep_server import LockstepServer
from benchmarks.processes import cpu_s
from benchmarks.results import Figure, spread_of
from benchmarks.rounds import excused, turned
from benchmarks.servers import Case, Server, started
from benchmarks.traffic import PEOPLE, SITES, CasTraffic, Person, Site, Traffic

#: What hangs takes a call and never answers.
HANGING = (3, 10, 17)
#: People who sign out, one after the other, in each round.
PER_ROUND = {"W6": 20, "W6h": 20}
#: At a server where whoever signs out waits for each site that hangs: that takes seconds.
FEW = 2
PATIENCE_S = 12.0
#: Nobody else signs out so soon after somebody: each is measured alone.
_BETWEEN_S = 0.1


@dataclass(frozen=True, slots=True)
class Told:
    """One sign-out, in ms after the browser asked."""

    waited: float
    """Until the person had an answer."""
    heard: dict[int, float]
    """Site -> when it heard first."""

    def last(self, hanging: tuple[int, ...]) -> float:
        """When the last of those heard that answer. Raises ValueError if none did."""
        return max(at for site, at in self.heard.items() if site not in hanging)


def figures(given: Given) -> Iterator[Figure]:
    """Each web server and store, each floor, and the peers that can sign out."""
    asked = [what for what in PER_ROUND if not given.workloads or what in given.workloads]
    if not asked:
        return
    waits: dict[tuple[Case, str], list[float]] = {}
    with TemporaryDirectory(prefix="bench-sites-") as directory, listening(Path(directory)) as sites:
        for number in range(given.rounds):
            for make in turned(_servers(given, sites), number):
                with started(make()) as server:
                    wanted = {what for what in asked if what in server.workloads}
                    for what in asked:
                        found: list[Figure] = []
                        with excused(server.case, wanted, number):
                            if what in wanted:
                                known = waits.setdefault((server.case, what), [])
                                found.extend(_round(server, sites, what, number, known))
                        yield from found
    for (case, what), known in waits.items():
        # Of all rounds together: the worst of twenty is no p99.
        if len(known) >= 100:
            yield Figure(case, what, "waits_p99_ms", percentile(known, 99))


def _servers(given: Given, sites: Listeners) -> list[Callable[[], Server]]:
    makes: list[Callable[[], Server]] = []
    for store in given.stores:
        for web_server in given.web_servers:
            kind = (web_server, store)
            makes.append(partial(LockstepServer, *kind, logout_uri=sites.logout_uri))
            makes.append(partial(FloorServer, *kind, logout_uri=sites.logout_uri))
    if given.peers:
        from benchmarks.peers.recipes import peers

        # Once each: with another algorithm they tell as slowly.
        makes += [
            partial(make, logout_uri=sites.logout_uri)
            for make in peers(given.peers)
            if make().case.algorithm != "RS256"
        ]
    return makes


def _round(server: Server, sites: Listeners, what: str, number: int, waits: list[float]) -> Iterator[Figure]:
    hanging = HANGING if what == "W6h" else ()
    traffic = server.openid or server.cas
    assert traffic is not None
    is_slow = what == "W6h" and server.case.product not in ("lockstep", "floor")
    people = [_visitor(server, traffic, who) for who in range((FEW if is_slow else PER_ROUND[what]) + 1)]
    sites.hang(hanging)
    # Connections, scripts and imports are there after the first: people sign out of a centre that is at work.
    sign_out(server, traffic, people.pop(), sites, hanging)
    processes = server.processes()
    redis = processes.get("redis", ())
    pids = [pid for pids in processes.values() for pid in pids]
    before, before_redis, found = cpu_s(pids), cpu_s(redis), []
    for person in people:
        time.sleep(_BETWEEN_S)
        found.append(sign_out(server, traffic, person, sites, hanging))
    # The last site's answer is being written down.
    time.sleep(_BETWEEN_S)
    spent, spent_redis = cpu_s(pids) - before, cpu_s(redis) - before_redis
    sites.hang(())
    waits += [one.waited for one in found]
    said = {
        "waits_ms": spread_of(one.waited for one in found).median,
        "waits_max_ms": max(one.waited for one in found),
        "first_told_ms": spread_of(min(one.heard.values()) for one in found if one.heard).median,
        "last_told_ms": spread_of(one.last(hanging) for one in found).median,
        "told": spread_of(len(one.heard) for one in found).median,
        "cpu_ms": spent * 1000 / len(found),
        "redis_ms": spent_redis * 1000 / len(found),
    }
    for name, value in said.items():
        yield Figure(server.case, what, name, value, number)


def _visitor(server: Server, traffic: Traffic | CasTraffic, who: int) -> Person:
    """Somebody who has opened every site."""
    person = Person(f"user{who % PEOPLE}")

    def go_round() -> Operation[None]:
        yield from traffic.sign_in(person, Site(1))
        for site in map(Site, range(1, SITES + 1)):
            ticket = yield from traffic.ticket(person, site)
            tokens = yield from traffic.redeem(site, ticket)
            person.id_token = tokens.get("id_token", "")

    once(server.address, go_round())
    return person


def sign_out(
    server: Server, traffic: Traffic | CasTraffic, person: Person, sites: Listeners, hanging: tuple[int, ...]
) -> Told:
    """Now. Raises WrongAnswer, and AssertionError if Lockstep has missed a site."""
    known = sites.so_far
    asked = time.time_ns() / 1e6
    once(server.address, traffic.sign_out(person), 60)
    waited = time.time_ns() / 1e6 - asked
    deadline = time.monotonic() + PATIENCE_S
    while True:
        heard: dict[int, float] = {}
        for call in sites.heard(known):
            heard.setdefault(call.site, call.at_ms - asked)
        if len(heard.keys() - set(hanging)) == SITES - len(hanging):
            return Told(waited, heard)
        if time.monotonic() > deadline:
            assert server.case.product not in ("lockstep", "floor"), f"{server.case}: only {sorted(heard)} were told"
            return Told(waited, heard)
        time.sleep(0.005)
