"""What every test shares: a clean environment, the rule about missing services, and a real redis-server.

A test that needs a program says so with a marker (`redis`, `browser`): it skips where the program is missing, and
fails there when CI=true, because a skip nobody looks at is a test nobody runs.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.services import SERVICES, running_redis

MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 4 << 30
IN_CI = os.environ.get("CI") == "true"


def pytest_configure() -> None:
    """Before any test module is imported: what the developer's shell holds must not decide a test."""
    for name in [name for name in os.environ if name.startswith("SSO_")]:
        del os.environ[name]
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        os.environ.pop(name, None)
    os.environ["LANG"] = "C.UTF-8"
    os.environ["TZ"] = "UTC"
    # A proxy of the network must not see calls to this machine.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,.localhost"
    if "TMPDIR" not in os.environ and has_memory_for_files():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it remembers what it found first


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for the redis-server needs it: the marker needn't be repeated."""
    for item in items:
        if "redis_url" in getattr(item, "fixturenames", ()):
            item.add_marker("redis")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (find, sentence) in SERVICES.items():
        if item.get_closest_marker(marker) and find() is None:
            pytest.skip(sentence)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI no test that is marked with a service may skip, for whatever reason."""
    report = yield
    marked = any(item.get_closest_marker(marker) for marker in SERVICES)
    if IN_CI and marked and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
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
