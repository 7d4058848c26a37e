"""A store that went back in time: how it is found out, and the marks that sites keep as witnesses.

A Redis restarted without its last writes, a failover, a restored backup: sessions that ended would live again. Nothing
renews a lease until `core.restoring` has put it right. How a store tells of its own past is `ports.PastStore`'s.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from sso_server.core.errors import Unavailable
from sso_server.core.policy import DAY, MINUTE, SECOND
from sso_server.core.ports import Clock, PastStore, Randomness, RestorationStore, Seals
from sso_server.core.records import record

if TYPE_CHECKING:
    from sso_server.core.clients import Client

#: A heartbeat is written every few seconds, by clocks up to 2 s apart: what was lost isn't older than this before it.
SINCE_MARGIN_MS = 2 * MINUTE
#: Two nodes, each up to 2 s off the store's clock.
_SKEW_MS = 4 * SECOND
# Stores forget a site's store that has been silent for 400 days; an older mark would accuse them of it.
_MARK_LIFE_MS = 390 * DAY
_PURPOSE = "mark"


class Cause(StrEnum):
    """What proved that the store of sessions went back."""

    FIRST_SEEN = "first_seen"
    """Nothing did: the first look of this installation, which only notes whom it sees."""
    MARK = "mark"
    """A site showed a mark that is newer than what the store knows of that site."""
    INCARNATION = "incarnation"
    """Another server answers, or another life of the same one."""
    HEARTBEAT = "heartbeat"
    """The store has lost a heartbeat that was noted in SQL after it had been written there."""
    SIDE_FILE = "side_file"
    """The SQLite file has lost a heartbeat that was noted beside it after it had been written there."""


@record
class Past:
    """What a store of sessions says of itself. `heartbeat` in ms, 0 when it has none; None: this store keeps none."""

    incarnation: str = ""
    """Changes when another server, or another life of it, answers. Several servers' stand in it parted by commas.
    Empty: it won't say."""
    heartbeat: int | None = None
    is_behind: bool = False
    """It has lost a heartbeat that it had once, as is noted outside of it."""


@record
class Restoration:
    """One time that the store was found to have gone back, and what is to be done about it. Times in ms."""

    restoration_id: str
    cause: str
    detected_at: int
    since: int
    """Nothing older than this was lost; 0: unknown."""
    end_all: bool
    """End every session opened before, because no journal says which ones ended. Else: replay the journal."""
    incarnation: str
    finished_at: int | None = None
    ended: int = 0
    answers: str = ""
    """The epoch of the mark that proved it: other marks of that epoch prove it once more and nothing else."""


@record
class RestorationState:
    """What SQL knows, in one read."""

    newest: Restoration
    installation: str
    """The id of the very first row: a mark of another installation proves nothing."""
    detected_at: int
    """Of the last real restoration, 0 before any."""
    heartbeat: int
    journal_end: int
    """The number of the audit's last line, 0 if it is empty."""
    journal_line: str = ""
    """A digest of that line: after SQL itself went back, other lines get the numbers of the lost ones."""

    @property
    def unfinished(self) -> Restoration | None:
        """What must be carried out before any lease may be renewed."""
        return self.newest if self.newest.finished_at is None else None


@record
class Mark:
    """What a site's store can prove: the centre knew at `at` (ms) that it checked in, under which epoch, and which line
    was the journal's last."""

    at: int
    epoch: str
    journal_end: int
    journal_line: str


class Restorations:
    """Finds out, and writes down what is to be done."""

    def __init__(
        self,
        store: RestorationStore,
        past: PastStore,
        seals: Seals,
        clock: Clock,
        randomness: Randomness,
        *,
        one_store: bool,
    ) -> None:
        """`one_store`: sessions live in the SQL database, so that the journal goes back together with them."""
        self._store = store
        self._past = past
        self._seals = seals
        self._clock = clock
        self._random = randomness
        self._one_store = one_store

    def state(self) -> RestorationState:
        """What is known. The very first call notes whom it sees and alarms nobody. Raises Unavailable."""
        state = self._store.state()
        if state is None:
            now = self._clock.now()
            first = self._new(Cause.FIRST_SEEN, now, self._past.look().incarnation, finished_at=now)
            self._store.begin(first, after="")
            state = self._store.state()
            if state is None:
                raise Unavailable(detail="the first row of restorations was written and isn't there")
        return state

    def is_unfinished(self) -> bool:
        """No lease may be renewed now. Raises Unavailable."""
        state = self._store.state()
        return state is not None and state.unfinished is not None

    def look(self, *, beat: bool) -> RestorationState:
        """Ask the store of its past, as the delivery process does all the time; write down what that proves. `beat`:
        write a heartbeat, too. Only a node whose clock is right may call this. Raises Unavailable."""
        state = self.state()
        if state.unfinished is not None:
            return state
        past = self._past.beat(self._clock.now(), state.heartbeat) if beat else self._past.look()
        cause = _proof(state, past)
        if cause is not None:
            self._begin(state, past, cause, end_all=self._one_store)
            return self.state()
        if past.incarnation and not state.newest.incarnation:
            self._store.learn(past.incarnation)
        if beat and past.heartbeat is not None:
            # Only now: SQL never knows a heartbeat that the other store hasn't had.
            self._store.note_heartbeat(past.heartbeat)
        return state

    def seal_mark(self, state: RestorationState, client: Client, store_id: str, at: int) -> str:
        """`at` is what the store has written for this check-in, so that no clock's error enters a later comparison."""
        payload = {
            "i": state.installation, "c": client.client_id, "s": store_id, "t": at,
            "e": state.newest.restoration_id, "j": state.journal_end, "l": state.journal_line,
        }  # fmt: skip
        return self._seals.seal(_PURPOSE, payload)

    def read_mark(self, state: RestorationState, client: Client, store_id: str, text: str) -> Mark | None:
        """None when it isn't ours (forged, another key's), another store's, another installation's or too old: such a
        mark proves nothing, and whoever shows it is treated like a store that never had one."""
        payload = self._seals.open(_PURPOSE, text) or {}
        at, journal_end = payload.get("t"), payload.get("j")
        epoch, line = payload.get("e"), payload.get("l")
        whose = (payload.get("i"), payload.get("c"), payload.get("s"))
        if whose != (state.installation, client.client_id, store_id) or type(at) is not int:
            return None
        # A client that was removed and registered again is not the one that the mark was given to.
        is_old = at <= client.created_at or self._clock.now() - at > _MARK_LIFE_MS
        if is_old or type(journal_end) is not int or not isinstance(epoch, str) or not isinstance(line, str):
            return None
        return Mark(at, epoch, journal_end, line)

    def proves_from(self, state: RestorationState, mark: Mark | None) -> int:
        """The moment (ms) of which the store must know; 0: this mark can't prove anything."""
        if mark is None:
            return 0
        # No clock decides: one that was ahead for a while has given marks from the future, and they prove once, too.
        return 0 if mark.epoch != state.newest.restoration_id and self._is_answered(mark) else mark.at

    def _is_answered(self, mark: Mark) -> bool:
        """A restoration since it was given has put right what it can prove."""
        rows = self._store.rows()
        epochs = [row.restoration_id for row in rows]
        if mark.epoch in epochs:
            since = rows[epochs.index(mark.epoch) + 1 :]
            return any(row.end_all for row in since) or not self._lost_journal(mark, rows)
        # SQL went back to before that epoch: only whoever ended everybody has answered this.
        return any(row.end_all and (row.answers == mark.epoch or row.detected_at + _SKEW_MS >= mark.at) for row in rows)

    def confirm(self, state: RestorationState, past: Past, mark: Mark | None, *, went_back: bool) -> None:
        """After the store's step and before its answer is given: the server that took the step must remember what
        was ever promised. Raises Unavailable."""
        cause = Cause.MARK if went_back else _proof(state, past)
        if cause is None:
            return
        shown = mark if went_back else None
        lost_journal = shown is not None and self._lost_journal(shown, self._store.rows())
        answers = shown.epoch if shown is not None else ""
        self._begin(state, past, cause, end_all=self._one_store or lost_journal, answers=answers)
        raise repairing(f"the store of sessions went back in time ({cause.value})")

    def _lost_journal(self, mark: Mark, rows: list[Restoration]) -> bool:
        """SQL went back, too (one machine's snapshot holds both): its journal can't say what ended since. Its length
        proves nothing: anybody who fails to sign in makes it longer."""
        if self._one_store:
            return False
        is_known = any(row.restoration_id == mark.epoch for row in rows)
        return not is_known or not self._store.holds_line(mark.journal_end, mark.journal_line)

    def _begin(self, state: RestorationState, past: Past, cause: Cause, *, end_all: bool, answers: str = "") -> None:
        now = self._clock.now()
        since = 0
        # A heartbeat from the future was written by a clock that was wrong.
        if not end_all and past.heartbeat and past.heartbeat <= now + _SKEW_MS:
            since = max(0, past.heartbeat - SINCE_MARGIN_MS)
        restoration = self._new(cause, now, past.incarnation, since=since, end_all=end_all, answers=answers)
        # False: somebody was faster, and theirs answers ours.
        self._store.begin(restoration, after=state.newest.restoration_id)

    def _new(
        self,
        cause: Cause,
        now: int,
        incarnation: str,
        *,
        since: int = 0,
        end_all: bool = False,
        finished_at: int | None = None,
        answers: str = "",
    ) -> Restoration:
        name = self._random.token("res")
        return Restoration(name, cause.value, now, since, end_all, incarnation, finished_at, answers=answers)


def repairing(detail: str) -> Unavailable:
    """What a check-in hears meanwhile."""
    return Unavailable("The centre is putting its sessions right.", detail=detail)


def _proof(state: RestorationState, past: Past) -> Cause | None:
    known = state.newest.incarnation
    # Not every server need be asked each time; each that answers must be known.
    if past.incarnation and known and not set(past.incarnation.split(",")) <= set(known.split(",")):
        return Cause.INCARNATION
    if past.heartbeat is not None and past.heartbeat < state.heartbeat:
        return Cause.HEARTBEAT
    return Cause.SIDE_FILE if past.is_behind else None
