"""The SDK's only clock: wall time, time since boot, and which boot it is.

Everything else is handed an `Instant`, so that tests can move time and the lease can be judged by pure functions.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Instant:
    """One reading of both clocks: milliseconds UTC, milliseconds since boot, and the boot's random name."""

    wall_ms: int
    boot_ms: int
    boot_id: str

    def earlier(self, by_ms: int) -> "Instant":
        """The instant `by_ms` milliseconds before this one, on both clocks."""
        return Instant(self.wall_ms - by_ms, self.boot_ms - by_ms, self.boot_id)


class Clock(Protocol):
    """What `SSOClient` needs to know about time."""

    def wall_ms(self) -> int: ...

    def boot_ms(self) -> int: ...

    def boot_id(self) -> str: ...


class SystemClock:
    """The machine's own clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def boot_ms(self) -> int:
        # CLOCK_BOOTTIME goes on while the machine sleeps; where there is none the wall clock covers sleep.
        which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime_ns(which) // 1_000_000

    def boot_id(self) -> str:
        try:
            return _BOOT_ID.read_text().strip()
        except OSError:
            return "unknown"


def now(clock: Clock) -> Instant:
    """Read both clocks."""
    return Instant(clock.wall_ms(), clock.boot_ms(), clock.boot_id())
