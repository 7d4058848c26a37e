"""Which servers of the store of sessions may be used: those that the last finished restoration has seen.

A Redis that was promoted or restarted may have lost ends that were answered; one that was cut off may go on as if it
were still the master. Neither serves anybody: the first until `core.restoring` has put it right, the second never
again. What is known of them stands in SQL, which all nodes share, and is read once a second.
"""

from __future__ import annotations

import threading

from sso_server.core.errors import Unavailable
from sso_server.core.policy import SECOND
from sso_server.core.ports import Clock, RestorationStore
from sso_server.core.restorations import RestorationState

REREAD_MS = SECOND
"""So old may be what a process knows of a restoration that has begun."""
#: Somebody is refused and waits: asked more often, so that service is back as soon as all is right.
_REREAD_REFUSED_MS = SECOND // 10
#: SQL is away: what was read last counts for so long. Shorter than lines of the journal are followed after a
#: restoration (`core.restoring`): what a node behind the times ends meanwhile is not lost.
_BELIEVED_MS = 30 * SECOND
_PATIENCE_S = 1.0


class Fence:
    """One per process. Thread-safe."""

    def __init__(self, store: RestorationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._state: RestorationState | None = None
        self._read_at: int | None = None
        self._failed_at: int | None = None

    def admits(self, incarnation: str) -> bool:
        """Whether the server with this incarnation (see `restorations.Past`; empty: it won't say) may be used now.
        Raises Unavailable when nobody can say."""
        admitted = _is_known(self._known(REREAD_MS), incarnation)
        return admitted or _is_known(self._known(_REREAD_REFUSED_MS), incarnation)

    def _known(self, reread_ms: int) -> RestorationState | None:
        if self._age(self._read_at) < reread_ms:
            return self._state
        # One thread asks; the others go on with what is known, or, if that is too old, wait for a moment: a database
        # that hangs must not hold them all, one after the other.
        is_believed = self._age(self._read_at) < _BELIEVED_MS
        if self._lock.acquire(timeout=0 if is_believed else _PATIENCE_S):
            try:
                if self._age(self._read_at) >= reread_ms and self._age(self._failed_at) >= reread_ms:
                    self._state, self._read_at = self._store.state(), self._clock.now()
                    if self._state is None:
                        # The first start: good for this question alone, because somebody may be noted right after it.
                        self._read_at = None
                        return None
            except Unavailable:
                self._failed_at = self._clock.now()
            finally:
                self._lock.release()
        if self._age(self._read_at) >= _BELIEVED_MS:
            raise Unavailable(detail="SQL can't say which Redis may be used")
        return self._state

    def _age(self, at: int | None) -> int:
        """Of what was at that time (ms). A clock that was set back must not keep it fresh for ever, hence abs()."""
        return _BELIEVED_MS if at is None else abs(self._clock.now() - at)


def _is_known(state: RestorationState | None, incarnation: str) -> bool:
    if state is None:
        # The first start of this installation: there is nothing yet that could have been lost.
        return True
    if state.unfinished is not None:
        return False
    known = state.newest.incarnation
    # Once it has said who it is, one that doesn't is another: empty is in no list.
    return not known or incarnation in known.split(",")
