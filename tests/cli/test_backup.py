"""`sso backup`: a whole copy beside a running centre, or none; and what a copy is worth."""

import os
import resource
import shutil
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from sso_server.core.errors import Refused
from sso_server.stores.sql import backup as copies
from tests.cli.conftest import PASSWORD, Sso, settings_at
from tests.support.centre import wait_until


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with one account and one site: keys and hashes take longer than these tests."""
    directory = tmp_path_factory.mktemp("stocked") / "data"
    made = Sso(settings_at(directory))
    made.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    made.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    made.run("key", "rotate")
    return directory


@pytest.fixture
def database(sso: Sso, stocked: Path) -> Path:
    """A copy of it."""
    directory = Path(sso.env["SSO_DATA_DIR"])
    shutil.copytree(stocked, directory)
    return directory / "lockstep.sqlite3"


def test_a_backup_says_what_it_holds_and_what_it_does_not(sso: Sso, database: Path, tmp_path: Path) -> None:
    file = tmp_path / "monday"
    said = sso.run("backup", str(file)).stdout
    assert "The secret key isn't in it" in said
    assert str(database.with_name("secret-key")) in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    held = sso.json("backup", "--check", str(file))
    assert (held["users"], held["clients"], held["live_sessions"], held["schema"]) == (1, 1, 0, "current")
    assert len(held["signing_keys"]) == 6
    assert held["unreadable_keys"] == []
    assert held["taken_at"] > 1_700_000_000_000
    secret = database.with_name("secret-key").read_bytes()
    assert secret not in file.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "monday"], "nothing else is left beside it"


def test_nothing_is_written_over_unless_somebody_says_so(sso: Sso, database: Path, tmp_path: Path) -> None:
    file = tmp_path / "monday"
    file.write_text("dear diary")
    assert "--force" in sso.run("backup", str(file), code=1).stderr
    assert file.read_text() == "dear diary"
    sso.run("backup", str(file), "--force")
    assert sso.json("backup", "--check", str(file))["users"] == 1
    assert "the database itself" in sso.run("backup", str(database), "--force", code=1).stderr


def test_a_backup_is_one_moment_and_writers_go_on(sso: Sso, database: Path, tmp_path: Path) -> None:
    with sqlite3.connect(database) as connection:
        # Big enough that the copy takes a while.
        connection.execute("CREATE TABLE ballast (text)")
        connection.executemany("INSERT INTO ballast VALUES (?)", [("x" * 4000,)] * 8000)
    connection.close()
    stop, written = threading.Event(), [0]

    def write() -> None:
        with sqlite3.connect(database, isolation_level=None, timeout=20) as writer:
            while not stop.is_set():
                written[0] += 1
                writer.execute("BEGIN IMMEDIATE")
                writer.execute("INSERT OR REPLACE INTO marks VALUES ('left', ?)", (written[0],))
                writer.execute("INSERT OR REPLACE INTO marks VALUES ('right', ?)", (written[0],))
                writer.execute("COMMIT")
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        wait_until(lambda: written[0], why="the writer to begin")
        before = written[0]
        sso.run("backup", str(tmp_path / "busy"))
        during = written[0] - before
    finally:
        stop.set()
        thread.join()
    copy = sqlite3.connect(tmp_path / "busy")
    left, right = (value for (value,) in copy.execute("SELECT value FROM marks WHERE name IN ('left', 'right')"))
    copy.close()
    assert left == right, "half of a transaction is in the copy"
    assert during > 20, "writers had to wait for it"


def test_a_full_disk_leaves_no_half_backup_and_the_old_one(sso: Sso, database: Path, tmp_path: Path) -> None:
    directory = tmp_path / "backups"
    directory.mkdir()
    file = directory / "monday"
    sso.run("backup", str(file))
    before = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        refused = sso.run("backup", str(file), "--force", code=1)
        other = sso.run("backup", str(directory / "tuesday"), code=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "could not be written" in refused.stderr
    assert "could not be written" in other.stderr
    assert file.read_bytes() == before
    assert [path.name for path in directory.iterdir()] == ["monday"]


def test_what_a_killed_backup_left_is_no_hindrance_and_two_at_once_are_told_apart(
    sso: Sso, database: Path, tmp_path: Path
) -> None:
    part = tmp_path / "monday.part"
    part.write_bytes(b"half a backup" * 1000)
    sso.run("backup", str(tmp_path / "monday"))
    assert not part.exists()
    with copies._written_aside(tmp_path / "tuesday"):
        assert "Another backup" in sso.run("backup", str(tmp_path / "tuesday"), code=1).stderr


def test_a_link_in_the_place_of_an_unfinished_backup_is_not_followed(sso: Sso, database: Path, tmp_path: Path) -> None:
    """In a directory in which others may write."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("somebody's")
    (tmp_path / "monday.part").symlink_to(elsewhere)
    assert "could not be written" in sso.run("backup", str(tmp_path / "monday"), code=1).stderr
    assert elsewhere.read_text() == "somebody's"
    assert not os.path.lexists(tmp_path / "monday")


def test_an_unfinished_backup_of_somebody_else_is_not_filled(
    sso: Sso, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "monday.part").write_text("theirs")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(Refused, match="belongs to somebody else"), copies._written_aside(tmp_path / "monday"):
        pass
    assert (tmp_path / "monday.part").read_text() == "theirs"


def test_a_backup_that_was_finished_under_both_its_names_is_not_emptied_by_the_next(
    sso: Sso, database: Path, tmp_path: Path
) -> None:
    monday = tmp_path / "monday"
    sso.run("backup", str(monday))
    os.link(monday, tmp_path / "monday.part")
    whole = monday.read_bytes()
    with copies._written_aside(monday):
        assert monday.read_bytes() == whole


def test_a_backup_that_another_one_has_just_finished_is_not_emptied(
    sso: Sso, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monday, lock = tmp_path / "monday", copies.fcntl.flock

    def locked_late(descriptor: int, how: int) -> None:
        (tmp_path / "monday.part").replace(monday)
        lock(descriptor, how)

    monkeypatch.setattr(copies.fcntl, "flock", locked_late)
    with pytest.raises(Refused, match="Another backup"), copies._written_aside(monday):
        pass


def test_a_place_that_is_not_there_is_named(sso: Sso, database: Path, tmp_path: Path) -> None:
    assert "No such file or directory" in sso.run("backup", str(tmp_path / "no" / "such"), code=1).stderr


def test_where_files_have_one_name_only_it_is_written_all_the_same(
    sso: Sso, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_second_name(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_second_name)
    sso.run("backup", str(tmp_path / "stick"))
    assert sso.json("backup", "--check", str(tmp_path / "stick"))["users"] == 1


def test_a_file_that_is_no_sound_backup_is_found_out(sso: Sso, database: Path, tmp_path: Path) -> None:
    good = tmp_path / "good"
    sso.run("backup", str(good))
    raw = good.read_bytes()

    def check(content: bytes) -> str:
        (tmp_path / "bad").write_bytes(content)
        return sso.run("backup", "--check", str(tmp_path / "bad"), code=1).stderr

    assert "no sound backup" in check(raw[: len(raw) // 2])
    middle = len(raw) // 2
    assert "no sound backup" in check(raw[:middle] + bytes(8192) + raw[middle + 8192 :])
    assert "no sound backup" in check(b"dear diary")
    assert "no sound backup" in sso.run("backup", "--check", str(tmp_path / "nobody"), code=1).stderr
    foreign = sqlite3.connect(tmp_path / "foreign")
    foreign.execute("CREATE TABLE users (name)")
    foreign.commit()
    foreign.close()
    assert "no database of this program" in sso.run("backup", "--check", str(tmp_path / "foreign"), code=1).stderr


def test_a_database_copied_by_hand_while_it_was_in_use_is_refused(sso: Sso, database: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("INSERT INTO marks VALUES ('late', 1)")
    connection.commit()
    for name in ("lockstep.sqlite3", "lockstep.sqlite3-wal"):
        shutil.copy(database.with_name(name), tmp_path / name)
    connection.close()
    assert "in use" in sso.run("backup", "--check", str(tmp_path / "lockstep.sqlite3"), code=1).stderr


def test_the_check_finds_a_schema_of_the_future_and_a_missing_secret(sso: Sso, database: Path, tmp_path: Path) -> None:
    file = tmp_path / "monday"
    sso.run("backup", str(file))
    elsewhere = Sso({**sso.env, "SSO_SECRET_KEY": "another-secret-" * 4})
    refused = elsewhere.run("backup", "--check", str(file), code=1)
    assert "can't be read with this secret key" in refused.stdout
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from the future'")
    connection.close()
    refused = sso.run("backup", "--check", str(file), code=1)
    assert "a newer version's" in refused.stdout


def test_postgresql_has_tools_of_its_own(sso: Sso, tmp_path: Path) -> None:
    elsewhere = Sso(
        {**sso.env, "SSO_DATABASE_URL": "postgresql://sso@127.0.0.1:1/sso", "SSO_SECRET_KEY": "a-secret-" * 5}
    )
    for command in ("backup", "restore"):
        said = elsewhere.run(command, str(tmp_path / "file"), code=1).stderr
        assert "pg_dump" in said
        assert "sso restore" in said
