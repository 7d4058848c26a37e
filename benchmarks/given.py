"""What a run was asked for, and the measurements that know how to yield figures."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

from benchmarks.results import Figure
from benchmarks.rounds import CONNECTIONS
from benchmarks.workloads import WORKLOADS

WEB_SERVERS = ("gunicorn", "granian")
STORES = ("redis", "sqlite")
_HELP = """Measure what Lockstep costs next to bare Flask on the same server. All of it, or what is run with --save, is
kept in benchmarks/results.json, and docs/performance.md is made of that; anything less is printed only."""
#: What `sign_out` can be asked; all others are of `serving`.
SIGN_OUTS = ("W6", "W6h")


@dataclass(frozen=True, slots=True)
class Given:
    """The usual numbers; a shorter run says less and means less."""

    rounds: int = 5
    seconds: float = 1.0
    """Of each workload in each round: some thousand operations of most, whose processor time is exact."""
    web_servers: tuple[str, ...] = WEB_SERVERS
    stores: tuple[str, ...] = STORES
    workloads: tuple[str, ...] = ()
    """Only these; none: all."""
    connections: int = CONNECTIONS
    peers: tuple[str, ...] = ()
    """Other people's servers in the same rounds."""
    alone: bool = False
    """Neither RSA signatures nor one connection: nothing but what `make bench-quick` compares."""


class Measurement(Protocol):
    """A module of this package. It may have a `show(figures)` of its own that prints them; else they are listed."""

    def figures(self, given: Given) -> Iterator[Figure]:
        """Measure, yielding each figure as it is known."""
        ...


#: What `make bench` runs, in this order; each is a module here.
MEASUREMENTS = ("serving", "starting", "sign_out", "deliveries", "check_in", "storm", "growth")
#: These have a command line of their own (docs/benchmarks.md, docs/scaling.md), and `soak` takes ten minutes.
APART = ("isolation", "expiry", "mass_end", "scale", "sharing", "soak")


def measurement(name: str) -> Measurement | None:
    """The module; None if it isn't there. Raises ImportError for what it imports."""
    if importlib.util.find_spec(f"benchmarks.{name}") is None:
        return None
    return cast("Measurement", importlib.import_module(f"benchmarks.{name}"))


def has_web_server(name: str) -> bool:
    """gunicorn is always there; the others are extras."""
    return importlib.util.find_spec(name) is not None


def options() -> argparse.ArgumentParser:
    """`Given` as options."""
    usual = Given()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=_HELP)
    parser.add_argument("names", nargs="*", help=f"{', '.join(MEASUREMENTS)}; all of these unless some are named")
    parser.add_argument("--rounds", type=at_least_one, default=usual.rounds)
    parser.add_argument("--secs", type=above_zero, default=usual.seconds, help="of each workload in each round")
    parser.add_argument("--web-servers", type=partial(_names, known=WEB_SERVERS), default=usual.web_servers)
    parser.add_argument("--stores", type=partial(_names, known=STORES), default=usual.stores)
    known = (*WORKLOADS, *SIGN_OUTS)
    parser.add_argument("--workloads", type=partial(_names, known=known), default=(), help=f"some of {','.join(known)}")
    parser.add_argument("--connections", type=at_least_one, default=usual.connections, help="at once")
    parser.add_argument(
        "--peers", type=_peers, default=(), help="other people's servers beside those on Redis, in the same rounds; all"
    )
    parser.add_argument(
        "--save", action="store_true", help="into results.json and the page, in place of what it measured"
    )
    return parser


def given_by(parsed: argparse.Namespace) -> Given:
    """What was said there."""
    return Given(
        rounds=parsed.rounds,
        seconds=parsed.secs,
        web_servers=tuple(name for name in parsed.web_servers if has_web_server(name)),
        stores=parsed.stores,
        workloads=parsed.workloads,
        connections=parsed.connections,
        peers=parsed.peers,
    )


def is_whole(parsed: argparse.Namespace) -> bool:
    """Whether nothing of what is measured was left out. Fewer rounds are a shorter whole."""
    others = not parsed.peers or "all" in parsed.peers
    everything = set(parsed.web_servers) == set(WEB_SERVERS) and set(parsed.stores) == set(STORES)
    return others and everything and not parsed.names and not parsed.workloads


def at_least_one(text: str) -> int:
    """A count. Raises ArgumentTypeError, as argparse wants it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def above_zero(text: str) -> float:
    """Seconds. Raises ArgumentTypeError."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")


def _names(text: str, known: Collection[str]) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    if not names or set(names) - set(known):
        raise argparse.ArgumentTypeError(f"{text!r}: known are {','.join(known)}")
    return names


def _peers(text: str) -> tuple[str, ...]:
    from benchmarks.peers.recipes import peers

    names = tuple(name for name in text.split(",") if name)
    try:
        peers(names)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return names
