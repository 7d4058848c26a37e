"""`python -m tests.faults`: the fault suite as a command. Exit code 1 when a number is not what it must be."""

import argparse
import os
import signal
import sys
import threading

from tests.faults import broken, engines
from tests.faults.conductor import Scale, run
from tests.faults.sites import SITES
from tests.faults.table import render

DEFAULT = ["sqlite", "redis"]


def main() -> int:
    """Run on each engine that was asked for, one after the other."""
    shape = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    for name in engines.ENGINES:
        shape.add_argument(f"--{name}", dest="engines", action="append_const", const=name, help=_on(name))
    shape.add_argument(
        "--all", dest="engines", action="store_const", const=list(engines.ENGINES), help="on each of these"
    )
    shape.add_argument("--sign-outs", type=int, default=1000)
    shape.add_argument("--sites", type=int, default=len(SITES), help=f"1 to {len(SITES)}")
    shape.add_argument("--seed", type=int, default=7)
    shape.add_argument("--seconds", type=float, default=60, help="how long people sign out in the first part")
    shape.add_argument("--rate", type=int, default=120, help="how fast the hour passes; 0: no hour")
    shape.add_argument("--kills", type=int, default=50, help="how often a process is killed, at named points in turn")
    shape.add_argument("--broken", choices=sorted(broken.PARTS), help="wire a faulty part, to see its row fail")
    shape.add_argument("--keep", action="store_true", help="leave the files of the run, and say where")
    given = shape.parse_args()
    for name in [name for name in os.environ if name.startswith("SSO_")]:
        del os.environ[name]
    # Ctrl-C and a polite end both clean up, also where a shell has us ignore the first.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: _stop(stop, number))
    scale = Scale(given.sign_outs, given.sites, given.seed, given.seconds, given.rate, given.kills)
    holds = True
    for engine in given.engines or DEFAULT:
        if lacks := engines.missing(engine):
            print(f"{lacks}: the run on {engines.title(engine)} is left out.", file=sys.stderr)
            if given.engines:
                return 2
            continue
        outcome = run(scale, engine=engine, part=given.broken or "", keep=given.keep, say=_say, stop=stop)
        print("\n" + render(engines.title(engine), scale, outcome) + "\n", flush=True)
        holds = holds and outcome.reckoning.holds
    return 0 if holds else 1


def _on(engine: str) -> str:
    return f"on {engines.title(engine)} (without any: on SQLite, then Redis)"


def _stop(stop: threading.Event, number: int) -> None:
    """The run's threads end at their next wait, and the run's own thread here."""
    stop.set()
    sys.exit(128 + number)


def _say(sentence: str) -> None:
    print(f"  ... {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
