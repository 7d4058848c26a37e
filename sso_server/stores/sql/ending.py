"""The one place where SQL ends a session: within the caller's transaction, its notifications with it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.engine import Connection

from sso_server.core.notifications import Notification, state_at_birth
from sso_server.core.sessions import EndReason, Participant, Session
from sso_server.core.sign_out import Ended
from sso_server.stores.sql.denials import FORGOTTEN_UNTIL, deny_session
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.records import notification_of, notification_values, participant_of, session_of
from sso_server.stores.sql.tables import notifications, participants, sessions

# First this, which waits for whoever registers a participant just now and keeps out whoever comes later; only then, in
# a statement of its own with a snapshot of its own, the participants. In one statement, or the other way round, READ
# COMMITTED could miss the site that registered in between.
_end = (
    sa.update(sessions)
    .where(sessions.c.sid == bindparam("_sid"), sessions.c.ended_at.is_(None))
    .values(ended_at=bindparam("_now"), end_reason=bindparam("_reason"))
    .returning(*sessions.c, FORGOTTEN_UNTIL)
)
_END = Prepared(_end)
_END_IF_DUE = Prepared(_end.where(sessions.c.due_at <= bindparam("_due")))
_PARTICIPANTS = Prepared(
    sa.select(participants).where(participants.c.sid == bindparam("_sid")).order_by(participants.c.number)
)
_NOTIFICATIONS = Prepared(
    sa.select(notifications).where(notifications.c.sid == bindparam("_sid")).order_by(notifications.c.number)
)
_INSERT = Prepared(sa.insert(notifications))


def end(connection: Connection, sid: str, reason: str, now: int, *, bulk: bool = False) -> Ended | None:
    """End it, write its notifications and what APIs must refuse; None when it isn't there or has ended already."""
    row = _END.find(connection, {"_sid": sid, "_now": now, "_reason": reason})
    return None if row is None else _with_notifications(connection, row, now, bulk=bulk)


def end_if_due(connection: Connection, session: Session, now: int) -> Ended | None:
    """The same if its time has run out by now; what was read of the session before need not hold any more."""
    reason = EndReason.ABSOLUTE if now >= session.absolute_until else EndReason.IDLE
    values = {"_sid": session.sid, "_now": now, "_reason": reason.value, "_due": now}
    row = _END_IF_DUE.find(connection, values)
    return None if row is None else _with_notifications(connection, row, now, bulk=True)


def notifications_of(connection: Connection, sid: str) -> tuple[Notification, ...]:
    """The ledger rows of a session in the order in which its sites were registered."""
    return tuple(notification_of(row) for row in _NOTIFICATIONS.find_all(connection, {"_sid": sid}))


def participants_of(connection: Connection, sid: str) -> list[Participant]:
    """In the order of registration."""
    return [participant_of(row) for row in _PARTICIPANTS.find_all(connection, {"_sid": sid})]


def _with_notifications(connection: Connection, row: Any, now: int, *, bulk: bool) -> Ended:
    session = session_of(row)
    sites = participants_of(connection, session.sid)
    born = tuple(_born(session, participant, now, bulk=bulk) for participant in sites)
    if born:
        _INSERT.run_each(connection, [notification_values(one) for one in born])
    deny_session(connection, session.sid, row.audiences, row.forgotten_until, now)
    return Ended(session, born, first=True)


def _born(session: Session, participant: Participant, now: int, *, bulk: bool) -> Notification:
    state, next_attempt_at = state_at_birth(
        kind=participant.kind,
        logout_uri=participant.logout_uri,
        store_id=participant.store_id,
        local_until=participant.local_until,
        ended_at=now,
    )
    return Notification(
        sid=session.sid,
        client_id=participant.client_id,
        store_id=participant.store_id,
        kind=participant.kind,
        logout_uri=participant.logout_uri,
        user_id=session.user_id,
        reason=session.end_reason or "",
        ended_at=now,
        local_until=participant.local_until,
        state=state,
        next_attempt_at=next_attempt_at,
        final_at=now if state.is_final else None,
        bulk=bulk,
        registered_at=participant.registered_at,
    )
