"""What every test shares: a clean environment, the rule about missing services, and real servers.

A test that needs a program says so with a marker (`redis`, `browser`): it skips where the program is missing, and
fails there when CI=true, because a skip nobody looks at is a test nobody runs. What needs more servers or more time
than `make test` has is marked `engines` or `failover`, and is left out unless somebody asks for it.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.engines import ENGINES, USUAL
from tests.support.postgres import Postgres, running_postgres
from tests.support.redis_cluster import RedisCluster, running_cluster
from tests.support.saved_work import collecting_tests, make_addresses_once, trust_nobody_elses_authorities
from tests.support.sentinel import SentinelSet, running_sentinel
from tests.support.services import SERVICES, running_redis

MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 4 << 30
IN_CI = os.environ.get("CI") == "true"
#: fixture -> the markers of what it needs, so that nobody has to repeat them
NEEDS = {
    "redis_url": ("redis",),
    "redis_cluster": ("redis", "engines"),
    "redis_sentinel": ("redis", "engines"),
    "postgres": ("postgres",),
}
#: How a skip begins that is no missing service and none in CI: a checkout may be shallow, and CI's often are.
NO_HISTORY = "the history doesn't go back"
#: markers of programs that `make test` does without
NOT_USUAL = ("postgres", "nginx", "apache", "php")


def pytest_addoption(parser: pytest.Parser) -> None:
    names = ", ".join(ENGINES)
    parser.addoption(
        "--engines",
        type=_engines,
        default=list(USUAL),
        metavar="A,B",
        help=f"what the contract suite runs on: {names} (default: {','.join(USUAL)})",
    )


def _engines(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not names or not set(names) <= set(ENGINES):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(ENGINES)}")
    return names


def pytest_configure() -> None:
    """Before any test module is imported: what the developer's shell holds must not decide a test."""
    for name in [name for name in os.environ if name.startswith("SSO_")]:
        del os.environ[name]
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        os.environ.pop(name, None)
    os.environ["LANG"] = "C.UTF-8"
    os.environ["TZ"] = "UTC"
    # Without bytecode each worker rewrites the asserts of all tests anew (10 s), and each server that a test starts
    # compiles itself anew (0.5 s, hundreds of times).
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # A proxy of the network must not see calls to this machine.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,.localhost"
    if "TMPDIR" not in os.environ and has_memory_for_files():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it remembers what it found first
    trust_nobody_elses_authorities()
    make_addresses_once()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    with collecting_tests():
        return (yield)


def has_memory_for_files() -> bool:
    """Whether the tests' directories may live in memory. Every commit waits for the disk, and most of the tests' time
    would be that wait; that the stores ask for it is a test of its own (tests/stores/sql/test_engine.py).
    """
    try:
        if os.statvfs(MEMORY).f_flag & os.ST_NOEXEC or not os.access(MEMORY, os.W_OK):
            return False
        free = shutil.disk_usage(MEMORY).free
        available = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return False
    return bool(available) and min(free, int(available[1]) * 1024) > MEMORY_NEEDED


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whoever asks for a server needs it. What is left out by default is asked for: `-m engines`, `-m failover`."""
    asked = {marker for marker in ("engines", "failover") if re.search(rf"\b{marker}\b", config.option.markexpr)}
    if set(config.option.engines) - set(USUAL):
        asked.add("engines")
    kept, dropped = [], []
    for item in items:
        for fixture in NEEDS.keys() & set(getattr(item, "fixturenames", ())):
            for marker in NEEDS[fixture]:
                item.add_marker(marker)
        if item.get_closest_marker("failover"):
            is_out = "failover" not in asked
        else:
            if any(item.get_closest_marker(marker) for marker in NOT_USUAL):
                item.add_marker("engines")
            is_out = "engines" not in asked and item.get_closest_marker("engines") is not None
        (dropped if is_out else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    if hasattr(config, "workerinput"):
        # Of several workers none should begin one of these when the others have nothing left to do.
        kept.sort(key=lambda item: item.get_closest_marker("slow") is None)
    items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (find, sentence) in SERVICES.items():
        if item.get_closest_marker(marker) and find() is None:
            pytest.skip(sentence)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI no test that is marked with a service may skip, for whatever reason but a shallow checkout."""
    report = yield
    marked = any(item.get_closest_marker(marker) for marker in SERVICES)
    if IN_CI and marked and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if NO_HISTORY not in reason:
            report.outcome = "failed"
            report.longrepr = f"{reason} (in CI a missing service is a failure)"
    return report


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private redis-server for the whole session. Use a random key prefix, or take `empty_redis_url`."""
    directory: Path = tmp_path_factory.mktemp("redis")
    with running_redis(directory) as url:
        yield url


@pytest.fixture
def empty_redis_url(redis_url: str) -> str:
    """The session's redis-server, emptied before the test."""
    import redis

    with redis.Redis.from_url(redis_url, socket_timeout=5) as connection:
        connection.flushall()
    return redis_url


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """Three masters for the whole session. Use a random key prefix; who hurts a cluster starts one of its own."""
    directory: Path = tmp_path_factory.mktemp("cluster")
    with running_cluster(directory) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redis_sentinel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelSet]:
    """A master, two replicas and three sentinels for the whole session, with the same rules."""
    directory: Path = tmp_path_factory.mktemp("sentinel")
    with running_sentinel(directory) as found:
        yield found


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A private PostgreSQL for the whole session that keeps nothing through a crash. Make a database of your own."""
    with running_postgres(tmp_path_factory.mktemp("postgres"), fast=True) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> str:
    """A database for all tests of this session that empty it before they begin."""
    from sso_server.stores.sql import migrate

    url = postgres.create_database()
    migrate.upgrade(url)
    return url


@pytest.fixture
def empty_postgres_url(migrated_postgres: str) -> str:
    """That database, emptied before the test."""
    import sqlalchemy as sa

    from sso_server.stores.sql.engine import Database
    from sso_server.stores.sql.tables import metadata

    database = Database(migrated_postgres)
    with database.write() as connection:
        connection.execute(sa.text(f"TRUNCATE {', '.join(metadata.tables)}"))
    database.close()
    return migrated_postgres
