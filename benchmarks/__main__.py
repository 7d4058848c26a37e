"""`python -m benchmarks [NAME ...] [options]`: all that `make bench` measures, or some of it.

All of it, or what is run with `--save`, is kept in benchmarks/results.json, and docs/performance.md is made of that.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module

from benchmarks import bed
from benchmarks.given import APART, MEASUREMENTS, given_by, measurement, options
from benchmarks.page import write
from benchmarks.results import RAW, Figure, RawFile, Run, Summary, machine


def main() -> None:
    """Each of `APART` reads its own options."""
    if len(sys.argv) > 1 and sys.argv[1] in APART:
        name = sys.argv.pop(1)
        import_module(f"benchmarks.{name}").main()
        return
    parsed = options().parse_args()
    for name in parsed.names:
        if name not in MEASUREMENTS:
            sys.exit(f"There is no measurement {name!r}: {', '.join((*MEASUREMENTS, *APART))}.")
    given = given_by(parsed)
    run = Run(machine(rounds=str(given.rounds), seconds=f"{given.seconds:g}"))
    print(bed.machine())
    raw = RawFile(RAW / time.strftime("%Y%m%d-%H%M%S.jsonl"))
    for name in parsed.names or MEASUREMENTS:
        module = measurement(name)
        if module is None:
            continue
        print(f"\n# {name}", flush=True)
        shown = ""
        for figure in module.figures(given):
            run.add(figure)
            raw.write(figure)
            if (line := _headed(figure)) != shown:
                print(f"\n{line}: ", end="")
                shown = line
            print(f"{figure.name} {figure.value:.4g}  ", end="", flush=True)
    print()
    if parsed.save or not parsed.names:
        kept = Summary.load()
        kept.runs.setdefault("peers" if given.peers else "own", Run()).replace(run)
        kept.save()
        write(kept)


def _headed(figure: Figure) -> str:
    at = f" ({figure.at})" if figure.at else ""
    return f"{figure.round} {figure.case!s:32} {figure.what}{at}"


if __name__ == "__main__":
    main()
