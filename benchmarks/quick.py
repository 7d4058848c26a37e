"""`make bench-quick`: has a change made anything dearer? Three minutes, processor time against the floor alone.

The floor runs beside Lockstep, so that the machine's speed and mood cancel out. A ratio that is worse than the
one that docs/performance.md states, by more than `TOLERANCE`, is a failure: exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks import bed, serving
from benchmarks.given import Given
from benchmarks.goals import floor, ours
from benchmarks.results import Run, Spread, Summary, spread_of
from benchmarks.rounds import CONNECTIONS
from benchmarks.servers import Case
from benchmarks.tables import short, table

#: What each is asked, and on which store; with gunicorn, which is always there.
ASKED = {"redis": ("R", "W2", "W3u", "W3i", "W4", "CR"), "sqlite": ("R", "W3u")}
#: Medians of a few short rounds differ by a tenth between two runs of the same program, and by more on a busy machine.
TOLERANCE = 0.2


@dataclass(frozen=True, slots=True)
class Compared:
    """One ratio now, and as it is stated."""

    case: Case
    workload: str
    now: Spread
    stated: Spread | None

    @property
    def is_worse(self) -> bool:
        """By more than the tolerance."""
        return self.stated is not None and self.now.median > self.stated.median * (1 + TOLERANCE)


def measured(given: Given) -> Run:
    """The ratios' figures."""
    run = Run()
    for store, workloads in ASKED.items():
        if store in given.stores:
            for figure in serving.figures(given.only(store, workloads)):
                run.add(figure)
    return run


def compared(now: Run, stated: Run) -> Iterator[Compared]:
    """All that was asked."""
    for store, workloads in ASKED.items():
        case = ours("gunicorn", store)
        for workload in workloads:
            found, before = (_ratio(run, case, workload) for run in (now, stated))
            if found is not None:
                yield Compared(case, workload, found, before)


def _ratio(run: Run, case: Case, workload: str) -> Spread | None:
    mine, least = (run.values(one, workload, "cpu_ms", str(CONNECTIONS)) for one in (case, floor(case)))
    ratios = run.ratio(mine, least)
    return spread_of(ratios.values()) if ratios else None


def shown(found: Sequence[Compared]) -> str:
    """A table."""
    rows = [
        (
            f"{one.workload}, {one.case.store}",
            f"{short(one.now.median)} ({short(one.now.low)}-{short(one.now.high)})",
            short(one.stated.median) if one.stated else "not stated",
            "WORSE" if one.is_worse else "good",
        )
        for one in found
    ]
    return table(["processor time against the floor", "now", "stated", ""], rows)


def main() -> None:
    """Exit code 1 if anything is worse."""
    print(bed.machine(), flush=True)
    given = Given(rounds=3, seconds=1.5, web_servers=("gunicorn",), alone=True)
    found = list(compared(measured(given), Summary.load().runs.get("own", Run())))
    print(shown(found))
    if worse := [f"{one.workload} on {one.case.store}" for one in found if one.is_worse]:
        sys.exit(f"Dearer than docs/performance.md states, by more than {TOLERANCE:.0%}: {', '.join(worse)}.")


if __name__ == "__main__":
    main()
