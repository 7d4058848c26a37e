"""What the store needs as it grows: memory, each step's cost, idle polling, whole sign-ins and sign-outs, a mass end.

`python -m benchmarks.scale memory|steps|idle|people|crowd [options]`; without a word all of them, small enough for a
quarter of an hour. docs/scaling.md says what each figure means and what follows from it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from benchmarks import steps, whole
from benchmarks.bed import machine, table
from benchmarks.counting import cpu_ms, served
from benchmarks.filling import Filler
from sso_server.core.notifications import State
from sso_server.core.policy import MINUTE, SECOND
from sso_server.stores.redis import RedisStores
from sso_server.stores.sql import SqlStores, migrate
from tests.support.builders import a_result
from tests.support.postgres import running_postgres
from tests.support.services import running_redis

ENGINES = ("redis", "sqlite", "postgresql")
#: As docs/redis.md advises; `--plain` leaves it out.
COMPACT = ("--hash-max-listpack-value", "512", "--zset-max-listpack-value", "128")


@dataclass
class Store:
    """One engine, empty at first."""

    stores: Any
    redis: Any
    spent: Callable[[], tuple[float, int, int]]
    """The server's processor time (ms), bytes to it and from it."""
    size: Callable[[], int]
    """Bytes that it holds now."""

    def filler(
        self, sites: Sequence[tuple[str, str]] = steps.SITES, *, refreshable: bool = True, fresh: bool = False
    ) -> Filler:
        """Nothing filled yet."""
        return Filler(self.stores, self.redis, sites, time.time_ns() // 1_000_000, refreshable, fresh)


@contextlib.contextmanager
def store(engine: str, *, compact: bool = True) -> Iterator[Store]:
    """A private server (for SQLite a file) and the ports on it."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        if engine == "redis":
            url = stack.enter_context(running_redis(directory, *(COMPACT if compact else ())))
            connection = stack.enter_context(contextlib.closing(redis.Redis.from_url(url, socket_timeout=600)))
            stores = RedisStores.open(url)
            stack.callback(stores.close)

            def spent() -> tuple[float, int, int]:
                now = served(connection)
                return now.cpu_ms, now.sent, now.received

            yield Store(stores, connection, spent, lambda: int(connection.info("memory")["used_memory"]))
            return
        if engine == "sqlite":
            url, pid = f"sqlite:///{directory}/scale.sqlite3", os.getpid()
        else:
            # Durable as docs/postgresql.md asks for, unlike the tests' own.
            durable = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
            server = stack.enter_context(
                running_postgres(directory, shared_buffers="512MB", max_wal_size="4GB", **durable)
            )
            url, pid = server.create_database(), server._process.pid  # type: ignore[union-attr]  # noqa: SLF001
        migrate.upgrade(url)
        sql = SqlStores.open(url)
        stack.callback(sql.close)

        def size() -> int:
            if engine == "sqlite":
                return sum(file.stat().st_size for file in directory.glob("scale.sqlite3*"))
            with sql.database.read() as connection:
                return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())

        yield Store(sql, None, lambda: (cpu_ms(pid), 0, 0), size)


# ---------------------------------------------------------------- memory


@dataclass(frozen=True)
class Kept:
    """Bytes for one session with so many sites."""

    what: str
    compact: bool
    bytes: float


def memory(engine: str, sessions: int, *, compact: bool) -> list[Kept]:
    """What a session of each kind adds."""
    site = steps.SITES[0]
    kinds: list[tuple[str, int, bool, bool]] = [
        ("a session without a site", 0, True, False),
        ("with one site", 1, True, False),
        ("with two", 2, True, False),
        ("with five", 5, True, False),
        ("with two that have no refresh token", 2, False, False),
        ("with two, in the first quarter of an hour", 2, True, True),
    ]
    found = []
    for what, count, refreshable, fresh in kinds:
        with store(engine, compact=compact) as here:
            filler = here.filler(
                [(f"{site[0]}-{n}", site[1]) for n in range(count)], refreshable=refreshable, fresh=fresh
            )
            filler.fill(64)
            before = here.size()
            filler.fill(64 + sessions)
            found.append(Kept(what, compact, (here.size() - before) / sessions))
            if what == "with two":
                _end_all(here, filler.now + SECOND)
                found.append(Kept("the same, ended and told, for a day", compact, (here.size() - before) / sessions))
    return found


def _end_all(here: Store, now: int) -> None:
    """Every session signs out, every site says yes, every row goes to the audit; a day later purge takes the rest."""
    while some := here.stores.lists.list_live(now, 500):
        for session in some:
            here.stores.sessions.end(session.sid, "sign_out", now)
    while rows := here.stores.outbox.claim("w", now, 200, MINUTE):
        here.stores.outbox.record([a_result(row, State.ACKNOWLEDGED) for row in rows], now)
    while final := here.stores.archive.list_archivable(200):
        here.stores.archive.mark_archived(final)


# ---------------------------------------------------------------- steps


def grow(engine: str, sizes: Sequence[int], repeats: int) -> tuple[list[steps.Taken], dict[int, tuple[int, float]]]:
    """Every step at each size, and (bytes held, seconds to fill) at each."""
    taken, filled = [], {}
    with store(engine) as here:
        filler = here.filler()
        for size in sizes:
            begun = time.monotonic()
            filler.fill(size)
            if engine == "postgresql":
                with here.stores.database.write() as connection:
                    connection.exec_driver_sql("ANALYZE")
            filled[size] = (here.size(), time.monotonic() - begun)
            # Once unmeasured: connections, scripts and plans are there.
            steps.measure(filler, min(10, repeats), here.spent)
            taken += steps.measure(filler, repeats, here.spent)
    return taken, filled


def show_growth(engine: str, taken: Sequence[steps.Taken], filled: dict[int, tuple[int, float]]) -> None:
    """Two tables."""
    sizes = list(filled)
    rows = []
    for name in dict.fromkeys(one.step for one in taken):
        of = [one for one in taken if one.step == name]
        last = of[-1]
        cpu = [f"{of[0].cpu_ms:.3f}", f"{last.cpu_ms:.3f}"]
        ratio = f"{steps.growth(taken, name):.1f}"
        rows.append([name, *(f"{one.ms:.2f}" for one in of), ratio, *cpu, f"{last.sent:.0f}", f"{last.received:.0f}"])
    headings = [
        "step",
        *(f"ms at {size:,}" for size in sizes),
        "last / first",
        "cpu ms first",
        "last",
        "bytes sent",
        "answered",
    ]
    table(f"{engine}: each step as the store fills", headings, rows)
    rows = [[f"{size:,}", f"{held / 2**20:.0f}", f"{took:.0f}"] for size, (held, took) in filled.items()]
    table(f"{engine}: what it holds", ["sessions", "MiB", "filled in s"], rows)


# ---------------------------------------------------------------- the command


def show_memory(engine: str, sessions: int) -> None:
    """One table."""
    kept = [memory(engine, sessions, compact=compact) for compact in (False, True)[: 1 + (engine == "redis")]]
    headings = ["session", "bytes", "bytes with the two settings"][: 1 + len(kept)]
    rows = [[same[0].what, *(f"{one.bytes:.0f}" for one in same)] for same in zip(*kept, strict=True)]
    table(f"{engine}: what a session takes, {sessions:,} of them", headings, rows)


def show_idle(seconds: float) -> None:
    """One table."""
    rows = []
    for kind in ("standalone", "cluster"):
        found = whole.idle(kind, seconds)
        for number, server in enumerate(found.servers):
            per_s = [server.commands, server.cpu_ms, server.sent, server.received]
            own = [f"{found.web_ms:.0f}", f"{found.delivery_ms:.0f}"] if not number else ["", ""]
            rows.append([kind, str(number + 1), *(f"{value / found.seconds:.0f}" for value in per_s), *own])
    headings = ["Redis", "master", "commands", "cpu ms", "bytes to it", "bytes from it", "web ms", "delivery ms"]
    table("A node that nobody uses (two web workers, one delivery process), per second", headings, rows)


def show_people(count: int) -> None:
    """A table for each way to keep things."""
    for sql, with_redis in (("sqlite", False), ("postgresql", True), ("postgresql", False)):
        found = whole.people(sql, with_redis=with_redis, count=count)
        names = list(found[0].counts)
        rows = [[cost.what, *(f"{cost.counts[name]:.{2 if 'ms' in name else 0}f}" for name in names)] for cost in found]
        title = f"{sql}{' and Redis' if with_redis else ''}: per person, {count} of them"
        table(title, ["what", *names], rows)


def show_crowd(sessions: int, sites: int, at_most_s: float) -> None:
    """One table."""
    run = whole.crowd(sessions, sites, at_most_s)
    rates = [run.ended / run.seconds, run.told / run.seconds]
    costs = [run.redis_ms / max(1, run.told), run.delivery_ms / max(1, run.told)]
    row = [f"{run.seconds:.0f}", f"{run.ended:,}", f"{run.told:,}", *(f"{rate:.0f}" for rate in rates)]
    row += [f"{cost:.2f}" for cost in costs]
    row += [f"{run.memory_before / 2**20:.0f}", f"{run.memory_after / 2**20:.0f}"]
    headings = [
        "after s",
        "ended",
        "told",
        "ended / s",
        "told / s",
        "Redis ms a call",
        "delivery ms a call",
        "MiB before",
        "after",
    ]
    table(f"{sessions:,} people with {sites} sites each end at once", headings, [row])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("memory", "steps", "idle", "people", "crowd", "all"), nargs="?", default="all")
    parser.add_argument("--engine", choices=ENGINES, default="redis")
    parser.add_argument("--sizes", help="of the store, for steps", default="1000,10000,100000")
    parser.add_argument("--sessions", type=int, help="for memory and crowd", default=10_000)
    parser.add_argument("--sites", type=int, help="of each of the crowd", default=3)
    parser.add_argument("--repeats", type=int, help="of each step at each size", default=200)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seconds", type=float, help="of doing nothing, or at most of the crowd's end", default=0)
    given = parser.parse_args()
    print(machine())
    if given.what in {"memory", "all"}:
        show_memory(given.engine, given.sessions)
    if given.what in {"steps", "all"}:
        show_growth(given.engine, *grow(given.engine, [int(size) for size in given.sizes.split(",")], given.repeats))
    if given.what in {"idle", "all"}:
        show_idle(given.seconds or 20)
    if given.what in {"people", "all"}:
        show_people(given.people)
    if given.what in {"crowd", "all"}:
        show_crowd(given.sessions, given.sites, given.seconds or 180)


if __name__ == "__main__":
    main()
