"""Service tickets, proxy tickets and proxy-granting tickets (CAS 3.0.3 section 3), on the same stores as codes.

Whoever validates one is registered under the session in the same step. Without our SDK each ticket stands for a local
session of its own, so each is a participant of its own: its text is the `store_id`, and what the site is told by. A
validation spends the ticket whatever its outcome.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sso_server.core import identifiers
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidGrant
from sso_server.core.events import Event, EventKind
from sso_server.core.policy import Policy
from sso_server.core.ports import AuditStore, Clock, Randomness, TicketStore, TokenStore
from sso_server.core.records import record
from sso_server.core.sessions import Session
from sso_server.core.tickets import MAX_STORES_IN_SESSION, NewToken, Redemption, Refusal, Ticket, local_life_ms
from sso_server.core.tokens import FoundToken

#: So many tickets of one service are told of a session's end; its local sessions that must be over by then don't count.
MAX_TICKETS_IN_SESSION = 1000
#: And none where the session has so many participants of all services together: its end must stay one short step, and
#: whoever has an account can show tickets of all of them.
MAX_TOGETHER = 2000
_SAID_BY_LOG_ALONE = (Refusal.UNKNOWN, Refusal.USED, Refusal.EXPIRED)
_NOBODY = ""


@record
class Validated:
    """What a validation found. Times in ms."""

    ticket: Ticket
    session: Session
    fresh: bool
    """The ticket came from a password typed for it, not from a session that was there."""
    proxies: tuple[str, ...]
    """Who stands between the person and the service: callback addresses, the latest first (section 2.5.2)."""
    session_expires_at: int
    """The local session must be over by then."""
    redemption: Redemption
    """How its site was registered."""


class ServiceTickets:
    """Issues and validates tickets of the CAS protocol."""

    def __init__(
        self,
        store: TicketStore,
        tokens: TokenStore,
        audit: AuditStore,
        clock: Clock,
        randomness: Randomness,
        policy: Policy,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._audit = audit
        self._clock = clock
        self._random = randomness
        self._policy = policy

    def issue(self, session: Session, client: Client, *, service: str, fresh: bool) -> str:
        """A service ticket for this service (`service_urls.normal_form`). Raises Unavailable."""
        details = {"fresh": fresh, "proxies": []}
        return self._put(
            identifiers.SERVICE_TICKET,
            session.sid,
            session.user_id,
            session.auth_time,
            session.amr,
            client,
            service,
            details,
        )

    def issue_proxy(self, granting: FoundToken, client: Client, *, service: str) -> str:
        """A proxy ticket by a proxy-granting ticket that is good. Raises Unavailable."""
        grant = granting.grant
        # Section 2.7: whoever was asked for a password, it was not for this.
        details = {"fresh": False, "proxies": list(_proxies(grant.details))}
        return self._put(
            identifiers.PROXY_TICKET, grant.sid, grant.user_id, grant.auth_time, grant.amr, client, service, details
        )

    def find_proxy_granting(self, text: str) -> FoundToken | None:
        """A proxy-granting ticket that is good now: its session lives. Raises Unavailable."""
        if not identifiers.is_kind(text, identifiers.PROXY_GRANTING_TICKET):
            return None
        bucket, kind = identifiers.bucket_of(text), identifiers.PROXY_GRANTING_TICKET
        return self._tokens.find_token(identifiers.digest(text), kind, bucket, self._clock.now())

    def callback_of(self, granting: FoundToken) -> str:
        """To whom this proxy-granting ticket was sent."""
        return next(iter(_proxies(granting.grant.details)), "")

    def validate(
        self,
        text: str,
        client: Client | None,
        *,
        service: str,
        address: str,
        renew: bool = False,
        proxies_allowed: bool = False,
        store_id: str = "",
    ) -> Validated:
        """Spend the ticket, whatever comes of it; if it is good, the site is registered in the same step.

        `client`: whose `service` (in normal form) it is, None if nobody's. `address`: where a site without our SDK is
        told of the end. `store_id`: of an authenticated site with our SDK. Raises InvalidGrant with a `Refusal` as
        its description, Unavailable.
        """
        if not identifiers.is_ticket(text):
            raise InvalidGrant(Refusal.UNKNOWN.value)
        if client is None:
            raise self.spend(text, Refusal.SERVICE, "")
        if identifiers.is_kind(text, identifiers.PROXY_TICKET) and not proxies_allowed:
            raise self.spend(text, Refusal.PROXY, client.client_id)
        if renew and not self._is_fresh(text):
            raise self.spend(text, Refusal.NOT_FRESH, client.client_id)
        now = self._clock.now()
        redemption = Redemption(
            ticket_hash=identifiers.digest(text),
            bucket=identifiers.bucket_of(text),
            client_id=client.client_id,
            redirect_uri=service,
            code_challenge="",
            store_id=store_id or text,
            kind=client.store_kind if store_id else client.kind,
            logout_uri=client.backchannel_logout_uri if store_id else client.backchannel_logout_uri or address,
            local_max_ms=local_life_ms(client, self._policy),
            margin_ms=self._policy.clock_margin_ms,
            reports=bool(store_id),
            idle_off=not store_id and not self._policy.idle_without_reports,
            access=None,
            refresh=None,
            most_stores=MAX_STORES_IN_SESSION if store_id else MAX_TICKETS_IN_SESSION,
            most_of_all=None if store_id else MAX_TOGETHER,
        )
        ticket, session = self._redeem(redemption, now)
        if ticket.issued_at < client.created_at:
            # Whoever was registered since is not the one of that id for whom it was (as `FoundToken.is_for`).
            raise self._refused(Refusal.UNKNOWN, client.client_id, ticket.sid)
        return Validated(
            ticket,
            session,
            _is_fresh(ticket.details),
            _proxies(ticket.details),
            min(session.absolute_until, now + local_life_ms(client, self._policy)),
            redemption,
        )

    def new_proxy_granting(self, validated: Validated) -> str:
        """The text of a proxy-granting ticket for its session. Nothing knows it until it is granted."""
        return self._random.identifier(identifiers.PROXY_GRANTING_TICKET, identifiers.bucket_of(validated.session.sid))

    def grant(self, text: str, validated: Validated, callback: str) -> None:
        """This proxy-granting ticket, sent to this callback, is good from now on. Raises InvalidGrant if the session
        has ended since the validation, Unavailable; then it never is."""
        # By the step that every site is admitted by, and so never between an end and its notifications: a ticket of
        # its own that nobody but this call has, for the site that is registered already.
        now, ticket = self._clock.now(), validated.ticket
        kind, digest = identifiers.PROXY_GRANTING_TICKET, identifiers.digest(text)
        details = json.dumps({"proxies": [callback, *validated.proxies]})
        ends_at = now + self._policy.ticket_ms
        self._store.put(replace(ticket, ticket_hash=digest, kind=kind, issued_at=now, expires_at=ends_at, details=""))
        # Section 3.3.1: it may be used again and again; it dies with the session, which no setting lets live longer.
        access = NewToken(digest, now + max(self._policy.absolute_ms, self._policy.remembered_ms), kind=kind)
        self._redeem(replace(validated.redemption, ticket_hash=digest, access=access, details=details), now)

    def spend(self, text: str, why: Refusal, client_id: str, given: str = "") -> InvalidGrant:
        """Spend a ticket for nothing; the error to raise. What the store says of it counts first: an unknown or spent
        one is that, whatever else was wrong. `client_id`: who showed it, empty if nobody knows. `given`: the address
        that was wrong, for the log. Raises Unavailable."""
        if not identifiers.is_ticket(text):
            return InvalidGrant(Refusal.UNKNOWN.value)
        redeemed = self._store.redeem(
            Redemption(
                ticket_hash=identifiers.digest(text),
                bucket=identifiers.bucket_of(text),
                client_id=_NOBODY,
                redirect_uri="",
                code_challenge="",
                store_id="",
                kind="",
                logout_uri="",
                local_max_ms=0,
                margin_ms=0,
                reports=False,
                idle_off=False,
                access=None,
                refresh=None,
            ),
            self._clock.now(),
        )
        refusal = why if redeemed.refusal is Refusal.OTHER_CLIENT else redeemed.refusal or Refusal.UNKNOWN
        detail = f"{refusal}: received {_shown(given)}" if given and refusal is why else ""
        return self._refused(refusal, client_id, redeemed.ticket.sid if redeemed.ticket else "", detail)

    def fail(self, validated: Validated, why: Refusal, detail: str) -> InvalidGrant:
        """What was wanted with the validation came to nothing, the ticket is spent; the error to raise, with `detail`
        for the log. Raises Unavailable."""
        return self._refused(why, validated.ticket.client_id, validated.session.sid, detail)

    def _redeem(self, redemption: Redemption, now: int) -> tuple[Ticket, Session]:
        redeemed = self._store.redeem(redemption, now)
        ticket, session = redeemed.ticket, redeemed.session
        if redeemed.refusal is not None or ticket is None or session is None:
            sid, refusal, detail = ticket.sid if ticket else "", redeemed.refusal or Refusal.UNKNOWN, ""
            if ticket is not None and refusal in (Refusal.REDIRECT_URI, Refusal.OTHER_CLIENT):
                received, issued_for = _shown(redemption.redirect_uri), _shown(ticket.redirect_uri)
                detail = f"{refusal}: received {received}, issued for {issued_for}"
            raise self._refused(refusal, redemption.client_id, sid, detail)
        return ticket, session

    def _put(
        self,
        kind: str,
        sid: str,
        user_id: str,
        auth_time: int,
        amr: tuple[str, ...],
        client: Client,
        service: str,
        details: dict[str, Any],
    ) -> str:
        now, text = self._clock.now(), self._random.identifier(kind, identifiers.bucket_of(sid))
        self._store.put(
            Ticket(
                ticket_hash=identifiers.digest(text),
                kind=kind,
                sid=sid,
                client_id=client.client_id,
                user_id=user_id,
                redirect_uri=service,
                code_challenge="",
                nonce="",
                scope=(),
                auth_time=auth_time,
                amr=amr,
                issued_at=now,
                expires_at=now + self._policy.ticket_ms,
                refreshable=False,
                offline=False,
                details=json.dumps(details),
            )
        )
        return text

    def _find(self, text: str) -> Ticket | None:
        return self._store.find(identifiers.digest(text), identifiers.bucket_of(text))

    def _is_fresh(self, text: str) -> bool:
        ticket = self._find(text)
        return ticket is not None and _is_fresh(ticket.details)

    def _refused(self, refusal: Refusal, client_id: str, sid: str, detail: str = "") -> InvalidGrant:
        # Whoever validates proves nothing: what is no ticket, or none any more, fills no database, however often it
        # comes. The first attempt spends a ticket, so each has one line at most.
        if refusal not in _SAID_BY_LOG_ALONE:
            data: dict[str, str | int | None] = {"refusal": refusal.value}
            self._audit.append(
                Event(self._clock.now(), EventKind.TICKET_REFUSED, sid=sid, client_id=client_id, data=data)
            )
        return InvalidGrant(refusal.value, detail=detail)


def _shown(address: str) -> str:
    """An address for the log: with the names in its query, without the values, which are the person's business."""
    base, mark, query = address.partition("?")
    names = "&".join(name + (sign and "=...") for name, sign, _ in (one.partition("=") for one in query.split("&")))
    return repr((base.partition(";")[0] + mark + names)[:300])


def _is_fresh(details: str) -> bool:
    return bool(_read(details).get("fresh"))


def _proxies(details: str) -> tuple[str, ...]:
    return tuple(str(one) for one in _read(details).get("proxies", ()))


@lru_cache(maxsize=64)  # most tickets say the same; what it gives is only read
def _read(details: str) -> dict[str, Any]:
    read = json.loads(details) if details else {}
    return read if isinstance(read, dict) else {}
