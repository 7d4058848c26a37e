"""What processes take: processor time from their clocks, memory from /proc; and how the one that measures ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of processor time of these processes so far, all threads, ended ones too."""
    return sum(map(_cpu_s, pids))


def _cpu_s(pid: int) -> float:
    """To the microsecond; /proc says it in hundredths of a second. The clock's number is what clock_getcpuclockid(3)
    makes of a pid."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0  # it has ended


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in MB (1,048,576 bytes)."""

    pid: int
    rss: float
    """What it has in memory, shared pages counted in full."""
    peak: float
    """The most that it ever had."""
    pss: float
    """Shared pages divided among those who share them."""


def memory(pid: int) -> Memory:
    """Raises OSError if it has ended."""
    status = _kilobytes(Path(f"/proc/{pid}/status"))
    return Memory(
        pid,
        rss=status["VmRSS"] / 1024,
        peak=status["VmHWM"] / 1024,
        pss=_kilobytes(Path(f"/proc/{pid}/smaps_rollup"))["Pss"] / 1024,
    )


def _kilobytes(file: Path) -> dict[str, int]:
    lines = (line.partition(":") for line in file.read_text().splitlines())
    return {name: int(value.split()[0]) for name, _, value in lines if value.endswith(" kB")}


def words(pid: int) -> str:
    """Its command line; '' when it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return ""


def end_tidily() -> None:
    """Whoever is told to end removes servers and directories: they may hold a million sessions."""
    here = os.getpid()

    def end(*_: object) -> None:
        if os.getpid() != here:
            os._exit(143)  # a fork: what is to be removed isn't its own
        sys.exit(143)

    signal.signal(signal.SIGTERM, end)
