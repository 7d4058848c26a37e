"""Whether this node's clock may be believed: compared with the store's every few seconds, never more than 2 s apart.

A node whose clock is off neither sweeps nor answers check-ins: it would end sessions that live, or confirm a lease
although deadlines have passed that it doesn't see yet.
"""

from __future__ import annotations

from sso_server.core.policy import SECOND
from sso_server.core.ports import Clock, StoreHealth

MOST_SKEW_MS = 2 * SECOND
_LOOK_EVERY_MS = 5 * SECOND


class ClockGuard:
    """Remembers its last look. Two threads that look at once do no harm."""

    def __init__(self, health: StoreHealth, clock: Clock) -> None:
        self._health = health
        self._clock = clock
        self._looked_at: int | None = None
        self._is_right = False

    def is_right(self) -> bool:
        """As of the last few seconds. Raises Unavailable when the store can't be asked."""
        before = self._clock.now()
        # A clock that was set back makes us look again.
        if self._looked_at is None or not 0 <= before - self._looked_at < _LOOK_EVERY_MS:
            store_time = self._health.store_time()
            after = self._clock.now()
            # The store read its clock somewhere between the two: only what lies outside is skew.
            skew = before - store_time if store_time < before else max(0, store_time - after)
            self._is_right = skew <= MOST_SKEW_MS
            self._looked_at = after
        return self._is_right
