"""From a session's deadline to its sites' acknowledgements, with many live sessions in the store.

`python -m benchmarks.expiry`: 100,000 live sessions, 20 of others running out each second with 5 sites each, 30 s long.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

from benchmarks.bed import ENGINES, Bed, machine, running, sinks, spread, table
from sso_server.core.policy import SECOND

SITES = 5


@dataclass(frozen=True)
class Run:
    """Milliseconds from each deadline: to the end of the session, and to each site's yes in the ledger."""

    ended: list[float]
    acknowledged: list[float]
    calls: int
    """How many calls the sites had: one for each row when nothing was told twice."""
    early: int
    """Sessions that ended before their deadline."""


def measure(engine: str, *, live: int, per_second: float, seconds: int) -> Run:
    """One engine."""
    # Deadlines are absolute ones: to idleness the centre adds what reports may be late by.
    with running(engine) as bed, sinks(["ok"] * SITES) as sites:
        names = [f"site-{number}" for number in range(SITES)]
        for name, sink in zip(names, sites, strict=True):
            bed.site(name, sink.url)
        _seed_live(bed, live, names[0])
        count = int(per_second * seconds)
        first = bed.now() + bed.seeding_ms(count, SITES, names[0])
        deadlines = [first + int(number * SECOND / per_second) for number in range(count)]
        sids = [bed.session(names, until=deadline).sid for deadline in deadlines]
        assert bed.now() < first, "seeding took too long: the first deadlines have passed"
        time.sleep(max(0.0, (deadlines[-1] - bed.now()) / SECOND))
        due = dict(zip(sids, deadlines, strict=True))
        rows = bed.told(sids, lambda _: True, 120)
        late = [row.ended_at - due[row.sid] for row in rows if row.client_id == names[0]]
        acknowledged = [row.final_at - due[row.sid] for row in rows if row.final_at is not None]
        return Run(late, acknowledged, sum(sink.count for sink in sites), sum(ms < 0 for ms in late))


def _seed_live(bed: Bed, count: int, client_id: str) -> None:
    for _ in range(count):
        bed.session([client_id])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--live", type=int, default=100_000)
    parser.add_argument("--per-second", type=float, default=20)
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args()
    print(machine())
    rows = []
    for engine in given.engine or ENGINES:
        run = measure(engine, live=given.live, per_second=given.per_second, seconds=given.seconds)
        extra = [str(run.calls), str(run.early)]
        rows.append([engine, "deadline to the session's end", *spread(run.ended), *extra])
        rows.append([engine, f"deadline to acknowledged, {SITES} sites each", *spread(run.acknowledged), *extra])
    headings = ["store", "from .. to", "measured", "p50 ms", "p99 ms", "max ms", "calls", "early"]
    table(f"{given.per_second} sessions run out a second, {given.live} others live", headings, rows)


if __name__ == "__main__":
    main()
