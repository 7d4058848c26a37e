"""The feed of what APIs must refuse: written in the transaction that ends or revokes, read at a check-in.

An entry's place in it is the store's clock in microseconds, so that entries of one transaction follow each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Row, bindparam
from sqlalchemy.engine import Connection

from sso_server.core.check_in import StoreReport
from sso_server.core.denials import OVERLAP_US, Denied
from sso_server.core.tickets import NewToken
from sso_server.stores.sql.health import store_clock
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.records import unpack
from sso_server.stores.sql.tables import denied, forgotten, grants, sessions, tokens

NONE = "{}"
_NOTE = Prepared(
    sa.update(sessions).where(sessions.c.sid == bindparam("_sid")).values(audiences=bindparam("_audiences"))
)
_INSERT = sa.insert(denied)
_FORGET = sa.text(
    "INSERT INTO forgotten (client_id, until) VALUES (:client_id, :until) ON CONFLICT (client_id) DO UPDATE SET"
    " until = CASE WHEN excluded.until > forgotten.until THEN excluded.until ELSE forgotten.until END"
)
_FORGOTTEN = sa.select(forgotten)
#: Read together with the session's row, so that an end without a loss before it costs no statement more.
FORGOTTEN_UNTIL = sa.select(sa.func.max(forgotten.c.until)).scalar_subquery().label("forgotten_until")
# The condition on `jti` word for word as the index ix_tokens_grant_id has it.
_JWTS = (
    sa.select(tokens.c.jti, tokens.c.audience, tokens.c.deny_until)
    .join_from(tokens, grants, grants.c.grant_id == tokens.c.grant_id)
    .where(sa.text("jti <> ''"), tokens.c.deny_until > bindparam("_now"))
)
_FEED = (
    sa.select(denied.c.name, denied.c.until, denied.c.place)
    .where(
        denied.c.client_id == bindparam("_client"),
        denied.c.place >= bindparam("_from"),
        denied.c.until > bindparam("_now"),
    )
    .order_by(denied.c.place, denied.c.number)
    .limit(bindparam("_limit"))
)


def noted(audiences: str, token: NewToken) -> str:
    """What a session keeps of the APIs for which it has JWT access tokens, with this one besides."""
    known: dict[str, int] = json.loads(audiences)
    if token.jti:
        known |= {client_id: max(token.deny_until, known.get(client_id, 0)) for client_id in token.audience}
    return json.dumps(known, separators=(",", ":"))


def note(connection: Connection, sid: str, audiences: str, token: NewToken) -> None:
    """Write it down under the session, whose row the caller has locked: an end finds it or comes before the token."""
    _NOTE.run(connection, {"_sid": sid, "_audiences": noted(audiences, token)})


def note_forgotten(connection: Connection, audience: Sequence[str], until: int) -> None:
    """See `ports.SessionStore`."""
    connection.execute(_FORGET, [{"client_id": client_id, "until": until} for client_id in audience])


def deny_session(connection: Connection, sid: str, audiences: str, forgotten_until: int | None, now: int) -> None:
    """Every API for which the session has, or after a loss may have, JWT access tokens must refuse its `sid`. Costs
    nothing if there are none. `forgotten_until` as read by FORGOTTEN_UNTIL."""
    until: dict[str, int] = json.loads(audiences) if audiences != NONE else {}
    if forgotten_until is not None and forgotten_until > now:
        for row in connection.execute(_FORGOTTEN):
            until[row.client_id] = max(until.get(row.client_id, 0), row.until)
    _write(connection, [(client_id, sid, end) for client_id, end in until.items() if end > now])


def deny_unknown(connection: Connection, sid: str, now: int) -> None:
    """The same for a session that is not there, or had ended before: only after a loss can there be any."""
    deny_session(connection, sid, NONE, connection.execute(sa.select(FORGOTTEN_UNTIL)).scalar_one(), now)


def deny_token(connection: Connection, row: Row[tuple[object, ...]], now: int) -> None:
    """Every API for which this access token is must refuse its `jti`, if it is a JWT."""
    _write(connection, _entries([row], now))


def deny_tokens(connection: Connection, of_grants: ColumnElement[bool], now: int) -> None:
    """The same for all JWT access tokens of these grants, which the caller has just revoked in this transaction: a
    rotation holds the grant's row until its tokens are there, or finds it revoked."""
    _write(connection, _entries(connection.execute(_JWTS.where(of_grants), {"_now": now}), now))


def list_denied(connection: Connection, report: StoreReport, now: int) -> tuple[tuple[Denied, ...], int, bool]:
    """The entries that this report asks for, where to go on, and whether there are more."""
    if report.denied_from is None:
        return (), 0, False
    # Before the look: what is committed after it has a later place, or is within the overlap.
    clock_us = store_clock(connection) * 1000
    # From another clock than this one: all of it.
    begin = report.denied_from if report.denied_from <= clock_us else 0
    window = {"_client": report.client_id, "_from": begin, "_now": now, "_limit": report.most_denied + 1}
    rows = connection.execute(_FEED, window).all()
    entries, rest = rows[: report.most_denied], rows[report.most_denied :]
    go_on = rest[0].place if rest else max(0, clock_us - OVERLAP_US)
    return tuple(Denied(row.name, row.until) for row in entries), go_on, bool(rest)


def _entries(rows: Iterable[Row[tuple[object, ...]]], now: int) -> list[tuple[str, str, int]]:
    return [
        (client_id, row.jti, row.deny_until)
        for row in rows
        if row.jti and row.deny_until > now
        for client_id in unpack(row.audience)
    ]


def _write(connection: Connection, entries: list[tuple[str, str, int]]) -> None:
    """Each a client, a name and an end (ms). The last of its transaction: PostgreSQL shows it to others only after the
    commit, and how late that can be is bounded (engine.py)."""
    if not entries:
        return
    first = store_clock(connection) * 1000
    rows = [
        {"client_id": client_id, "name": name, "until": until, "place": first + i}
        for i, (client_id, name, until) in enumerate(entries)
    ]
    connection.execute(_INSERT, rows)
