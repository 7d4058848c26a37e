"""Interleaved rounds: servers that are to be compared run at once, freshly started, and are asked in turn, one workload
after the other; who is first changes every time.

Machines have moods of seconds and of minutes. So figures are compared only within one round, and what is stated are
medians of rounds. Who isn't asked does nothing, but for the few looks of Lockstep's delivery process.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.bed import percentile
from benchmarks.load import Load, Operation, WrongAnswer
from benchmarks.processes import cpu_s
from benchmarks.proof import prove
from benchmarks.servers import Case, Server, started
from benchmarks.workloads import WORKLOADS, Stage, Workload

CONNECTIONS = 8
#: Whose wrong answer ends a measurement.
OWN = ("lockstep", "floor")
#: Operations of each workload before any is counted.
WARM = 600
#: Of each at a server that compiles itself while it runs, as Node does, and however many operations that is.
WARM_S = 2.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Reading:
    """One workload at one server in one round. Processor time in ms per operation, latencies in ms."""

    case: Case
    workload: str
    round: int
    connections: int
    operations: int
    seconds: float
    server_ms: float
    """All processes of the server but its Redis."""
    redis_ms: float
    client_ms: float
    """What the benchmark took of the same cores."""
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def cpu_ms(self) -> float:
        """Of the server and its Redis."""
        return self.server_ms + self.redis_ms

    @property
    def per_second(self) -> float:
        """Operations."""
        return self.operations / self.seconds


def measure(stage: Stage, workload: Workload, number: int, seconds: float, connections: int) -> Reading:
    """Ask for so long with so many at once. Raises WrongAnswer for anything but success."""
    processes = stage.server.processes()
    servers = [pid for name, pids in processes.items() if name != "redis" for pid in pids]
    redis = processes.get("redis", ())
    gc.collect()
    before = cpu_s(servers), cpu_s(redis), time.process_time()
    begun = time.perf_counter()
    took = play(stage, workload, seconds, connections)
    lasted = time.perf_counter() - begun
    after = cpu_s(servers), cpu_s(redis), time.process_time()
    assert took, f"{stage.server.case}: no operation of {workload.name} came to its end"
    server_ms, redis_ms, client_ms = ((b - a) * 1000 / len(took) for a, b in zip(before, after, strict=True))
    times = {"p50_ms": percentile(took, 50) * 1000, "p99_ms": percentile(took, 99) * 1000, "max_ms": max(took) * 1000}
    return Reading(
        stage.server.case,
        workload.name,
        number,
        connections,
        len(took),
        lasted,
        server_ms=server_ms,
        redis_ms=redis_ms,
        client_ms=client_ms,
        **times,
    )


def play(stage: Stage, workload: Workload, seconds: float, connections: int, most: int = 1_000_000) -> list[float]:
    """How many seconds each operation took, of as many as come to their end in that time, or of so many."""
    took: list[float] = []
    until = time.perf_counter() + seconds

    def person(who: int) -> Operation[None]:
        turn = 0
        while time.perf_counter() < until and len(took) < most and (stage.tickets or not workload.spends):
            begun = time.perf_counter()
            yield from workload.act(stage, who, turn)
            took.append(time.perf_counter() - begun)
            turn += 1

    Load(stage.server.address).play((person(who) for who in range(connections)), seconds + 60)
    return took


def turned(these: Sequence[_T], number: int) -> Sequence[_T]:
    """In odd rounds the last comes first: what came before must not be why somebody is slower."""
    return these if number % 2 == 0 else these[::-1]


def interleaved(
    groups: Sequence[Sequence[Callable[[], Server]]],
    names: Callable[[Server], Sequence[str]],
    *,
    rounds: int,
    seconds: float,
    connections: Sequence[int] = (CONNECTIONS, 1),
    is_asked_alone: Callable[[Case], bool] = lambda _: True,
) -> Iterator[Reading]:
    """`rounds` times each of these groups, new servers each time, each asked the workloads that are named for it;
    on one connection only those of which `is_asked_alone` says so."""
    for number in range(rounds):
        for group in turned(groups, number):
            with ExitStack() as stack:
                servers = [stack.enter_context(started(make())) for make in group]
                yield from _one_round(turned(servers, number), names, number, seconds, connections, is_asked_alone)


def _one_round(
    servers: Sequence[Server],
    names: Callable[[Server], Sequence[str]],
    number: int,
    seconds: float,
    connections: Sequence[int],
    is_asked_alone: Callable[[Case], bool],
) -> Iterator[Reading]:
    for protocol in ("openid", "cas"):
        stages: list[tuple[Stage, set[str]]] = []
        found: list[Reading] = []
        for server in servers:
            traffic = server.openid if protocol == "openid" else server.cas
            known = [WORKLOADS[name] for name in names(server) if name in WORKLOADS and name in server.workloads]
            wanted = {one.name for one in known if protocol == (one.protocol or _first(server))}
            if traffic and wanted:
                stages.append((Stage(server, traffic), wanted))
        for stage, wanted in stages:
            with excused(stage.server.case, wanted, number):
                prove(stage.sign_in(max(connections)))
                _warm(stage, wanted, seconds)
        for many in connections:
            for workload in WORKLOADS.values():
                # Latencies are plain to see in half the time.
                lasting = seconds * workload.share * (1 if many > 1 else 0.5)
                for stage, wanted in stages:
                    is_alone = workload.is_asked_alone and is_asked_alone(stage.server.case)
                    if workload.name in wanted and (many > 1 or is_alone):
                        with excused(stage.server.case, wanted, number):
                            found.append(prepared(stage, workload, number, lasting, min(many, workload.most)))
                        yield from found
                        found.clear()


@contextmanager
def excused(case: Case, wanted: set[str], number: int) -> Iterator[None]:
    """Other people's servers may fail now and then: who does is asked nothing more in this round (`wanted` is emptied),
    and what was right before is kept. Lockstep and its floor may not: raises whatever is raised."""
    try:
        yield
    except (WrongAnswer, OSError) as error:
        if case.product in OWN:
            raise
        wanted.clear()
        said = " ".join(str(error).split())[:300]
        print(f"\n{number} {case!s:32} is asked nothing more in this round: {said}", file=sys.stderr, flush=True)


def _warm(stage: Stage, names: Collection[str], seconds: float) -> None:
    """Every worker has met everything: imports, connections, scripts; and what compiles itself has compiled it."""
    compiles = stage.server.case.web_server == "node" and seconds >= 1
    for name in names:
        workload = WORKLOADS[name]
        is_quick = workload.most > CONNECTIONS
        lasting, most = (WARM_S, 100_000) if compiles and is_quick else (seconds, WARM if is_quick else 8)
        if workload.spends:
            stage.issue(most // 2, lasting)
        play(stage, workload, lasting, min(CONNECTIONS, workload.most), most)
    stage.tickets.clear()


def _first(server: Server) -> str:
    """By which of its protocols it is asked what is the same in both."""
    return "openid" if server.openid else "cas"


def prepared(stage: Stage, workload: Workload, number: int, seconds: float, connections: int) -> Reading:
    """Measured with tickets to spend, and tokens that live long enough."""
    if workload.asks_about_tokens:
        stage.renew()
    if workload.spends:
        stage.issue(int(seconds * (3000 if connections > 1 else 1000)), seconds)
    found = measure(stage, workload, number, seconds, connections)
    stage.tickets.clear()
    return found
