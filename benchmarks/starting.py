"""Cold start and memory: from `sso serve` on a data directory that is ready to the first answers, and what workers hold
before anybody has signed in and after many have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.floor_server import FloorServer
from benchmarks.given import Given
from benchmarks.load import Load, Operation, WrongAnswer, once, request
from benchmarks.lockstep_server import LockstepServer
from benchmarks.processes import memory
from benchmarks.results import Figure
from benchmarks.servers import Server, started
from benchmarks.traffic import PEOPLE, SITES, Person, Site
from benchmarks.workloads import Stage, visit
from tests.support.centre import tree

#: What an operator's balancer asks, and what a site asks first.
FIRST = ("/healthz", "/.well-known/openid-configuration")
#: How many sign in before memory is looked at again.
SILENT, WITH_PASSWORD = 2000, 200
_LONGEST_S = 60


def figures(given: Given) -> Iterator[Figure]:
    """Of each web server and store."""
    for store in given.stores:
        for web_server in given.web_servers:
            yield from cold_starts(LockstepServer(web_server=web_server, store=store), given.rounds)
            shares = (given.rounds / Given().rounds) if given.rounds < 3 else 1
            for make in (LockstepServer, FloorServer):
                yield from memories(partial(make, web_server=web_server, store=store), shares)


def cold_starts(server: LockstepServer, rounds: int) -> Iterator[Figure]:
    """So many starts of one that has run before: schema and keys are there."""
    with started(server):
        for number in range(rounds):
            server.centre.process.stop()
            begun = time.perf_counter()
            server.centre.process.start()
            for target in FIRST:
                _until_answered(server, target)
            yield Figure(server.case, "cold start", "seconds", time.perf_counter() - begun, number)


def _until_answered(server: Server, target: str) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while True:
        try:
            once(server.address, _ask(target), 10)
        except (OSError, WrongAnswer):
            assert time.monotonic() < deadline, f"{server.case}: {target} isn't answered after {_LONGEST_S} s"
            time.sleep(0.005)
        else:
            return


def _ask(target: str) -> Operation[None]:
    answer = yield request("GET", target, "127.0.0.1")
    answer.must(answer.status == 200, target)


def memories(make: Callable[[], Server], share: float = 1.0) -> Iterator[Figure]:
    """Fresh, and after many have signed in; `share` of the usual number of them."""
    with started(make()) as server:
        Load(server.address).play(_often(_healthy, 100) for _ in range(8))
        yield from _held(server, "fresh")
        traffic = server.openid
        assert traffic is not None
        stage = Stage(server, traffic).sign_in(8)
        _each(stage, int(SILENT * share), lambda who, turn: visit(stage, who, turn))
        yield from _held(server, "after silent sign-ins")
        stage.people = stage.people[:2]  # who would be sent away to wait are nobody's memory
        _each(stage, int(WITH_PASSWORD * share), lambda who, turn: _with_password(stage, who + 2 * turn))
        yield from _held(server, "after sign-ins")


def _often(act: Callable[[], Operation[None]], count: int) -> Operation[None]:
    for _ in range(count):
        yield from act()


def _healthy() -> Operation[None]:
    return _ask(FIRST[0])


def _each(stage: Stage, count: int, act: Callable[[int, int], Operation[None]]) -> None:
    def person(who: int) -> Operation[None]:
        for turn in range(count // len(stage.people)):
            yield from act(who, turn)

    Load(stage.server.address).play((person(who) for who in range(len(stage.people))), 300)


def _with_password(stage: Stage, number: int) -> Operation[None]:
    yield from stage.traffic.sign_in(Person(f"user{number % PEOPLE}"), Site(1 + number % SITES))


def _held(server: Server, at: str) -> Iterator[Figure]:
    """Of the worker that holds most, of the others in all, and of everything without counting anything twice."""
    processes = server.processes()
    web = processes["web"]
    workers = [memory(pid) for pid in web if len(tree(pid)) == 1]
    yield Figure(server.case, "memory", "worker_rss_mb", max(one.rss for one in workers), at=at)
    yield Figure(server.case, "memory", "worker_pss_mb", max(one.pss for one in workers), at=at)
    for pid in processes.get("delivery", ()):
        yield Figure(server.case, "memory", "delivery_rss_mb", memory(pid).rss, at=at)
    mine = [pid for name, pids in processes.items() if name != "redis" for pid in pids]
    yield Figure(server.case, "memory", "all_pss_mb", sum(memory(pid).pss for pid in mine), at=at)
