"""The processor's cores: how many there are for us, a process that keeps to one of them, and threads that don't.

A process runs Python in one thread at a time. Where its threads may run on several cores, each short wait of one (a
store, a log line) wakes another on another core, and the two pass the interpreter to and fro.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

#: Read before any process keeps to one: forks share it. Empty where the system doesn't say.
_ALL: frozenset[int] = frozenset(os.sched_getaffinity(0)) if sys.platform == "linux" else frozenset()

#: The number of the core that this process keeps to; empty: none.
_OWN: list[int] = []


def count() -> int:
    """How many this node's processes may use together."""
    return len(_ALL) or os.cpu_count() or 1


def keep_to_one(number: int) -> None:
    """From now on this process runs on one core: process 0 on the first, 1 on the second, and again from the first
    where there are more processes. Called before it has threads. Linux; elsewhere nothing happens."""
    if sys.platform == "linux":
        # A container's cores may have been taken away since: then any that is left.
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {sorted(_ALL)[number % len(_ALL)]})
            _OWN.append(number)


@contextlib.contextmanager
def any_core() -> Iterator[None]:
    """This thread may run on any core while this block runs: it computes without the interpreter."""
    if sys.platform != "linux" or not _OWN:
        yield
        return
    own = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, _ALL)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, own)
