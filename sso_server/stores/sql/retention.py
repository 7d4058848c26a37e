"""Retention: what the SQL database alone keeps, and for how long. Sessions and all that hangs on them, the sweeps'."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import bindparam

from sso_server.core.policy import DAY
from sso_server.stores.sql.account_tables import end_orders, one_time, restorations
from sso_server.stores.sql.engine import Database

#: Longer than any session or offline grant may live (366 days, config.py), and than a mark counts (390).
KEEP_MS = 400 * DAY

_doomed_orders = (
    sa.select(end_orders.c.order_id)
    .where(end_orders.c.finished_at <= bindparam("_before"))
    .order_by(end_orders.c.finished_at)
    .limit(bindparam("_limit"))
)
_ORDERS = sa.delete(end_orders).where(end_orders.c.order_id.in_(_doomed_orders))
_ONE_TIME = sa.delete(one_time).where(one_time.c.expires_at <= bindparam("_now"))
_others = restorations.alias("others")
_first = sa.select(sa.func.min(_others.c.number)).scalar_subquery()
_last_old = (
    sa.select(sa.func.max(_others.c.number)).where(_others.c.detected_at <= bindparam("_before")).scalar_subquery()
)
# The first row is this installation's name. An epoch is old when the next one is: until then marks were given under it.
_RESTORATIONS = sa.delete(restorations).where(
    restorations.c.number > _first, restorations.c.number < _last_old, restorations.c.finished_at.is_not(None)
)


class SqlRetention:
    """Implements `ports.Retention`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def purge_old(self, now: int, limit: int) -> int:
        """Forget at most about `limit` rows that nobody can need any more; how many. Raises Unavailable."""
        old = {"_before": now - KEEP_MS}
        with self._database.write() as connection:
            dropped = connection.execute(_ORDERS, {**old, "_limit": limit}).rowcount
            dropped += connection.execute(_RESTORATIONS, old).rowcount
            return dropped + connection.execute(_ONE_TIME, {"_now": now}).rowcount
