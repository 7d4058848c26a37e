"""Ports of the session side: what lives in Redis where there is one, and what is hot. Whole steps, each atomic."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sso_server.core.census import Counted
    from sso_server.core.check_in import SiteStore, StoreAnswer, StoreReport
    from sso_server.core.details import TokenDetails
    from sso_server.core.guesses import Limit
    from sso_server.core.notifications import AttemptResult, Notification
    from sso_server.core.polls import PollAnswer, PollReport
    from sso_server.core.restorations import Past
    from sso_server.core.sessions import Opened, Participant, Session
    from sso_server.core.sign_out import Ended
    from sso_server.core.tickets import NewToken, Redeemed, Redemption, Refusal, Ticket
    from sso_server.core.tokens import FoundToken, Grant, Rotated, Rotation


class SessionStore(Protocol):
    """Global sessions."""

    def open(self, candidate: Session, now: int, overlap_ms: int, *, shown: str = "") -> Opened | None:
        """One live session per browser, in one step.

        No live session of `candidate.browser_hash`: the candidate is written. A live one of the same person: it keeps
        its `sid` and gets the candidate's cookie_hash (the old one valid until now + overlap_ms), auth_time, amr,
        user_version, user_agent, address, remembered, last_active_at, the later absolute_until, and idle_off if either
        has it. Of another person: if `shown` (a digest) is that session's cookie, now or within its overlap, it ends
        (`replaced`, with its notifications, in the same step) and the candidate is written; else nothing is done and
        the answer is None, because the browser's name alone proves nothing. One that is due but not yet swept,
        whoever's, ends first as the sweeper would end it (`idle`, `absolute`) and is answered as `Opened.replaced`
        too."""

    def find_by_cookie(self, cookie_hash: str, bucket: int, now: int) -> Session | None:
        """The session, live or ended and not yet purged, of a current cookie or a previous one within its overlap."""

    def find(self, sid: str) -> Session | None:
        """The session, live or ended but not yet purged."""

    def touch(self, sid: str, now: int) -> None:
        """last_active_at = max(it, now), if the session is live."""

    def end(self, sid: str, reason: str, now: int, *, bulk: bool = False) -> Ended | None:
        """End it and write its notifications (`notifications.state_at_birth`, all with this `bulk`) in one step, and,
        in the same, into the feed of every API for which it has JWT access tokens that it must refuse them (as
        `open` and `Sweeps.end_due` do). Idempotent: later calls return the first result with `first=False`. None when
        there is no such session. Tokens of non-offline grants are dead from here on."""

    def note_forgotten(self, audience: Sequence[str], until: int, now: int) -> None:
        """The store went back in time and has forgotten JWT access tokens. Until then (ms) any session may have some
        for the APIs of these clients: these hear of every `end` from here on, also of a session that is not there or
        has ended before."""


class SessionLists(Protocol):
    """Reading across sessions."""

    def list_live(
        self,
        now: int,
        limit: int,
        *,
        user_id: str = "",
        client_id: str = "",
        older_than_version: int = 0,
        opened_before: int = 0,
        after_sid: str = "",
    ) -> list[Session]:
        """Not-ended sessions by sid, `after_sid` exclusive; empty or 0: no such condition. Never misses a live one."""

    def participants(self, sid: str) -> list[Participant]:
        """The map session -> registered sites, in the order of registration."""

    def count_live(self, now: int) -> int:
        """How many sessions are not ended."""


class Sweeps(Protocol):
    """Time running out."""

    def end_due(self, now: int, limit: int) -> list[Ended]:
        """End sessions with due_at <= now; each re-checked in the step that ends it. Reason `absolute` when
        now >= absolute_until, else `idle`. Their notifications are `bulk`."""

    def oldest_due(self, now: int) -> int | None:
        """The smallest due_at <= now of a session that is not ended."""

    def purge(self, now: int, limit: int) -> int:
        """Drop what nobody needs any more: tickets 10 min after their end, expired tokens and grants, guesses, entries
        of feeds whose time is over, ended sessions whose notifications are all final and archived (and, for a store of
        ours, acknowledged or past local_until: it must still hear of them at its check-in) and which ended over a day
        ago. Before that, pending rows without a next attempt (only told at check-in) become moot once local_until has
        passed. How many rows."""


class TicketStore(Protocol):
    """Tickets at rest under their digest. A digest carries no bucket, so whoever has the ticket's text hands the bucket
    in. A store may ignore it; one that keeps buckets apart finds nothing in a wrong one."""

    def put(self, ticket: Ticket) -> None:
        """Keep it until its end (plus 10 minutes, to be able to say `ticket_expired`)."""

    def redeem(self, redemption: Redemption, now: int) -> Redeemed:
        """One step, in this order: unknown -> UNKNOWN; spent -> USED, and the grant that came from it is
        revoked; expired -> EXPIRED; wrong client, redirect_uri or challenge -> that refusal, and the ticket is
        burnt (spent, no grant); session not live -> SESSION_ENDED, burnt; a new store where the session has
        `most_stores` of this client whose local sessions may live (or `most_of_all` participants, whatever their
        client, whose may) -> TOO_MANY_STORES, burnt. Otherwise: the
        ticket is spent (a tombstone naming its grant), the participant (sid, client, store) is registered or
        renewed (`sessions.local_until` but never earlier than it was, because an older local session may still
        live there; logout_uri), idle_off is set if asked, last_active_at = now, the grant and its tokens are
        written, and under the session for which APIs it has a JWT access token, and until when they take it.
        Exactly one of any number of simultaneous calls wins; never between an end and its notifications."""

    def void_all(self, epoch: str, now: int) -> None:
        """Every unspent ticket of before this epoch, which begins here, is EXPIRED: which of them were spent in truth
        is not known any more. Idempotent for one epoch."""

    def find(self, ticket_hash: str, bucket: int) -> Ticket | None:
        """For `sso session show --ticket`: spent or not, while it is kept."""


class TokenStore(Protocol):
    """Grants, access tokens, refresh tokens. `bucket` is the one in the token's text; see TicketStore. Whatever takes a
    JWT access token's life, its own or its grant's, writes in the same step into the feed of every API that it is for
    that it must be refused, by its `jti`."""

    def find_token(self, token_hash: str, kind: str, bucket: int, now: int) -> FoundToken | None:
        """Valid now: known, of that kind, not expired, not spent, no sibling of it spent, not revoked, its session live
        unless offline; a JWT that was issued in a session needs that session in any case."""

    def rotate(self, rotation: Rotation, now: int) -> Rotated:
        """One step: unknown -> UNKNOWN; (not offline) session not live -> SESSION_ENDED; grant revoked ->
        REVOKED, unless the token was spent longer ago than grace; other client -> OTHER_CLIENT (and the family is
        revoked); expired -> EXPIRED; spent longer ago than grace -> USED, reused=True, the family is revoked; a sibling
        of it, or one that came from it, was rotated before -> USED, nothing else; else the token is marked spent (first
        time only) and the new pair is written (refresh end cut to the session's absolute end unless offline). A JWT
        access token is noted under the session if that lives, as by `redeem`. Without a `refresh` the presented token
        is left as it is, and the access token alone is written."""

    def revoke(self, token_hash: str, kind: str, bucket: int, client_id: str, now: int) -> bool:
        """A refresh token's whole grant, or one access token, if it is this client's: whether there was such a one. A
        refresh token is found again as long as it is kept."""

    def revoke_grant(self, grant_id: str, bucket: int, now: int) -> bool:
        """One grant, by the digest of its ticket; whether there was one. Idempotent."""

    def revoke_grants_of(self, user_id: str, now: int, *, before: int = 0, client_id: str = "") -> int:
        """All grants of a person, offline ones too; how many. With `before`: those made before it (ms); with
        `client_id`: that client's. Nobody (empty) and a client: those that this one has of itself. Idempotent."""

    def revoke_grants_before(self, before: int, now: int) -> int:
        """Everybody's grants made before that moment (ms), offline ones too; how many. Idempotent."""


class GrantStore(Protocol):
    """Grants that come from no ticket, and grants by any token of theirs."""

    def issue(self, grant: Grant, access: NewToken, bucket: int, now: int) -> Refusal | None:
        """Write the grant and its access token in one step; None: done. With a `grant.sid` the session must live, else
        SESSION_ENDED and nothing is written (the access token's end is cut to the session's absolute end); a JWT is
        noted under it, as by `TicketStore.redeem`. Without one (a client's own grant, RFC 6749 section 4.4) the grant
        must be `offline`, and `bucket` is any. It is found by `revoke_grants_of` from here on."""

    def find_grant(self, token_hash: str, bucket: int) -> tuple[Grant, TokenDetails] | None:
        """The grant of a refresh or access token, spent, expired or revoked, while it is kept, and what the token
        carries."""


class SlipStore(Protocol):
    """Slips: small texts that live for minutes under a name, and work across processes and nodes. Pushed authorization
    requests, device codes, the names of proofs and assertions that were seen. Names hold digests, never a secret."""

    def add(self, name: str, content: str, expires_at: int, now: int) -> bool:
        """Keep it until then (ms) unless there is a live one of this name: True for exactly one of any number."""

    def find(self, name: str, now: int) -> str | None:
        """Its content; None: it isn't there, or its time is over."""

    def replace(self, name: str, was: str, content: str, now: int) -> bool:
        """Exchange the content if it still is `was`; its end stays. True for exactly one of any number."""

    def extend(self, name: str, expires_at: int, now: int) -> bool:
        """Keep it until then (ms), as it is. False: it isn't there, or its time is over."""

    def take(self, name: str, now: int) -> str | None:
        """Its content, and it is gone: for exactly one of any number of callers."""


class CheckInStore(Protocol):
    """What site stores tell and hear."""

    def registered(self, client_id: str, sids: Sequence[str]) -> list[str]:
        """Those of the sids in which this client is a participant (any store) and which are not ended."""

    def check_in(self, report: StoreReport, now: int, limit: int) -> StoreAnswer:
        """One step (or one per bucket): acks -> rows of (sid, client, store) become acknowledged from any state; active
        -> touch the live sessions in which (client, store) is a participant; live -> a live session in which this
        client takes part, with whatever store, gets (client, store) registered if it isn't, unless
        the session has `most_in_session` stores of this client whose local sessions may live; any other sid is
        answered as an end `unknown_session`; the store's
        last_check_in_at (never earlier than it was), lease and grace are written (always a write), unless
        `report.proves_from` is later than what is written: then the store went back in time, and what proves it stays;
        or unless it is new and the client has `report.most_stores` already (`is_full`).
        Answers every row of (client, store) that isn't acknowledged, whatever else its state (moot rows older than
        local_until excepted), and the past of the very server that took the step. If `denied_from` is asked: every
        entry of the client's feed from there on whose time isn't over, or the first `most_denied` and more=True."""

    def find_site_stores(self, client_id: str, store_ids: Collection[str] | None = None) -> list[SiteStore]:
        """The stores of a client that ever checked in; with `store_ids` only those of these names, at a cost that the
        number of others doesn't raise."""


class PollStore(Protocol):
    """What sites without our SDK tell and hear when they ask."""

    def poll(self, report: PollReport, now: int, limit: int) -> PollAnswer:
        """One step (or one per bucket): acks -> rows of (sid, client, no store) become acknowledged from any state;
        then refusals -> those that `notifications.is_offered` would still name, whatever their time, become refused
        with that error. That the client asked is written down, at most once in ten seconds. Answers its rows that are
        offered, oldest end first."""

    def has_waiting(self, client_id: str, now: int) -> bool:
        """Whether such a row may be there. Cheap; False is certain, True may name a row whose time has just passed."""

    def last_poll_at(self, client_id: str) -> int | None:
        """When the client last polled (ms), as written down; None: never."""


class Outbox(Protocol):
    """The worker's side of the ledger."""

    def claim(self, worker: str, now: int, limit: int, claim_ms: int, *, bulk: bool = False) -> list[Notification]:
        """Due rows of one class, `bulk` or not (pending with next_attempt_at <= now, or claimed with
        claimed_until <= now: a dead worker's), attempt + 1, claimed by this worker until now + claim_ms. No row to two
        workers. The classes stand in two queues: however long that of mass ends is, the other is found at once."""

    def record(self, results: Sequence[AttemptResult], now: int) -> None:
        """Write outcomes. Acknowledged always wins; anything else only if `attempt` and state `claimed` still match.
        What was `sent` counts `sends` up by one."""

    def list_claimed(self, now: int, limit: int, claim_ms: int) -> list[Notification]:
        """Rows of either class whose claim (of at most `claim_ms`) is not over; found at once, however many sessions
        have ended. A store may leave out some of very many: claims run out by themselves."""

    def next_due(self, now: int, *, bulk: bool | None = None) -> int | None:
        """When the next row of this class (None: of either) is due (ms), if any."""


class Ledger(Protocol):
    """People's side of the ledger."""

    def of_session(self, sid: str) -> list[Notification]:
        """All rows of a session."""

    def list_ended(
        self, limit: int, *, before: int = 0, before_sid: str = "", unfinished_only: bool = False, user_id: str = ""
    ) -> list[Session]:
        """Ended sessions, newest end first, of one millisecond the greatest sid. `before` (ms) pages on: those that
        ended earlier, and with `before_sid` also those of that very millisecond with a smaller sid."""

    def retry(self, sid: str, client_id: str, now: int) -> int:
        """Make the rows of that client (empty: of every client) due now for which `interventions.can_retry` holds; how
        many. They are no longer `bulk`: somebody waits for them."""

    def retry_all(self, pairs: Sequence[tuple[str, str]], now: int) -> dict[tuple[str, str], int]:
        """The same for each (sid, client_id), in one batch; how many rows of those pairs that had any."""

    def call_from_now(self, client_id: str, kind: str, logout_uri: str, now: int) -> int:
        """The client asked for its ends until now and is to be called from here on: what its live sessions have
        registered without a store says so, and what waits to be asked for is due now, as `bulk`; how many rows. In
        steps short enough for others to go between them."""

    def abandon(self, sid: str, client_id: str, by: str, now: int) -> int:
        """Give up rows that are pending or claimed, by name; how many."""


class Archive(Protocol):
    """Final rows on their way to the audit."""

    def list_archivable(self, limit: int) -> list[Notification]:
        """Final rows not yet archived. One that changed its state after it was archived comes again."""

    def mark_archived(self, rows: Sequence[Notification]) -> None:
        """They are in the audit now, in this state; purge may drop them."""


class GuessStore(Protocol):
    """Counters of password guesses, of the retries that people ask for at the report, of calls that sites ask for."""

    def begin(self, limits: Sequence[Limit], now: int) -> int:
        """One step: if a counter still makes wait (`Limit.spare`: which one does not), the longest wait (ms), nothing
        counted; else one more on each, and 0. The first is the person's own."""

    def settle(self, clear: Sequence[str], refund: Sequence[str]) -> None:
        """After a success: forget the first keys, take one attempt back on the others."""


class PastStore(Protocol):
    """What the store of sessions says of itself, so that one that went back in time is found out."""

    def look(self) -> Past:
        """Asked where writes go."""

    def beat(self, now: int, floor: int) -> Past:
        """heartbeat = max(it, now), unless it is smaller than `floor` (ms): then it was lost, and nothing is written.
        The past as it is afterwards. -1: in any case, so that it is the one to compare with from here on. A store that
        keeps no heartbeat only looks."""


class CensusStore(Protocol):
    """For numbers that operators watch."""

    def count(self, now: int) -> Counted:
        """From indexes alone. On SQL its time grows with what is there: whoever asks sees to it that it is seldom."""


class StoreHealth(Protocol):
    """For readiness."""

    def store_time(self) -> int:
        """The store's own clock (ms); raises Unavailable when it is away or can't be written."""

    def problems(self) -> list[str]:
        """Settings of the store that endanger the promise, in words an operator understands."""
