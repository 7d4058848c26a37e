"""THE one function that ends a session, for every reason; and orders that end many.

A front, the CLI, the sweeper, a password change: all come here. The store ends the session and writes its
notifications in one step; only then is the delivery worker woken and the audit told. Losing the wake-up costs only
latency; losing the line in the audit, nothing: `delivery.auditor` writes what is missing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sso_server.core import identifiers
from sso_server.core.errors import Unavailable
from sso_server.core.events import Event, EventKind
from sso_server.core.notifications import Notification
from sso_server.core.policy import SECOND
from sso_server.core.ports import (
    AuditStore,
    Clock,
    EndOrderStore,
    Randomness,
    SessionLists,
    SessionStore,
    Sweeps,
    TokenStore,
    Wake,
)
from sso_server.core.records import record
from sso_server.core.sessions import EndReason, Session
from sso_server.core.users import EndOrder

# So few that whoever carries an order out can make room for others often (delivery/pace.py).
_ORDER_BATCH = 50
#: Web processes know a client for a second after it was removed (`clients.ClientDirectory`), and the request that goes
#: there then has begun: for so long people may still come to it.
_STILL_KNOWN_MS = 2 * SECOND


@record
class Ended:
    """A session that is over: its row, the ledger rows of its participants, and whether this very call ended it."""

    session: Session
    notifications: tuple[Notification, ...]
    first: bool


def ended_event(session: Session, actor: str, **more: str | int | None) -> Event:
    """The line of the audit for a session that is over."""
    return Event(
        session.ended_at or 0,
        EventKind.SESSION_ENDED,
        user_id=session.user_id,
        sid=session.sid,
        actor=actor,
        data={
            "reason": session.end_reason,
            # What a receipt says of the session when the store has forgotten it (core/receipts.py).
            "opened_at": session.created_at,
            "address": session.address,
            "user_agent": session.user_agent,
            **more,
        },
    )


class SignOut:
    """Ends sessions."""

    def __init__(
        self,
        sessions: SessionStore,
        lists: SessionLists,
        sweeps: Sweeps,
        orders: EndOrderStore,
        tokens: TokenStore,
        audit: AuditStore,
        wake: Wake,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._sessions = sessions
        self._lists = lists
        self._sweeps = sweeps
        self._orders = orders
        self._tokens = tokens
        self._audit = audit
        self._wake = wake
        self._clock = clock
        self._random = randomness
        self._reached: dict[str, str] = {}
        """Up to which sid this process has come with an order. A short cut: who begins anew skips what has ended."""

    def end(self, sid: str, reason: EndReason, *, actor: str, bulk: bool = False) -> Ended | None:
        """End the session; idempotent, the first reason stays. None: there never was such a session.

        `actor` says who: `user`, `client:ID`, `sweeper`, `cli`, `admin:USERNAME`. `bulk`: one of
        very many; nobody waits for it.
        """
        ended = self._sessions.end(sid, reason.value, self._clock.now(), bulk=bulk)
        if ended is not None:
            self.record(ended, actor=actor)
            if not ended.first and not bulk:
                self._record_if_missing(ended.session, actor)
        return ended

    def end_page(self, ends: Iterable[tuple[str, str]], *, actor: str, bulk: bool = True) -> int:
        """End each (sid, reason) as `end` does; how many this call ended."""
        ended = [
            result
            for sid, reason in ends
            if (result := self._sessions.end(sid, reason, self._clock.now(), bulk=bulk)) is not None
        ]
        # Once for all of them: a write of its own for every line would take as long as the ends themselves.
        self.record(*ended, actor=actor)
        return sum(one.first for one in ended)

    def note_forgotten(self, audience: Sequence[str], until: int) -> None:
        """See `ports.SessionStore`: whoever ends a session from here on, these clients' APIs hear of it."""
        self._sessions.note_forgotten(audience, until, self._clock.now())

    def record(self, *all_ended: Ended, actor: str) -> None:
        """Tell the audit and the delivery worker of sessions that a store has ended. Never raises: they are over."""
        first = [ended.session for ended in all_ended if ended.first]
        if not first:
            return
        self._wake.ring()
        # The end is committed and the answer must say so, also while the audit can't be written: a person whose
        # sign-out is answered with an error keeps the cookie and believes to be signed in.
        with contextlib.suppress(Unavailable):
            self._audit.append(*(ended_event(session, actor) for session in first))

    def _record_if_missing(self, session: Session, actor: str) -> None:
        """Whoever ended it first may never have heard of it (the answer was lost, or too few replicas had confirmed),
        and so has written no line. From this answer on somebody relies on the end: a store that loses it now must be
        told of it by the journal. Never raises, as `record`."""
        with contextlib.suppress(Unavailable):
            if not self._audit.list_events(1, kind=EventKind.SESSION_ENDED, sid=session.sid):
                self._audit.append(ended_event(session, actor))

    def announce_replaced(self, session: Session) -> None:
        """The store ended this session to make room for another person's; its sites are told."""
        self.record(Ended(session, (), first=True), actor="user")

    def sweep(self, limit: int) -> int:
        """End sessions whose time has run out, at most `limit`; how many it were."""
        swept = self._sweeps.end_due(self._clock.now(), limit)
        self.record(*swept, actor="sweeper")
        return len(swept)

    def lag_ms(self) -> int:
        """How long the oldest due session has been waiting for the sweeper; a lease is shortened by it."""
        now = self._clock.now()
        oldest = self._sweeps.oldest_due(now)
        return 0 if oldest is None else max(0, now - oldest)

    def sweep_and_lag(self, limit: int) -> int:
        """`sweep`, then `lag_ms`. Mostly nothing is due, and then one look says both; each visits every bucket."""
        if self._sweeps.oldest_due(self._clock.now()) is None:
            return 0
        self.sweep(limit)
        return self.lag_ms()

    def order_for_user(
        self, user_id: str, user_version: int, reason: EndReason, *, keep_sid: str, revoke_grants: bool
    ) -> EndOrder:
        """An order, not yet written: whoever bumps the person's version writes it in that transaction."""
        return EndOrder(
            order_id=self._random.token("ord"),
            reason=reason.value,
            created_at=self._clock.now(),
            user_id=user_id,
            user_version=user_version,
            keep_sid=keep_sid,
            revoke_grants=revoke_grants,
        )

    def order_for_removal(self, client_id: str) -> EndOrder:
        """An order, not yet written: whoever removes the client writes it in that transaction, and asks for it right
        before. It isn't finished before the last who could still go there are there."""
        order = self._order(EndReason.CLIENT_REMOVED, client_id)
        return replace(order, created_at=order.created_at + _STILL_KNOWN_MS, revoke_grants=True)

    def order_for_app(self, user_id: str, client_id: str) -> EndOrder:
        """An order, not yet written: whoever takes the person's consent away writes it in that transaction."""
        order = self._order(EndReason.APP_REMOVED, client_id)
        return replace(order, user_id=user_id, revoke_grants=True)

    def order(self, reason: EndReason, *, client_id: str = "") -> EndOrder:
        """Write an order for all sessions, or for all in which this client takes part, and begin with it."""
        order = self._order(reason, client_id)
        self._orders.add(order)
        self.begin(order)
        return order

    def _order(self, reason: EndReason, client_id: str) -> EndOrder:
        return EndOrder(
            order_id=self._random.token("ord"),
            reason=reason.value,
            created_at=self._clock.now(),
            client_id=client_id,
        )

    def begin(self, order: EndOrder) -> None:
        """The first batch of an order that is written. Never raises: whatever fails from here on, a delivery process
        carries it out, and whoever is answered with an error takes for undone what was written with the order."""
        with contextlib.suppress(Unavailable):
            self.run_order(order)

    def run_pending_orders(self) -> int:
        """One batch of every unfinished order; how many sessions ended."""
        orders = self._orders.list_unfinished()
        for order in orders:
            if not order.user_id:
                # Not where whoever gave the order has begun: two that follow each other would end each session twice.
                anywhere = self._random.identifier(identifiers.SESSION, self._random.bucket())
                self._reached.setdefault(order.order_id, anywhere)
        return sum(self.run_order(order) for order in orders)

    def run_order(self, order: EndOrder) -> int:
        """One batch; how many sessions ended. An order is finished by a look from the beginning that finds less than
        that.

        The look goes on where the last one of this process ended: a hundred thousand sessions that are over already
        would otherwise be stepped over again for every batch.
        """
        begun_at = self._clock.now()
        reached = self._reached.get(order.order_id, "")
        found = self._list_ordered(order, after_sid=reached)
        if not found and reached:
            reached, found = "", self._list_ordered(order)
        doomed = [(session.sid, order.reason) for session in found if session.sid != order.keep_sid]
        # One person's few sessions are as urgent as a single one; everybody's are not.
        count = self.end_page(doomed, actor=f"order:{order.order_id}", bulk=not order.user_id)
        if order.revoke_grants:
            # After the sessions: no ticket of theirs can be redeemed any more, so no grant slips in behind this.
            # Those of the kept session, too: who had a copy of its cookie has what it fetched. Its sites stay signed in
            # by their local sessions.
            # Of a client that is gone, those that it had of itself; who is registered under its id later has others.
            before = 0 if order.user_id else order.created_at
            self._tokens.revoke_grants_of(order.user_id, self._clock.now(), before=before, client_id=order.client_id)
        # The kept session may be the only one found; a full batch means that there is more.
        finished = not reached and len(found) < _ORDER_BATCH and begun_at >= order.created_at
        self._orders.progress(order.order_id, count, self._clock.now() if finished else None)
        if finished:
            self._reached.pop(order.order_id, None)
        elif found:
            self._reached[order.order_id] = found[-1].sid
        return count

    def _list_ordered(self, order: EndOrder, after_sid: str = "") -> list[Session]:
        return self._lists.list_live(
            self._clock.now(),
            _ORDER_BATCH,
            user_id=order.user_id,
            client_id=order.client_id,
            older_than_version=order.user_version,
            opened_before=order.created_at if not order.user_id else 0,
            after_sid=after_sid,
        )
