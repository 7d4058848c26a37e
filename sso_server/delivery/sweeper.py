"""Deadlines: ends what is due, carries out end orders, drops what nobody needs any more once the audit has it.

How a session ends is `core.sign_out`'s business. A node whose clock is off does nothing that depends on the time.
"""

from __future__ import annotations

import threading

import structlog

from sso_server.core.errors import Unavailable
from sso_server.core.policy import DAY, HOUR, MINUTE, SECOND
from sso_server.core.ports import AuditStore, Clock, Ledger, StoreHealth, Sweeps
from sso_server.core.sign_out import SignOut
from sso_server.delivery.auditor import Auditor
from sso_server.delivery.outages import Outage
from sso_server.delivery.pace import in_batches
from sso_server.delivery.upkeep import Upkeep

MOST_SKEW_MS = 2 * SECOND
_BATCH = 50
#: How long one round spends on end orders, and how long on deadlines: neither waits longer for the other.
_ROUND_S = 1.0
_BREATH_S = 0.05
_PURGE_BATCH = 1000
_PURGE_EVERY_MS = MINUTE
_PURGE_AUDIT_EVERY_MS = HOUR
_AUDIT_PAUSE_MS = 10 * SECOND
_PAUSES_S = (1.0, 2.0, 5.0)

_log = structlog.get_logger("sso_server.delivery")


class Sweeper:
    """One per delivery process; any number may run beside each other."""

    def __init__(
        self,
        sign_out: SignOut,
        sweeps: Sweeps,
        ledger: Ledger,
        health: StoreHealth,
        audit: AuditStore,
        clock: Clock,
        audit_ms: int = 400 * DAY,
        upkeep: Upkeep | None = None,
    ) -> None:
        self._sign_out = sign_out
        self._sweeps = sweeps
        self._health = health
        self._audit = audit
        self._clock = clock
        self._audit_ms = audit_ms
        self._upkeep = upkeep
        self._auditor = Auditor(ledger, audit, clock, audit_ms)
        self._audit_outage = Outage(_log, "auditing_resumed")
        self._audit_failed_at = 0
        self._purged_at = 0
        self._audit_purged_at = 0
        self._was_off = False
        self._has_more = False
        """The last round left something to do, so that the next one need not wait."""

    def run_once(self) -> int:
        """How many sessions it ended. Raises Unavailable."""
        ended, self._has_more = in_batches(self._sign_out.run_pending_orders, at_most_s=_ROUND_S)
        # Orders name sessions, deadlines name moments: a wrong clock would end sessions that have hours to live.
        if not self._clock_is_right():
            return ended
        swept, more_due = in_batches(
            lambda: self._sign_out.sweep(_BATCH), enough=lambda count: count >= _BATCH, at_most_s=_ROUND_S
        )
        self._has_more = self._has_more or more_due
        self._purge()
        if self._upkeep is not None:
            self._upkeep.run_if_due()
        return ended + swept

    def run(self, stop: threading.Event, interval_s: float = 1.0) -> None:
        """Until stopped. A store that is away is waited for."""
        failures = 0
        outage = Outage(_log, "sweeping_resumed")
        while not stop.wait(self._pause_s(interval_s, failures)):
            try:
                self.run_once()
                failures = 0
                outage.is_over()
            except Exception as error:  # noqa: BLE001  (the last handler of this thread: sessions must go on ending)
                failures += 1
                outage.failed("sweeping_pauses", error)

    def _pause_s(self, interval_s: float, failures: int) -> float:
        if failures:
            return _PAUSES_S[min(failures, len(_PAUSES_S)) - 1]
        return min(interval_s, _BREATH_S) if self._has_more else interval_s

    def _clock_is_right(self) -> bool:
        before = self._clock.now()
        store_time = self._health.store_time()
        after = self._clock.now()
        # The store read its clock somewhere between the two: only what lies outside is skew.
        skew = before - store_time if store_time < before else max(0, store_time - after)
        is_off = skew > MOST_SKEW_MS
        if is_off != self._was_off:
            self._was_off = is_off
            log = _log.error if is_off else _log.info
            log("clock_differs_from_store" if is_off else "clock_agrees_with_store", skew_ms=skew)
        return not is_off

    def _purge(self) -> None:
        now = self._clock.now()
        # A session that is forgotten can't get its line in the audit any more.
        if not self._all_ends_audited(now):
            return
        if abs(now - self._purged_at) >= _PURGE_EVERY_MS:
            full = self._sweeps.purge(now, _PURGE_BATCH) >= _PURGE_BATCH
            self._purged_at = 0 if full else now
        if abs(now - self._audit_purged_at) >= _PURGE_AUDIT_EVERY_MS:
            full = self._audit.purge_events(now - self._audit_ms, _PURGE_BATCH) >= _PURGE_BATCH
            self._audit_purged_at = 0 if full else now

    def _all_ends_audited(self, now: int) -> bool:
        """Sweeping goes on while the audit can't be written: who waits for it is only what would be forgotten."""
        if abs(now - self._audit_failed_at) < _AUDIT_PAUSE_MS:
            return False
        try:
            done = self._auditor.catch_up()
        except Unavailable as error:
            self._audit_failed_at = now
            self._audit_outage.failed("ends_not_audited", error)
            return False
        self._audit_outage.is_over()
        return done
