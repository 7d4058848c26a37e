"""The one place that reads the wall clock; everybody else is handed the time."""

from __future__ import annotations

import time

_second = (0, "")


def stamp() -> str:
    """This moment to a log line's microsecond, UTC: `2026-11-22T19:04:05.000123Z`."""
    global _second  # noqa: PLW0603  (whoever comes at the same time makes the same)
    at, micros = divmod(time.time_ns() // 1000, 1_000_000)
    second = _second
    if second[0] != at:
        second = _second = (at, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)))
    return f"{second[1]}.{micros:06d}Z"


class SystemClock:
    """This machine's clock, in integer milliseconds UTC."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000
