"""Ledger and Archive on Redis: the same rows as the outbox's, for people and on their way to the audit."""

from __future__ import annotations

from collections.abc import Sequence

from sso_server.core.notifications import Notification
from sso_server.core.sessions import Session
from sso_server.stores.redis import records
from sso_server.stores.redis.buckets import NewestFirst, by_bucket, count_all, find_bucket, share_out
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Link, command, step

_PAGE = 200
"""How many sessions one round trip looks at: others wait for it."""


class RedisLedger:
    """People's side of the ledger."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def of_session(self, sid: str) -> list[Notification]:
        """See ports.Ledger."""
        bucket = find_bucket(sid)
        return (
            []
            if bucket is None
            else records.notifications(self._link.send(step("rows", self._keys.bucket(bucket), sid)))
        )

    def list_ended(
        self, limit: int, *, before: int = 0, before_sid: str = "", unfinished_only: bool = False, user_id: str = ""
    ) -> list[Session]:
        """See ports.Ledger."""
        cursor = (before, before_sid)
        # With a sid the cursor's own millisecond is read again, and what has been listed of it is left out here.
        before += 1 if before and before_sid else 0
        conditions = (before, int(unfinished_only), user_id)
        if user_id:
            named = self._link.send(command("ZRANGE", self._keys.sessions_of(user_id), 0, -1))
            return _beyond(cursor, self._matching([str(sid) for sid in named], conditions))[:limit]
        if unfinished_only:
            self._know_unfinished()
        newest = NewestFirst(self._link, self._keys, before, "unfinished" if unfinished_only else "ended")
        listed: list[Session] = []
        last = ""
        while len(listed) < limit and (names := newest.next_sids(_PAGE)):
            # A session's unfinished rows stand beside each other, perhaps across two pages.
            sids = [sid for sid in dict.fromkeys(name.partition("/")[0] for name in names) if sid != last]
            last = names[-1].partition("/")[0]
            listed += _beyond(cursor, self._matching(sids, conditions))
        return listed[:limit]

    def _know_unfinished(self) -> None:
        """Once for data of before the sets were kept: whatever changes meanwhile writes itself down."""
        if self._link.send(command("EXISTS", self._keys.unfinished_known())):
            return
        for bucket in ALL_BUCKETS:
            sids = self._link.send(command("ZRANGE", self._keys.in_bucket(bucket, "ended"), 0, -1))
            for first in range(0, len(sids), _PAGE):
                page = map(str, sids[first : first + _PAGE])
                self._link.send(step("index_unfinished", self._keys.bucket(bucket), *page))
        self._link.send(command("SET", self._keys.unfinished_known(), 1))

    def _matching(self, sids: Sequence[str], conditions: tuple[str | int, ...]) -> list[Session]:
        """Those of the sids that are ended sessions under these conditions, newest end first."""
        steps = [step("list_ended", self._keys.bucket(b), *conditions, *group) for b, group in by_bucket(sids).items()]
        found = [s for reply in self._link.send_all(steps) for s in map(records.session, reply) if s is not None]
        return sorted(found, key=lambda s: (s.ended_at or 0, s.sid), reverse=True)

    def retry(self, sid: str, client_id: str, now: int) -> int:
        """See ports.Ledger."""
        bucket = find_bucket(sid)
        return (
            0 if bucket is None else int(self._link.send(step("retry", self._keys.bucket(bucket), now, sid, client_id)))
        )

    def retry_all(self, pairs: Sequence[tuple[str, str]], now: int) -> dict[tuple[str, str], int]:
        """See ports.Ledger. One round trip."""
        placed = [(pair, bucket) for pair in pairs if (bucket := find_bucket(pair[0])) is not None]
        replies = self._link.send_all([step("retry", self._keys.bucket(bucket), now, *pair) for pair, bucket in placed])
        return {pair: int(reply) for (pair, _), reply in zip(placed, replies, strict=True) if int(reply)}

    def call_from_now(self, client_id: str, kind: str, logout_uri: str, now: int) -> int:
        """See ports.Ledger."""
        count = 0
        for bucket in ALL_BUCKETS:
            sets = (self._keys.in_bucket(bucket, "live"), self._keys.unacked(bucket, client_id, ""))
            named = self._link.send_all([command("ZRANGE", key, 0, -1) for key in sets])
            sids = list(dict.fromkeys(str(sid) for members in named for sid in members))
            for at in range(0, len(sids), _PAGE):
                words: tuple[str | int, ...] = (now, client_id, kind, logout_uri, *sids[at : at + _PAGE])
                count += int(self._link.send(step("call_from_now", self._keys.bucket(bucket), *words)))
        return count

    def abandon(self, sid: str, client_id: str, by: str, now: int) -> int:
        """See ports.Ledger."""
        bucket = find_bucket(sid)
        if bucket is None:
            return 0
        return int(self._link.send(step("abandon", self._keys.bucket(bucket), now, sid, client_id, f"by:{by}")))


def _beyond(cursor: tuple[int, str], sessions: list[Session]) -> list[Session]:
    """Those that come after the cursor in the list; all if it is none."""
    return [s for s in sessions if not all(cursor) or (s.ended_at or 0, s.sid) < cursor]


class RedisArchive:
    """Final rows on their way to the audit."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def list_archivable(self, limit: int) -> list[Notification]:
        """See ports.Archive."""
        shares = share_out(count_all(self._link, self._keys, "archive"), limit)
        replies = self._link.send_all([step("archivable", self._keys.bucket(b), take) for b, take in shares])
        return [row for reply in replies for row in records.notifications(reply)]

    def mark_archived(self, rows: Sequence[Notification]) -> None:
        """See ports.Archive."""
        batches: dict[int, list[str | int]] = {}
        for row in rows:
            bucket = find_bucket(row.sid)
            if bucket is not None:
                name = records.row_name(row.sid, row.client_id, row.store_id)
                batches.setdefault(bucket, []).extend((name, row.state.value, row.final_at or 0))
        self._link.send_all([step("mark_archived", self._keys.bucket(b), *words) for b, words in batches.items()])
