"""How many passwords are hashed at the same moment on one node, by all its processes together: half of its cores.

Each worker knows of its own hashes only. Two workers with one each take both cores of a small machine, and whoever only
shows a token waits behind them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from sso_server.crypto import cores

if sys.platform != "win32":
    import fcntl

_LOOK_EVERY_S = 0.002


class Places:
    """Locks on files, which nobody keeps who has died. Thread-safe."""

    def __init__(self, directory: Path, *, count: int = 0, wait_s: float = 0.2) -> None:
        """`directory` is there and the node's own. `count` 0: half of the cores, one at least. `wait_s`: in seconds;
        whoever waits longer goes on without a place, so that one process that stands still stops no other."""
        self._files = [directory / f"hashing-{number}.lock" for number in range(count or max(1, cores.count() // 2))]
        self._wait_s = wait_s

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """One of them, while this block runs. On Windows, and where no file can be made: nothing is waited for."""
        if sys.platform == "win32":
            yield
            return
        with contextlib.ExitStack() as opened:
            with contextlib.suppress(OSError):
                self._wait([opened.enter_context(_open(file)) for file in self._files])
            yield

    def _wait(self, descriptors: list[int]) -> None:
        until, pause = monotonic() + self._wait_s, threading.Event()
        while not any(map(_lock, descriptors)) and monotonic() < until:
            pause.wait(_LOOK_EVERY_S)


@contextlib.contextmanager
def _open(file: Path) -> Iterator[int]:
    # For reading, which a lock needs no more than: a command of root's may have made the file.
    descriptor = os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        yield descriptor
    finally:
        # Its lock ends with it.
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
