"""Which claimed row is sent next: a lane per site, so that a slow one delays nobody. Pure; one thread owns it.

A site that answers gets several sends at once. One that fails gets one probe at a time, and after some failures none at
all until its `not_before` (design 5.5).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from sso_server.core.notifications import Answer, Notification
from sso_server.core.policy import SECOND

AT_ONCE = 4
_WAITING = 64
_WAITING_ON_PROBATION = 8
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

    @property
    def at_once(self) -> int:
        return AT_ONCE if self.answered else 1

    @property
    def room(self) -> int:
        return (_WAITING if self.answered else _WAITING_ON_PROBATION) - len(self.waiting)


class Lanes:
    """Claimed rows by client, taken in turn. Instants in ms."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        # Those with waiting rows only: with thousands of sites, most have none.
        self._turns: OrderedDict[str, _Lane] = OrderedDict()
        self.waiting = 0
        self.running = 0

    def add(self, row: Notification, now: int) -> bool:
        """Queue a claimed row. False: its site is pausing or has enough waiting, so the claim must be given back."""
        lane = self._lanes.setdefault(row.client_id, _Lane())
        if now < lane.not_before or lane.room <= 0:
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

    def finish(self, client_id: str, answer: Answer | None, now: int) -> None:
        """A taken row is done: what the site answered, or None when it was not called at all."""
        lane = self._lanes[client_id]
        lane.running -= 1
        self.running -= 1
        if answer is None:
            return
        if answer.status is not None and answer.status < 500 and answer.status not in (408, 425, 429):
            lane.answered, lane.failures, lane.not_before = True, 0, 0
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
        """Waiting rows of sites that have begun to pause: their claims must be given back."""
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
