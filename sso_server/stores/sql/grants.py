"""GrantStore: grants that come from no ticket, and grants by any token of theirs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from sso_server.core.details import TokenDetails
from sso_server.core.tickets import NewToken, Refusal
from sso_server.core.tokens import Grant
from sso_server.stores.sql.denials import note
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.records import grant_of, pack, session_of
from sso_server.stores.sql.tables import grants, tokens
from sso_server.stores.sql.tickets import INSERT_TOKENS, LOCK_SESSION, token_values

_INSERT = sa.insert(grants)
_BY_TOKEN: sa.Select[Any] = (
    sa.select(*grants.c, tokens.c.details.label("token_details"))
    .join_from(tokens, grants, grants.c.grant_id == tokens.c.grant_id)
    .where(tokens.c.token_hash == bindparam("_token"))
)


class SqlGrants:
    """Implements `ports.GrantStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def issue(self, grant: Grant, access: NewToken, bucket: int, now: int) -> Refusal | None:
        """The grant and its access token, in its session if it has one. Raises Unavailable."""
        with self._database.write() as connection:
            cut_at = None
            if grant.sid:
                found = LOCK_SESSION.find(connection, {"_sid": grant.sid})
                session = None if found is None else session_of(found)
                if found is None or session is None or not session.is_live(now):
                    return Refusal.SESSION_ENDED
                cut_at = session.absolute_until
                if access.jti:
                    note(connection, session.sid, found.audiences, access)
            token = token_values(access, access.kind, grant.grant_id, now, cut_at, in_session=bool(grant.sid))
            connection.execute(
                _INSERT,
                {
                    "grant_id": grant.grant_id,
                    "sid": grant.sid,
                    "client_id": grant.client_id,
                    "user_id": grant.user_id,
                    "scope": pack(grant.scope),
                    "auth_time": grant.auth_time,
                    "amr": pack(grant.amr),
                    "offline": grant.offline,
                    "created_at": grant.created_at,
                    "revoked_at": None,
                    "heir": "",
                    "heir_step": 0,
                    "details": grant.details,
                    "keep_until": max(access.expires_at, access.deny_until),
                },
            )
            INSERT_TOKENS.run(connection, token)
        return None

    def find_grant(self, token_hash: str, bucket: int) -> tuple[Grant, TokenDetails] | None:
        """Whatever the bucket and the token's state. Raises Unavailable."""
        with self._database.read() as connection:
            row = connection.execute(_BY_TOKEN, {"_token": token_hash}).one_or_none()
        return None if row is None else (grant_of(row), TokenDetails.from_text(row.token_details))
