"""The SQLite file itself: connections, transactions, schema, and SQLite's errors in our words.

One file is shared by all worker processes of a host. What the tables mean is in `sqlite_sessions`, `sqlite_journal`.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sso_client.errors import SSOError
from sso_client.identifiers import new_store_id

SCHEMA_VERSION = 5
_BUSY_S = 2.0

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (
    cookie_hash TEXT PRIMARY KEY, sid TEXT, sub TEXT NOT NULL, id_token TEXT NOT NULL, id_token_iat INTEGER NOT NULL,
    claims TEXT NOT NULL, asked INTEGER NOT NULL, generation INTEGER NOT NULL, opened_at_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL, served_at_ms INTEGER NOT NULL, reported_at_ms INTEGER NOT NULL,
    leased INTEGER NOT NULL, site_user TEXT
) WITHOUT ROWID;
CREATE INDEX sessions_by_sid ON sessions (sid);
CREATE INDEX sessions_by_sub ON sessions (sub);
CREATE INDEX sessions_by_until ON sessions (until_ms);
CREATE INDEX sessions_unreported ON sessions (reported_at_ms, sid) WHERE served_at_ms > reported_at_ms;
CREATE TABLE tombstones (sid TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE watermarks (sub TEXT PRIMARY KEY, iat INTEGER NOT NULL, noted_at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE untold_ends (sid TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE acks (sid TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE seen_jti (jti TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1), boot_id TEXT, boot_ms INTEGER,
    wall_ms INTEGER, lease_ms INTEGER NOT NULL DEFAULT 0, grace_ms INTEGER NOT NULL DEFAULT 0, mark TEXT,
    failure TEXT NOT NULL DEFAULT '', attempted_boot_ms INTEGER NOT NULL DEFAULT 0,
    turn_until_boot_ms INTEGER NOT NULL DEFAULT 0, sids_sent_at_ms INTEGER NOT NULL DEFAULT 0,
    sids_cursor TEXT NOT NULL DEFAULT '', report_ms INTEGER NOT NULL DEFAULT 60000,
    epoch TEXT, list_epoch TEXT, denied_to INTEGER,
    feeding TEXT, epoch_seen_ms INTEGER NOT NULL DEFAULT 0
);
INSERT INTO lease (id) VALUES (1);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
    sid TEXT, after_ms INTEGER
);
"""
_SINCE_4 = """
CREATE TABLE tokens (
    cookie_hash TEXT PRIMARY KEY REFERENCES sessions ON DELETE CASCADE, access_token TEXT NOT NULL,
    access_until_ms INTEGER NOT NULL, refresh_token TEXT, access_life_ms INTEGER NOT NULL,
    boot_id TEXT NOT NULL DEFAULT '', renewing_until_boot_ms INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE denied (
    kind TEXT NOT NULL, name TEXT NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE INDEX denied_by_until ON denied (until_ms);
CREATE TABLE pages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, page TEXT NOT NULL, until_ms INTEGER NOT NULL
);
"""

_FROM_1_TO_2 = """
ALTER TABLE sessions ADD COLUMN leased INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET leased = (SELECT leased FROM lease);
ALTER TABLE lease ADD COLUMN report_ms INTEGER NOT NULL DEFAULT 60000;
UPDATE lease SET report_ms = max(lease_ms, report_ms);
ALTER TABLE lease DROP COLUMN leased;
UPDATE meta SET value = '2' WHERE name = 'schema';
"""
_FROM_2_TO_3 = """
ALTER TABLE lease ADD COLUMN epoch TEXT;
ALTER TABLE lease ADD COLUMN list_epoch TEXT;
CREATE INDEX sessions_unreported ON sessions (reported_at_ms, sid) WHERE served_at_ms > reported_at_ms;
UPDATE meta SET value = '3' WHERE name = 'schema';
"""
_FROM_3_TO_4 = (
    """
ALTER TABLE sessions ADD COLUMN site_user TEXT;
ALTER TABLE lease ADD COLUMN denied_to INTEGER;
UPDATE meta SET value = '4' WHERE name = 'schema';
"""
    + _SINCE_4
)
_FROM_4_TO_5 = """
ALTER TABLE lease ADD COLUMN feeding TEXT;
ALTER TABLE lease ADD COLUMN epoch_seen_ms INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET value = '5' WHERE name = 'schema';
"""
_UPGRADES = {1: _FROM_1_TO_2, 2: _FROM_2_TO_3, 3: _FROM_3_TO_4, 4: _FROM_4_TO_5}


class SqliteFile:
    """Connections to one file; a thread borrows one for a step. Raises SSOError `store_...` for every failure."""

    def __init__(self, path: Path, busy_s: float = _BUSY_S) -> None:
        self._path = path
        self._busy_s = busy_s
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._inherited: list[sqlite3.Connection] = []
        self._pid = os.getpid()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection for a single SELECT (in autocommit that is one snapshot)."""
        with self._borrowed() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction that holds the write lock from its start.

        BEGIN IMMEDIATE, because a read that becomes a write fails at once with "locked", whatever the busy time-out.
        """
        with self._borrowed() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def prepare(self, issuer: str, client_id: str) -> str:
        """Create the file and its tables if need be; returns the store's id."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives -wal and -shm the same mode
        except OSError as error:
            raise SSOError("store_not_writable", f"{self._path}: {error.strerror}") from error
        with self.write() as connection:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "meta" not in names:
                for statement in (_SCHEMA + _SINCE_4).split(";"):
                    connection.execute(statement)
                made = {"schema": str(SCHEMA_VERSION), "store_id": new_store_id()}
                made |= {"issuer": issuer, "client_id": client_id}
                connection.executemany("INSERT INTO meta VALUES (?, ?)", made.items())
            meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
            if not {"schema", "store_id", "issuer", "client_id"} <= set(meta) or not str(meta["schema"]).isdigit():
                raise SSOError("store_failed", f"{self._path}: this file belongs to another program")
            if int(meta["schema"]) > SCHEMA_VERSION:
                raise SSOError("store_newer", f"{self._path}: schema {meta['schema']}")
            for version in range(int(meta["schema"]), SCHEMA_VERSION):
                for statement in _UPGRADES[version].split(";"):
                    connection.execute(statement)
        if (meta["issuer"], meta["client_id"]) != (issuer, client_id):
            raise SSOError("store_other_client", f"{self._path}: {meta['client_id']} at {meta['issuer']}")
        return str(meta["store_id"])

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            with self._lock:
                self._idle.append(connection)
        except sqlite3.Error as error:
            raise _in_our_words(error, self._path) from error

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._pid != os.getpid():
                # A forked worker must neither use nor close its parent's connections: either drops the parent's locks.
                self._inherited += self._idle
                self._idle, self._pid = [], os.getpid()
            if self._idle:
                return self._idle.pop()
        connection = sqlite3.connect(
            self._path, timeout=self._busy_s, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        connection.row_factory = sqlite3.Row
        self._use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # an answered logout must survive a power cut
        connection.execute("PRAGMA foreign_keys = ON")  # tokens go with their session, whatever ends it
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        # The busy time-out doesn't cover a change of journal mode: workers starting together take turns here.
        for attempt in range(40):
            try:
                if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                    return
            except sqlite3.OperationalError as error:
                if attempt == 39 or not error.sqlite_errorname.startswith("SQLITE_BUSY"):
                    connection.close()
                    raise
            time.sleep(0.05)
        connection.close()
        raise SSOError("store_failed", f"{self._path}: this file system can't do write-ahead logging")


def _in_our_words(error: sqlite3.Error, path: Path) -> SSOError:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return SSOError("store_busy", f"{path}: {name}")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return SSOError("store_not_writable", f"{path}: {name}")
    return SSOError("store_failed", f"{path}: {name}: {error}")
