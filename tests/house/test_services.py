"""The rule about missing services holds, shown on small test files of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.support.engines import ENGINES, USUAL

ROOT = Path(__file__).parents[2]

SUITE = """
import pytest

@pytest.mark.redis
def test_needs_redis(): pass

@pytest.mark.redis
def test_skips_itself(): pytest.skip("not today")

def test_needs_nothing(): pytest.skip("only a note")
"""


def run_suite(directory: Path, *options: str, suite: str = SUITE, **environment: str) -> str:
    """The last line that pytest says; if it doesn't begin at all, why."""
    (directory / "test_suite.py").write_text(suite)
    (directory / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={directory}"]
    command += ["-c", str(ROOT / "pyproject.toml"), "-o", f"pythonpath={ROOT}", *options, str(directory)]
    clean = {name: value for name, value in os.environ.items() if name != "CI"}
    clean["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # it has no need of them, and they take most of its time
    done = subprocess.run(
        command, cwd=directory, env=clean | environment, capture_output=True, text=True, check=False, timeout=120
    )
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr


def test_a_missing_service_skips_on_a_laptop(tmp_path: Path) -> None:
    assert run_suite(tmp_path, PATH="/nonexistent").startswith("3 skipped")


def test_a_missing_service_fails_in_ci(tmp_path: Path) -> None:
    assert run_suite(tmp_path, PATH="/nonexistent", CI="true").startswith("1 skipped, 2 errors")


def test_a_marked_test_that_skips_itself_fails_in_ci(tmp_path: Path) -> None:
    assert run_suite(tmp_path, CI="true").startswith("1 failed, 1 passed, 1 skipped")


OTHER_SKIPS = """
import pytest

@pytest.mark.redis
@pytest.mark.skipif(True, reason="no namespaces here")
def test_needs_rights_too(): pass

@pytest.mark.redis
def test_needs_the_past(): pytest.skip("the history doesn't go back to 0123abcd")
"""


def test_missing_rights_fail_in_ci_and_a_shallow_clone_does_not(tmp_path: Path) -> None:
    assert run_suite(tmp_path, suite=OTHER_SKIPS).startswith("2 skipped")
    assert run_suite(tmp_path, suite=OTHER_SKIPS, CI="true").startswith("1 skipped, 1 error")


BEYOND = """
import pytest

def test_usual(): pass

@pytest.mark.engines
def test_of_an_engine(): pass

@pytest.mark.postgres
def test_of_a_program_that_make_test_does_without(): pass

@pytest.mark.nginx
@pytest.mark.failover
def test_of_servers_that_die(): pass
"""


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((), "1 passed, 3 deselected"),
        (("-m", "failover"), "1 passed, 3 deselected"),
        (("-m", "engines and not failover"), "2 passed, 2 deselected"),
        (("--engines", "sqlite,postgresql"), "3 passed, 1 deselected"),
        (("-m", "not slow"), "1 passed, 3 deselected"),
    ],
)
def test_what_needs_more_than_make_test_has_is_left_out_unless_it_is_asked_for(
    tmp_path: Path, asked: tuple[str, ...], found: str
) -> None:
    for program in ("initdb", "postgres", "nginx"):
        (tmp_path / program).touch(mode=0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert run_suite(tmp_path, *asked, suite=BEYOND, PATH=path).startswith(found)


def test_an_engine_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    assert "choose from sqlite, redis" in run_suite(tmp_path, "--engines", "sqlite,mysql", PATH="/nonexistent")


def test_the_targets_ask_for_every_marker_of_theirs() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "-m 'engines and not failover' --engines $(ENGINES)" in makefile
    assert "-m failover" in makefile
    run = (ROOT / ".ci/run").read_text()
    assert re.findall(r"\"(test[a-z-]*) JOBS", run) == ["test", "test-engines", "test-failover"]
    (asked,) = re.findall(r"^ENGINES \?= (.*)$", makefile, re.MULTILINE)
    assert set(asked.split(",")) | set(USUAL) == set(ENGINES)


def test_the_redis_server_is_real_and_private(redis_url: str, empty_redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as connection:
        assert connection.dbsize() == 0
        assert connection.config_get("appendonly") == {"appendonly": "no"}
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_settings_of_the_shell_reach_no_test() -> None:
    assert [name for name in os.environ if name.startswith("SSO_")] == []


@pytest.mark.parametrize("name", ["LANGUAGE", "LC_ALL"])
def test_the_language_of_the_shell_reaches_no_test(name: str) -> None:
    assert name not in os.environ
