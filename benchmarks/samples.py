"""Of how many operations figures are, and what is known of those that took far longer than the others."""

from __future__ import annotations

from benchmarks import deliveries, growth, sign_out, storm
from benchmarks.goals import EACH, where
from benchmarks.results import Run
from benchmarks.tables import middle, short

#: p99 against the median: beyond this it has words.
_FAR = 5


def how_many() -> str:
    """A line of the list under the workloads."""
    checks = storm.LASTING * storm.CHECKS_A_SECOND
    return (
        f"- *how many*: in a round with one second for each workload, {sign_out.PER_ROUND['W6']} sign-outs of W6 and "
        f"{sign_out.PER_ROUND['W6h']} of W6h ({sign_out.FEW} of W6h at other people's servers: where whoever signs out "
        f"waits for the sites that hang, each takes seconds); {deliveries.PER_SECOND} people with {sign_out.SITES} "
        f"sites each in D; {storm.LASTING} s of the storm and {storm.LASTING} s without, so {checks} checks each; "
        f"{growth.SIGN_OUTS} sign-outs and {growth.EXPIRING} expiries at each size in G."
    )


def tails(run: Run) -> str:
    """Lockstep's sign-outs whose p99 is many times the median: that they are there, of how many, and that nobody knows
    why. '' if there are none."""
    found, counts = [], set()
    for case in EACH:
        for what, count in sign_out.PER_ROUND.items():
            usual, slowest = (run.values(case, what, name) for name in ("waits_ms", "waits_p99_ms"))
            if usual and slowest and (p99 := middle(slowest)) > _FAR * middle(usual):
                found.append(f"{what} with {where(case)} ({short(p99)} ms)")
                counts.add(count * len(usual))
    if not found:
        return ""
    many = " or ".join(map(str, sorted(counts)))
    return (
        f"The p99 is more than {_FAR} times the median of {'; '.join(found)}. It is of {many} sign-outs: one or two "
        "slow ones decide it. What they waited for was not recorded and isn't known; on SQLite a sign-out waits for "
        "the disk at its commit, and for the lock that it shares with the delivery process."
    )
