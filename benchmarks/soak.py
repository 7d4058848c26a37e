"""Ten minutes of everything at once on two nodes, at 70 % of what they can do; one of them is killed and comes back.

`python -m benchmarks soak [--seconds 600] [--save]`: PostgreSQL and Redis as docs/several-nodes.md describes, people
who come and go (`people`), sites that listen (`listeners`). It ends with 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median

from benchmarks.bed import machine, percentile, table
from benchmarks.given import above_zero, at_least_one
from benchmarks.listeners import Listeners, listening
from benchmarks.lockstep_server import REAL, register, sign_out
from benchmarks.nodes import Nodes
from benchmarks.page import write
from benchmarks.people import Diary, Done, Pace, SignedOut, coming_and_going
from benchmarks.processes import memory
from benchmarks.results import Figure, Run, Summary
from benchmarks.results import machine as described
from benchmarks.servers import Case, own_redis
from benchmarks.traffic import Traffic, by_form
from tests.nodes.farm import Node
from tests.support.centre import Centre, tree, wait_until
from tests.support.ports import free_port
from tests.support.postgres import running_postgres

CASE = Case("lockstep", "gunicorn", "postgresql and redis", "ES256")
PERSONS = 16
SHARE = 0.7
#: Of the whole time: when one node dies, and when it is started again.
DIES_AT, COMES_BACK_AT = 0.4, 0.5
#: As docs/postgresql.md asks for.
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "300"}


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory of all processes of a node together, in MB, what they share counted once (PSS)."""

    at_s: float
    held: float


@dataclass(slots=True)
class Soak:
    """How it went."""

    ceiling: float
    """Operations a second, as fast as it goes."""
    seconds: float
    diary: Diary
    away: tuple[float, float]
    """From when to when (monotonic) a node was killed and not yet ready again."""
    failures: list[tuple[float, tuple[str, int], str]]
    cut: int
    untold: list[tuple[str, int]] = field(default_factory=list)
    """(sid, site): signed out, and the site never heard."""
    tellings: int = 0
    memory: list[Sample] = field(default_factory=list)
    """Of the node that stayed."""

    @property
    def per_second(self) -> float:
        """Operations."""
        return len(self.diary.done) / self.seconds

    @property
    def is_whole(self) -> bool:
        """Nothing was lost and nobody saw an error."""
        return not (self.failures or self.diary.wrong or self.untold)

    @property
    def growth_mb_an_hour(self) -> float:
        """The median of the slopes between any two samples of the last half (Theil and Sen): a few that were taken
        while a password was hashed, which holds 19 MB for as long, don't bend it."""
        slopes = [(b.held - a.held) / (b.at_s - a.at_s) for a, b in combinations(self._late, 2)]
        return 3600 * median(slopes) if slopes else 0.0

    @property
    def held_mb(self) -> float:
        """The median of the last half of the samples."""
        return median(one.held for one in self._late) if self._late else 0.0

    @property
    def _late(self) -> list[Sample]:
        return self.memory[len(self.memory) // 2 :]

    def took(self, kind: str, *, while_away: bool | None = None) -> list[float]:
        """Milliseconds of each; only those that met a dead node, or only the others."""
        begin, end = self.away
        wanted: Callable[[Done], bool] = lambda one: (  # noqa: E731
            while_away is None or while_away == (begin <= one.begun + one.took_ms / 1000 and one.begun <= end)
        )
        return [one.took_ms for one in self.diary.done if one.kind == kind and wanted(one)]


@contextlib.contextmanager
def _two_nodes(directory: Path, sites: Listeners) -> Iterator[tuple[list[Node], Traffic]]:
    """Ready, with everybody registered."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(directory / "postgres", **_DURABLE))  # type: ignore[arg-type]
        redis = own_redis(directory / "redis")
        stack.callback(redis.kill)
        host = f"127.0.0.1:{free_port()}"
        settings = {
            **REAL,
            "SSO_ISSUER": f"http://{host}",
            "SSO_DATABASE_URL": postgres.create_database(),
            "SSO_REDIS_URL": redis.url,
            "SSO_SECRET_KEY": "one-secret-for-all-nodes-0123456789abcdef",
            "SSO_LOG_FORMAT": "json",
        }
        nodes = [Node(f"node-{number}", directory, settings) for number in (1, 2)]
        for node in nodes:
            stack.callback(_stop, node)
            node.begin()
        for node in nodes:
            wait_until(node.is_ready, seconds=90, why=f"node {node.name} to be ready")
        register(Centre(directory, redis.url, settings), CASE.algorithm, sites.logout_uri)
        yield nodes, Traffic(host, by_form("/sign-in"), sign_out)


def _stop(node: Node) -> None:
    if node.is_running():
        node.kill()


def measure(seconds: float, persons: int = PERSONS) -> Soak:
    """All of it; the ceiling is measured for a tenth of that before."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-soak-")))
        for name in ("postgres", "redis"):
            (directory / name).mkdir()
        sites = stack.enter_context(listening(directory))
        nodes, traffic = stack.enter_context(_two_nodes(directory, sites))
        addresses = [("127.0.0.1", node.port) for node in nodes]
        ceiling, before = _ceiling(traffic, Nodes(addresses), persons, max(3.0, seconds / 10))
        known = Nodes(addresses)
        samples: list[Sample] = []
        begun = time.monotonic()
        with (
            coming_and_going(traffic, known, persons, Pace(SHARE * ceiling)) as diary,
            _sampled(nodes[0], samples, begun, max(0.5, seconds / 120)),
        ):
            away = _kill_and_start(nodes[1], begun, seconds)
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
        lasted = time.monotonic() - begun
        soak = Soak(ceiling, lasted, diary, away, known.failures, known.cut, memory=samples)
        soak.untold, soak.tellings = all_told([*before.signed_out, *diary.signed_out], sites)
        return soak


def _ceiling(traffic: Traffic, nodes: Nodes, persons: int, seconds: float) -> tuple[float, Diary]:
    """Also what was promised meanwhile. Whoever is sent away because too many sign in at once isn't counted."""
    begun = time.monotonic()
    with coming_and_going(traffic, nodes, persons, Pace()) as diary:
        # The first quarter warms up.
        time.sleep(seconds)
        until = time.monotonic()
        counted = [one for one in diary.done if one.begun > begun + seconds / 4]
    return len(counted) / (until - begun - seconds / 4), diary


def _kill_and_start(node: Node, begun: float, seconds: float) -> tuple[float, float]:
    time.sleep(max(0.0, begun + DIES_AT * seconds - time.monotonic()))
    killed = time.monotonic()
    node.kill()
    time.sleep(max(0.0, begun + COMES_BACK_AT * seconds - time.monotonic()))
    node.start()
    return killed, time.monotonic()


@contextlib.contextmanager
def _sampled(node: Node, samples: list[Sample], begun: float, every_s: float) -> Iterator[None]:
    over = threading.Event()

    def sample() -> None:
        while not over.wait(every_s):
            with contextlib.suppress(OSError):
                held = sum(memory(pid).pss for pid in tree(node.pid))
                samples.append(Sample(time.monotonic() - begun, held))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def all_told(
    signed_out: Sequence[SignedOut], sites: Listeners, timeout_s: float = 90
) -> tuple[list[tuple[str, int]], int]:
    """What no site has heard of although it should have, and how many calls there were. What a killed node had
    claimed is free again after half a minute."""
    wanted = {(one.sid, site) for one in signed_out for site in one.sites}
    deadline = time.monotonic() + timeout_s
    while True:
        heard = [(one.sid, one.site) for one in sites.heard()]
        untold = wanted - set(heard)
        if not untold or time.monotonic() > deadline:
            return sorted(untold), len(heard)
        time.sleep(0.5)


def figures(soak: Soak) -> Iterator[Figure]:
    """For the page."""
    said = {
        "ceiling_per_second": soak.ceiling,
        "per_second": soak.per_second,
        "seconds": soak.seconds,
        "operations": len(soak.diary.done),
        "sign_outs": len(soak.diary.signed_out),
        "answers_5xx": len(soak.failures),
        "wrong_answers": len(soak.diary.wrong),
        "cut_off": soak.cut,
        "sites_never_told": len(soak.untold),
        "tellings": soak.tellings,
        "away_s": soak.away[1] - soak.away[0],
        "memory_mb": soak.held_mb,
        "memory_mb_an_hour": soak.growth_mb_an_hour,
    }
    for name, value in said.items():
        yield Figure(CASE, "soak", name, value)
    for kind in dict.fromkeys(one.kind for one in soak.diary.done):
        for at, while_away in (("both nodes", False), ("one node", True)):
            if took := soak.took(kind, while_away=while_away):
                for percent in (50, 99):
                    yield Figure(CASE, f"wait of {kind}", f"p{percent}_ms", percentile(took, percent), at=at)
                yield Figure(CASE, f"wait of {kind}", "max_ms", max(took), at=at)


def show(soak: Soak) -> None:
    """Two tables, and what went wrong in words."""
    named = [(one.name, one.value) for one in figures(soak) if one.what == "soak"]
    table("Two nodes, one of them killed and started again", ["what", "value"], [[n, f"{v:,.1f}"] for n, v in named])
    rows = []
    for kind in dict.fromkeys(one.kind for one in soak.diary.done):
        both, one = soak.took(kind, while_away=False), soak.took(kind, while_away=True)
        times = [f"{percentile(took, p):.0f}" if took else "" for took in (both, one) for p in (50, 99, 100)]
        rows.append([kind, str(len(both) + len(one)), *times])
    headings = ["what (ms)", "how many", "p50", "p99", "max", "one node: p50", "p99", "max"]
    table("How long people waited", headings, rows)
    for text in [*soak.diary.wrong, *(f"{address}: {head}" for _, address, head in soak.failures)][:10]:
        print(f"\nWRONG: {text[:1500]}")
    for sid, site in soak.untold[:10]:
        print(f"\nNEVER TOLD: site {site} of {sid}")


def main() -> None:
    """Print the tables; 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=above_zero, default=600)
    parser.add_argument("--persons", type=at_least_one, default=PERSONS)
    parser.add_argument("--save", action="store_true", help="into results.json and the page, though it was shorter")
    given = parser.parse_args()
    about = described(seconds=f"{given.seconds:g}")
    print(machine(), flush=True)
    keeps = given.save or given.seconds >= 600
    if keeps:
        Summary.load_or_leave()
    soak = measure(given.seconds, given.persons)
    show(soak)
    if keeps:
        kept = Summary.load_or_leave()
        run = Run(about)
        for figure in figures(soak):
            run.add(figure)
        kept.runs["soak"] = run
        kept.save()
        write(kept)
    sys.exit(0 if soak.is_whole else 1)


if __name__ == "__main__":
    main()
