"""Which claimed row is sent next: a lane per site, so that a slow one delays nobody. Pure; one thread owns it.

A site that answers gets several sends at once. One that fails gets one probe at a time, and after some failures none at
all until its `not_before` (design 5.5).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sso_server.core.notifications import Answer, AttemptResult, Notification, put_back, released
from sso_server.core.policy import MINUTE, SECOND

AT_ONCE = 4
_MOST_WAITING = 500
_MOST_WAITING_ON_PROBATION = 8
_LONGEST_WAIT_MS = 5 * SECOND
_LONGEST_POSTPONEMENT_MS = 5 * MINUTE
_PATIENCE = 3
_PAUSES_S = (2, 5, 15, 30, 60)


@dataclass(slots=True)
class _Lane:
    waiting: deque[Notification] = field(default_factory=deque)
    running: int = 0
    answered: bool = False
    """Its last answer showed that it works."""
    failures: int = 0
    """In a row."""
    not_before: int = 0
    took_ms: float = 50.0
    """How long it takes to answer, smoothed."""
    next_slot: float = 0.0
    """When the next row that finds no room here can be sent, if the site goes on as it does."""

    @property
    def at_once(self) -> int:
        return AT_ONCE if self.answered else 1

    @property
    def step_ms(self) -> float:
        return self.took_ms / self.at_once

    @property
    def has_room(self) -> bool:
        if not self.answered:
            return len(self.waiting) < _MOST_WAITING_ON_PROBATION
        # What waits too long outlives its claim.
        return len(self.waiting) < min(_MOST_WAITING, _LONGEST_WAIT_MS / self.step_ms)


class Lanes:
    """Claimed rows by client, taken in turn. Instants in ms."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        # Those with waiting rows only: with thousands of sites, most have none.
        self._turns: OrderedDict[str, _Lane] = OrderedDict()
        self.waiting = 0
        self.running = 0

    def add(self, row: Notification, now: int) -> bool:
        """Queue a claimed row. False: its site is pausing or has enough waiting; then it is to be `postponed`."""
        lane = self._lanes.setdefault(row.client_id, _Lane())
        if now < lane.not_before or not lane.has_room:
            return False
        lane.waiting.append(row)
        self._turns.setdefault(row.client_id, lane)
        self.waiting += 1
        return True

    def take(self) -> Notification | None:
        """The next row that may be sent now, clients in turn; `finish` must follow. None: nothing may be sent now."""
        for client_id, lane in self._turns.items():
            if lane.running < lane.at_once:
                row = lane.waiting.popleft()
                # The last to be served goes to the end of the queue.
                self._turns.move_to_end(client_id)
                if not lane.waiting:
                    del self._turns[client_id]
                lane.running += 1
                self.running += 1
                self.waiting -= 1
                return row
        return None

    def postponed(self, row: Notification, now: int, jitter: Callable[[], float]) -> AttemptResult:
        """What becomes of a claimed row that isn't to be sent now.

        A site that is away: the row waits as after a failure. One that is only busy: each row gets the moment when its
        turn will have come, so that thousands of them are neither sent too late nor claimed over and over.
        """
        lane = self._lanes[row.client_id]
        if not lane.answered or now < lane.not_before:
            return put_back(row, now, lane.not_before, jitter)
        lane.next_slot = max(lane.next_slot, now + len(lane.waiting) * lane.step_ms) + lane.step_ms
        return released(row, min(int(lane.next_slot) + 1, now + _LONGEST_POSTPONEMENT_MS))

    def finish(self, client_id: str, answer: Answer | None, now: int, took_ms: int = 0) -> None:
        """A taken row is done: what the site answered and how quickly, or None when it was not called at all."""
        lane = self._lanes[client_id]
        lane.running -= 1
        self.running -= 1
        if answer is None:
            return
        if answer.status is not None and answer.status < 500 and answer.status not in (408, 425, 429):
            lane.answered, lane.failures, lane.not_before = True, 0, 0
            lane.took_ms += (max(1, took_ms) - lane.took_ms) / 8
            return
        lane.answered = False
        lane.failures += 1
        if lane.failures >= _PATIENCE:
            # Short on purpose: it spares the site and our slots, each row's own schedule decides the long waits.
            pause_s = _PAUSES_S[min(lane.failures - _PATIENCE, len(_PAUSES_S) - 1)]
            lane.not_before = now + pause_s * SECOND

    def not_before(self, client_id: str) -> int:
        """Until when the site gets nothing; 0 when it isn't pausing."""
        lane = self._lanes.get(client_id)
        return lane.not_before if lane else 0

    def take_surplus(self, now: int) -> list[Notification]:
        """Waiting rows of sites that have begun to pause: they are to be `postponed`."""
        return self._empty([client_id for client_id, lane in self._turns.items() if now < lane.not_before])

    def take_all(self) -> list[Notification]:
        """Every waiting row, at the end of a worker."""
        return self._empty(list(self._turns))

    def _empty(self, client_ids: list[str]) -> list[Notification]:
        lanes = [self._turns.pop(client_id) for client_id in client_ids]
        rows = [row for lane in lanes for row in lane.waiting]
        for lane in lanes:
            lane.waiting.clear()
        self.waiting -= len(rows)
        return rows
