"""G: what a code, its redemption, userinfo, introspection, a sign-out and the sweeper cost while the store fills, up to
a million sessions.

`python -m benchmarks growth --stores redis`. A centre for each size runs, all at once, and each is asked the same right
after the other: what the machine does meanwhile meets all sizes alike. Less than a second (`--secs`) leaves the million
out.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import redis

from benchmarks.bed import MARGIN_MS, percentile
from benchmarks.filling import Filler
from benchmarks.given import Given
from benchmarks.load import Load, Operation
from benchmarks.lockstep_server import LockstepServer
from benchmarks.processes import cpu_s
from benchmarks.results import Figure
from benchmarks.rounds import CONNECTIONS, measure
from benchmarks.servers import started
from benchmarks.traffic import PEOPLE, SITES, Person, Site
from benchmarks.workloads import WORKLOADS, Stage
from sso_server.core.policy import DAY, HOUR, SECOND
from tests.support.builders import opened, registered
from tests.support.centre import wait_until
from tests.support.sinks import Sink

SIZES = (1_000, 100_000, 1_000_000)
ASKED = ("W1", "W2", "W3u", "W3i")
#: In a round, for each second of a workload.
SIGN_OUTS, EXPIRING = 20, 600
#: After the last site has said yes: until that is written down.
_SETTLES_S = 0.3


@dataclass(slots=True)
class Filled:
    """A centre with so many sessions, on a store of its own."""

    size: int
    server: LockstepServer
    sinks: Sequence[Sink]
    stores: Any
    fill_s: float

    def measured(self, work: Callable[[], int]) -> tuple[float, float]:
        """Processor time, in ms for each of what `work` says it has done, of the server and of its Redis."""
        processes = self.server.processes()
        own = [pid for name, pids in processes.items() if name != "redis" for pid in pids]
        before = cpu_s(own), cpu_s(processes.get("redis", ()))
        count = work()
        time.sleep(_SETTLES_S)
        after = cpu_s(own), cpu_s(processes.get("redis", ()))
        return tuple((b - a) * 1000 / count for a, b in zip(before, after, strict=True))  # type: ignore[return-value]

    @property
    def told(self) -> int:
        """Calls that sites have had so far, from any of the centres."""
        return sum(sink.count for sink in self.sinks)


def figures(given: Given, sizes: Sequence[int] = ()) -> Iterator[Figure]:
    """Of each round, at each size."""
    sizes = sizes or (SIZES if given.seconds >= 1 else SIZES[:-1])
    for store in given.stores:
        with contextlib.ExitStack() as stack:
            sinks = [stack.enter_context(Sink("ok")) for _ in range(SITES)]
            filled = [stack.enter_context(_filled(store, size, sinks)) for size in sizes]
            for one in filled:
                yield _figure(one, 0, "filling", "seconds", one.fill_s)
            for number in range(given.rounds):
                yield from _round(filled if number % 2 == 0 else filled[::-1], number, given)


@contextlib.contextmanager
def _filled(store: str, size: int, sinks: Sequence[Sink]) -> Iterator[Filled]:
    server = LockstepServer(store=store, logout_uri=lambda site: sinks[site.number - 1].url if site.number else "")
    with started(server):
        centre = server.centre
        begun = time.monotonic()
        # One writer with all pages in memory: nobody else may have the file open for long.
        centre.process.stop()
        with centre.core() as built, _connected(server) as connection:
            # Each has been to one site and could refresh there.
            filler = Filler(built.session_stores, connection, [(Site(1).client_id, "")], built.services.clock.now())
            with filler.in_one_transaction() if store == "sqlite" else contextlib.nullcontext():
                filler.fill(size)
        fill_s = time.monotonic() - begun
        centre.start()
        with centre.core() as built:
            yield Filled(size, server, sinks, built.session_stores, fill_s)


@contextlib.contextmanager
def _connected(server: LockstepServer) -> Iterator[Any]:
    """To its Redis, which keeps no file while it is filled: None with SQLite."""
    if server.redis is None:
        yield None
        return
    with contextlib.closing(redis.Redis.from_url(server.redis.url, socket_timeout=600)) as connection:
        connection.config_set("appendonly", "no")
        yield connection
        connection.config_set("appendonly", "yes")
        wait_until(lambda: _is_written(connection), seconds=600, why="the append-only file to be written")


def _is_written(connection: Any) -> bool:
    info = connection.info("persistence")
    return not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def _round(filled: Sequence[Filled], number: int, given: Given) -> Iterator[Figure]:
    # Anew in each round: access tokens live for five minutes.
    stages = [Stage(one.server, one.server.openid).sign_in(CONNECTIONS) for one in filled]
    for stage in stages:
        measure(stage, WORKLOADS["R"], number, min(0.5, given.seconds), CONNECTIONS)
    for name in ASKED:
        for one, stage in zip(filled, stages, strict=True):
            if WORKLOADS[name].spends:
                stage.issue(int(given.seconds * 1500), given.seconds * 1.3)
            reading = measure(stage, WORKLOADS[name], number, given.seconds, CONNECTIONS)
            stage.tickets.clear()
            for what in ("cpu_ms", "redis_ms", "p50_ms", "p99_ms"):
                yield _figure(one, number, name, what, getattr(reading, what))
    for one in filled:
        yield from _sign_outs(one, number, max(3, int(SIGN_OUTS * given.seconds)))
    for one in filled:
        yield from _expiry(one, number, max(20, int(EXPIRING * given.seconds)))


def _sign_outs(one: Filled, number: int, count: int) -> Iterator[Figure]:
    """One person after the other, signed in at 20 sites each; until the last site has heard."""
    traffic, people = one.server.openid, [Person(f"user{who % PEOPLE}") for who in range(count)]
    waits: list[float] = []

    def come(person: Person) -> Operation[None]:
        yield from traffic.sign_in(person, Site(1))
        for site in range(1, SITES + 1):
            ticket = yield from traffic.ticket(person, Site(site))
            person.id_token = (yield from traffic.redeem(Site(site), ticket))["id_token"]

    def go() -> Operation[None]:
        for person in people:
            begun = time.perf_counter()
            yield from traffic.sign_out(person)
            waits.append((time.perf_counter() - begun) * 1000)

    def all_go() -> int:
        wanted = one.told + count * SITES
        Load(one.server.address).play([go()])
        wait_until(lambda: one.told >= wanted, why="all sites to be told")
        return count

    # Few at once: a crowd with passwords is sent away.
    for begin in range(0, count, 2):
        Load(one.server.address).play(map(come, people[begin : begin + 2]))
    server_ms, redis_ms = one.measured(all_go)
    yield _figure(one, number, "W6", "cpu_ms", server_ms + redis_ms)
    yield _figure(one, number, "W6", "redis_ms", redis_ms)
    yield _figure(one, number, "W6", "p50_ms", percentile(waits, 50))


def _expiry(one: Filled, number: int, count: int) -> Iterator[Figure]:
    """So many sessions whose time is over at one moment: until each one's site has heard. The rounds of an idle
    delivery process in these seconds are part of it."""
    clock = lambda: time.time_ns() // 1_000_000  # noqa: E731
    site, uri = Site(1).client_id, one.sinks[0].url
    opens = partial(opened, one.stores, user_id="usr-expiring", idle_allowance_ms=40 * DAY)
    registers = partial(registered, one.stores, margin_ms=MARGIN_MS, local_max_ms=HOUR, logout_uri=uri)

    def seed(many: int, until: int) -> None:
        for _ in range(many):
            assert clock() < until, "seeding took too long: the deadline has passed"
            now = clock() - SECOND
            registers(opens(now, absolute_until=until), site, now)

    begun = time.monotonic()
    seed(10, clock() + DAY)
    deadline = clock() + 2 * SECOND + int((time.monotonic() - begun) * 3000 * count / 10)
    seed(count, deadline)
    assert clock() < deadline, "seeding took too long: the deadline has passed"

    def sweep() -> int:
        wanted = one.told + count
        wait_until(lambda: one.told >= wanted, why="the sites of expired sessions to be told")
        return count

    time.sleep(max(0.0, (deadline - clock()) / 1000))
    server_ms, redis_ms = one.measured(sweep)
    yield _figure(one, number, "expiry", "cpu_ms", server_ms + redis_ms)
    yield _figure(one, number, "expiry", "redis_ms", redis_ms)


def _figure(one: Filled, number: int, what: str, name: str, value: float) -> Figure:
    return Figure(one.server.case, f"growth of {what}", name, value, number, f"{one.size} sessions")
