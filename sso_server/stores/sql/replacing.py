"""Putting another SQLite file in the place of the database, so that a kill at any moment leaves the one or the other,
whole. What the new file must hold before it may serve is written into it first, by whoever calls this.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from sso_server.core.errors import Refused
from sso_server.stores.sql import backup, migrate
from sso_server.stores.sql.presence import alone, in_use

_SIDE = ("-wal", "-shm", "-journal", "-heartbeat", "-open", ".migrating")


def replace_database(database: str, source: Path, prepare: Callable[[str], None], suffix: str) -> Path | None:
    """Put a copy of `source` in the place of `database`; where the replaced file is now (`database` and `suffix`), None
    if there was none. `prepare` gets the URL of the migrated copy and completes it before it has its name.

    Raises Refused (in use, not sound, a newer schema, no room), what `prepare` raises: then the database is as it was.
    """
    place = Path(database)
    fresh = place.with_name(f"{place.name}-restoring")
    try:
        with alone(database):
            try:
                # What a killed one has left: its journal would be rolled back into this copy.
                _forget(fresh)
                _copy(source, fresh)
                # What was copied counts, not what was looked at before.
                if backup.look_into(fresh).schema == "newer":
                    raise Refused("The backup was made by a newer version of this program.", code="schema_version")
                migrate.upgrade(f"sqlite:///{fresh}")
                prepare(f"sqlite:///{fresh}")
                _settle(fresh)
                backup.sync(fresh)
                kept = _set_aside(place, suffix) if place.exists() else None
                # The one moment in which the database changes.
                fresh.replace(place)
                backup.sync(place.parent)
            finally:
                _forget(fresh)
    except OSError as error:
        raise Refused(f"The backup could not be put back: {backup.words(error)}.", code="restore_failed") from error
    return kept


def _forget(path: Path) -> None:
    for name in (path, *(path.with_name(path.name + side) for side in _SIDE)):
        name.unlink(missing_ok=True)


def _copy(source: Path, fresh: Path) -> None:
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    with source.open("rb") as old, os.fdopen(descriptor, "wb") as new:
        shutil.copyfileobj(old, new, 1 << 20)


def _set_aside(place: Path, suffix: str) -> Path:
    """Give the present file a second name, with all that its write-ahead log holds: a log that stayed would be played
    into the new file. Raises Refused, OSError."""
    kept = place.with_name(place.name + suffix)
    try:
        _settle(place)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            # A program that knows nothing of our lock: an older version of this one, a shell.
            raise in_use() from error
        _part_from_log(place, kept)
    except sqlite3.DatabaseError:
        # Damaged: that may be why it is replaced.
        _part_from_log(place, kept)
    os.link(place, kept)
    backup.sync(place.parent)
    return kept


def _settle(path: Path) -> None:
    """Everything into the one file, and no log beside it. Works only while nobody else has it open."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.5)) as connection:
        # FULL, as the stores have it: the log goes only once its pages are on the disk.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_mode = DELETE")


def _part_from_log(place: Path, kept: Path) -> None:
    """Killed before the new file is in place, the damaged one has lost its last commits: its side file proves it, and
    everybody is signed out."""
    for side in ("-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            place.with_name(place.name + side).replace(kept.with_name(kept.name + side))
