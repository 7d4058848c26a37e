"""Putting right what a store that went back in time brought back: every session that ended ends again.

What proves that it went back is in `core.restorations`. Everything here may be done twice, by two nodes at once, or
be killed at any point: an unfinished restoration is carried out again from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sso_server.core.clients import ClientDirectory
from sso_server.core.events import Event, EventKind
from sso_server.core.fence import REREAD_MS
from sso_server.core.policy import HOUR, MINUTE, Policy
from sso_server.core.ports import (
    AuditStore,
    Clock,
    EndOrderStore,
    Journal,
    PastStore,
    RestorationStore,
    SessionLists,
    TicketStore,
    TokenStore,
)
from sso_server.core.restorations import SINCE_MARGIN_MS, Cause, Restoration, Restorations, RestorationState
from sso_server.core.revocations import Revocation
from sso_server.core.sessions import EndReason, Session
from sso_server.core.sign_out import SignOut
from sso_server.core.users import EndOrder

_PAGE = 200
_LINES = 1000
_Line = TypeVar("_Line", bound=tuple[Any, ...])
#: A process may have ended a session just before, and write its line into the journal only after we read that; and
#: PostgreSQL gives a line its number before it is committed. No transaction stands open for so long.
_LATE_LINES_MS = MINUTE
#: Whoever carried it out may be gone at once, and these lines with him: who starts within this time reads them.
_STARTED_LATE_MS = HOUR


class Restoring:
    """One per delivery process; any number may run beside each other."""

    def __init__(
        self,
        restorations: Restorations,
        store: RestorationStore,
        past: PastStore,
        journal: Journal,
        sign_out: SignOut,
        lists: SessionLists,
        orders: EndOrderStore,
        tickets: TicketStore,
        tokens: TokenStore,
        audit: AuditStore,
        clients: ClientDirectory,
        clock: Clock,
        policy: Policy,
    ) -> None:
        self._restorations = restorations
        self._store = store
        self._past = past
        self._journal = journal
        self._sign_out = sign_out
        self._lists = lists
        self._orders = orders
        self._tickets = tickets
        self._tokens = tokens
        self._audit = audit
        self._clients = clients
        self._clock = clock
        self._policy = policy
        self._followed = ""
        """Of which restoration this process has read the late lines once."""
        self._found = ("", 0)
        """The unfinished one that this process has seen last, and since when (ms)."""
        self._done: set[int] = set()
        """The numbers of those that it has put right."""

    def run_once(self, *, beat: bool, patient: bool = False) -> Restoration | None:
        """Look, and carry out what is unfinished; the one that was. `beat`: write a heartbeat. `patient`: not before
        every process has had the time to read that nobody may be served (`core.fence`), so that a master that was cut
        off serves nobody any more when the other one begins to. Raises Unavailable."""
        state = self._restorations.look(beat=beat)
        if state.unfinished is None:
            self._end_late_lines(state)
            return None
        if patient and not self._is_known_everywhere(state.unfinished):
            return None
        self._carry_out(state.unfinished, state)
        return state.unfinished

    def _is_known_everywhere(self, restoration: Restoration) -> bool:
        found, since = self._found
        if found != restoration.restoration_id:
            self._found = (restoration.restoration_id, self._clock.now())
            return False
        return abs(self._clock.now() - since) >= REREAD_MS

    def _carry_out(self, restoration: Restoration, state: RestorationState) -> None:
        before = self._past.look()
        # A store that went back once more since the detection may have lost older ends than we wrote down.
        is_same = before.incarnation == restoration.incarnation
        since = restoration.since if is_same and (before.heartbeat or 0) >= restoration.since + SINCE_MARGIN_MS else 0
        # From here on ordinary looks compare with this: a store that goes back while we work is found out by them.
        now = self._past.beat(max(self._clock.now(), state.heartbeat), -1)
        if now.heartbeat is not None:
            self._store.note_heartbeat(now.heartbeat)
        if audience := self._audience():
            # First of all: from here on whoever ends a session, we or a person, has its APIs told.
            self._sign_out.note_forgotten(audience, self._clock.now() + self._token_ms)
        # Which of them were spent is not known any more. People are sent round once more, without a question.
        self._tickets.void_all(restoration.restoration_id, self._clock.now())
        if restoration.end_all:
            ended = self._end_all(restoration)
        else:
            ended = self._replay(restoration, since, state.journal_end)
        done_at = self._clock.now()
        self._store.finish(restoration.restoration_id, now.incarnation, ended, done_at)
        data: dict[str, str | int | None] = {
            "cause": restoration.cause,
            "end_all": int(restoration.end_all),
            "ended": ended,
        }
        self._audit.append(
            Event(done_at, EventKind.STORE_RESTORED, actor=f"restoration:{restoration.restoration_id}", data=data)
        )

    def _end_all(self, restoration: Restoration) -> int:
        ended = 0
        for page in self._live(opened_before=restoration.detected_at):
            ended += self._end([(session.sid, EndReason.STORE_RESTORED.value) for session in page], restoration)
        # Offline ones, too: nobody knows any more which of them were revoked. After the sessions, so that no ticket of
        # theirs makes another.
        self._tokens.revoke_grants_before(restoration.detected_at, self._clock.now())
        return ended

    def _replay(self, restoration: Restoration, since: int, journal_end: int) -> int:
        ended = 0
        begin = self._journal.position_at(since) if since else 0
        if since and journal_end - begin < self._lists.count_live(self._clock.now()):
            for lines in _pages(self._journal.ends_after, begin):
                ended += self._end([(sid, reason) for _, sid, reason in lines], restoration)
        else:
            # Whoever is live although the journal has an end for it. The moment of the snapshot needn't be known.
            for page in self._live():
                ended += self._end(self._journal.ends_of([session.sid for session in page]).items(), restoration)
            if self._audience():
                # A session that ended and is gone altogether may have tokens: what APIs had to refuse was lost with it.
                lived_since = self._journal.position_at(self._clock.now() - self._token_ms)
                for lines in _pages(self._journal.ends_after, lived_since):
                    ended += self._end([(sid, reason) for _, sid, reason in lines], restoration)
        for order in self._orders.list_since(since):
            # As `SignOut.run_order`, from the beginning and to the end, whatever the order's own count says.
            for page in self._live(order.user_id, order.client_id, order.user_version, order.created_at):
                doomed = [(session.sid, order.reason) for session in page if self._is_meant(order, session.sid)]
                ended += self._end(doomed, restoration)
            if order.revoke_grants:
                # What the person was granted after the order had done its work was granted rightly.
                self._tokens.revoke_grants_of(
                    order.user_id, self._clock.now(), before=order.finished_at or 0, client_id=order.client_id
                )
        # No token lives longer than this; a grant that is gone is not missed.
        granted_since = begin if since else self._journal.position_at(self._clock.now() - self._policy.offline_ms)
        for revocations in _pages(self._journal.revocations_after, granted_since):
            self._revoke(revocations)
        return ended

    def _is_meant(self, order: EndOrder, sid: str) -> bool:
        """A client that was removed and registered again is another one: sessions that were opened before the order and
        came to it afterwards are not those that the order was about."""
        if sid == order.keep_sid:
            return False
        return not order.client_id or any(
            one.client_id == order.client_id and one.registered_at < order.created_at
            for one in self._lists.participants(sid)
        )

    def _end_late_lines(self, state: RestorationState) -> None:
        """Lines that were written while, or soon after, the journal was read, whoever read it: at most a minute's."""
        newest, finished_at = state.newest, state.newest.finished_at or 0
        is_followed = self._followed == newest.restoration_id
        until = finished_at + (_LATE_LINES_MS if is_followed else _STARTED_LATE_MS)
        if newest.end_all or newest.cause == Cause.FIRST_SEEN or self._clock.now() > until:
            self._done.clear()
            return
        if not is_followed:
            self._done.clear()
        # By time, and anew each time: numbers are given before lines can be seen, be it a thousand or one.
        begin = self._journal.position_at((self._clock.now() if is_followed else newest.detected_at) - _LATE_LINES_MS)
        end = self._journal.position_at(finished_at + _LATE_LINES_MS)
        for ends in self._undone(_pages(self._journal.ends_after, begin), end):
            self._end([(sid, reason) for _, sid, reason in ends], newest)
        for revocations in self._undone(_pages(self._journal.revocations_after, begin), end):
            self._revoke(revocations)
        self._followed = newest.restoration_id

    def _undone(self, pages: Iterable[list[_Line]], end: int) -> Iterator[list[_Line]]:
        """Of these lines those up to this number; each is done once it was worked through."""
        for page in pages:
            fresh = [line for line in page if line[0] not in self._done and line[0] <= end]
            yield fresh
            self._done.update(line[0] for line in fresh)
            if page[-1][0] >= end:
                return

    def _end(self, ends: Iterable[tuple[str, str]], restoration: Restoration) -> int:
        """A page of sids, each with its reason; how many this call ended."""
        actor = f"restoration:{restoration.restoration_id}"
        return self._sign_out.end_page(((sid, _known(reason)) for sid, reason in ends), actor=actor)

    def _revoke(self, lines: Iterable[tuple[int, Revocation | None]]) -> None:
        for _, revocation in lines:
            if revocation is not None:
                revocation.carry_out(self._tokens, self._clock.now())

    def _audience(self) -> list[str]:
        """For whose APIs JWT access tokens may have been issued in the lost time."""
        issuing = [client.audience for client in self._clients.all() if client.access_token == "jwt"]
        return sorted({name for names in issuing for name in names})

    @property
    def _token_ms(self) -> int:
        """How long an API may take a JWT access token."""
        return self._policy.access_token_ms + self._policy.clock_margin_ms

    def _live(
        self, user_id: str = "", client_id: str = "", version: int = 0, opened_before: int = 0
    ) -> Iterator[list[Session]]:
        after = ""
        while page := self._lists.list_live(
            self._clock.now(),
            _PAGE,
            user_id=user_id,
            client_id=client_id,
            older_than_version=version,
            opened_before=opened_before if not user_id else 0,
            after_sid=after,
        ):
            yield page
            after = page[-1].sid


def _pages(read: Callable[[int, int], list[_Line]], number: int) -> Iterator[list[_Line]]:
    """The journal's lines behind this number, by number."""
    while page := read(number, _LINES):
        yield page
        number = page[-1][0]


def _known(reason: str) -> str:
    """A line of a newer version may name a reason that this one doesn't know."""
    return reason if reason in set(EndReason) else EndReason.STORE_RESTORED.value
