"""How many connections each of a server's processes has, in memory that all of them see: who has more than another
leaves the next caller to it.
"""

from __future__ import annotations

import mmap
import os

#: More processes than these are served all the same: whoever finds no row counts for nobody.
_ROWS = 128


class Shares:
    """Made before the processes are forked. Each has a row of its own, which nobody else writes: its process id,
    negative while it takes no callers, and how many connections it has."""

    def __init__(self) -> None:
        memory = memoryview(mmap.mmap(-1, 2 * _ROWS * 4)).cast("i")
        self._pids, self._connections = memory[:_ROWS], memory[_ROWS:]

    def claim(self) -> int | None:
        """A row for the process that is forked next, the first that is free; in the parent, which alone claims."""
        for row, pid in enumerate(self._pids):
            if pid == 0 or not _lives(abs(pid)):
                self._connections[row] = 0
                self.leave(row)  # ours, until the process has begun
                return row
        return None

    def join(self, row: int) -> None:
        """From now on this process takes callers."""
        self._pids[row] = os.getpid()

    def leave(self, row: int) -> None:
        """It takes none, not yet or not any more: nobody leaves a caller to it; the row is its own until it ends."""
        self._pids[row] = -os.getpid()

    def note(self, row: int, connections: int) -> None:
        """So many it has."""
        self._connections[row] = connections

    def fewest(self, row: int) -> int | None:
        """The connections of that process which has the fewest of all others that live and take callers; None: there is
        no other."""
        found: int | None = None
        for other, pid in enumerate(self._pids):
            if pid == 0:  # rows are claimed in their order: there are no more
                break
            connections = self._connections[other]
            if other != row and pid > 0 and (found is None or connections < found) and _lives(pid):
                found = connections
        return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, as somebody else
        return True
    return True
