"""GuessStore: counters of password guesses; how long each makes wait is `core.guesses.Limit`'s to say."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import bindparam, text

from sso_server.core.guesses import Limit
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.tables import guesses

# Written before it is read: on PostgreSQL only a row that is there can be locked, and of twenty guesses at once on a
# name never seen before every one would count itself the first. A row that is there is locked by it, too: else somebody
# who signs in at this moment could still take it away. In the order of the keys: no two wait crosswise.
_ENSURE = text(
    "INSERT INTO guesses (key, attempts, last_at, forget_at) VALUES (:key, 0, :now, :forget_at)"
    " ON CONFLICT (key) DO UPDATE SET attempts = guesses.attempts"
)
_LOCK = (
    sa.select(guesses)
    .where(guesses.c.key.in_(bindparam("_keys", expanding=True)))
    .order_by(guesses.c.key)
    .with_for_update()
)
_COUNT = (
    sa.update(guesses)
    .where(guesses.c.key == bindparam("_key"))
    .values(
        attempts=bindparam("_attempts"),
        previous_at=guesses.c.last_at,
        last_at=bindparam("_now"),
        forget_at=bindparam("_forget"),
    )
)
_CLEAR = sa.delete(guesses).where(guesses.c.key.in_(bindparam("_keys", expanding=True)))
_REFUND = (
    sa.update(guesses)
    .where(guesses.c.key == bindparam("_key"), guesses.c.attempts > 0)
    # With its moment, once: what was counted before that one isn't known.
    .values(
        attempts=guesses.c.attempts - 1,
        last_at=sa.func.coalesce(guesses.c.previous_at, guesses.c.last_at),
        previous_at=None,
    )
)


class SqlGuesses:
    """Implements `ports.GuessStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, limits: Sequence[Limit], now: int) -> int:
        """Count one attempt and answer 0, or count nothing and answer the longest wait (ms). Raises Unavailable."""
        ordered = sorted(limits, key=lambda limit: limit.key)
        if not ordered:
            return 0
        with self._database.write() as connection:
            connection.execute(
                _ENSURE, [{"key": limit.key, "now": now, "forget_at": now + limit.forget_ms} for limit in ordered]
            )
            rows = {row.key: row for row in connection.execute(_LOCK, {"_keys": [limit.key for limit in ordered]})}
            counts = {key: 0 if row.forget_at <= now else row.attempts for key, row in rows.items()}
            own = counts[limits[0].key]
            waits = [
                rows[limit.key].last_at + wait - now
                for limit in ordered
                # A free one waits for nothing: the last may be ahead, by another node's clock or by its turn here.
                if counts[limit.key] > 0 and own >= limit.spare and (wait := limit.wait_after(counts[limit.key])) > 0
            ]
            longest = max(waits, default=0)
            if longest > 0:
                return longest
            connection.execute(
                _COUNT,
                [
                    {
                        "_key": limit.key,
                        "_attempts": counts[limit.key] + 1,
                        "_now": now,
                        "_forget": now + limit.forget_ms,
                    }
                    for limit in ordered
                ],
            )
        return 0

    def settle(self, clear: Sequence[str], refund: Sequence[str]) -> None:
        """Forget the first keys, take one attempt back on the others. Raises Unavailable."""
        with self._database.write() as connection:
            # In the order of the keys, as `begin` does.
            connection.execute(_LOCK, {"_keys": sorted((*clear, *refund))})
            if clear:
                connection.execute(_CLEAR, {"_keys": sorted(clear)})
            if refund:
                connection.execute(_REFUND, [{"_key": key} for key in sorted(refund)])
