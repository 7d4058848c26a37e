"""Whoever hashes has a place of the node; nobody waits for ever for one."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sso_server import config, wiring
from sso_server.crypto.passwords import Argon2Hasher
from sso_server.crypto.places import Places
from sso_server.stores.sql import migrate

HOLDER = """
import sys, threading
from pathlib import Path
from sso_server.crypto.places import Places
with Places(Path(sys.argv[1]), count=1).taken():
    print("taken", flush=True)
    sys.stdin.read()
"""


def holder(directory: Path) -> subprocess.Popen[str]:
    """Another process that has the only place until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "taken\n"
    return process


@pytest.mark.parametrize("kind", ["hash", "verify"])
def test_a_hash_waits_until_another_process_has_made_its_own(tmp_path: Path, kind: str) -> None:
    hasher = Argon2Hasher(memory_kib=1024, time_cost=1, place=Places(tmp_path, count=1, wait_s=60).taken)
    done = threading.Event()

    def ask() -> None:
        if kind == "hash":
            hasher.hash("x")
        else:
            hasher.verify(None, "x")
        done.set()

    with holder(tmp_path) as other:
        threading.Thread(target=ask, daemon=True).start()
        assert not done.wait(0.2)
        other.kill()
        assert done.wait(10), "a process that has died keeps no place"


def test_there_are_as_many_places_as_were_asked_for(tmp_path: Path) -> None:
    patient, hasty = (Places(tmp_path, count=2, wait_s=wait_s) for wait_s in (20, 0.3))

    def took(places: Places) -> float:
        started = time.monotonic()
        with places.taken():
            return time.monotonic() - started

    with patient.taken():
        assert took(patient) < 10
        with patient.taken():
            assert took(hasty) >= 0.3, "and whoever waits too long goes on without"
    assert took(patient) < 10


def test_where_no_file_can_be_made_nobody_waits(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Places(tmp_path / "away", wait_s=60).taken())


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_a_file_that_somebody_else_made_is_locked_as_well(tmp_path: Path) -> None:
    (tmp_path / "hashing-0.lock").touch(mode=0o444)
    one, other = (Places(tmp_path, count=1, wait_s=0.3) for _ in range(2))
    with one.taken():
        begun = time.monotonic()
        with other.taken():
            assert time.monotonic() - begun >= 0.3


@pytest.mark.parametrize("kind", ["hash", "verify"])
def test_whoever_waits_for_a_hash_gives_up_what_others_need_meanwhile(kind: str) -> None:
    entered: list[str] = []

    @contextlib.contextmanager
    def given_up() -> Iterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    hasher = Argon2Hasher(memory_kib=1024, time_cost=1, while_waiting=given_up)
    hasher.hash("x") if kind == "hash" else hasher.verify(None, "x")
    assert entered == ["in", "out"]


def test_a_centre_hashes_in_its_nodes_places(tmp_path: Path) -> None:
    settings = config.load({"SSO_ISSUER": "http://127.0.0.1:8000", "SSO_DATA_DIR": str(tmp_path)})
    migrate.upgrade(settings.sql_url)
    with contextlib.closing(wiring.build(settings)) as built, contextlib.ExitStack() as stack:
        for number in range(os.cpu_count() or 1):
            stack.enter_context(Places(tmp_path, count=number + 1).taken())
        begun = time.monotonic()
        built.services.accounts.add("alice", "correct horse battery", actor="test")
        assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize(("cores", "count"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4)])
def test_half_of_a_nodes_cores_hash_and_one_at_least(
    cores: int, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sso_server.crypto.cores.count", lambda: cores)
    with Places(tmp_path).taken():
        assert len(list(tmp_path.iterdir())) == count
