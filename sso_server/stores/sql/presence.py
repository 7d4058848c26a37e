"""Who has an SQLite file open. Each process that does holds a shared lock on `DATABASE-open`; who replaces the file
holds it alone.

The system drops the locks of a process that was killed, so nothing stale is ever left. The lock's file stays for ever:
two processes that lock different files of one name would not see each other.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sso_server.core.errors import Refused, Unavailable


class Presence:
    """Of one process, through one `Database`. Thread-safe."""

    def __init__(self, database: str) -> None:
        """`database`: the path of the SQLite file."""
        self._path = lock_path(database)
        self._descriptor: int | None = None
        self._lock = threading.Lock()

    def enter(self) -> None:
        """From now on nobody may replace the file. Raises Unavailable while somebody does."""
        with self._lock:
            if self._descriptor is not None:
                return
            try:
                descriptor = _open(self._path)
            except OSError:
                # No such directory, or one that may not be written: SQLite will say so in its own words.
                return
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise Unavailable(detail="database: the file is being replaced (sso restore)") from None
            self._descriptor = descriptor

    def leave(self) -> None:
        """The file may be replaced as far as we are concerned."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def lock_path(database: str) -> Path:
    """Where the lock of this SQLite file is."""
    return Path(f"{database}-open")


@contextmanager
def alone(database: str) -> Iterator[None]:
    """Nobody has this SQLite file open, and nobody opens it meanwhile. Raises Refused, OSError."""
    descriptor = _open(lock_path(database))
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise in_use() from None
        yield
    finally:
        os.close(descriptor)


def in_use() -> Refused:
    """What whoever wants to replace a file hears while it is open."""
    return Refused(
        "The database is in use: stop every server, delivery process and command of this data directory first.",
        code="database_in_use",
    )


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
