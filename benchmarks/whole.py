"""What whole stories cost a running centre, counted beside it: a sign-in, the next site, a sign-out, doing nothing, and
a crowd whose sessions end at once.

Processor time and bytes are counted (see counting), so another load on the machine changes little; the centre's own
idle polling is measured first and taken off.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from benchmarks.bed import running, sinks
from benchmarks.counting import Served, counted_wire, cpu_ms, served
from benchmarks.filling import Filler
from sso_server.core.policy import SECOND
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Site, clean_env, wait_until
from tests.support.postgres import Postgres, running_postgres
from tests.support.redis_cluster import running_cluster
from tests.support.services import running_redis

SECRET_KEY = "for-measurements-alone-and-nowhere-else"
#: What is asked for by default, and not the small one of the tests.
HASHING = {"SSO_HASH_MEMORY_KIB": "19456"}
Counts = dict[str, float]


@dataclass(frozen=True)
class Cost:
    """One story, per person."""

    what: str
    counts: Counts


@contextlib.contextmanager
def counted_centre(sql: str, with_redis: bool) -> Iterator[tuple[Centre, Callable[[], Counts]]]:
    """A centre on these stores, and what it and they have spent so far."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        settings, redis_url = dict(HASHING), ""
        parts: list[Callable[[], Counts]] = []
        if sql == "postgresql":
            durable = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
            server = stack.enter_context(running_postgres(directory / "postgres", **durable))
            url = urlsplit(server.create_database("centre"))
            port, sql_wire = stack.enter_context(counted_wire(server.port))
            settings |= {
                "SSO_DATABASE_URL": url._replace(netloc=url.netloc.replace(f":{server.port}", f":{port}")).geturl(),
                "SSO_SECRET_KEY": SECRET_KEY,
            }
            pid = server._process.pid  # type: ignore[union-attr]  # noqa: SLF001
            parts.append(lambda: {"PostgreSQL ms": cpu_ms(pid), **_written(server)})
            parts.append(
                lambda: {"SQL turns": sql_wire.turns, "SQL sent": sql_wire.sent, "SQL answered": sql_wire.received}
            )
        if with_redis:
            (directory / "redis").mkdir()
            own = stack.enter_context(running_redis(directory / "redis", "--appendonly", "yes"))
            connection = stack.enter_context(contextlib.closing(redis.Redis.from_url(own)))
            port, wire = stack.enter_context(counted_wire(urlsplit(own).port or 0))
            redis_url = f"redis://127.0.0.1:{port}/0"
            parts.append(lambda: {"Redis ms": served(connection).cpu_ms, "Redis turns": wire.turns})
            parts.append(lambda: {"Redis sent": wire.sent, "Redis answered": wire.received})
        centre = Centre(directory, redis_url, settings)
        stack.callback(centre.process.stop)
        centre.start()
        centre.add_user("alice")
        popen = centre.process.popen
        assert popen is not None
        parts.append(
            lambda: {"web ms": cpu_ms(popen.pid, but="deliver"), "delivery ms": cpu_ms(popen.pid, only="deliver")}
        )
        yield centre, lambda: {name: value for part in parts for name, value in part().items()}


def people(sql: str, *, with_redis: bool, count: int, idle_s: float = 10) -> list[Cost]:
    """Alice in so many browsers: she signs in with her password at one site, opens another, signs out."""
    with counted_centre(sql, with_redis) as (centre, spent), contextlib.ExitStack() as stack:
        sites = [Site(centre, name, host=f"{name}.localhost", lease_s=60) for name in ("one", "two")]
        for site in sites:
            stack.callback(site.process.stop)
            site.start()
        one, two = (site.base_url for site in sites)

        def sign_in(browser: Browser) -> None:
            browser.open(f"{one}/account").sign_in("alice", PASSWORD)
            assert browser.url == f"{one}/account", browser.url

        def next_site(browser: Browser) -> None:
            assert browser.open(f"{two}/account").url == f"{two}/account"

        def sign_out(browser: Browser) -> None:
            browser.open(f"{one}/").submit("/sso/logout")

        def all_told() -> bool:
            with centre.core() as built:
                return built.session_stores.census.count(built.services.clock.now()).oldest_unfinished is None

        for browser in [Browser() for _ in range(4)]:
            for act in (sign_in, next_site, sign_out):
                act(browser)
        wait_until(all_told)
        time.sleep(idle_s)  # what they left behind is written to the audit meanwhile
        before, begun = spent(), time.monotonic()
        time.sleep(idle_s)
        idle = _per(_minus(spent(), before), time.monotonic() - begun)
        browsers = [Browser() for _ in range(count)]
        found = [Cost("doing nothing, a second", idle)]
        for what, act in (("sign-in", sign_in), ("the next site", next_site), ("sign-out of both", sign_out)):
            before, begun = spent(), time.monotonic()
            for browser in browsers:
                act(browser)
            if act is sign_out:
                # The sites are told within it; to ask whether they are would be counted.
                time.sleep(2)
            took_s = time.monotonic() - begun
            all_of_it = _minus(spent(), before)
            found.append(Cost(what, _per({n: v - idle[n] * took_s for n, v in all_of_it.items()}, count)))
        wait_until(all_told)
        return found


def _written(server: Postgres) -> Counts:
    question = "SELECT count(*), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') FROM audit"
    try:
        ((lines, wal),) = server.sql(question, database="centre")
    except psycopg.errors.UndefinedTable:
        return {"audit lines": 0, "WAL bytes": 0}
    return {"audit lines": float(lines), "WAL bytes": float(wal)}


def _minus(after: Counts, before: Counts) -> Counts:
    return {name: value - before[name] for name, value in after.items()}


def _per(counts: Counts, parts: float) -> Counts:
    return {name: value / parts for name, value in counts.items()}


# ---------------------------------------------------------------- doing nothing


@dataclass(frozen=True)
class Idle:
    """Per second, of a node with two web workers and one delivery process."""

    servers: list[Served]
    seconds: float
    web_ms: float
    delivery_ms: float


def idle(kind: str, seconds: float) -> Idle:
    """`standalone` or `cluster` (three masters): what a node asks while nobody does anything."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        (directory / "redis").mkdir()
        if kind == "cluster":
            cluster = stack.enter_context(running_cluster(directory / "redis"))
            url, ports = cluster.url, [(node.port, cluster.password) for node in cluster.nodes]
        else:
            url = stack.enter_context(running_redis(directory / "redis"))
            ports = [(urlsplit(url).port or 0, "")]
        connections = [redis.Redis(port=port, password=password or None) for port, password in ports]
        centre = Centre(directory, url)
        stack.callback(centre.process.stop)
        centre.start()
        time.sleep(3)
        popen = centre.process.popen
        assert popen is not None

        def processes() -> tuple[float, float]:
            return cpu_ms(popen.pid, but="deliver"), cpu_ms(popen.pid, only="deliver")

        before, own, begun = [served(c) for c in connections], processes(), time.monotonic()
        time.sleep(seconds)
        after, own_after, took_s = [served(c) for c in connections], processes(), time.monotonic() - begun
        web, delivery = ((b - a) / took_s for a, b in zip(own, own_after, strict=True))
        return Idle([b - a for a, b in zip(before, after, strict=True)], took_s, web, delivery)


# ---------------------------------------------------------------- a crowd


@dataclass(frozen=True)
class Crowd:
    """Sessions that ended at once."""

    sessions: int
    sites: int
    seconds: float
    """Until all were told, or until the time was over."""
    ended: int
    told: int
    redis_ms: float
    delivery_ms: float
    memory_before: int
    memory_after: int


def crowd(sessions: int, sites: int, at_most_s: float) -> Crowd:
    """On Redis, by an order (`sso session end --client`), with sites that answer at once."""
    with running("redis") as bed, sinks(["ok"] * sites) as addresses:
        names = [f"crowd-{number}" for number in range(sites)]
        for name, sink in zip(names, addresses, strict=True):
            bed.site(name, sink.url)
        connection = redis.Redis.from_url(bed.centre.redis_url, socket_timeout=600)
        filler = Filler(bed.stores, connection, [(name, "") for name in names], bed.now() - SECOND)
        filler.fill(sessions)
        popen = bed.centre.process.popen
        assert popen is not None
        held = int(connection.info("memory")["used_memory"])
        before, own = served(connection).cpu_ms, cpu_ms(popen.pid, only="deliver")
        argv = [sys.executable, "-m", "sso_server.cli", "session", "end", "--client", names[0]]
        begun = time.monotonic()
        subprocess.run(argv, env={**clean_env(), **bed.centre.env}, check=True, capture_output=True)
        while time.monotonic() < begun + at_most_s:
            live = bed.stores.lists.count_live(bed.now())
            told = sum(sink.count for sink in addresses)
            if told >= sessions * sites:
                break
            time.sleep(0.5)
        return Crowd(
            sessions,
            sites,
            time.monotonic() - begun,
            sessions - live,
            told,
            served(connection).cpu_ms - before,
            cpu_ms(popen.pid, only="deliver") - own,
            held,
            int(connection.info("memory")["used_memory"]),
        )
