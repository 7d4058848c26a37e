"""Does a mass end delay a person who signs out? Their sign-outs alone; then the same while a crowd's sessions end.

`python -m benchmarks.mass_end`: 20,000 sessions with 2 sites each end by an order (`sso session end --client`), and by
a deadline that they share. Measured: a person's answer from `GET /end-session`, and until their site's yes is in the
ledger.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from benchmarks.bed import ENGINES, Bed, Visit, machine, percentile, running, sinks, spread, table
from sso_server.core.policy import SECOND
from tests.support.centre import clean_env

WAYS = ("order", "deadline")
#: People sign out so often meanwhile.
PER_SECOND = 4.0


@dataclass
class People:
    """What the sign-outs of single persons took, in ms."""

    answered: list[float] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)


@dataclass
class Run:
    """One engine, one way."""

    alone: People
    meanwhile: People
    sessions: int
    rows: int
    calls: int
    """As many as rows, unless a site was called again for one."""
    ended_s: float
    """From the beginning of the mass end until no session of the crowd lived."""
    told_s: float
    """Until all of its rows were acknowledged."""

    def ratio(self, what: str, percent: float = 99) -> float:
        """Meanwhile against alone: `answered` or `acknowledged`."""
        return percentile(getattr(self.meanwhile, what), percent) / percentile(getattr(self.alone, what), percent)


def measure(engine: str, way: str, *, crowd: int, sites: int, people: int) -> Run:
    """`people`: how many sign out alone; at most ten times as many meanwhile."""
    with running(engine) as bed, sinks(["ok"] * (sites + 1)) as addresses:
        names = [*(f"crowd-{number}" for number in range(sites)), "shop"]
        for name, sink in zip(names, addresses, strict=True):
            bed.site(name, sink.url)
        visits = [bed.visit("shop") for _ in range(people * 11)]
        alone_ms = int(1.5 * SECOND * (people + 5) / PER_SECOND)
        deadline = bed.now() + bed.seeding_ms(crowd, sites, "shop") + alone_ms
        for _ in range(crowd):
            bed.session(names[:-1], until=deadline if way == "deadline" else 0)
        # Alone, but with the crowd in the store: only its end is to make a difference.
        _sign_out(bed, [visits.pop() for _ in range(5)], threading.Event())
        alone = _sign_out(bed, [visits.pop() for _ in range(people)], threading.Event())
        if way == "deadline":
            assert bed.now() < deadline, "seeding took too long: the deadline has passed"
            time.sleep((deadline - bed.now()) / SECOND)
        over = threading.Event()
        times: dict[str, float] = {}
        crowd_ends = threading.Thread(target=_end_crowd, args=(bed, way, over, times))
        crowd_ends.start()
        meanwhile = _sign_out(bed, visits, over)
        crowd_ends.join()
        calls = sum(sink.count for sink in addresses[:-1])
        assert calls >= crowd * sites, "a site was not told"
        return Run(alone, meanwhile, crowd, crowd * sites, calls, times["ended"], times["told"])


def _sign_out(bed: Bed, visits: list[Visit], over: threading.Event) -> People:
    """They sign out one after the other at their rate, until all have or it is over."""
    people, gone = People(), []
    begun = time.monotonic()
    for number, visit in enumerate(visits):
        if over.wait(max(0.0, begun + number / PER_SECOND - time.monotonic())):
            break
        people.answered.append(bed.sign_out(visit))
        gone.append(visit.sid)
    rows = bed.told(gone, lambda _: True, 60)
    people.acknowledged += [row.final_at - row.ended_at for row in rows if row.final_at is not None]
    return people


def _end_crowd(bed: Bed, way: str, over: threading.Event, times: dict[str, float]) -> None:
    begun = time.monotonic()
    if way == "order":
        # A process of its own, as the administrator's.
        argv = [sys.executable, "-m", "sso_server.cli", "session", "end", "--client", "crowd-0"]
        subprocess.run(argv, env={**clean_env(), **bed.centre.env}, check=True, capture_output=True)
    while bed.stores.lists.list_live(bed.now(), 1, client_id="crowd-0"):
        time.sleep(0.2)
    times["ended"] = time.monotonic() - begun
    while bed.stores.outbox.next_due(bed.now(), bulk=True) is not None:
        time.sleep(0.2)
    times["told"] = time.monotonic() - begun
    over.set()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--way", choices=WAYS, action="append")
    parser.add_argument("--crowd", type=int, default=20_000)
    parser.add_argument("--sites", type=int, default=2)
    parser.add_argument("--people", type=int, default=100)
    given = parser.parse_args()
    print(machine())
    drained, felt = [], []
    for engine in given.engine or ENGINES:
        for way in given.way or WAYS:
            run = measure(engine, way, crowd=given.crowd, sites=given.sites, people=given.people)
            rates = [f"{run.sessions / run.ended_s:.0f}", f"{run.rows / run.told_s:.0f}"]
            drained.append([engine, way, f"{run.ended_s:.0f}", f"{run.told_s:.0f}", *rates, str(run.calls)])
            for what in ("answered", "acknowledged"):
                felt.append([engine, way, what, "alone", *spread(getattr(run.alone, what)), ""])
                ratio = f"{run.ratio(what):.1f}"
                felt.append([engine, way, what, "meanwhile", *spread(getattr(run.meanwhile, what)), ratio])
    headings = ["store", "by", "all ended after s", "all told after s", "sessions ended / s", "rows told / s", "calls"]
    table(f"{given.crowd} sessions with {given.sites} sites each", headings, drained)
    headings = ["store", "by", "what", "when", "sign-outs", "p50 ms", "p99 ms", "max ms", "p99 / p99"]
    table("A person who signs out meanwhile", headings, felt)


if __name__ == "__main__":
    main()
