"""Outbox on Redis: two sorted sets of rows per bucket, one for rows that somebody waits for and one for mass ends.

Claiming moves a row to the moment when its claim is over.
"""

from __future__ import annotations

from collections.abc import Sequence

from sso_server.core.notifications import AttemptResult, Notification
from sso_server.stores.redis import records
from sso_server.stores.redis.buckets import count_all, find_bucket, lowest_score, share_out
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Link, step

# The keys' kinds by `bulk`; scripts/_rows.lua says which row stands in which.
_KINDS = ("outbox", "bulk")
_PAGE = 200
_MOST_LOOKED_AT = 1000


class RedisOutbox:
    """The worker's side of the ledger."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def claim(self, worker: str, now: int, limit: int, claim_ms: int, *, bulk: bool = False) -> list[Notification]:
        """See ports.Outbox. If its answer is lost, the rows come again when the claim is over, as after a death."""
        # Beginning at another bucket each time, so that none waits behind a busy one.
        kind = _KINDS[bulk]
        shares = share_out(count_all(self._link, self._keys, kind, now), limit, first=now)
        steps = [step("claim", self._keys.bucket(b), now, take, worker, claim_ms, kind) for b, take in shares]
        return [row for reply in self._link.send_all(steps) for row in records.notifications(reply)]

    def record(self, results: Sequence[AttemptResult], now: int) -> None:
        """See ports.Outbox."""
        batches: dict[int, list[str | int]] = {}
        for r in results:
            bucket = find_bucket(r.sid)
            if bucket is None:
                continue
            name = records.row_name(r.sid, r.client_id, r.store_id)
            next_at = "" if r.next_attempt_at is None else r.next_attempt_at
            status = "" if r.status is None else r.status
            batches.setdefault(bucket, []).extend(
                (name, r.attempt, r.state.value, next_at, status, r.error, int(r.sent))
            )
        self._link.send_all([step("record", self._keys.bucket(b), now, *words) for b, words in batches.items()])

    def list_claimed(self, now: int, limit: int, claim_ms: int) -> list[Notification]:
        """See ports.Outbox. At most `_MOST_LOOKED_AT` entries of each set, in steps short enough for others to go
        between them."""
        claimed: list[Notification] = []
        for kind in _KINDS:
            counts = count_all(self._link, self._keys, kind, now + claim_ms, least=f"({now}")
            for bucket, count in enumerate(counts):
                for offset in range(0, min(count, _MOST_LOOKED_AT), _PAGE):
                    words = (now, now + claim_ms, offset, _PAGE, kind)
                    reply = self._link.send(step("list_claimed", self._keys.bucket(bucket), *words))
                    claimed += records.notifications(reply)
                    if len(claimed) >= limit:
                        return claimed[:limit]
        return claimed

    def next_due(self, now: int, *, bulk: bool | None = None) -> int | None:
        """See ports.Outbox. In the past: a row is due already."""
        return lowest_score(self._link, self._keys, *(_KINDS if bulk is None else (_KINDS[bulk],)))
