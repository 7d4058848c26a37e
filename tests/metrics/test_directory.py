"""Where processes put their numbers: slots that outlive their holders, room that is taken beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sso_server.metrics.directory import claim_slot, files_of, is_held, supervised

# As much as there can be: every endpoint with many statuses, every step of every port on both stores.
FULL = """
import pathlib, struct, sys
from sso_server.metrics.numbers import Numbers
directory = pathlib.Path(sys.argv[1])
numbers = Numbers.open("web", directory)
for endpoint in range(70):
    for status in (200, 303, 400, 401, 403, 404, 503):
        numbers.request(f"a_front.an_endpoint_{endpoint}", status, 0.1)
for step in range(150):
    for store in ("database", "redis"):
        numbers.store_seconds.labels(store, f"a_port.a_long_step_{step}").observe(0.1)
        numbers.store_failures.labels(store, f"a_port.a_long_step_{step}").inc()
for file in sorted(directory.glob("*_1.db")):
    print(struct.unpack("i", file.read_bytes()[:4])[0], file.stat().st_size)
assert b'lockstep_process_starts_total{process="web"} 1.0' in numbers.text()
"""


def test_two_that_live_have_two_slots_and_the_next_takes_over_the_one_of_the_dead(tmp_path: Path) -> None:
    one, lock = claim_slot(tmp_path)
    two, other = claim_slot(tmp_path)
    assert (one, two) == (1, 2)
    (tmp_path / "counter_1.db").write_bytes(b"counted")
    (tmp_path / "gauge_livesum_1.db").write_bytes(b"was busy")
    assert {Path(name).name for name in files_of(tmp_path) if "gauge" in name} >= {"gauge_livesum_1.db"}
    lock.close()
    # What it has counted stays; what it was doing, nobody does any more.
    left = {Path(name).name for name in files_of(tmp_path)}
    assert "counter_1.db" in left
    assert "gauge_livesum_1.db" not in left
    again, lock = claim_slot(tmp_path)
    assert again == 1
    assert (tmp_path / "counter_1.db").read_bytes().startswith(b"counted")
    assert not (tmp_path / "gauge_livesum_1.db").read_bytes().startswith(b"was")
    lock.close()
    other.close()


def test_a_supervisor_clears_up_after_the_dead_and_leaves_the_living_alone(tmp_path: Path) -> None:
    dead = tmp_path / "metrics" / "dead"
    dead.mkdir(parents=True)
    (dead / "counter_1.db").write_bytes(b"")
    with supervised(tmp_path) as first:
        assert not dead.exists()
        assert is_held(first / "lock")
        with supervised(tmp_path) as second:
            assert first.exists()
            assert second.exists()
        assert not second.exists()
        assert first.exists()
    assert list((tmp_path / "metrics").glob("*/")) == []


def test_all_that_can_ever_be_counted_fits_into_what_is_taken_beforehand(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    sizes = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(sizes) == 4
    assert all(used < size / 2 for used, size in sizes), sizes


def test_where_there_is_no_room_nobody_is_kept_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sso_server.metrics.numbers import Numbers

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    numbers = Numbers.open("web", tmp_path)
    assert b'lockstep_process_starts_total{process="web"} 1.0' in numbers.text()
