"""Where the processes of one `sso serve` put their numbers, so that whichever of them is asked answers for all.

One directory for each supervisor that runs; in it a *slot* for each process that lives, held by a lock that the kernel
takes back however the process ends. Whoever takes a free slot goes on counting in its files: a killed process loses
nothing that it had written, and a thousand restarts leave no more files than processes ever ran at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import IO

#: The library writes through a mapping, and grows its files with holes in them: on a full disk such a write ends the
#: process (SIGBUS). So all that it will ever need is there before (`tests/metrics` says how much that is).
_SIZES = {"counter": 1 << 19, "histogram": 1 << 21, "gauge_livesum": 1 << 16, "gauge_livemostrecent": 1 << 16}


@contextlib.contextmanager
def supervised(data_dir: Path) -> Iterator[Path]:
    """The directory for the children of this supervisor, empty; what supervisors that are gone have left goes away.

    Raises OSError.
    """
    root = data_dir / "metrics"
    root.mkdir(mode=0o700, exist_ok=True)
    with (root / "lock").open("a") as turn:
        # Nobody takes a directory for dead that was made a moment ago and isn't locked yet.
        fcntl.flock(turn, fcntl.LOCK_EX)
        for old in root.iterdir():
            if old.is_dir() and not is_held(old / "lock"):
                shutil.rmtree(old, ignore_errors=True)
        mine = Path(tempfile.mkdtemp(dir=root))
        lock = (mine / "lock").open("a")
        fcntl.flock(lock, fcntl.LOCK_EX)
    with lock:
        try:
            yield mine
        finally:
            shutil.rmtree(mine, ignore_errors=True)


def claim_slot(directory: Path) -> tuple[int, IO[str]]:
    """The number of a slot that no living process has, and its lock, to be kept open as long as this process lives.

    Not to be called before a fork: the child would hold its parent's. Raises OSError, also when there is no room.
    """
    for number in count(1):
        lock = (directory / f"slot{number}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        try:
            _prepare(directory, number)
        except OSError:
            lock.close()
            raise
        return number, lock
    raise AssertionError  # `count` has no end


def _prepare(directory: Path, number: int) -> None:
    # What a dead process was doing just then, nobody does any more.
    for gauge in directory.glob(f"gauge_*_{number}.db"):
        gauge.unlink()
    for kind, size in _SIZES.items():
        with (directory / f"{kind}_{number}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, size)


def files_of(directory: Path) -> list[str]:
    """What is to be added up: the counts of the dead and the living, and what the living say of themselves."""
    files = [path for path in directory.glob("*.db") if not path.name.startswith("gauge_")]
    for path in directory.glob("gauge_*.db"):
        number = path.stem.rpartition("_")[2]
        if is_held(directory / f"slot{number}.lock"):
            files.append(path)
    return [str(path) for path in files if _has_room(path)]


def _has_room(path: Path) -> bool:
    """One that is being made at this moment is empty, or away."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def is_held(lock: Path) -> bool:
    """Whether a process that lives has this lock."""
    try:
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
