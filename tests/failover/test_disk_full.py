"""The disk is full, of Redis, of the SQLite file, of PostgreSQL's log: a clear 503, nothing claimed that isn't done, no
corrupt file, and everything goes on once there is space again.
"""

import contextlib
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.failover.conftest import StartTown
from tests.failover.disk import WHY_NOT, Disk, can_mount, small_disk
from tests.failover.town import Town
from tests.support.centre import wait_until
from tests.support.postgres import Postgres, make_postgres
from tests.support.services import OwnRedis

pytestmark = pytest.mark.skipif(not can_mount(), reason=WHY_NOT)


@contextlib.contextmanager
def kept_alive(start: Callable[[], None], is_running: Callable[[], bool]) -> Iterator[None]:
    """As an operator's supervisor does: what has ended is started again, every half second."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            if not is_running():
                with contextlib.suppress(Exception):
                    start()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def full_for_a_while(town: Town, disk: Disk, is_felt: Callable[[], bool] = lambda: True) -> None:
    """People go on meanwhile, and afterwards. Not before `is_felt`: what was set aside before may do for a while."""
    before = town.half_way()
    disk.fill()
    wait_until(is_felt, seconds=60, why="somebody to want space")
    town.finish(before)
    time.sleep(6)
    disk.make_space()
    town.wait_for_sign_ins()
    town.wait_for_lives(8)


@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_redis_with_a_full_disk_loses_nothing_that_was_answered(
    tmp_path: Path, own_redis: Callable[..., OwnRedis], start_town: StartTown, fsync: str
) -> None:
    (tmp_path / "redis").mkdir()
    with small_disk(tmp_path / "redis", "24m") as disk:
        server = own_redis("--appendonly", "yes", "--appendfsync", fsync, "--logfile", str(tmp_path / "redis.log"))
        # With `always` Redis ends itself when it can't write; it says so in its log.
        with kept_alive(server.begin, lambda: server.running):
            town = start_town(f"Redis' disk full, appendfsync {fsync}", server.url)
            full_for_a_while(town, disk)
            found = town.reckon()
        server.kill()
        (parts,) = disk.path.glob("appendonlydir")
        for part in parts.glob("*.aof"):
            checked = subprocess.run(["redis-check-aof", str(part)], capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stdout
    # What is in the last second of a log that is written once a second may have been answered.
    found.hold(sessions=fsync == "everysec", untold=fsync == "everysec", rotated_again=fsync == "everysec")


@pytest.mark.parametrize("where", ["sqlite", "redis"])
def test_an_sqlite_file_on_a_full_disk_loses_nothing_that_was_answered(
    tmp_path: Path, own_redis: Callable[..., OwnRedis], start_town: StartTown, where: str
) -> None:
    (tmp_path / "centre").mkdir(mode=0o700)
    with small_disk(tmp_path / "centre", "24m") as disk:
        (tmp_path / "centre").chmod(0o700)
        url = own_redis("--appendonly", "yes").url if where == "redis" else ""
        town = start_town(f"SQLite's disk full, sessions in {where}", url)
        full_for_a_while(town, disk)
        town.reckon().hold()
        with contextlib.closing(sqlite3.connect(disk.path / "lockstep.sqlite3")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        town.centre.process.stop()


@pytest.mark.postgres
def test_a_postgresql_whose_log_has_no_space_loses_nothing_that_was_answered(
    tmp_path: Path, start_town: StartTown
) -> None:
    server = make_postgres(tmp_path / "postgres", max_connections="300", max_wal_size="4MB", min_wal_size="2MB")
    with contextlib.ExitStack() as stack:
        stack.callback(server.remove)
        disk = stack.enter_context(_log_on_a_small_disk(server))
        server.start()
        stack.callback(server.kill)
        address = server.create_database()
        # A log that can't be written ends PostgreSQL at once, and it doesn't start before there is space.
        stack.enter_context(kept_alive(lambda: server.start(wait=False), lambda: _runs(server)))
        town = start_town("PostgreSQL's log disk full, sessions in postgresql", "", address)
        full_for_a_while(town, disk, lambda: _has_run_out(server))
        found = town.reckon()
        found.hold()
        assert "No space left on device" in server.log.read_text()
        assert found.refused, "nobody wanted anything while there was no space"
        town.centre.process.stop()


@contextlib.contextmanager
def _log_on_a_small_disk(server: Postgres) -> Iterator[Disk]:
    log = server._home / "data/pg_wal"
    kept, owner = server._home / "pg_wal.moved", log.stat()
    log.rename(kept)
    log.mkdir()
    with small_disk(log, "16m") as disk:
        subprocess.run(["cp", "-a", f"{kept}/.", str(log)], check=True)
        shutil.chown(log, owner.st_uid, owner.st_gid)
        log.chmod(0o700)
        yield disk


def _has_run_out(server: Postgres) -> bool:
    """Whether the log has come to its end; each look uses up one of the files that PostgreSQL had made before."""
    with contextlib.suppress(psycopg.Error):
        server.sql("SELECT pg_switch_wal()")
    return "No space left on device" in server.log.read_text()


def _runs(server: Postgres) -> bool:
    return server._process is not None and server._process.poll() is None
