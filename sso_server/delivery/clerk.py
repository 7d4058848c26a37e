"""Writes down what came of attempts, many at a time, and carries final rows to the audit.

One thread writes, so that a busy store never holds up the sends. A store that is away loses no result: it is written as
soon as the store is back; if that takes longer than the claim, the row is told again, which does no harm.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from sso_server.core.notifications import AttemptResult, Notification
from sso_server.core.policy import SECOND
from sso_server.core.ports import Archive, AuditStore, Clock, Outbox
from sso_server.core.receipts import final_event
from sso_server.delivery.outages import Outage

_BATCH = 500
_ARCHIVE_EVERY_MS = 2 * SECOND
_PAUSES_S = (0.1, 0.25, 0.5, 1.0, 2.0)

_log = structlog.get_logger("sso_server.delivery")


#: `core.reports.SignOutReports.safe_by`.
SafeBy = Callable[[Sequence[Notification]], Sequence[int | None]]


class Clerk:
    """Results in, batches out. `put` is thread-safe and never blocks."""

    def __init__(self, outbox: Outbox, archive: Archive, audit: AuditStore, safe_by: SafeBy, clock: Clock) -> None:
        self._outbox = outbox
        self._archive = archive
        self._audit = audit
        self._safe_by = safe_by
        self._clock = clock
        self._queue: deque[AttemptResult] = deque()
        self._filled = threading.Event()
        self._archived_at = -_ARCHIVE_EVERY_MS

    @property
    def backlog(self) -> int:
        """How many results are not written yet."""
        return len(self._queue)

    def put(self, result: AttemptResult) -> None:
        """Take one result."""
        self._queue.append(result)
        self._filled.set()

    def flush(self) -> None:
        """Write everything that is there. One thread at a time. Raises Unavailable; nothing is lost then."""
        while self._queue:
            # Results stay in the queue until they are written: `record` may be repeated.
            batch = [self._queue[i] for i in range(min(len(self._queue), _BATCH))]
            self._outbox.record(batch, self._clock.now())
            for _ in batch:
                self._queue.popleft()

    def archive_final(self, limit: int = _BATCH) -> int:
        """Copy final rows to the audit, then mark them; how many. A crash in between writes a line twice, never none.

        Raises Unavailable.
        """
        rows = self._archive.list_archivable(limit)
        if rows:
            now = self._clock.now()
            bounds = self._safe_by(rows)
            self._audit.append(*(final_event(row, safe_by, now) for row, safe_by in zip(rows, bounds, strict=True)))
            self._archive.mark_archived(rows)
        return len(rows)

    def run(self, stop: threading.Event) -> None:
        """Until stopped; what is queued by then is for a last `flush`. A store that is away is waited for."""
        failures = 0
        outage = Outage(_log, "writing_resumed")
        while not stop.is_set():
            if not self._queue:
                self._filled.wait(0.25)
            self._filled.clear()
            asked = bool(self._queue)
            try:
                self.flush()
                if abs(self._clock.now() - self._archived_at) >= _ARCHIVE_EVERY_MS:
                    more = self.archive_final() == _BATCH
                    asked = True
                    self._archived_at = -_ARCHIVE_EVERY_MS if more else self._clock.now()
                failures = 0
                if asked:
                    outage.is_over()
            except Exception as error:  # noqa: BLE001  (the last handler of this thread: without it, results pile up unseen)
                pause_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
                failures += 1
                if backlog := self.backlog:
                    outage.failed("results_not_written", error, backlog=backlog)
                else:
                    outage.failed("final_rows_not_archived", error)
                stop.wait(pause_s)
