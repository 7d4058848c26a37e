"""TokenStore: finding, rotating and revoking what came from tickets."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, or_
from sqlalchemy.engine import Connection

from sso_server.core.details import TokenDetails
from sso_server.core.identifiers import ACCESS_TOKEN, REFRESH_TOKEN
from sso_server.core.sessions import Session
from sso_server.core.tickets import Refusal
from sso_server.core.tokens import FoundToken, Grant, Rotated, Rotation
from sso_server.stores.sql.denials import deny_token, deny_tokens, note
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.records import grant_of, later, session_of, unpack
from sso_server.stores.sql.tables import grants, sessions, tokens
from sso_server.stores.sql.tickets import INSERT_TOKENS, LOCK_SESSION, revoke_grant, token_values

_token_columns: tuple[Any, ...] = (
    tokens.c.token_hash,
    tokens.c.step,
    tokens.c.issued_at,
    tokens.c.expires_at,
    tokens.c.spent_at,
    tokens.c.audience,
    tokens.c.jti,
    tokens.c.deny_until,
    tokens.c.bound,
    tokens.c.details.label("token_details"),
)
_GRANT = sa.select(grants.c.grant_id).where(grants.c.grant_id == bindparam("_grant"))


def _with_grant(*columns: Any) -> sa.Select[Any]:
    return (
        sa.select(*columns)
        .join_from(tokens, grants, grants.c.grant_id == tokens.c.grant_id)
        .where(tokens.c.token_hash == bindparam("_token"), tokens.c.kind == bindparam("_kind"))
    )


_whole = _with_grant(*_token_columns, *grants.c)
_WITH_GRANT = Prepared(_whole)
# Asked with each request of an API: only what the answer needs. A column that is read costs 0.3 us.
_told = [column for column in grants.c if column.key not in ("keep_until", "heir", "heir_step")]
_in_session = sessions.c.ended_at.is_(None) & (sessions.c.due_at > bindparam("_now"))
_VALID = Prepared(
    _with_grant(
        tokens.c.issued_at,
        tokens.c.expires_at,
        tokens.c.audience,
        tokens.c.jti,
        tokens.c.details.label("token_details"),
        *_told,
        _in_session.label("in_session"),
    )
    .outerjoin(sessions, sessions.c.sid == grants.c.sid)
    .where(
        tokens.c.expires_at > bindparam("_now"),
        tokens.c.spent_at.is_(None),
        grants.c.revoked_at.is_(None),
        or_(tokens.c.kind != REFRESH_TOKEN, tokens.c.step > grants.c.heir_step),
        or_(grants.c.offline & ~tokens.c.bound, _in_session),
    )
)
# The session's row first: an end that runs at the same time is either seen here or waits until the new pair is written.
_SHARE_SESSION = Prepared(sa.select(sessions).where(sessions.c.sid == bindparam("_sid")).with_for_update(read=True))
# The grant's row, too: whoever revokes it either is seen here, or waits and then finds the new pair: a JWT of it must
# come into the feed.
_LOCKED = Prepared(_whole.with_for_update(of=[tokens, grants]))
_SPEND = Prepared(
    sa.update(tokens)
    .where(tokens.c.token_hash == bindparam("_token"), tokens.c.spent_at.is_(None))
    .values(spent_at=bindparam("_now"))
)
# Of siblings the first that is used goes on; of two at once, the second waits here and then finds itself left behind.
_GO_ON = Prepared(
    sa.update(grants)
    .where(grants.c.grant_id == bindparam("_grant"), grants.c.heir_step < bindparam("_step"))
    .values(heir=bindparam("_token"), heir_step=bindparam("_step"))
)
_KEEP = Prepared(
    sa.update(grants)
    .where(grants.c.grant_id == bindparam("_grant"))
    .values(keep_until=later(grants.c.keep_until, bindparam("_until", type_=sa.BigInteger)))
)
_DROP = sa.delete(tokens).where(tokens.c.token_hash == bindparam("_token"))
_REVOKE_OF_USER = (
    sa.update(grants)
    .where(grants.c.user_id == bindparam("_user"), grants.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("_now"))
)
_REVOKE_BEFORE = (
    sa.update(grants)
    .where(grants.c.created_at < bindparam("_before"), grants.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("_now"))
)


class SqlTokens:
    """Implements `ports.TokenStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_token(self, token_hash: str, kind: str, bucket: int, now: int) -> FoundToken | None:
        """The token if it is valid now, whatever the bucket. Raises Unavailable."""
        with self._database.read() as connection:
            row = _VALID.find(connection, {"_token": token_hash, "_kind": kind, "_now": now})
        if row is None:
            return None
        sid = row.sid if row.in_session else ""
        audience = unpack(row.audience)
        details = TokenDetails.from_text(row.token_details)
        return FoundToken(grant_of(row), kind, row.issued_at, row.expires_at, sid, audience, row.jti, details)

    def rotate(self, rotation: Rotation, now: int) -> Rotated:
        """A new pair for a refresh token, or why not, in the order of `ports.TokenStore.rotate`. Raises Unavailable."""
        with self._database.write() as connection:
            return _rotate(connection, rotation, now)

    def revoke(self, token_hash: str, kind: str, bucket: int, client_id: str, now: int) -> bool:
        """A refresh token's whole grant, or one access token, if it is this client's: whether there was such a one.

        Raises Unavailable.
        """
        with self._database.write() as connection:
            row = _WITH_GRANT.find(connection, {"_token": token_hash, "_kind": kind})
            if row is None or row.client_id != client_id:
                return False
            if kind == ACCESS_TOKEN:
                connection.execute(_DROP, {"_token": token_hash})
                deny_token(connection, row, now)
            else:
                revoke_grant(connection, row.grant_id, now)
        return True

    def revoke_grant(self, grant_id: str, bucket: int, now: int) -> bool:
        """One grant, whatever the bucket; whether there was one. Raises Unavailable."""
        with self._database.write() as connection:
            found = connection.execute(_GRANT, {"_grant": grant_id}).one_or_none() is not None
            if found:
                revoke_grant(connection, grant_id, now)
        return found

    def revoke_grants_of(self, user_id: str, now: int, *, before: int = 0, client_id: str = "") -> int:
        """All grants of a person, or those made before `before` (ms), or for this client; how many. Raises
        Unavailable."""
        statement = _REVOKE_OF_USER.where(grants.c.created_at < before) if before else _REVOKE_OF_USER
        statement = statement.where(grants.c.client_id == client_id) if client_id else statement
        with self._database.write() as connection:
            count = connection.execute(statement, {"_user": user_id, "_now": now}).rowcount
            if count:
                # Which ones it were says the moment; others of the same one are in the feed already.
                deny_tokens(connection, (grants.c.user_id == user_id) & (grants.c.revoked_at == now), now)
            return count

    def revoke_grants_before(self, before: int, now: int) -> int:
        """Everybody's grants made before `before` (ms); how many. Raises Unavailable."""
        with self._database.write() as connection:
            count = connection.execute(_REVOKE_BEFORE, {"_before": before, "_now": now}).rowcount
            if count:
                deny_tokens(connection, grants.c.revoked_at == now, now)
            return count


def _rotate(connection: Connection, rotation: Rotation, now: int) -> Rotated:
    presented = {"_token": rotation.token_hash, "_kind": REFRESH_TOKEN}
    first_look = _WITH_GRANT.find(connection, presented)
    if first_look is None:
        return Rotated(Refusal.UNKNOWN)
    # A JWT is noted in the session's row. Two that share it could not both go on to write it.
    look = LOCK_SESSION if rotation.access.jti else _SHARE_SESSION
    found = look.find(connection, {"_sid": first_look.sid})
    session = _live(found, now)
    # On SQLite whoever writes is alone: what was seen first still holds.
    row = first_look if connection.dialect.name == "sqlite" else _LOCKED.find(connection, presented)
    if row is None:
        return Rotated(Refusal.UNKNOWN)
    grant = grant_of(row)
    if session is None and not grant.offline:
        return Rotated(Refusal.SESSION_ENDED, grant, session)
    # Shown again although the family is revoked: the answer of before may have been lost, and with it the alarm.
    comes_back = row.spent_at is not None and now - row.spent_at > rotation.grace_ms
    if grant.revoked_at is not None and not comes_back:
        return Rotated(Refusal.REVOKED, grant, session)
    if grant.client_id != rotation.client_id:
        revoke_grant(connection, grant.grant_id, now)
        return Rotated(Refusal.OTHER_CLIENT, grant, session)
    if now >= row.expires_at:
        return Rotated(Refusal.EXPIRED, grant, session)
    if comes_back:
        revoke_grant(connection, grant.grant_id, now)
        return Rotated(Refusal.USED, grant, session, reused=True)
    if rotation.refresh is None:
        return _renew_access(connection, rotation, grant, session, found, now)
    goes_on = {"_grant": grant.grant_id, "_token": rotation.token_hash, "_step": row.step}
    if row.heir != rotation.token_hash and not _GO_ON.run(connection, goes_on):
        return Rotated(Refusal.USED, grant, session)
    _SPEND.run(connection, {"_token": rotation.token_hash, "_now": now})
    cut_at = session.absolute_until if session is not None and not grant.offline else None
    if rotation.access.jti and session is not None and found is not None:
        note(connection, session.sid, found.audiences, rotation.access)
    access = token_values(rotation.access, ACCESS_TOKEN, grant.grant_id, now, in_session=session is not None)
    refresh = token_values(rotation.refresh, REFRESH_TOKEN, grant.grant_id, now, cut_at, step=row.step + 1)
    INSERT_TOKENS.run_each(connection, [access, refresh])
    until = max(rotation.access.expires_at, rotation.access.deny_until, rotation.refresh.expires_at)
    _KEEP.run(connection, {"_grant": grant.grant_id, "_until": until})
    return Rotated(None, grant, session)


def _renew_access(
    connection: Connection, rotation: Rotation, grant: Grant, session: Session | None, found: Any, now: int
) -> Rotated:
    """An access token beside a refresh token that stays."""
    if rotation.access.jti and session is not None and found is not None:
        note(connection, session.sid, found.audiences, rotation.access)
    in_session = session is not None
    INSERT_TOKENS.run(
        connection, token_values(rotation.access, ACCESS_TOKEN, grant.grant_id, now, in_session=in_session)
    )
    until = max(rotation.access.expires_at, rotation.access.deny_until)
    _KEEP.run(connection, {"_grant": grant.grant_id, "_until": until})
    return Rotated(None, grant, session)


def _live(row: Any, now: int) -> Session | None:
    session = None if row is None else session_of(row)
    return session if session is not None and session.is_live(now) else None
