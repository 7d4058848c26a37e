"""`python -m tests.faults`: the fault suite as a command. Exit code 1 when a number is not what it must be."""

import argparse
import os
import signal
import sys
import threading

from tests.faults import broken
from tests.faults.conductor import Scale, run
from tests.faults.sites import SITES
from tests.faults.table import render
from tests.support.services import find_redis_server


def main() -> int:
    """Run on SQLite, on Redis, or on both, one after the other."""
    shape = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    shape.add_argument("--sqlite", action="store_true", help="on SQLite only (default: on both)")
    shape.add_argument("--redis", action="store_true", help="on Redis only (default: on both)")
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
    engines = [name for name, asked in (("SQLite", given.sqlite), ("Redis", given.redis)) if asked]
    if "Redis" in (engines or ["Redis"]) and find_redis_server() is None:
        print("redis-server is not installed: the run on Redis is left out.", file=sys.stderr)
        if given.redis:
            return 2
        engines = ["SQLite"]
    holds = True
    for engine in engines or ["SQLite", "Redis"]:
        outcome = run(scale, redis=engine == "Redis", part=given.broken or "", keep=given.keep, say=_say, stop=stop)
        print("\n" + render(engine, scale, outcome) + "\n", flush=True)
        holds = holds and outcome.reckoning.holds
    return 0 if holds else 1


def _stop(stop: threading.Event, number: int) -> None:
    """The run's threads end at their next wait, and the run's own thread here."""
    stop.set()
    sys.exit(128 + number)


def _say(sentence: str) -> None:
    print(f"  ... {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
