"""The rule about missing services holds, shown on small test files of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

ROOT = Path(__file__).parents[2]

SUITE = """
import pytest

@pytest.mark.redis
def test_needs_redis(): pass

@pytest.mark.redis
def test_skips_itself(): pytest.skip("not today")

def test_needs_nothing(): pytest.skip("only a note")
"""


def run_suite(directory: Path, **environment: str) -> str:
    (directory / "test_suite.py").write_text(SUITE)
    (directory / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={directory}"]
    command += ["-c", str(ROOT / "pyproject.toml"), "-o", f"pythonpath={ROOT}", str(directory)]
    clean = {name: value for name, value in os.environ.items() if name != "CI"}
    clean["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # it has no need of them, and they take most of its time
    done = subprocess.run(
        command, cwd=directory, env=clean | environment, capture_output=True, text=True, check=False, timeout=120
    )
    return done.stdout.strip().splitlines()[-1]


def test_a_missing_service_skips_on_a_laptop(tmp_path: Path) -> None:
    assert run_suite(tmp_path, PATH="/nonexistent").startswith("3 skipped")


def test_a_missing_service_fails_in_ci(tmp_path: Path) -> None:
    assert run_suite(tmp_path, PATH="/nonexistent", CI="true").startswith("1 skipped, 2 errors")


def test_a_marked_test_that_skips_itself_fails_in_ci(tmp_path: Path) -> None:
    assert run_suite(tmp_path, CI="true").startswith("1 failed, 1 passed, 1 skipped")


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
