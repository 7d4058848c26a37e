"""The one place that reads the wall clock; everybody else is handed the time."""

from __future__ import annotations

import time


class SystemClock:
    """This machine's clock, in integer milliseconds UTC."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000
