"""Counts what only the stores know, so that nobody who asks for numbers has to wait for a store.

In the delivery process, in a thread of its own: a store that is slow keeps no sign-out waiting, and `/metrics` answers
while a store is away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from time import monotonic

import structlog

from sso_server.core.census import Findings
from sso_server.core.ports import CensusStore, Clock, Outbox, StoreHealth
from sso_server.core.restorations import Restorations
from sso_server.core.sign_out import SignOut
from sso_server.delivery.outages import Outage

INTERVAL_S = 10.0
#: A count that takes long is made so seldom that it takes a hundredth of the store's time.
_SHARE = 100
_SHARE_FAILED = 5

_log = structlog.get_logger("sso_server.delivery")


class Census:
    """One per delivery process. What it finds goes to `tell`."""

    def __init__(
        self,
        store: CensusStore,
        outbox: Outbox,
        sign_out: SignOut,
        restorations: Restorations,
        healths: Mapping[str, StoreHealth],
        clock: Clock,
        tell: Callable[[Findings], None],
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._sign_out = sign_out
        self._restorations = restorations
        self._healths = healths
        self._clock = clock
        self._tell = tell

    def run_once(self) -> None:
        """Count, and tell. Raises Unavailable."""
        differences = {name: self._difference(health) for name, health in self._healths.items()}
        counted = self._store.count(self._clock.now())
        self._tell(
            Findings(
                counted=counted,
                lag=self._sign_out.lag_ms(),
                due_since=self._due_since(bulk=False),
                due_since_bulk=self._due_since(bulk=True),
                is_restoring=self._restorations.is_unfinished(),
                differences=differences,
            )
        )

    def run(self, stop: threading.Event, interval_s: float = INTERVAL_S) -> None:
        """Until stopped. A store that is away is waited for."""
        outage = Outage(_log, "counting_resumed")
        pause_s = 0.0
        while not stop.wait(pause_s):
            begun, share = monotonic(), _SHARE
            try:
                self.run_once()
                outage.is_over()
            except Exception as error:  # noqa: BLE001  (the last handler of this thread: numbers must come back)
                share = _SHARE_FAILED
                outage.failed("counting_pauses", error)
            pause_s = max(interval_s, (monotonic() - begun) * share)

    def _due_since(self, *, bulk: bool) -> int:
        now = self._clock.now()
        due = self._outbox.next_due(now, bulk=bulk)
        return 0 if due is None else max(0, now - due)

    def _difference(self, health: StoreHealth) -> int:
        before = self._clock.now()
        store_time = health.store_time()
        after = self._clock.now()
        # The store read its clock somewhere between the two: only what lies outside is a difference.
        return store_time - before if store_time < before else max(0, store_time - after)
