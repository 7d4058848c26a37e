"""ConsentStore: one row for each person and third party's client. It goes with the client (clients.py)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam, text

from sso_server.core.consents import Consent
from sso_server.core.events import Event
from sso_server.core.users import EndOrder
from sso_server.stores.sql.account_tables import consents
from sso_server.stores.sql.audit import write_events
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.records import later, pack, unpack
from sso_server.stores.sql.users import write_order

_ONE = (consents.c.user_id == bindparam("_user")) & (consents.c.client_id == bindparam("_client"))
_FIND = sa.select(consents).where(_ONE)
_OF_USER = sa.select(consents).where(consents.c.user_id == bindparam("_user")).order_by(consents.c.client_id)
_PUT = text(
    "INSERT INTO consents (user_id, client_id, scope, claims, granted_at, last_used_at)"
    " VALUES (:user_id, :client_id, :scope, :claims, :granted_at, :last_used_at)"
    " ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, claims = excluded.claims,"
    " last_used_at = excluded.last_used_at, granted_at = CASE WHEN excluded.granted_at < consents.granted_at"
    " THEN excluded.granted_at ELSE consents.granted_at END"
)
_USE = (
    sa.update(consents)
    .where(_ONE)
    .values(last_used_at=later(consents.c.last_used_at, bindparam("_now", type_=sa.BigInteger)))
)
_REMOVE = sa.delete(consents).where(_ONE)


class SqlConsents:
    """Implements `ports.ConsentStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, user_id: str, client_id: str) -> Consent | None:
        """The one of this person for this client. Raises Unavailable."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"_user": user_id, "_client": client_id}).one_or_none()
        return None if row is None else _consent_of(row)

    def put(self, consent: Consent, event: Event | None = None) -> None:
        """Keep it in the place of the one before, and its line of the audit, both or neither. Raises Unavailable."""
        with self._database.write() as connection:
            connection.execute(
                _PUT,
                {
                    "user_id": consent.user_id,
                    "client_id": consent.client_id,
                    "scope": pack(consent.scope),
                    "claims": pack(consent.claims),
                    "granted_at": consent.granted_at,
                    "last_used_at": consent.last_used_at,
                },
            )
            write_events(connection, event)

    def note_use(self, user_id: str, client_id: str, now: int) -> None:
        """The later of what is noted and `now` (ms). Raises Unavailable."""
        with self._database.write() as connection:
            connection.execute(_USE, {"_user": user_id, "_client": client_id, "_now": now})

    def list_of(self, user_id: str) -> list[Consent]:
        """All of a person, by client id. Raises Unavailable."""
        with self._database.read() as connection:
            return [_consent_of(row) for row in connection.execute(_OF_USER, {"_user": user_id})]

    def remove(self, user_id: str, client_id: str, order: EndOrder | None = None, event: Event | None = None) -> bool:
        """False when there was none; order and event are written in any case. Raises Unavailable."""
        with self._database.write() as connection:
            if order is not None:
                write_order(connection, order)
            write_events(connection, event)
            return connection.execute(_REMOVE, {"_user": user_id, "_client": client_id}).rowcount == 1


def _consent_of(row: Row[Any]) -> Consent:
    return Consent(
        user_id=row.user_id,
        client_id=row.client_id,
        scope=unpack(row.scope),
        claims=unpack(row.claims),
        granted_at=row.granted_at,
        last_used_at=row.last_used_at,
    )
