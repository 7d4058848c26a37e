"""RegistrationTokenStore: one row for each initial access token, by digest. Whether it works any more is a matter of
its row; it is never changed but by its uses.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam, exc

from sso_server.core.registrations import RegistrationToken
from sso_server.stores.sql.account_tables import registration_tokens as tokens
from sso_server.stores.sql.engine import Database

_ALL = sa.select(tokens).order_by(tokens.c.name)
_ONE = tokens.c.token_hash == bindparam("_hash")
_FIND = sa.select(tokens).where(_ONE)
_INSERT = sa.insert(tokens)
# One statement: of two that want the last use, one finds it.
_SPEND = (
    sa.update(tokens)
    .where(
        _ONE,
        sa.or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > bindparam("_now", type_=sa.BigInteger)),
        sa.or_(tokens.c.uses_left.is_(None), tokens.c.uses_left > 0),
    )
    .values(uses_left=tokens.c.uses_left - 1)
)
_REMOVE = sa.delete(tokens).where(tokens.c.name == bindparam("_name"))


class SqlRegistrationTokens:
    """Implements `ports.RegistrationTokenStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token: RegistrationToken) -> bool:
        """False when the name is taken. Raises Unavailable."""
        try:
            with self._database.write() as connection:
                connection.execute(_INSERT, _values(token))
        except exc.IntegrityError:
            return False
        return True

    def list_tokens(self) -> list[RegistrationToken]:
        """All of them, by name. Raises Unavailable."""
        with self._database.read() as connection:
            return [_token_of(row) for row in connection.execute(_ALL)]

    def find(self, token_hash: str) -> RegistrationToken | None:
        """The one with this digest. Raises Unavailable."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"_hash": token_hash}).one_or_none()
        return None if row is None else _token_of(row)

    def spend(self, token_hash: str, now: int) -> bool:
        """Take one use; False when there is none. Raises Unavailable."""
        with self._database.write() as connection:
            return connection.execute(_SPEND, {"_hash": token_hash, "_now": now}).rowcount == 1

    def remove(self, name: str) -> bool:
        """False when there was none. Raises Unavailable."""
        with self._database.write() as connection:
            return connection.execute(_REMOVE, {"_name": name}).rowcount == 1


def _values(token: RegistrationToken) -> dict[str, object]:
    return {
        "token_hash": token.token_hash,
        "name": token.name,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "uses_left": token.uses_left,
        "policy": json.dumps({"scopes": token.scopes, "grants": token.grants}),
    }


def _token_of(row: Row[Any]) -> RegistrationToken:
    policy = json.loads(row.policy)
    return RegistrationToken(
        token_hash=row.token_hash,
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        uses_left=row.uses_left,
        scopes=tuple(policy["scopes"]),
        grants=tuple(policy["grants"]),
    )
