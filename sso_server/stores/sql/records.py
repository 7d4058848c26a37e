"""Rows of the session side to the core's records and back, and the few SQL terms that several files share."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, case, or_

from sso_server.core.notifications import Notification, State
from sso_server.core.sessions import Participant, Session
from sso_server.core.tickets import Ticket
from sso_server.core.tokens import Grant
from sso_server.stores.sql.tables import sessions

#: Made once; `json.dumps` makes one for each call that wants it short.
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
#: The lists of the hot rows (scopes, `amr`, audiences) are short, and few are different.
_SHORT = 100


def pack(values: tuple[str, ...]) -> str:
    """A list of texts as it is kept."""
    return _JSON.encode(values)


def unpack(text: str) -> tuple[str, ...]:
    """The opposite of `pack`."""
    return _unpacked(text) if len(text) <= _SHORT else tuple(json.loads(text))


@lru_cache(maxsize=256)
def _unpacked(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def later(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    """The larger of two. (SQLite's max() of two is PostgreSQL's greatest(); CASE is both.)"""
    return case((one >= other, one), else_=other)


def due_at_of(last_active_at: ColumnElement[int]) -> ColumnElement[int]:
    """`Session.due_at` as SQL, for a session that was last active then."""
    idle_end = last_active_at + sessions.c.idle_allowance_ms
    return case(
        (or_(sessions.c.idle_off, sessions.c.absolute_until <= idle_end), sessions.c.absolute_until), else_=idle_end
    )


def session_of(row: Any) -> Session:
    """From a row of all columns of `sessions`."""
    return Session(
        sid=row.sid,
        user_id=row.user_id,
        user_version=row.user_version,
        browser_hash=row.browser_hash,
        cookie_hash=row.cookie_hash,
        auth_time=row.auth_time,
        amr=unpack(row.amr),
        created_at=row.created_at,
        last_active_at=row.last_active_at,
        idle_allowance_ms=row.idle_allowance_ms,
        absolute_until=row.absolute_until,
        remembered=row.remembered,
        user_agent=row.user_agent,
        address=row.address,
        idle_off=row.idle_off,
        previous_cookie_hash=row.previous_cookie_hash or "",
        previous_cookie_until=row.previous_cookie_until,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
    )


def session_values(session: Session) -> dict[str, object]:
    """All columns of `sessions`."""
    return {
        "sid": session.sid,
        "user_id": session.user_id,
        "user_version": session.user_version,
        "browser_hash": session.browser_hash,
        "cookie_hash": session.cookie_hash,
        "previous_cookie_hash": session.previous_cookie_hash or None,
        "previous_cookie_until": session.previous_cookie_until,
        "auth_time": session.auth_time,
        "amr": pack(session.amr),
        "created_at": session.created_at,
        "last_active_at": session.last_active_at,
        "idle_allowance_ms": session.idle_allowance_ms,
        "absolute_until": session.absolute_until,
        "remembered": session.remembered,
        "user_agent": session.user_agent,
        "address": session.address,
        "idle_off": session.idle_off,
        "due_at": session.due_at,
        "ended_at": session.ended_at,
        "end_reason": session.end_reason,
    }


def participant_of(row: Any) -> Participant:
    """From a row of all columns of `participants`."""
    return Participant(
        sid=row.sid,
        client_id=row.client_id,
        store_id=row.store_id,
        kind=row.kind,
        logout_uri=row.logout_uri,
        registered_at=row.registered_at,
        local_until=row.local_until,
        reports=row.reports,
    )


def notification_of(row: Any) -> Notification:
    """From a row of all columns of `notifications`."""
    return Notification(
        sid=row.sid,
        client_id=row.client_id,
        store_id=row.store_id,
        kind=row.kind,
        logout_uri=row.logout_uri,
        user_id=row.user_id,
        reason=row.reason,
        ended_at=row.ended_at,
        local_until=row.local_until,
        state=State(row.state),
        attempt=row.attempt,
        next_attempt_at=row.next_attempt_at,
        claimed_by=row.claimed_by,
        claimed_until=row.claimed_until,
        final_at=row.final_at,
        last_status=row.last_status,
        last_error=row.last_error,
        bulk=row.bulk,
        sends=row.sends,
        registered_at=row.registered_at,
    )


def notification_values(row: Notification) -> dict[str, object]:
    """All columns of `notifications` for a row that was just born."""
    return {
        "sid": row.sid,
        "client_id": row.client_id,
        "store_id": row.store_id,
        "kind": row.kind,
        "logout_uri": row.logout_uri,
        "user_id": row.user_id,
        "reason": row.reason,
        "ended_at": row.ended_at,
        "local_until": row.local_until,
        "state": row.state.value,
        "attempt": row.attempt,
        "next_attempt_at": row.next_attempt_at,
        "claimed_by": row.claimed_by,
        "claimed_until": row.claimed_until,
        "final_at": row.final_at,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "bulk": row.bulk,
        "sends": row.sends,
        "registered_at": row.registered_at,
        "due_at": row.next_attempt_at,
        "to_archive_at": row.final_at,
    }


def ticket_of(row: Any) -> Ticket:
    """From a row of all columns of `tickets`."""
    return Ticket(
        ticket_hash=row.ticket_hash,
        kind=row.kind,
        sid=row.sid,
        client_id=row.client_id,
        user_id=row.user_id,
        redirect_uri=row.redirect_uri,
        code_challenge=row.code_challenge,
        nonce=row.nonce,
        scope=unpack(row.scope),
        auth_time=row.auth_time,
        amr=unpack(row.amr),
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        refreshable=row.refreshable,
        offline=row.offline,
        details=row.details,
    )


def grant_of(row: Any) -> Grant:
    """From a row that has all columns of `grants`."""
    return Grant(
        grant_id=row.grant_id,
        sid=row.sid,
        client_id=row.client_id,
        user_id=row.user_id,
        scope=unpack(row.scope),
        auth_time=row.auth_time,
        amr=unpack(row.amr),
        offline=row.offline,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        details=row.details,
    )
