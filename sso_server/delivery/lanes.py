"""Which claimed row is sent next: a lane per site, so that a slow one delays nobody, and two queues in each lane, so
that a mass end (`Notification.bulk`) delays nobody who waits. Pure; one thread owns it.

A site that answers gets several sends at once. One that fails gets one probe at a time, and after some failures none at
all until its `not_before` (design 5.5). A new worker knows nothing of that: it costs such a site three probes, one
after the other, while the rows keep their own next attempts.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sso_server.core.notifications import Answer, AttemptResult, Notification, put_back, released
from sso_server.core.policy import MINUTE, SECOND

AT_ONCE = 4
MOST_WAITING = 1000
_LEAST_CLAIM = 50
_MOST_WAITING_AT_ONE = 500
_MOST_WAITING_ON_PROBATION = 8
_URGENT_IN_A_ROW = 3
_LONGEST_WAIT_MS = 5 * SECOND
_LONGEST_POSTPONEMENT_MS = 5 * MINUTE
#: A row that waits for an absent site is claimed and put back once a round: fifty in a second are no burden.
_STEP_OF_AN_ABSENT_MS = 20
_PATIENCE = 3
_PAUSES_S = (2, 5, 15, 30, 60)


@dataclass(slots=True)
class _Queue:
    """What waits at one site, of one class."""

    waiting: deque[Notification] = field(default_factory=deque)
    running: int = 0
    next_slot: float = 0.0
    """When the next row that finds no room here can be sent, if the site goes on as it does."""


@dataclass(slots=True)
class _Lane:
    urgent: _Queue = field(default_factory=_Queue)
    bulk: _Queue = field(default_factory=_Queue)
    answered: bool = False
    """Its last answer showed that it works."""
    failures: int = 0
    """In a row."""
    not_before: int = 0
    last_error: str = ""
    """The code with which its last call failed; empty if it was answered."""
    took_ms: float = 50.0
    """How long it takes to answer, smoothed."""

    def queue(self, *, bulk: bool) -> _Queue:
        return self.bulk if bulk else self.urgent

    def at_once(self, *, bulk: bool) -> int:
        if not self.answered:
            return 1
        # One send is kept free of mass ends: what a person waits for never waits for one of theirs.
        return AT_ONCE - 1 if bulk else AT_ONCE

    def has_slot(self, *, bulk: bool) -> bool:
        running = self.urgent.running + self.bulk.running
        return running < self.at_once(bulk=False) and self.queue(bulk=bulk).running < self.at_once(bulk=bulk)

    def step_ms(self, *, bulk: bool) -> float:
        return self.took_ms / self.at_once(bulk=bulk)

    def ahead(self, *, bulk: bool) -> int:
        """How many are sent before a row of this class that comes now, give or take."""
        return len(self.urgent.waiting) + (len(self.bulk.waiting) if bulk else 0)

    def has_room(self, *, bulk: bool) -> bool:
        if not self.answered:
            return len(self.queue(bulk=bulk).waiting) < _MOST_WAITING_ON_PROBATION
        # What waits too long outlives its claim.
        return self.ahead(bulk=bulk) < min(_MOST_WAITING_AT_ONE, _LONGEST_WAIT_MS / self.step_ms(bulk=bulk))


class Lanes:
    """Claimed rows by client, taken in turn. Instants in ms."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        # By class, those with waiting rows only: with thousands of sites, most have none.
        self._turns: dict[bool, OrderedDict[str, _Lane]] = {False: OrderedDict(), True: OrderedDict()}
        self._waiting = {False: 0, True: 0}
        self._urgent_in_a_row = 0
        self.running = 0

    @property
    def waiting(self) -> int:
        """How many rows wait, of both classes."""
        return self._waiting[False] + self._waiting[True]

    def room(self, *, bulk: bool) -> int:
        """How many more rows of the class may be claimed. Bulk rows get what the others leave, which is a quarter at
        least; the others never find the house full of them."""
        most = MOST_WAITING - self._waiting[False] if bulk else MOST_WAITING * 3 // 4
        room = most - self._waiting[bulk]
        # A claim costs a transaction, or a look at 64 buckets: not for a handful of rows.
        return room if room >= _LEAST_CLAIM else 0

    def add(self, row: Notification, now: int) -> bool:
        """Queue a claimed row. False: its site is pausing or has enough waiting; then it is to be `postponed`."""
        lane = self._lanes.setdefault(row.client_id, _Lane())
        if now < lane.not_before or not lane.has_room(bulk=row.bulk):
            return False
        lane.queue(bulk=row.bulk).waiting.append(row)
        self._turns[row.bulk].setdefault(row.client_id, lane)
        self._waiting[row.bulk] += 1
        return True

    def take(self) -> Notification | None:
        """The next row that may be sent now, clients in turn; `finish` must follow. None: nothing may be sent now.

        What somebody waits for goes first; but after three such rows one of a mass end, if any waits, has its turn.
        """
        bulk_first = self._urgent_in_a_row >= _URGENT_IN_A_ROW
        row = self._take(bulk=bulk_first) or self._take(bulk=not bulk_first)
        if row is not None:
            self._urgent_in_a_row = 0 if row.bulk else self._urgent_in_a_row + 1
        return row

    def postponed(self, row: Notification, now: int) -> AttemptResult:
        """What becomes of a claimed row that isn't to be sent now.

        A site that is only busy: each row gets the moment when its turn will have come, so that thousands of them are
        neither sent too late nor claimed over and over. One that is away: the row is due when the site may be called
        again, one after the other, so that all are told soon after it is back. How often *it* was called decides
        nothing here: it wasn't.
        """
        lane = self._lanes[row.client_id]
        queue = lane.queue(bulk=row.bulk)
        if not lane.answered or now < lane.not_before:
            queue.next_slot = max(queue.next_slot, lane.not_before, now + SECOND) + _STEP_OF_AN_ABSENT_MS
            queue.next_slot = min(queue.next_slot, now + _LONGEST_POSTPONEMENT_MS)
            return put_back(row, int(queue.next_slot), lane.last_error)
        step_ms = lane.step_ms(bulk=row.bulk)
        queue.next_slot = max(queue.next_slot, now + lane.ahead(bulk=row.bulk) * step_ms) + step_ms
        return released(row, min(int(queue.next_slot) + 1, now + _LONGEST_POSTPONEMENT_MS))

    def finish(self, row: Notification, answer: Answer | None, now: int, took_ms: int = 0) -> None:
        """A taken row is done: what the site answered and how quickly, or None when it was not called at all."""
        lane = self._lanes[row.client_id]
        lane.queue(bulk=row.bulk).running -= 1
        self.running -= 1
        if answer is None:
            return
        if answer.status is not None and answer.status < 500 and answer.status not in (408, 425, 429):
            if not lane.answered:
                # What slots were given to while it was away says nothing about how busy it is.
                lane.urgent.next_slot = lane.bulk.next_slot = 0.0
            lane.answered, lane.failures, lane.not_before, lane.last_error = True, 0, 0, ""
            lane.took_ms += (max(1, took_ms) - lane.took_ms) / 8
            return
        lane.answered = False
        lane.failures += 1
        lane.last_error = answer.error or f"http_{answer.status}"
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
        return self._empty(lambda lane: now < lane.not_before)

    def take_all(self) -> list[Notification]:
        """Every waiting row, at the end of a worker."""
        return self._empty(lambda _: True)

    def _take(self, *, bulk: bool) -> Notification | None:
        turns = self._turns[bulk]
        for client_id, lane in turns.items():
            if lane.has_slot(bulk=bulk):
                queue = lane.queue(bulk=bulk)
                row = queue.waiting.popleft()
                # The last to be served goes to the end of the queue.
                turns.move_to_end(client_id)
                if not queue.waiting:
                    del turns[client_id]
                queue.running += 1
                self.running += 1
                self._waiting[bulk] -= 1
                return row
        return None

    def _empty(self, chosen: Callable[[_Lane], bool]) -> list[Notification]:
        rows: list[Notification] = []
        for bulk, turns in self._turns.items():
            for client_id in [client_id for client_id, lane in turns.items() if chosen(lane)]:
                waiting = turns.pop(client_id).queue(bulk=bulk).waiting
                self._waiting[bulk] -= len(waiting)
                rows += waiting
                waiting.clear()
        return rows
