"""KeyStore: signing keys at rest. The private halves come sealed; nothing here can open them."""

from __future__ import annotations

import json

import sqlalchemy as sa
from sqlalchemy import bindparam, text

from sso_server.core.keys import StoredKey
from sso_server.stores.sql.account_tables import signing_keys
from sso_server.stores.sql.engine import Database

_ALL = sa.select(signing_keys).order_by(signing_keys.c.created_at, signing_keys.c.kid)
_ADD = text(
    "INSERT INTO signing_keys (kid, alg, private_sealed, public_jwk, created_at, active_from, retired_at, expires_at)"
    " VALUES (:kid, :alg, :private_sealed, :public_jwk, :created_at, :active_from, :retired_at, :expires_at)"
    " ON CONFLICT (kid) DO NOTHING"
)
_UPDATE = sa.update(signing_keys).where(signing_keys.c.kid == bindparam("_kid"))
_RESEAL = (
    sa.update(signing_keys)
    .where(signing_keys.c.kid == bindparam("_kid"), signing_keys.c.private_sealed == bindparam("_was"))
    .values(private_sealed=bindparam("_sealed"))
)
_DROP = sa.delete(signing_keys).where(signing_keys.c.expires_at <= bindparam("_before"))


class SqlKeys:
    """Implements `ports.KeyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_keys(self) -> list[StoredKey]:
        """All of them, oldest first. Raises Unavailable."""
        with self._database.read() as connection:
            return [
                StoredKey(
                    kid=row.kid,
                    alg=row.alg,
                    private_sealed=row.private_sealed,
                    public_jwk=json.loads(row.public_jwk),
                    created_at=row.created_at,
                    active_from=row.active_from,
                    retired_at=row.retired_at,
                    expires_at=row.expires_at,
                )
                for row in connection.execute(_ALL)
            ]

    def add_key(self, key: StoredKey) -> None:
        """Keep it; a `kid` that is there already stays as it is. Raises Unavailable."""
        with self._database.write() as connection:
            connection.execute(_ADD, _values(key))

    def update_key(self, key: StoredKey) -> None:
        """Write the row of `key.kid`, if it is there, all but the sealed half. Raises Unavailable."""
        values = {name: value for name, value in _values(key).items() if name != "private_sealed"}
        with self._database.write() as connection:
            connection.execute(_UPDATE.values(values), {"_kid": key.kid})

    def reseal_key(self, kid: str, was: str, sealed: str) -> bool:
        """False when the sealed half isn't `was` (any more). Raises Unavailable."""
        with self._database.write() as connection:
            return connection.execute(_RESEAL, {"_kid": kid, "_was": was, "_sealed": sealed}).rowcount == 1

    def drop_keys(self, before: int) -> int:
        """Forget those that expired at `before` (ms) or earlier; how many. Raises Unavailable."""
        with self._database.write() as connection:
            return connection.execute(_DROP, {"_before": before}).rowcount


def _values(key: StoredKey) -> dict[str, object]:
    return {
        "kid": key.kid,
        "alg": key.alg,
        "private_sealed": key.private_sealed,
        "public_jwk": json.dumps(key.public_jwk, sort_keys=True),
        "created_at": key.created_at,
        "active_from": key.active_from,
        "retired_at": key.retired_at,
        "expires_at": key.expires_at,
    }
