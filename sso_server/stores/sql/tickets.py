"""TicketStore: keeping tickets, and the one step that takes one, registers the site and writes its tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, text
from sqlalchemy.engine import Connection

from sso_server.core.identifiers import CODE, REFRESH_TOKEN
from sso_server.core.sessions import Session, local_until
from sso_server.core.tickets import NewToken, Redeemed, Redemption, Refusal, Ticket
from sso_server.stores.sql.denials import deny_tokens, noted
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.records import pack, session_of, ticket_of
from sso_server.stores.sql.room import is_full, without_room
from sso_server.stores.sql.sweeps import KEEP_TICKET_MS
from sso_server.stores.sql.tables import grants, sessions, tickets, tokens

# Repeating an issue after a lost answer changes nothing.
_PUT = Prepared(
    text(
        "INSERT INTO tickets (ticket_hash, kind, sid, client_id, user_id, redirect_uri, code_challenge, nonce, scope,"
        " auth_time, amr, issued_at, expires_at, refreshable, offline, details)"
        " VALUES (:ticket_hash, :kind, :sid, :client_id, :user_id, :redirect_uri, :code_challenge, :nonce, :scope,"
        " :auth_time, :amr, :issued_at, :expires_at, :refreshable, :offline, :details)"
        " ON CONFLICT (ticket_hash) DO NOTHING"
    )
)
_FIND = Prepared(sa.select(tickets).where(tickets.c.ticket_hash == bindparam("_ticket")))
# The session's row first, before anything is decided: an end waits for us, or we for it. Not the weaker FOR SHARE: two
# redemptions could both hold it, and neither could then turn it into the update of last_active_at.
LOCK_SESSION = Prepared(sa.select(sessions).where(sessions.c.sid == bindparam("_sid")).with_for_update(key_share=True))
_SPEND = Prepared(
    sa.update(tickets)
    .where(tickets.c.ticket_hash == bindparam("_ticket"), tickets.c.spent_at.is_(None))
    .values(spent_at=bindparam("_now"))
)
_REVOKE = (
    sa.update(grants)
    .where(grants.c.grant_id == bindparam("_grant"), grants.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("_now"))
)
_SESSION = Prepared(
    sa.update(sessions)
    .where(sessions.c.sid == bindparam("_sid"))
    .values(
        last_active_at=bindparam("_active"),
        idle_off=bindparam("_idle_off"),
        due_at=bindparam("_due"),
        audiences=bindparam("_audiences"),
    )
)
REGISTER = Prepared(
    text(
        "INSERT INTO participants (sid, client_id, store_id, kind, logout_uri, registered_at, local_until, reports)"
        " VALUES (:sid, :client_id, :store_id, :kind, :logout_uri, :registered_at, :local_until, :reports)"
        " ON CONFLICT (sid, client_id, store_id) DO UPDATE SET kind = excluded.kind, logout_uri = excluded.logout_uri,"
        " reports = excluded.reports, local_until = CASE WHEN excluded.local_until > participants.local_until"
        " THEN excluded.local_until ELSE participants.local_until END"
    )
)
_VOID = (
    sa.update(tickets)
    .where(
        tickets.c.expires_at > bindparam("_now"),
        tickets.c.spent_at.is_(None),
    )
    .values(expires_at=bindparam("_now"))
)
_GRANT = Prepared(sa.insert(grants))
INSERT_TOKENS = Prepared(sa.insert(tokens))


class SqlTickets:
    """Implements `ports.TicketStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, ticket: Ticket) -> None:
        """Keep it until its end plus ten minutes. Raises Unavailable."""
        with self._database.write() as connection:
            _PUT.run(
                connection,
                {
                    "ticket_hash": ticket.ticket_hash,
                    "kind": ticket.kind,
                    "sid": ticket.sid,
                    "client_id": ticket.client_id,
                    "user_id": ticket.user_id,
                    "redirect_uri": ticket.redirect_uri,
                    "code_challenge": ticket.code_challenge,
                    "nonce": ticket.nonce,
                    "scope": pack(ticket.scope),
                    "auth_time": ticket.auth_time,
                    "amr": pack(ticket.amr),
                    "issued_at": ticket.issued_at,
                    "expires_at": ticket.expires_at,
                    "refreshable": ticket.refreshable,
                    "offline": ticket.offline,
                    "details": ticket.details,
                },
            )

    def redeem(self, redemption: Redemption, now: int) -> Redeemed:
        """Take it, or say why not, in the order of `ports.TicketStore.redeem`. Raises Unavailable."""
        with self._database.write() as connection:
            return _redeem(connection, redemption, now)

    def void_all(self, epoch: str, now: int) -> None:
        """Tickets that nobody has redeemed have expired. Raises Unavailable."""
        del epoch  # no step is done twice here: what comes later is not there yet
        with self._database.write() as connection:
            connection.execute(_VOID, {"_now": now})

    def find(self, ticket_hash: str, bucket: int) -> Ticket | None:
        """Spent or not, while it is kept. Raises Unavailable."""
        del bucket  # the digest is the key here; Redis needs to know where to look
        with self._database.read() as connection:
            row = _FIND.find(connection, {"_ticket": ticket_hash})
        return None if row is None else ticket_of(row)


def token_values(
    token: NewToken,
    kind: str,
    grant_id: str,
    now: int,
    cut_at: int | None = None,
    *,
    step: int = 0,
    in_session: bool = False,
) -> dict[str, Any]:
    """A row of `tokens`; its end is cut to `cut_at` when given. `step`: a refresh token's, from 1 on. `in_session`: an
    access token's session lives."""
    expires_at = token.expires_at if cut_at is None else min(token.expires_at, cut_at)
    return {
        "token_hash": token.token_hash,
        "grant_id": grant_id,
        "kind": kind,
        "step": step,
        "issued_at": now,
        "expires_at": expires_at,
        "spent_at": None,
        "audience": pack(token.audience),
        "jti": token.jti,
        "deny_until": token.deny_until,
        "bound": bool(token.jti) and in_session,
        "details": token.details,
    }


def _redeem(connection: Connection, redemption: Redemption, now: int) -> Redeemed:
    row = _FIND.find(connection, {"_ticket": redemption.ticket_hash})
    if row is None:
        return Redeemed(Refusal.UNKNOWN)
    ticket = ticket_of(row)
    found = LOCK_SESSION.find(connection, {"_sid": ticket.sid})
    session = None if found is None else session_of(found)
    if row.spent_at is not None:
        return _used(connection, ticket, now)
    if now >= ticket.expires_at:
        return Redeemed(Refusal.EXPIRED, ticket)
    # Of simultaneous calls the database lets exactly one write this; the row above may be older than another's commit.
    if _SPEND.run(connection, {"_ticket": ticket.ticket_hash, "_now": now}) != 1:
        return _used(connection, ticket, now)
    refusal = _wrong_binding(ticket, redemption)
    if refusal is None and (session is None or not session.is_live(now)):
        refusal = Refusal.SESSION_ENDED
    if refusal is None and redemption.store_id:
        store = (redemption.client_id, redemption.store_id)
        if without_room(connection, [ticket.sid], *store, redemption.most_stores, now):
            refusal = Refusal.TOO_MANY_STORES
        most = redemption.most_of_all
        if refusal is None and most is not None and is_full(connection, ticket.sid, *store, most, now):
            refusal = Refusal.TOO_MANY_STORES
    if refusal is not None or session is None or found is None:
        return Redeemed(refusal, ticket)
    audiences = noted(found.audiences, redemption.access) if redemption.access else found.audiences
    return Redeemed(None, ticket, _admit(connection, ticket, row, session, audiences, redemption, now))


def revoke_grant(connection: Connection, grant_id: str, now: int) -> None:
    """Everything of it is dead, and APIs hear of its JWT access tokens."""
    if connection.execute(_REVOKE, {"_grant": grant_id, "_now": now}).rowcount:
        deny_tokens(connection, grants.c.grant_id == grant_id, now)


def _used(connection: Connection, ticket: Ticket, now: int) -> Redeemed:
    # RFC 6749 section 4.1.2: a code that comes twice takes everything along that came from it. Not a service ticket:
    # nobody proves who they are who validates one, and a spent one stands in the address that a browser had.
    if ticket.kind == CODE:
        revoke_grant(connection, ticket.ticket_hash, now)
    return Redeemed(Refusal.USED, ticket)


def _wrong_binding(ticket: Ticket, redemption: Redemption) -> Refusal | None:
    if ticket.client_id != redemption.client_id:
        return Refusal.OTHER_CLIENT
    if ticket.redirect_uri != redemption.redirect_uri:
        return Refusal.REDIRECT_URI
    if ticket.code_challenge != redemption.code_challenge:
        return Refusal.PKCE
    return None


def _admit(
    connection: Connection,
    ticket: Ticket,
    row: Any,
    session: Session,
    audiences: str,
    redemption: Redemption,
    now: int,
) -> Session:
    session = replace(
        session,
        last_active_at=max(session.last_active_at, now),
        idle_off=session.idle_off or redemption.idle_off,
    )
    _SESSION.run(
        connection,
        {
            "_sid": session.sid,
            "_active": session.last_active_at,
            "_idle_off": session.idle_off,
            "_due": session.due_at,
            "_audiences": audiences,
        },
    )
    REGISTER.run(
        connection,
        {
            "sid": ticket.sid,
            "client_id": ticket.client_id,
            "store_id": redemption.store_id,
            "kind": redemption.kind,
            "logout_uri": redemption.logout_uri,
            "registered_at": now,
            "local_until": local_until(
                now,
                created_at=session.created_at,
                absolute_until=session.absolute_until,
                local_max_ms=redemption.local_max_ms,
                margin_ms=redemption.margin_ms,
                bounded=redemption.reports,
            ),
            "reports": redemption.reports,
        },
    )
    access, written = redemption.access, []
    if access is not None:
        written.append(token_values(access, access.kind, ticket.ticket_hash, now, in_session=True))
    if redemption.refresh is not None and ticket.refreshable:
        cut_at = None if ticket.offline else session.absolute_until
        written.append(token_values(redemption.refresh, REFRESH_TOKEN, ticket.ticket_hash, now, cut_at, step=1))
    if not written:
        # Without a token there is nothing that a grant could be asked for.
        return session
    _GRANT.run(
        connection,
        {
            "grant_id": ticket.ticket_hash,
            "sid": ticket.sid,
            "client_id": ticket.client_id,
            "user_id": ticket.user_id,
            "scope": row.scope,
            "auth_time": ticket.auth_time,
            "amr": row.amr,
            "offline": ticket.offline,
            "created_at": now,
            "revoked_at": None,
            "heir": "",
            "heir_step": 0,
            "details": redemption.details or ticket.details,
            # As long as anything that came from the ticket could still be presented.
            "keep_until": max(
                ticket.expires_at + KEEP_TICKET_MS,
                access.deny_until if access else 0,
                *(token["expires_at"] for token in written),
            ),
        },
    )
    INSERT_TOKENS.run_each(connection, written)
    return session
