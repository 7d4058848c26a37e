"""Consent: what a person has agreed that a client may see and do, remembered until they take it back.

A third party's client sees nothing before. The operator's own sites are asked about only if they wish it
(`prompt=consent`); what they may do while nobody is signed in is noted all the same, so that it can be taken back.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from sso_server.core import identifiers
from sso_server.core.claims import OPENED_BY
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidGrant, Unavailable
from sso_server.core.events import Event, EventKind
from sso_server.core.policy import HOUR
from sso_server.core.ports import Clock, ConsentStore, TokenStore
from sso_server.core.records import record
from sso_server.core.sign_out import SignOut
from sso_server.core.tickets import Refusal, Ticket

OFFLINE = "offline_access"
#: `last_used_at` is a hint for people: nobody needs it to the minute, and every note is a write.
_NOTE_EVERY_MS = HOUR


@record
class Consent:
    """One person and one client. Times in ms."""

    user_id: str
    client_id: str
    scope: tuple[str, ...]
    claims: tuple[str, ...]
    """Names of single claims that were asked for beside the scopes."""
    granted_at: int
    last_used_at: int

    def covers(self, scope: tuple[str, ...], claims: tuple[str, ...]) -> bool:
        """Whether nothing is asked for that was not agreed to."""
        return set(scope) <= set(self.scope) and set(claims) <= set(self.claims)


@record
class Wish:
    """What a client asks a person to agree to: all of it, whatever they agreed to before."""

    scope: tuple[str, ...]
    claims: tuple[str, ...] = ()


def wish_of(client: Client, scope: tuple[str, ...], claims: tuple[str, ...]) -> Wish:
    """`claims`: the names in the `claims` parameter. Only those that the client can get count, and that no scope of the
    request opens anyway; the others tell nothing of the person."""
    if not claims:
        return Wish(scope)
    within = {claim for one in client.scopes for claim in OPENED_BY.get(one, ())}
    opened = {claim for one in scope for claim in OPENED_BY.get(one, ())}
    return Wish(scope, tuple(claim for claim in claims if claim in within - opened))


class Consents:
    """Asks, remembers and forgets."""

    def __init__(self, store: ConsentStore, sign_out: SignOut, tokens: TokenStore, clock: Clock) -> None:
        self._store = store
        self._sign_out = sign_out
        self._tokens = tokens
        self._clock = clock

    def find(self, user_id: str, client_id: str) -> Consent | None:
        """What this person has agreed to. Raises Unavailable."""
        return self._store.find(user_id, client_id)

    def list_of(self, user_id: str) -> list[Consent]:
        """All that this person has agreed to, by client id. Raises Unavailable."""
        return self._store.list_of(user_id)

    def is_missing(self, user_id: str, client: Client, wish: Wish) -> bool:
        """Whether the person must be asked before this client learns anything. Raises Unavailable."""
        if not client.metadata.third_party:
            # Whoever registered it for this centre has agreed for everybody.
            return False
        known = self._store.find(user_id, client.client_id)
        return known is None or not known.covers(wish.scope, wish.claims)

    def give(self, user_id: str, client: Client, wish: Wish) -> None:
        """The person agrees, beside what they agreed to before. Raises Unavailable."""
        data: dict[str, str | int | None] = {"scope": " ".join(wish.scope), "claims": " ".join(wish.claims)}
        event = Event(
            self._clock.now(),
            EventKind.CONSENT_GIVEN,
            user_id=user_id,
            client_id=client.client_id,
            actor="user",
            data=data,
        )
        # In one step: a yes that fails is none, whatever the person then says.
        self._keep(user_id, client.client_id, wish, event)

    def note_use(self, user_id: str, client: Client, scope: tuple[str, ...]) -> None:
        """The client has just been served, for this person. Coarse: at most a write an hour. Raises Unavailable."""
        offline = OFFLINE in scope
        if not client.metadata.third_party and not offline:
            return
        now, known = self._clock.now(), self._store.find(user_id, client.client_id)
        if offline and not client.metadata.third_party and (known is None or OFFLINE not in known.scope):
            # Nothing but this: should it become a third party's one day, nobody has agreed to the rest.
            self._keep(user_id, client.client_id, Wish((OFFLINE,)))
        elif known is not None and now - known.last_used_at >= _NOTE_EVERY_MS:
            self._store.note_use(user_id, client.client_id, now)

    def note_use_quietly(self, user_id: str, client: Client, scope: tuple[str, ...]) -> None:
        """The same behind an answer that must not be lost: its refresh token is spent already."""
        with contextlib.suppress(Unavailable):
            self.note_use(user_id, client, scope)

    def confirm(self, ticket: Ticket, client: Client) -> None:
        """After this ticket was redeemed: the person may have removed the app since it was issued, and then its session
        was none of those that ended. Asked after the step that registered it, so that either this finds the consent
        gone, or the removal finds what came from the ticket. Raises InvalidGrant, Unavailable."""
        if not client.metadata.third_party:
            # An operator's site needs no consent; what it has got is at least seen again.
            self.note_use(ticket.user_id, client, ticket.scope)
            return
        now, known = self._clock.now(), self._store.find(ticket.user_id, client.client_id)
        if known is None:
            self._tokens.revoke_grants_of(ticket.user_id, now, client_id=client.client_id)
        elif not known.covers(ticket.scope, ()):
            # Less than the ticket says: agreed to again since, or a device's yes that nobody could write down. Its
            # other grants are within what was agreed to.
            self._tokens.revoke_grant(ticket.ticket_hash, identifiers.bucket_of(ticket.sid), now)
        else:
            return
        # The client stays a participant of the session: another ticket of it may have been redeemed there at this
        # moment, and to tell a site that got nothing does no harm.
        raise InvalidGrant(Refusal.CONSENT.value)

    def remove(self, user_id: str, client_id: str, *, actor: str) -> bool:
        """Take it back: the sessions in which the client takes part end, with the reason `app_removed`, and whatever it
        was granted is revoked. False: there was nothing. Raises Unavailable."""
        known = self._store.find(user_id, client_id)
        if known is None:
            return False
        order = self._sign_out.order_for_app(user_id, client_id)
        event = Event(
            self._clock.now(),
            EventKind.CONSENT_REMOVED,
            user_id=user_id,
            client_id=client_id,
            actor=actor,
            data={"scope": " ".join(known.scope), "claims": " ".join(known.claims)},
        )
        self._store.remove(user_id, client_id, order, event)
        self._sign_out.begin(order)
        return True

    def _keep(self, user_id: str, client_id: str, wish: Wish, event: Event | None = None) -> None:
        now, known = self._clock.now(), self._store.find(user_id, client_id)
        new = Consent(user_id, client_id, wish.scope, wish.claims, granted_at=now, last_used_at=now)
        if known is not None:
            scope, claims = (*known.scope, *wish.scope), (*known.claims, *wish.claims)
            new = replace(new, scope=tuple(dict.fromkeys(scope)), claims=tuple(dict.fromkeys(claims)))
        self._store.put(new, event)
