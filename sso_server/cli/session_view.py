"""The map: session -> registered sites -> the address each is called at -> how it went. As JSON, as a table."""

from __future__ import annotations

from typing import Any

from sso_server.cli.centre import Centre
from sso_server.cli.output import length, when
from sso_server.core.identifiers import mark_of
from sso_server.core.notifications import POLLED, State
from sso_server.core.reports import SiteLine, Standing, one_for_each_site
from sso_server.core.sessions import Participant, Session, once_for_each_site

SITE_HEADINGS = ("SITE", "CALLED AT", "LOCAL SESSION UNTIL", "TOLD")
_STANDINGS = {
    Standing.SIGNED_OUT: "signed out",
    Standing.TRYING: "still trying",
    Standing.SAFE: "not reached, but its lease has run out: it admits nobody",
    Standing.TRYING_NO_BOUND: "still trying, no bound known",
    Standing.NOT_TOLD: "not told",
    Standing.OVER: "its local session has run out",
}


def session_json(session: Session, centre: Centre) -> dict[str, Any]:
    """A session without its sites."""
    now = centre.services.clock.now()
    return {
        "sid": session.sid,
        "user_id": session.user_id,
        "username": centre.username(session.user_id),
        "state": "ended" if session.ended_at is not None else "live" if session.is_live(now) else "due",
        "auth_time": session.auth_time,
        "amr": list(session.amr),
        "created_at": session.created_at,
        "last_active_at": session.last_active_at,
        "due_at": session.due_at,
        "absolute_until": session.absolute_until,
        "remembered": session.remembered,
        "address": session.address,
        "user_agent": session.user_agent,
        "ended_at": session.ended_at,
        "end_reason": session.end_reason,
    }


def sites_json(session: Session, centre: Centre) -> list[dict[str, Any]]:
    """The map of one session: what will be called while it lives, what became of the calls once it has ended."""
    if session.ended_at is None:
        return [_participant(participant, centre) for participant in centre.services.lists.participants(session.sid)]
    return [_line(line) for line in centre.services.reports.lines(session.sid)]


def site_rows(session: Session, centre: Centre) -> list[tuple[str, str, str, str]]:
    """The same map for people."""
    if session.ended_at is None:
        return [
            (p.client_id, p.logout_uri or "-", when(p.local_until), _will_be_told(p))
            for p in once_for_each_site(centre.services.lists.participants(session.sid))
        ]
    return [
        (
            line.client_id,
            line.notification.logout_uri or "-",
            when(line.notification.local_until),
            told_words(line, centre.services.clock.now()),
        )
        for line in one_for_each_site(centre.services.reports.lines(session.sid))
    ]


def told_words(line: SiteLine, now: int) -> str:
    """`signed out after 31 ms`, `still trying (3 tries, timeout), safe in 40 s` ..."""
    row = line.notification
    words = _STANDINGS[line.standing]
    if line.standing is Standing.TRYING_NO_BOUND and row.state is State.PENDING and row.next_attempt_at is None:
        words = "waiting to be asked for (poll), no bound known"
    if line.standing is Standing.TRYING and row.state in (State.REFUSED, State.ABANDONED):
        # Its lease runs still, and nobody calls it any more.
        words = _STANDINGS[Standing.NOT_TOLD]
    if row.state is State.ACKNOWLEDGED and row.final_at is not None:
        return f"{words} after {length(max(0, row.final_at - row.ended_at))}"
    if row.state not in (State.PENDING, State.CLAIMED, State.ACKNOWLEDGED):
        words += f", {row.state.value.replace('_', ' ')}"
    notes = []
    if row.sends:
        notes.append("1 try" if row.sends == 1 else f"{row.sends} tries")
    if row.last_error:
        notes.append(row.last_error)
    if notes:
        words += f" ({', '.join(notes)})"
    if line.tickets > 1:
        words += f", {line.tickets} tickets"
    if line.safe_at is not None and line.safe_at > now:
        words += f", safe in {length(line.safe_at - now)}"
    return words


def _will_be_told(participant: Participant) -> str:
    if participant.kind == POLLED:
        return "when it asks, once the session has ended"
    if participant.logout_uri:
        return "when the session ends"
    return "at its next check-in" if participant.sdk_store else "never: no address"


def _participant(participant: Participant, centre: Centre) -> dict[str, Any]:
    client = centre.services.clients.find(participant.client_id)
    return {
        "client_id": participant.client_id,
        "name": client.name if client else participant.client_id,
        "store_id": participant.sdk_store,
        "ticket": mark_of(participant.ticket) or None,
        "logout_uri": participant.logout_uri,
        "registered_at": participant.registered_at,
        "local_until": participant.local_until,
        "state": None,
        "standing": None,
    }


def _line(line: SiteLine) -> dict[str, Any]:
    row = line.notification
    return {
        "client_id": line.client_id,
        "name": line.name,
        "store_id": line.store_id,
        "ticket": mark_of(row.ticket) or None,
        "logout_uri": row.logout_uri,
        "local_until": row.local_until,
        "state": row.state.value,
        "standing": line.standing.value,
        "safe_at": line.safe_at,
        "attempt": row.sends,
        "next_attempt_at": row.next_attempt_at,
        "final_at": row.final_at,
        "last_status": row.last_status,
        "last_error": row.last_error,
    }
