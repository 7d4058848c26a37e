"""Do bad sites delay the good ones? Sign-outs at 50 sites, all good; then the same with ten of them bad.

`python -m benchmarks.isolation`: the time from the end of a session until a good site's yes is in the ledger.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from benchmarks.bed import ENGINES, Bed, at_rate, machine, percentile, running, sinks, spread, table
from sso_server.core.sessions import EndReason
from tests.support.ports import free_port

BAD = ("hang", "drip", "500", "refuse", "redirect")


@dataclass(frozen=True)
class Run:
    """How long each good site's acknowledgement took, in ms."""

    all_good: list[float]
    some_bad: list[float]

    @property
    def ratio(self) -> float:
        """Of the 99th percentiles."""
        return percentile(self.some_bad, 99) / percentile(self.all_good, 99)


def measure(engine: str, *, sites: int, bad: int, sign_outs: int, per_second: float) -> Run:
    """Both halves on one centre, in one run."""
    behaviours = [BAD[number % len(BAD)] for number in range(bad)]
    with running(engine) as bed, sinks(["ok"] * sites) as good, sinks([b for b in behaviours if b != "refuse"]) as ill:
        addresses = iter([sink.url for sink in ill])
        for number, sink in enumerate(good):
            bed.site(f"good-{number}", sink.url)
        for number, behaviour in enumerate(behaviours):
            refusing = f"http://127.0.0.1:{free_port()}/logout"
            bed.site(f"bad-{number}", refusing if behaviour == "refuse" else next(addresses))
        names = [f"good-{number}" for number in range(sites)]
        # The first sign-outs find every site unknown, one send at a time: both halves begin behind them.
        _sign_outs(bed, names, 5, per_second, sites)
        all_good = _sign_outs(bed, names, sign_outs, per_second, sites - bad)
        mixed = [*names[: sites - bad], *(f"bad-{number}" for number in range(bad))]
        return Run(all_good, _sign_outs(bed, mixed, sign_outs, per_second, sites - bad))


def _sign_outs(bed: Bed, names: list[str], count: int, per_second: float, measured: int) -> list[float]:
    sessions = [bed.session(names) for _ in range(count)]
    counted = set(names[:measured])

    def end(number: int) -> None:
        bed.built.services.sign_out.end(sessions[number].sid, EndReason.SIGN_OUT, actor="benchmark")

    at_rate(per_second, count, end)
    rows = bed.told([session.sid for session in sessions], lambda row: row.client_id in counted, 120)
    return [row.final_at - row.ended_at for row in rows if row.final_at is not None]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--sites", type=int, default=50)
    parser.add_argument("--bad", type=int, default=10)
    parser.add_argument("--sign-outs", type=int, default=60)
    parser.add_argument("--per-second", type=float, default=2.0)
    given = parser.parse_args()
    print(machine())
    rows = []
    for engine in given.engine or ENGINES:
        run = measure(engine, sites=given.sites, bad=given.bad, sign_outs=given.sign_outs, per_second=given.per_second)
        rows.append([engine, f"all {given.sites} good", *spread(run.all_good), ""])
        rows.append([engine, f"{given.bad} of {given.sites} bad", *spread(run.some_bad), f"{run.ratio:.2f}"])
    headings = ["store", "sites", "acknowledged", "p50 ms", "p99 ms", "max ms", "p99 / p99"]
    good = given.sites - given.bad
    table(f"From the end to acknowledged at {good} good sites, {given.per_second} sign-outs a second", headings, rows)


if __name__ == "__main__":
    main()
