"""What a run was asked for, and the measurements that know how to yield figures."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from benchmarks.results import Figure
from benchmarks.rounds import CONNECTIONS

WEB_SERVERS = ("gunicorn", "granian")
STORES = ("redis", "sqlite")


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
APART = ("isolation", "expiry", "mass_end", "scale", "soak")


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
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(MEASUREMENTS)}; all of these unless some are named")
    parser.add_argument("--rounds", type=int, default=usual.rounds)
    parser.add_argument("--secs", type=float, default=usual.seconds, help="of each workload in each round")
    parser.add_argument("--web-servers", type=_names, default=usual.web_servers)
    parser.add_argument("--stores", type=_names, default=usual.stores)
    parser.add_argument("--workloads", type=_names, default=(), help="only these: W1,R,W3u ...")
    parser.add_argument("--connections", type=int, default=usual.connections, help="at once")
    parser.add_argument(
        "--peers", type=_names, default=(), help="other people's servers beside those on Redis, in the same rounds; all"
    )
    parser.add_argument("--save", action="store_true", help="into results.json and the page, though it isn't all")
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


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
