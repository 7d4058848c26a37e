"""What a loop says while its store is away: the first failure, then one line each half minute with a count, and that it
goes on again. What the loop does meanwhile is its own business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sso_server.core.errors import Unavailable

AGAIN_S = 30.0


@dataclass(slots=True)
class _Told:
    """One kind of failure in the present outage."""

    at: float
    since_then: int = 0


class Outage:
    """One per loop, used by its thread alone. `log` is structlog's."""

    def __init__(self, log: Any, resumed: str, now: Callable[[], float] = monotonic) -> None:
        """`resumed` is the line at the end of an outage. `now()` gives seconds, from any start."""
        self._log = log
        self._resumed = resumed
        self._now = now
        self._began: float | None = None
        self._failures = 0
        self._told: dict[tuple[str, type[Exception]], _Told] = {}

    def failed(self, line: str, error: Exception, **fields: object) -> None:
        """Note one failure; it is written down if it is the first of its kind or half a minute has passed."""
        now = self._now()
        if self._began is None:
            self._began = now
        self._failures += 1
        # Another kind of error is news at once: a defect must not hide behind a store that is away.
        kind = (line, type(error))
        told = self._told.get(kind)
        if told is not None and now - told.at < AGAIN_S:
            told.since_then += 1
            return
        more = {"since_then": told.since_then + 1, "for_s": round(now - self._began)} if told is not None else {}
        self._told[kind] = _Told(now)
        is_away = isinstance(error, Unavailable)
        cause = error.detail if isinstance(error, Unavailable) else str(error)
        problem = None if is_away else error
        self._log.warning(line, error=type(error).__name__, cause=cause, **more, **fields, exc_info=problem)

    def is_over(self) -> None:
        """The store has answered; says so if it was away."""
        if self._began is None:
            return
        self._log.info(self._resumed, after_s=round(self._now() - self._began, 1), failures=self._failures)
        self._began = None
        self._failures = 0
        self._told.clear()
