"""`make bench-quick`: has a change made anything dearer? Three minutes, processor time against the floor alone.

The floor runs beside Lockstep, so that the machine's speed and mood cancel out. A ratio that is worse than the one that
docs/performance.md states, or than a goal that was met there, is a failure, and so is one that isn't stated or that
couldn't be measured: exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks import bed, serving
from benchmarks.given import Given, has_web_server
from benchmarks.goals import NEAR_FLOOR, ours, over_floor
from benchmarks.processes import end_tidily
from benchmarks.results import Figure, Run, Spread, Summary, spread_of
from benchmarks.servers import Case
from benchmarks.tables import NOTHING, short, table

#: What each is asked: with both web servers where sessions are in Redis, as they are where it matters most.
ASKED = (
    (ours("gunicorn", "redis"), ("W1", "W2", "R", "W3u", "W3i", "W4", "C1", "CR")),
    (ours("granian", "redis"), ("R", "W3u")),
    (ours("gunicorn", "sqlite"), ("R", "W3u")),
)
#: Medians of a few short rounds differ by a tenth between two runs of the same program, and by more on a busy machine.
TOLERANCE = 0.2
#: Beyond a goal that the stated run met.
GOAL_TOLERANCE = 0.1
ROUNDS, SECONDS = 3, 1.0


@dataclass(frozen=True, slots=True)
class Compared:
    """One ratio now, and as it is stated."""

    case: Case
    workload: str
    now: Spread | None
    stated: Spread | None

    @property
    def limit(self) -> float:
        """The most that is good. There is none without a stated figure."""
        assert self.stated is not None
        most = self.stated.median * (1 + TOLERANCE)
        bound = NEAR_FLOOR.get(self.workload)
        is_met = bound is not None and self.stated.median <= bound
        return min(most, bound * (1 + GOAL_TOLERANCE)) if bound is not None and is_met else most

    @property
    def verdict(self) -> str:
        """One word; `good` is the only good one."""
        if self.now is None:
            return "NOT MEASURED"
        if self.stated is None:
            return "NOT STATED"
        return "WORSE" if self.now.median > self.limit else "good"


def measured() -> Run:
    """The ratios' figures."""
    run = Run()
    for case, workloads in ASKED:
        if has_web_server(case.web_server):
            given = Given(
                rounds=ROUNDS,
                seconds=SECONDS,
                web_servers=(case.web_server,),
                stores=(case.store,),
                workloads=workloads,
                alone=True,
            )
            for figure in serving.figures(given):
                run.add(figure)
                if figure.name == "cpu_ms":
                    _tell(run, case, figure)
    return run


def _tell(run: Run, case: Case, figure: Figure) -> None:
    """A ratio as soon as both parts of it are known: three minutes are long without a word."""
    found = over_floor(run, case, figure.what)
    if (ratio := found.get(figure.round)) is not None:
        print(f"{figure.round + 1} {case.web_server} {case.store} {figure.what}: {short(ratio)}", flush=True)


def compared(now: Run, stated: Run) -> Iterator[Compared]:
    """All that was asked."""
    for case, workloads in ASKED:
        for workload in workloads:
            found, before = (over_floor(run, case, workload).values() for run in (now, stated))
            yield Compared(case, workload, spread_of(found) if found else None, spread_of(before) if before else None)


def shown(found: Sequence[Compared]) -> str:
    """A table."""
    rows = [
        (
            f"{one.workload}, {one.case.web_server}, {one.case.store}",
            f"{short(one.now.median)} ({short(one.now.low)}-{short(one.now.high)})" if one.now else NOTHING,
            short(one.stated.median) if one.stated else NOTHING,
            short(one.limit) if one.stated else NOTHING,
            one.verdict,
        )
        for one in found
    ]
    return table(["processor time against the floor", "now", "stated", "at most", ""], rows)


def main() -> None:
    """Exit code 1 if anything isn't good."""
    end_tidily()
    print(bed.machine(), flush=True)
    stated = Summary.load_or_leave().runs.get("own", Run())
    found = list(compared(measured(), stated))
    print(shown(found))
    if wrong := [
        f"{one.workload} ({one.case.web_server}, {one.case.store}): {one.verdict}"
        for one in found
        if one.verdict != "good"
    ]:
        sys.exit("\n".join(("Not as docs/performance.md states it (`make bench` renews that):", *wrong)))


if __name__ == "__main__":
    main()
