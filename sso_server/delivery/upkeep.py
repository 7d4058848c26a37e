"""What is due once an hour and depends on no session: forgetting what only SQL keeps, rotating signing keys by age.

What each of it means is the stores' and `crypto`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from sso_server.core.errors import LockstepError, Unavailable
from sso_server.core.events import Event, EventKind
from sso_server.core.keys import StoredKey
from sso_server.core.policy import HOUR, MINUTE
from sso_server.core.ports import AuditStore, Clock, Retention
from sso_server.delivery.outages import Outage

_BATCH = 1000
_SOON_MS = MINUTE

_log = structlog.get_logger("sso_server.delivery")


class Upkeep:
    """One per delivery process; any number may run beside each other."""

    def __init__(
        self, retention: Retention, tend_keys: Callable[[], Sequence[StoredKey]], audit: AuditStore, clock: Clock
    ) -> None:
        """`tend_keys` forgets signing keys that nobody needs, makes those that are due and returns the new ones."""
        self._retention = retention
        self._tend_keys = tend_keys
        self._audit = audit
        self._clock = clock
        self._done_at = 0
        self._outage = Outage(_log, "upkeep_resumed")

    def run_if_due(self) -> bool:
        """Whether it was due. Nothing raises: sessions must go on ending while a key can't be read."""
        now = self._clock.now()
        # A clock that was set back must not postpone it, hence abs().
        if abs(now - self._done_at) < HOUR:
            return False
        self._done_at = now
        try:
            if self._retention.purge_old(now, _BATCH) >= _BATCH:
                self._done_at = 0
            for key in self._tend_keys():
                data: dict[str, str | int | None] = {"kid": key.kid, "alg": key.alg}
                self._audit.append(Event(now, EventKind.KEY_ROTATED, actor="schedule", data=data))
                _log.info("key_rotated", kid=key.kid, alg=key.alg)
            self._outage.is_over()
        except LockstepError as error:
            # A store that is away is asked again soon; a key that can't be read is for people to mend.
            self._done_at = now - HOUR + _SOON_MS if isinstance(error, Unavailable) else now
            self._outage.failed("upkeep_pauses", error)
        return True
