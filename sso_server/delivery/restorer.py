"""Looks every second whether the store of sessions went back in time, writes heartbeats, and has it put right.

What that means is `core.restoring`'s. In a thread of its own: neither a mass end nor a store that is slow may keep it.
"""

from __future__ import annotations

import threading

import structlog

from sso_server.core.clock_guard import ClockGuard
from sso_server.core.restoring import Restoring
from sso_server.delivery.outages import Outage

#: Every so many looks one writes a heartbeat: the other looks are as good at finding out, and write nothing.
_BEAT_EVERY = 5
_PAUSES_S = (1.0, 2.0, 5.0)

_log = structlog.get_logger("sso_server.delivery")


class Restorer:
    """One per delivery process; any number may run beside each other."""

    def __init__(self, restoring: Restoring, guard: ClockGuard, *, fenced: bool = False) -> None:
        """`fenced`: others keep away from the store until all is right, and need a moment to hear of it."""
        self._restoring = restoring
        self._fenced = fenced
        self._guard = guard
        self._looks = 0

    def run_once(self, *, patient: bool = False) -> bool:
        """Whether there was something to be put right. `patient`: see `core.restoring`. Raises Unavailable."""
        if not self._guard.is_right():
            # Its heartbeat would say later that less was lost than was, and its moment of the detection would be wrong.
            return False
        done = self._restoring.run_once(beat=self._looks % _BEAT_EVERY == 0, patient=patient)
        self._looks += 1
        if done is not None:
            _log.warning("store_restored", cause=done.cause, restoration=done.restoration_id, end_all=done.end_all)
        return done is not None

    def run(self, stop: threading.Event, interval_s: float = 1.0) -> None:
        """Until stopped. A store that is away is waited for."""
        failures = 0
        outage = Outage(_log, "restoring_resumed")
        while not stop.wait(interval_s if not failures else _PAUSES_S[min(failures, len(_PAUSES_S)) - 1]):
            try:
                self.run_once(patient=self._fenced)
                failures = 0
                outage.is_over()
            except Exception as error:  # noqa: BLE001  (the last handler of this thread: no lease is renewed without it)
                failures += 1
                outage.failed("restoring_pauses", error)
