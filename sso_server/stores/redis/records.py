"""Records of the core as Redis keeps them: flat text fields. A hash that can't be read back is treated as absent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sso_server.core.details import TokenDetails
from sso_server.core.notifications import Notification, State
from sso_server.core.sessions import Participant, Session
from sso_server.core.tickets import NewToken, Ticket
from sso_server.core.tokens import FoundToken, Grant

_BROKEN = (KeyError, ValueError, TypeError, AttributeError)


def pairs(flat: Any) -> dict[str, str]:
    """A script's flat list (or a ready mapping) as a mapping."""
    if isinstance(flat, Mapping):
        return dict(flat)
    items = list(flat or ())
    return dict(zip(items[::2], items[1::2], strict=False))


def session_fields(session: Session) -> list[str | int]:
    """Fields and values, alternating; what is None isn't written."""
    fields: dict[str, str | int | None] = {
        "sid": session.sid,
        "user_id": session.user_id,
        "user_version": session.user_version,
        "browser_hash": session.browser_hash,
        "cookie_hash": session.cookie_hash,
        "auth_time": session.auth_time,
        "amr": " ".join(session.amr),
        "created_at": session.created_at,
        "last_active_at": session.last_active_at,
        "idle_allowance_ms": session.idle_allowance_ms,
        "absolute_until": session.absolute_until,
        "remembered": int(session.remembered),
        "user_agent": session.user_agent,
        "address": session.address,
        "idle_off": int(session.idle_off),
        "previous_cookie_hash": session.previous_cookie_hash,
        "previous_cookie_until": session.previous_cookie_until,
        "ended_at": session.ended_at,
        "end_reason": session.end_reason,
    }
    return _alternating(fields)


def session(flat: Any) -> Session | None:
    """The session, or None when there is none to be read."""
    f = pairs(flat)
    try:
        return Session(
            sid=f["sid"],
            user_id=f["user_id"],
            user_version=int(f["user_version"]),
            browser_hash=f["browser_hash"],
            cookie_hash=f["cookie_hash"],
            auth_time=int(f["auth_time"]),
            amr=tuple(f["amr"].split()),
            created_at=int(f["created_at"]),
            last_active_at=int(f["last_active_at"]),
            idle_allowance_ms=int(f["idle_allowance_ms"]),
            absolute_until=int(f["absolute_until"]),
            remembered=f["remembered"] == "1",
            user_agent=f["user_agent"],
            address=f["address"],
            idle_off=f["idle_off"] == "1",
            previous_cookie_hash=f["previous_cookie_hash"],
            previous_cookie_until=int(f["previous_cookie_until"]),
            ended_at=_optional(f, "ended_at"),
            end_reason=f.get("end_reason"),
        )
    except _BROKEN:
        return None


def participants(sid: str, flat: Any) -> list[Participant]:
    """The hash `sites`, in the order of registration."""
    found: list[tuple[int, Participant]] = []
    for field, value in pairs(flat).items():
        try:
            client_id, _, store_id = field.partition("/")
            site = json.loads(value)
            found.append(
                (
                    int(site["n"]),
                    Participant(
                        sid=sid,
                        client_id=client_id,
                        store_id=store_id,
                        kind=str(site["kind"]),
                        logout_uri=str(site["logout_uri"]),
                        registered_at=int(site["registered_at"]),
                        local_until=int(site["local_until"]),
                        reports=bool(site["reports"]),
                    ),
                )
            )
        except _BROKEN:
            continue
    return [participant for _, participant in sorted(found, key=lambda item: item[0])]


def row_name(sid: str, client_id: str, store_id: str) -> str:
    """How a row of the ledger is named."""
    return f"{sid}/{client_id}/{store_id}"


def notification(flat: Any) -> Notification | None:
    """The row, or None when there is none to be read."""
    f = pairs(flat)
    try:
        return Notification(
            sid=f["sid"],
            client_id=f["client_id"],
            store_id=f["store_id"],
            kind=f["kind"],
            logout_uri=f["logout_uri"],
            user_id=f["user_id"],
            reason=f["reason"],
            ended_at=int(f["ended_at"]),
            local_until=int(f["local_until"]),
            state=State(f["state"]),
            attempt=int(f["attempt"]),
            next_attempt_at=_optional(f, "next_attempt_at"),
            claimed_by=f.get("claimed_by", ""),
            claimed_until=int(f.get("claimed_until", "0")),
            final_at=_optional(f, "final_at"),
            last_status=_optional(f, "last_status"),
            last_error=f.get("last_error", ""),
            bulk=f.get("bulk") == "1",
            # A row of before calls were counted: every claim was taken for one.
            sends=int(f.get("sends", f["attempt"])),
            registered_at=int(f.get("registered_at", "0")),
        )
    except _BROKEN:
        return None


def notifications(rows: Sequence[Any]) -> list[Notification]:
    """Those that can be read."""
    return [row for row in map(notification, rows) if row is not None]


def ticket_fields(ticket: Ticket) -> list[str | int]:
    """Fields and values, alternating; the digest is in the key's name."""
    return _alternating(
        {
            "kind": ticket.kind,
            "sid": ticket.sid,
            "client_id": ticket.client_id,
            "user_id": ticket.user_id,
            "redirect_uri": ticket.redirect_uri,
            "code_challenge": ticket.code_challenge,
            "nonce": ticket.nonce,
            "scope": " ".join(ticket.scope),
            "auth_time": ticket.auth_time,
            "amr": " ".join(ticket.amr),
            "issued_at": ticket.issued_at,
            "expires_at": ticket.expires_at,
            "refreshable": int(ticket.refreshable),
            "offline": int(ticket.offline),
            "details": ticket.details,
        }
    )


def ticket(ticket_hash: str, flat: Any) -> Ticket | None:
    """The ticket, or None when there is none to be read."""
    f = pairs(flat)
    try:
        return Ticket(
            ticket_hash=ticket_hash,
            kind=f["kind"],
            sid=f["sid"],
            client_id=f["client_id"],
            user_id=f["user_id"],
            redirect_uri=f["redirect_uri"],
            code_challenge=f["code_challenge"],
            nonce=f["nonce"],
            scope=tuple(f["scope"].split()),
            auth_time=int(f["auth_time"]),
            amr=tuple(f["amr"].split()),
            issued_at=int(f["issued_at"]),
            expires_at=int(f["expires_at"]),
            refreshable=f["refreshable"] == "1",
            offline=f["offline"] == "1",
            details=f.get("details", ""),
        )
    except _BROKEN:
        return None


def grant(grant_id: str, flat: Any) -> Grant | None:
    """The grant, or None when there is none to be read."""
    f = pairs(flat)
    try:
        return Grant(
            grant_id=grant_id,
            sid=f["sid"],
            client_id=f["client_id"],
            user_id=f["user_id"],
            scope=tuple(f["scope"].split()),
            auth_time=int(f["auth_time"]),
            amr=tuple(f["amr"].split()),
            offline=f["offline"] == "1",
            created_at=int(f["created_at"]),
            revoked_at=_optional(f, "revoked_at"),
            details=f.get("details", ""),
        )
    except _BROKEN:
        return None


def grant_fields(grant: Grant) -> list[str | int]:
    """Fields and values, alternating; its id is in the key's name."""
    return _alternating(
        {
            "sid": grant.sid,
            "client_id": grant.client_id,
            "user_id": grant.user_id,
            "scope": " ".join(grant.scope),
            "auth_time": grant.auth_time,
            "amr": " ".join(grant.amr),
            "offline": int(grant.offline),
            "created_at": grant.created_at,
            "details": grant.details,
        }
    )


def token_words(token: NewToken | None) -> tuple[str, str, int]:
    """What a script is told of an access token besides its digest and its end."""
    return (" ".join(token.audience), token.jti, token.deny_until) if token else ("", "", 0)


def found_token(flat_token: Any, flat_grant: Any, in_session: int) -> FoundToken | None:
    """A token with its grant, or None when one of them can't be read. `in_session`: 1, its session lives."""
    f = pairs(flat_token)
    found = grant(f.get("grant", ""), flat_grant)
    try:
        return (
            None
            if found is None
            else FoundToken(
                grant=found,
                kind=f["kind"],
                issued_at=int(f["issued_at"]),
                expires_at=int(f["expires_at"]),
                sid=found.sid if in_session else "",
                audience=tuple(f.get("audience", "").split()),
                jti=f.get("jti", ""),
                details=TokenDetails.from_text(f.get("details", "")),
            )
        )
    except _BROKEN:
        return None


def _alternating(fields: Mapping[str, str | int | None]) -> list[str | int]:
    return [word for name, value in fields.items() if value is not None for word in (name, value)]


def _optional(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name, "")
    return int(text) if text else None
