"""A consistent copy of an SQLite file that is in use, and what a copy holds. Putting one back is `replacing`'s."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sso_server.core.errors import Refused
from sso_server.core.keys import StoredKey
from sso_server.core.records import record
from sso_server.stores.sql import migrate

_WAIT_S = 5.0
_TAKEN = "backup"
_KEYS = (
    "SELECT kid, alg, private_sealed, public_jwk, created_at, active_from, retired_at, expires_at FROM signing_keys"
    " ORDER BY created_at, kid"
)


@record
class Contents:
    """What a backup holds. Times in ms."""

    taken_at: int | None
    """None: it wasn't made by `write_backup`."""
    schema: str
    """`current`, `older` (it is migrated when it is put back) or `newer` (it can't be used by this version)."""
    users: int
    clients: int
    live_sessions: int
    newest_session_at: int
    """When the youngest session was opened; 0 without any."""
    keys: tuple[StoredKey, ...]


def write_backup(database: str, target: Path, now: int, *, overwrite: bool) -> Contents:
    """Copy the SQLite file `database` to `target` (mode 0600), whole or not at all; what it holds. Nobody waits for
    it: it is one read, and writers go on beside it.

    Raises Refused: there is a file already (unless `overwrite`), the disk is full, the copy isn't sound.
    """
    try:
        if target.exists() and target.samefile(database):
            raise Refused("That is the database itself.", code="backup_failed")
        if target.exists() and not overwrite:
            raise _is_there(target)
        with _written_aside(target) as aside:
            with closing(_connect(Path(database), "rw")) as source:
                # Not SQLite's copy page by page, which begins again whenever somebody writes. This one leaves free
                # pages and what was deleted behind as well.
                source.execute("VACUUM INTO ?", (str(aside),))
            with closing(_connect(aside, "rw")) as copy:
                copy.execute("INSERT OR REPLACE INTO marks (name, value) VALUES (?, ?)", (_TAKEN, now))
            contents = look_into(aside)
            sync(aside)
            _give_name(aside, target, overwrite=overwrite)
            sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise Refused(f"The backup could not be written to {target}: {words(error)}.", code="backup_failed") from error
    return contents


def look_into(path: Path) -> Contents:
    """Check every page of an SQLite file that nobody has open, and say what it holds; the file stays as it is.

    Raises Refused: it can't be read, isn't sound, isn't ours.
    """
    if (log := path.with_name(f"{path.name}-wal")).exists() and log.stat().st_size:
        # A file copied while it was in use: its last commits are in the other file, or nowhere.
        raise _unfit(path, f"{log.name} lies beside it: it is a database in use, or was copied from one by hand")
    try:
        # `immutable` makes no files beside it: it may lie where nobody may write.
        with closing(_connect(path, "ro&immutable=1")) as copy:
            problems = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
            if problems != ["ok"]:
                raise _unfit(path, f"it is damaged: {'; '.join(problems)}")
            return _contents(copy, path)
    except (sqlite3.Error, OSError) as error:
        raise _unfit(path, words(error)) from error


def sync(path: Path) -> None:
    """A file, or a directory's names, is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def words(error: Exception) -> str:
    """What went wrong, for people."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _contents(copy: sqlite3.Connection, path: Path) -> Contents:
    def one(statement: str) -> int:
        value: int | None = copy.execute(statement).fetchone()[0]
        return value or 0

    if not one("SELECT count(*) FROM sqlite_master WHERE name IN ('alembic_version', 'signing_keys', 'marks')") == 3:
        raise _unfit(path, "it is no database of this program")
    revisions = [row[0] for row in copy.execute("SELECT version_num FROM alembic_version")]
    taken = copy.execute("SELECT value FROM marks WHERE name = ?", (_TAKEN,)).fetchone()
    return Contents(
        taken_at=taken[0] if taken else None,
        schema=migrate.age_of(set(revisions)),
        users=one("SELECT count(*) FROM users"),
        clients=one("SELECT count(*) FROM clients"),
        live_sessions=one("SELECT count(*) FROM sessions WHERE ended_at IS NULL"),
        newest_session_at=one("SELECT max(created_at) FROM sessions"),
        keys=tuple(
            StoredKey(kid, alg, sealed, json.loads(jwk), created, active, retired, expires)
            for kid, alg, sealed, jwk, created, active, retired, expires in copy.execute(_KEYS)
        ),
    )


@contextmanager
def _written_aside(target: Path) -> Iterator[Path]:
    """An empty file beside `target`, for its owner alone, gone afterwards. Raises Refused, OSError."""
    aside = target.with_name(f"{target.name}.part")
    with suppress(FileNotFoundError):
        if aside.lstat().st_nlink > 1:
            # Killed when the file had its last name already: emptied, the backup would be empty.
            aside.unlink()
    # No link is followed, no file of somebody else is filled: others may be allowed to write in this directory.
    descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Locked only when another one was finished: by now it is that backup, under its last name.
            is_ours = os.path.samestat(os.fstat(descriptor), aside.lstat())
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if not is_ours:
            raise Refused(f"Another backup is being written to {target}.", code="backup_failed")
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise Refused(f"{aside} is there already and belongs to somebody else.", code="backup_failed")
        # What a killed one has left.
        os.ftruncate(descriptor, 0)
        os.fchmod(descriptor, 0o600)
        try:
            yield aside.absolute()
        finally:
            for name in (aside, aside.with_name(f"{aside.name}-journal")):
                name.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _give_name(aside: Path, target: Path, *, overwrite: bool) -> None:
    """In one step: nobody ever sees half a backup."""
    if overwrite:
        aside.replace(target)
        return
    try:
        os.link(aside, target)
    except FileExistsError:
        raise _is_there(target) from None
    except OSError as error:
        # Network shares and memory sticks know no second name.
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        aside.replace(target)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=_WAIT_S)


def _is_there(target: Path) -> Refused:
    return Refused(f"{target} is there already. To replace it, use --force.", code="backup_failed")


def _unfit(path: Path, problem: str) -> Refused:
    return Refused(f"{path} is no sound backup: {problem}.", code="backup_unfit")
