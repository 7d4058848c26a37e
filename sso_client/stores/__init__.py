"""What a local store must do, as whole steps: each method is one transaction (or one script) of its engine.

A store raises SSOError `store_...` when it can't do its step; it never does half of one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sso_client.clock import Instant
from sso_client.lease import Lease
from sso_client.records import Applied, CheckInAnswer, Event, LocalSession, Outgoing, Tokens

# A ticket's life and ten minutes: how long an ended sid must keep a late local session from being opened.
TOMBSTONE_MS = 11 * 60_000
# How long one check-in may hold the turn; a killed worker must not hold it longer.
TURN_MS = 3000
# How often a store lists all its sessions to the centre.
SIDS_EVERY_MS = 10 * 60_000
MAX_LIST = 5000
# A token is taken for a minute after its `exp` (`signed_token.LEEWAY_S`), by a clock that may be behind the centre's.
DENIED_MARGIN_MS = 5 * 60_000
# Well below the minute in which the centre still gives a sibling for a refresh token whose answer was lost.
RENEWAL_MS = 10_000
MAX_PAGE = 16_384
MAX_PAGES = 1000
PAGE_MS = 60 * 60_000
# Calls that nobody has signed may name anything: so many tickets are remembered one by one, the last ones.
MAX_UNSIGNED = 20_000
# Of older ones only the time is kept, as the watermark of this name: what was redeemed by then isn't opened.
ANYBODY = ""


class Turn(Enum):
    """Whether this request may ask the centre now."""

    MINE = "ask"
    BUSY = "another one is asking"
    RESTING = "the last attempt failed a moment ago"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a logout call did: the local sessions that ended, and whether its `jti` had been seen before."""

    sessions: tuple[LocalSession, ...]
    repeated: bool


class LocalSessions(Protocol):
    """The local sessions of one store."""

    def heard_epoch(self) -> str | None:
        """The epoch that the centre named last; None before its first answer."""

    def open(
        self, session: LocalSession, replaces: str | None, epoch: str | None = None, tokens: Tokens | None = None
    ) -> bool:
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

    def drop_lapsed(self, now_ms: int, limit: int = 100) -> tuple[LocalSession, ...]:
        """Remove sessions whose time is over, so that somebody hears of each of them once; at most `limit`."""


class LocalTokens(Protocol):
    """The tokens of local sessions. They go when their session goes, whatever ends it."""

    def find(self, cookie_hash: str) -> Tokens | None:
        """The tokens of a session that stands; None if it has none or is gone."""

    def take_renewal(self, cookie_hash: str, now: Instant) -> bool:
        """Take the single right to renew these tokens, for RENEWAL_MS, among all workers and hosts of the store.

        The right is the boot clock's on one host; where hosts share a store, the store's own clock decides.
        """

    def keep_renewed(self, cookie_hash: str, spent: str, tokens: Tokens) -> bool:
        """Write renewed tokens and give the right back, only if the session stands and `spent` is still its refresh
        token; else False, and nothing is written: an ended session gets no tokens.
        """

    def give_renewal_back(self, cookie_hash: str) -> None:
        """It failed and may be tried again at once by anybody."""

    def end_refused(self, cookie_hash: str, spent: str) -> LocalSession | None:
        """The centre refused this refresh token: end the session, only if the token is still its own.

        Nobody is told, and its sid may be opened again: the centre knows what it refused.
        """


class DeniedTokens(Protocol):
    """JWT access tokens that are refused before they expire: what check-in handed out, kept until it is moot."""

    def find(self, sid: str | None, jti: str | None, now_ms: int) -> tuple[bool, Lease, bool, int]:
        """As of one moment: whether the token is denied; the lease; whether the centre keeps such a list at all; and
        when (ms, wall clock; 0: never) it was first seen under another epoch than before: what it has forgotten is in
        no list.
        """


class KeptPages(Protocol):
    """Pages to go back to after signing in that are too long for a cookie. Anybody can have one kept, so few are."""

    def keep(self, page: str, now_ms: int) -> str:
        """Keep a page of at most MAX_PAGE characters for PAGE_MS, under a new random name.

        Beyond MAX_PAGES the oldest go. Raises ValueError for a longer page.
        """

    def find(self, name: str, now_ms: int) -> str | None:
        """The page of that name, None if it is unknown or too old."""


class LogoutInbox(Protocol):
    """Logout calls from the centre. The work comes first, the `jti` is noted after it."""

    def end_by_sid(self, sid: str, jti: str, now_ms: int) -> Ended:
        """End that one session; an unknown sid leaves a tombstone."""

    def end_by_sub(self, sub: str, iat: int, jti: str, now_ms: int) -> Ended:
        """End the person's sessions whose ID token is not younger than `iat` (s), now and later."""

    def end_unsigned(self, sids: Sequence[str], now_ms: int) -> tuple[LocalSession, ...]:
        """End these sessions, by a call that anybody could have sent.

        Beyond MAX_UNSIGNED tombstones the oldest make way for a watermark: an ID token (or ticket) that isn't younger
        than they were opens nothing from then on, whoever's it is. One of the future doesn't count: the clock erred.
        """


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
        before the whole list was answered. A list that begins asks for all that is denied as well.
        """

    def apply(self, answer: CheckInAnswer, told: Outgoing, sent: Instant) -> Applied:
        """Apply ends and, if nothing is left out, the lease; forget what was confirmed. A stamp gives the turn back.

        Under an epoch that the whole list of sessions was not yet answered under, the lease stays as it is and the list
        is due. What is denied is noted in the same step, and `denied_to` as it was answered, even if it is smaller:
        what lies between is asked for again. A list of it that was cut goes on where it stopped; no lease is stamped
        before it is whole.
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
    tokens: LocalTokens
    denied: DeniedTokens
    pages: KeptPages
    close: Callable[[], None]
