"""What a local store must do, as whole steps: each method is one transaction (or one script) of its engine.

A store raises SSOError `store_...` when it can't do its step; it never does half of one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sso_client.clock import Instant
from sso_client.lease import Lease
from sso_client.records import Applied, CheckInAnswer, Event, LocalSession, Outgoing

# A ticket's life and ten minutes: how long an ended sid must keep a late local session from being opened.
TOMBSTONE_MS = 11 * 60_000
# How long one check-in may hold the turn; a killed worker must not hold it longer.
TURN_MS = 3000
# How often a store lists all its sessions to the centre.
SIDS_EVERY_MS = 10 * 60_000
MAX_LIST = 5000


class Turn(Enum):
    """Whether this request may ask the centre now."""

    MINE = "ask"
    BUSY = "another one is asking"
    RESTING = "the last attempt failed a moment ago"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a logout call did: how many local sessions ended, and whether its `jti` had been seen before."""

    sessions: int
    repeated: bool


class LocalSessions(Protocol):
    """The local sessions of one store."""

    def heard_epoch(self) -> str | None:
        """The epoch that the centre named last; None before its first answer."""

    def open(self, session: LocalSession, replaces: str | None, epoch: str | None = None) -> bool:
        """Insert, unless the sid or sub was ended meanwhile: then False. `replaces` is an older cookie's hash.

        `epoch` is what `heard_epoch` gave before the ticket was redeemed. If the centre has named another one since, it
        may have forgotten this session, and the list that would have shown it is over: it is begun again.
        """

    def find(self, cookie_hash: str, now_ms: int) -> tuple[LocalSession | None, Lease]:
        """The live session of a cookie, and the lease, as of one moment."""

    def mark_served(self, session: LocalSession, now_ms: int) -> bool:
        """Note activity, only if row and generation still stand: an ended session is never brought back."""

    def end_here(self, cookie_hash: str, now_ms: int, report: bool) -> LocalSession | None:
        """End the session because the person signed out here.

        A leased one, and any with `report`, is told to the centre at check-in, and its sid isn't opened again.
        """

    def leave(self, cookie_hash: str) -> LocalSession | None:
        """End the browser's sessions in this store alone: nobody is told, and its sid may be opened again at once."""

    def tell_end(self, sid: str, now_ms: int) -> None:
        """End what is left of a sid here, and tell the centre at check-in: the person has left it before."""


class LogoutInbox(Protocol):
    """Logout calls from the centre. The work comes first, the `jti` is noted after it."""

    def end_by_sid(self, sid: str, jti: str, now_ms: int) -> Ended:
        """End that one session; an unknown sid leaves a tombstone."""

    def end_by_sub(self, sub: str, iat: int, jti: str, now_ms: int) -> Ended:
        """End the person's sessions whose ID token is not younger than `iat` (s), now and later."""


class CheckInJournal(Protocol):
    """What is still to be told to the centre, and the lease that it granted."""

    def take_turn(self, now: Instant, rest_ms: int, refused_rest_ms: int = 0) -> Turn:
        """Take the single right to ask, for TURN_MS, unless an attempt failed less than `rest_ms` ago.

        After a refusal the rest is `refused_rest_ms` if that is longer.
        """

    def give_turn_back(self) -> None:
        """Nothing needs to be asked after all."""

    def gather(self, now_ms: int, all_sids: bool, anew: bool = False) -> Outgoing:
        """Everything that a check-in should say now. `all_sids`: earlier lists don't count, as after a gap.

        `anew`: neither does one that is under way, of which this file may hold an older copy. No lease is stamped then
        before the whole list was answered.
        """

    def apply(self, answer: CheckInAnswer, told: Outgoing, sent: Instant) -> Applied:
        """Apply ends and, if nothing is left out, the lease; forget what was confirmed. A stamp gives the turn back.

        Under an epoch that the whole list of sessions was not yet answered under, the lease stays as it is and the list
        is due.
        """

    def note_failure(self, kind: str, now: Instant) -> None:
        """Remember why an attempt failed (`unreachable`, `refused`, `unconfirmed`) and give the turn back."""

    def has_untold_ends(self) -> bool:
        """True if somebody signed out here and the centre hasn't confirmed it."""


class EventLog(Protocol):
    """A short memory of what happened, for people."""

    def record(self, event: Event) -> None:
        """Append; the oldest are forgotten."""

    def recent(self, limit: int) -> list[Event]:
        """The last `limit` events, newest first."""


@dataclass(frozen=True, slots=True)
class LocalStore:
    """One place where a site keeps its local sessions. `store_id` is its name, random, from its creation on."""

    store_id: str
    sessions: LocalSessions
    inbox: LogoutInbox
    journal: CheckInJournal
    events: EventLog
    close: Callable[[], None]
