"""Journal: ends of sessions and revocations of tokens as the audit has them, read when the store of sessions has
forgotten them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import bindparam

from sso_server.core.events import EventKind
from sso_server.core.revocations import Revocation, of_line
from sso_server.stores.sql.account_tables import audit
from sso_server.stores.sql.engine import Database

_ENDS = sa.select(audit.c.number, audit.c.sid, audit.c.data).where(audit.c.kind == EventKind.SESSION_ENDED.value)
_OF = _ENDS.where(audit.c.sid.in_(bindparam("_sids", expanding=True)))
_AFTER = _ENDS.where(audit.c.number > bindparam("_number")).order_by(audit.c.number).limit(bindparam("_limit"))
_REVOCATIONS_AFTER = (
    sa.select(audit.c.number, audit.c.client_id, audit.c.data)
    .where(audit.c.kind == EventKind.TOKEN_REVOKED.value, audit.c.number > bindparam("_number"))
    .order_by(audit.c.number)
    .limit(bindparam("_limit"))
)
_FIRST = sa.select(sa.func.min(audit.c.number)).where(audit.c.at >= bindparam("_since"))
_LAST = sa.select(sa.func.max(audit.c.number))


class SqlJournal:
    """Implements `ports.Journal`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ends_of(self, sids: Sequence[str]) -> dict[str, str]:
        """Those of the sids (some hundreds at most) that have ended, each with its reason. Raises Unavailable."""
        if not sids:
            return {}
        with self._database.read() as connection:
            return {row.sid: _reason(row.data) for row in connection.execute(_OF, {"_sids": list(sids)})}

    def position_at(self, since: int) -> int:
        """The number before that of the first line at `since` (ms) or later. Raises Unavailable."""
        with self._database.read() as connection:
            first: int | None = connection.execute(_FIRST, {"_since": since}).scalar_one()
            if first is not None:
                return first - 1
            return connection.execute(_LAST).scalar_one() or 0

    def ends_after(self, number: int, limit: int) -> list[tuple[int, str, str]]:
        """Number, sid and reason of ends, by number, `number` exclusive. Raises Unavailable."""
        with self._database.read() as connection:
            rows = connection.execute(_AFTER, {"_number": number, "_limit": limit}).all()
        return [(row.number, row.sid, _reason(row.data)) for row in rows]

    def revocations_after(self, number: int, limit: int) -> list[tuple[int, Revocation | None]]:
        """Number and revocation, by number, `number` exclusive. Raises Unavailable."""
        with self._database.read() as connection:
            rows = connection.execute(_REVOCATIONS_AFTER, {"_number": number, "_limit": limit}).all()
        return [(row.number, of_line(row.client_id, json.loads(row.data))) for row in rows]


def _reason(data: str) -> str:
    return str(json.loads(data).get("reason") or "")
