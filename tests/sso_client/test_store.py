"""What is SQLite's own about the local store; what every engine must do is in `stores/`."""

import os
import resource
import signal
import sqlite3
import stat
from pathlib import Path

import pytest

from sso_client import SSOError, open_sqlite_store
from tests.support.sdk import a_session, new_sid

NAMES = {"issuer": "https://sso.example.com", "client_id": "shop"}


def test_a_forked_worker_does_not_use_its_parents_connection(tmp_path: Path) -> None:
    store = open_sqlite_store(tmp_path / "sso.sqlite3", **NAMES)
    session = a_session()
    store.sessions.open(session, None)
    file = store.sessions._file
    parents = list(file._idle)
    child = os.fork()
    if child == 0:
        try:
            ended = store.inbox.end_by_sid(session.sid, "jti", 2000).sessions
            own = [connection for connection in file._idle if connection not in parents]
            os._exit(0 if ended == (session,) and parents and own == file._idle else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.sessions.find(session.cookie_hash, 3000)[0] is None
    store.close()


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "sso.sqlite3"
    store = open_sqlite_store(path, **NAMES)
    store.sessions.open(a_session(), None)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    store.close()


def test_a_place_that_cannot_be_written_is_a_named_error_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SSOError) as error:
        open_sqlite_store(tmp_path / "file" / "sso.sqlite3", **NAMES)
    assert error.value.code == "store_not_writable"
    assert "SSO_STORE" in error.value.fix


def test_a_store_of_another_client_or_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sso.sqlite3"
    open_sqlite_store(path, **NAMES).close()
    with pytest.raises(SSOError) as error:
        open_sqlite_store(path, issuer=NAMES["issuer"], client_id="other")
    assert error.value.code == "store_other_client"
    with sqlite3.connect(path) as file:
        file.execute("UPDATE meta SET value = '999' WHERE name = 'schema'")
    file.close()
    with pytest.raises(SSOError) as error:
        open_sqlite_store(path, **NAMES)
    assert error.value.code == "store_newer"


@pytest.mark.parametrize(
    "meta",
    ["(name TEXT, value TEXT)", "(id INTEGER)", "(name TEXT, value TEXT); INSERT INTO meta VALUES ('schema', 'x')"],
)
def test_a_file_of_another_program_is_left_alone_and_named(meta: str, tmp_path: Path) -> None:
    path = tmp_path / "sso.sqlite3"
    with sqlite3.connect(path) as file:
        file.executescript(f"CREATE TABLE meta {meta}")
    file.close()
    with pytest.raises(SSOError) as error:
        open_sqlite_store(path, **NAMES)
    assert error.value.code == "store_failed"
    with sqlite3.connect(path) as file:
        assert [row[0] for row in file.execute("SELECT name FROM sqlite_master")] == ["meta"]
    file.close()


TO_1 = (
    "ALTER TABLE sessions DROP COLUMN leased; ALTER TABLE lease DROP COLUMN report_ms;"
    "ALTER TABLE lease ADD COLUMN leased INTEGER NOT NULL DEFAULT 1;"
)


@pytest.mark.parametrize("version", [1, 2])
def test_a_store_of_an_older_version_is_upgraded_and_its_sessions_stay_leased(version: int, tmp_path: Path) -> None:
    path = tmp_path / "sso.sqlite3"
    store = open_sqlite_store(path, **NAMES)
    store.sessions.open(a_session(), None)
    store.close()
    with sqlite3.connect(path) as file:
        file.executescript(
            "UPDATE lease SET lease_ms = 90000, report_ms = 90000;"
            "ALTER TABLE lease DROP COLUMN feeding; ALTER TABLE lease DROP COLUMN epoch_seen_ms;"
            "ALTER TABLE lease DROP COLUMN epoch; ALTER TABLE lease DROP COLUMN list_epoch;"
            "DROP INDEX sessions_unreported;"
            "ALTER TABLE sessions DROP COLUMN site_user; ALTER TABLE lease DROP COLUMN denied_to;"
            "DROP TABLE tokens; DROP TABLE denied; DROP TABLE pages;"
            f"{TO_1 if version == 1 else ''} UPDATE meta SET value = '{version}' WHERE name = 'schema'"
        )
    file.close()
    for _ in range(2):
        store = open_sqlite_store(path, **NAMES)
        session, lease = store.sessions.find("hash", 3000)
        assert session.leased
        assert lease.report_ms == 90_000
        assert store.journal.gather(5000, False).sids == (session.sid,)
        store.close()


def test_a_locked_store_is_busy_not_broken(tmp_path: Path) -> None:
    path = tmp_path / "sso.sqlite3"
    store = open_sqlite_store(path, **NAMES, busy_s=0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SSOError) as error:
        store.inbox.end_by_sid(new_sid(), "jti", 2000)
    assert error.value.code == "store_busy"
    assert error.value.status == 503
    other.execute("ROLLBACK")
    other.close()
    store.inbox.end_by_sid(new_sid(), "jti", 2000)
    store.close()


def test_a_full_disk_is_an_error_and_half_of_nothing(tmp_path: Path) -> None:
    store = open_sqlite_store(tmp_path / "sso.sqlite3", **NAMES)
    session = a_session()
    store.sessions.open(session, None)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        with pytest.raises(SSOError) as error:
            store.inbox.end_by_sid(session.sid, "jti", 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert error.value.code.startswith("store_")
    assert error.value.status == 503
    assert store.sessions.find(session.cookie_hash, 3000)[0] is not None
    assert store.inbox.end_by_sid(session.sid, "jti", 2000).sessions == (session,)
    store.close()
