"""What processes take: processor time and memory of a process and its descendants, from /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of processor time of these processes so far, all threads, ended ones too.

    The kernel says it in hundredths of a second: differences of less than a second or two are coarse.
    """
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


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
