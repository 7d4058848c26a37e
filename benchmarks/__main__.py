"""`python -m benchmarks [NAME ...] [options]`: all that `make bench` measures, or some of it.

All of it, or what is run with `--save`, is kept in benchmarks/results.json, and docs/performance.md is made of that. A
run that leaves something out takes nobody else's figures away.
"""

from __future__ import annotations

import sys
import time
import traceback
from importlib import import_module

from benchmarks import bed
from benchmarks.estimate import minutes
from benchmarks.given import APART, MEASUREMENTS, Given, given_by, is_whole, measurement, options
from benchmarks.page import write
from benchmarks.processes import end_tidily
from benchmarks.results import RAW, RawFile, Run, Summary, machine
from benchmarks.servers import Case
from tests.support.services import find_redis_server

#: Of `make bench`; all others are other people's.
OWN = ("lockstep", "floor")


def main() -> None:
    """Each of `APART` reads its own options."""
    end_tidily()
    if len(sys.argv) > 1 and sys.argv[1] in APART:
        _alone(sys.argv.pop(1))
        return
    parsed = options().parse_args()
    for name in parsed.names:
        if name in APART:
            sys.exit(f"{name!r} has options of its own and stands alone: make bench BENCH={name}")
        if name not in MEASUREMENTS:
            sys.exit(f"There is no measurement {name!r}: {', '.join((*MEASUREMENTS, *APART))}.")
    given, anew = given_by(parsed), is_whole(parsed)
    keeps = parsed.save or anew
    if ("redis" in given.stores or given.peers) and find_redis_server() is None:
        sys.exit("There is no redis-server in PATH: install it, or measure with --stores sqlite alone.")
    if keeps:
        Summary.load_or_leave()
    where = machine(rounds=str(given.rounds), seconds=f"{given.seconds:g}")
    print(bed.machine())
    names = parsed.names or MEASUREMENTS
    print(f"This takes about {minutes(names, given)} min on an idle machine with two cores.", flush=True)
    if not keeps:
        print("Not all of it: nothing of this is kept. With --save it is, in place of what it measures.", flush=True)
    failed, took = [], {}
    with RawFile(RAW / time.strftime("%Y%m%d-%H%M%S.jsonl")) as raw:
        for name in names:
            begun = time.monotonic()
            try:
                run = measured(name, given, where, raw)
            except Exception:  # noqa: BLE001  # what the others measure is worth keeping
                traceback.print_exc()
                failed.append(name)
                continue
            if run.figures:
                took[name] = time.monotonic() - begun
            if run.figures and keeps:
                kept = Summary.load_or_leave()
                keep(kept, run, anew=anew, with_peers=bool(given.peers))
                anew = False
                kept.save()
                write(kept)
    print("\nTook", ", ".join(f"{name} {lasted:.0f} s" for name, lasted in took.items()) or "nothing")
    if failed:
        sys.exit(f"Broken off, and nothing kept of it: {', '.join(failed)}.")
    if not took:
        sys.exit("Nothing was measured: nothing of this is asked of that.")


def _alone(name: str) -> None:
    if any(word.partition("=")[0] == "--peers" for word in sys.argv):  # as `make bench-peers` adds it
        sys.exit(f"{name!r} asks nobody but Lockstep, and has options of its own: make bench BENCH={name}")
    import_module(f"benchmarks.{name}").main()


def keep(summary: Summary, run: Run, *, anew: bool, with_peers: bool) -> None:
    """Lockstep and its floor stand in one run; other people's servers in another, and beside them Lockstep as it was in
    the same rounds, so that no later run of Lockstep alone is compared with them. `anew`: the first of a whole run;
    what was measured some other day, on some other machine, is no part of it."""
    parts = {"own": run.part(lambda case, _: case.product in OWN)}
    if with_peers:

        def is_beside(case: Case, what: str) -> bool:
            return case.product != "floor" and any(one.product not in OWN for one in run.measured(what))

        parts["peers"] = run.part(is_beside)
    for name, part in parts.items():
        if anew:
            summary.runs[name] = Run()
        summary.runs.setdefault(name, Run()).replace(part)


def measured(name: str, given: Given, where: dict[str, str], raw: RawFile) -> Run:
    """All figures of one measurement, each printed as it comes; those that belong together in one line."""
    run, last = Run(where), None
    module = measurement(name)
    if module is None:
        return run
    print(f"\n# {name}", flush=True)
    for figure in module.figures(given):
        run.add(figure)
        raw.write(figure)
        together = (figure.round, figure.case, figure.what, figure.at)
        if together != last:
            at = f" ({figure.at})" if figure.at else ""
            print(f"\n{figure.round} {figure.case!s:32} {figure.what}{at}: ", end="")
            last = together
        print(f"{figure.name} {figure.value:.4g}  ", end="", flush=True)
    print()
    return run


if __name__ == "__main__":
    main()
