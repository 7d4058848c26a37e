"""The last heartbeat of an SQLite file, in a small file beside it: who puts back the one seldom puts back the other.

It is written after the database has it, so it never knows a later one than the database that it belongs to.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

_CONTENT = re.compile(r"lockstep 1 (\S{1,100}) (\d{1,18})\n")


class SideFile:
    """`DATABASE-heartbeat`. What can't be read or written only proves nothing."""

    def __init__(self, database: str) -> None:
        """`database`: the path of the SQLite file."""
        self.path = Path(f"{database}-heartbeat")
        self._database = Path(database)

    def inode_of_database(self) -> int:
        """0 while there is no file, or it can't be asked."""
        try:
            return self._database.stat().st_ino
        except OSError:
            return 0

    def read(self) -> tuple[str, int] | None:
        """Whose installation's it is, and the heartbeat; None if there is no file, or one that isn't whole."""
        try:
            found = _CONTENT.fullmatch(self.path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return (found[1], int(found[2])) if found is not None else None

    def write(self, installation: str, heartbeat: int) -> None:
        """In one step: readers see the old one or the new one. A disk that is full or read-only leaves the old one."""
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with suppress(OSError):
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(f"lockstep 1 {installation} {heartbeat}\n".encode())
            fresh.replace(self.path)
