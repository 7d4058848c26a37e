"""Records of the core as Redis keeps them: text fields. A hash that can't be read back is treated as absent.

Answers carry values without names, in the orders below (the scripts repeat them): that halves what Redis and we read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sso_server.core.details import TokenDetails
from sso_server.core.notifications import Notification, State
from sso_server.core.sessions import Participant, Session
from sso_server.core.tickets import NewToken, Ticket
from sso_server.core.tokens import FoundToken, Grant

_BROKEN = (KeyError, ValueError, TypeError, AttributeError)


SESSION = (
    *("sid", "user_id", "user_version", "browser_hash", "cookie_hash", "auth_time", "amr", "created_at"),
    *("last_active_at", "idle_allowance_ms", "absolute_until", "remembered", "user_agent", "address", "idle_off"),
    *("previous_cookie_hash", "previous_cookie_until", "ended_at", "end_reason"),
)
TICKET = (
    *("sid", "kind", "client_id", "user_id", "redirect_uri", "code_challenge", "nonce", "scope", "auth_time", "amr"),
    *("issued_at", "expires_at", "refreshable", "offline", "details"),
)
GRANT = (
    *("client_id", "sid", "user_id", "scope", "auth_time", "amr", "offline", "created_at", "revoked_at", "details"),
)
TOKEN = ("kind", "grant", "issued_at", "expires_at", "audience", "jti", "details")
ROW = (
    *("sid", "client_id", "store_id", "kind", "logout_uri", "user_id", "reason", "ended_at", "local_until", "state"),
    *("attempt", "next_attempt_at", "claimed_by", "claimed_until", "final_at", "last_status", "last_error", "bulk"),
    *("sends", "registered_at"),
)
Values = Sequence[str | None]


def pairs(flat: Any) -> dict[str, str]:
    """A script's flat list (or a ready mapping) as a mapping."""
    if isinstance(flat, Mapping):
        return dict(flat)
    items = list(flat or ())
    return dict(zip(items[::2], items[1::2], strict=False))


def _named(names: Sequence[str], values: Values) -> dict[str, str]:
    """What is absent is left out, and so is what only scripts need, which stands behind the rest."""
    return {name: value for name, value in zip(names, values, strict=False) if value is not None}


def session_words(session: Session) -> list[str | int]:
    """Values of a session that is about to be opened, in the order of SESSION; its end is none yet."""
    return [
        session.sid,
        session.user_id,
        session.user_version,
        session.browser_hash,
        session.cookie_hash,
        session.auth_time,
        " ".join(session.amr),
        session.created_at,
        session.last_active_at,
        session.idle_allowance_ms,
        session.absolute_until,
        int(session.remembered),
        session.user_agent,
        session.address,
        int(session.idle_off),
        session.previous_cookie_hash,
        session.previous_cookie_until,
    ]


def session(values: Values) -> Session | None:
    """The session, or None when there is none to be read."""
    f = _named(SESSION, values)
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


@lru_cache(1000)
def site_members(kind: str, logout_uri: str, reports: bool) -> str:
    """Of the JSON in the hash `sites`, what a client's registration says: the scripts add the rest."""
    members = {"kind": kind, "logout_uri": logout_uri, "reports": reports}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))[1:-1]


def row_name(sid: str, client_id: str, store_id: str) -> str:
    """How a row of the ledger is named."""
    return f"{sid}/{client_id}/{store_id}"


def notification(values: Values) -> Notification | None:
    """The row, or None when there is none to be read."""
    f = _named(ROW, values)
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


def ticket_words(ticket: Ticket) -> list[str | int]:
    """Values of a ticket that is about to be written, in the order of TICKET; its digest is in the key's name."""
    return [
        ticket.sid,
        ticket.kind,
        ticket.client_id,
        ticket.user_id,
        ticket.redirect_uri,
        ticket.code_challenge,
        ticket.nonce,
        " ".join(ticket.scope),
        ticket.auth_time,
        " ".join(ticket.amr),
        ticket.issued_at,
        ticket.expires_at,
        int(ticket.refreshable),
        int(ticket.offline),
        ticket.details,
    ]


def ticket(ticket_hash: str, values: Values) -> Ticket | None:
    """The ticket, or None when there is none to be read."""
    f = _named(TICKET, values)
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


def grant(grant_id: str, values: Values) -> Grant | None:
    """The grant, or None when there is none to be read."""
    f = _named(GRANT, values)
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


def found_token(token_values: Values, grant_values: Values, in_session: int) -> FoundToken | None:
    """A token with its grant, or None when one of them can't be read. `in_session`: 1, its session lives."""
    f = _named(TOKEN, token_values)
    found = grant(f.get("grant", ""), grant_values)
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
