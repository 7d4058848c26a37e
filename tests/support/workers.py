"""The workers of a server on one port: who they are, which of them a connection belongs to, each asked by itself."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.support.centre import tree, wait_until

_LISTENS, _CONNECTED = "0A", "01"


def sockets(pid: int) -> set[str]:
    """The inodes of a process' sockets."""
    found = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                kind, _, inode = str(entry.readlink()).partition(":[")
                if kind == "socket":
                    found.add(inode.rstrip("]"))
    return found


def connections(state: str) -> Iterator[tuple[int, int, str]]:
    """Own port, the other's port and inode of all TCP sockets in that state."""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[3] == state:
            yield int(fields[1].partition(":")[2], 16), int(fields[2].partition(":")[2], 16), fields[9]


def workers(server: int, port: int) -> list[int]:
    """The processes below `server` that take connections on that port."""
    inodes = {inode for own, _, inode in connections(_LISTENS) if own == port}
    return sorted(pid for pid in tree(server) if pid != server and sockets(pid) & inodes)


def holder(server: int, own: int) -> int:
    """Whose the connection from that port of its own is, among `server` and its descendants."""
    inodes = {inode for port, _, inode in connections(_CONNECTED) if port == own}
    (pid,) = {pid for pid in tree(server) if sockets(pid) & inodes}
    return pid


def who_serves(server: int, port: int, caller: int) -> int | None:
    """Which worker has a connection on `port` that comes from a process below `caller`; None if none has."""
    theirs = {inode for pid in tree(caller) for inode in sockets(pid)}
    callers = {own for own, other, inode in connections(_CONNECTED) if other == port and inode in theirs}
    inodes = {inode for own, other, inode in connections(_CONNECTED) if own == port and other in callers}
    return next((pid for pid in workers(server, port) if sockets(pid) & inodes), None)


@contextlib.contextmanager
def only(chosen: int, among: list[int]) -> Iterator[None]:
    """All others stand still, so that whoever asks now is answered by the chosen one."""
    others = [pid for pid in among if pid != chosen]
    try:
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(_state(pid) == "T" for pid in others), seconds=10, why="the others to stand still")
        yield
    finally:
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except OSError:
        return "T"
