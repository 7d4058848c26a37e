"""SessionLists on Redis: reading across sessions, bucket by bucket."""

from __future__ import annotations

from sso_server.core.sessions import Participant, Session
from sso_server.stores.redis import records
from sso_server.stores.redis.buckets import by_bucket, count_all, find_bucket
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Link, command, step


class RedisSessionLists:
    """Lists of sessions and the map session -> registered sites."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def list_live(
        self,
        now: int,  # not asked: a session that is due and not yet swept has not ended
        limit: int,
        *,
        user_id: str = "",
        client_id: str = "",
        older_than_version: int = 0,
        opened_before: int = 0,
        after_sid: str = "",
    ) -> list[Session]:
        """See ports.SessionLists. One person's through the index; else bucket after bucket: a sid begins with it."""
        conditions = (user_id, client_id, older_than_version, opened_before, after_sid)
        if user_id:
            named = self._link.send(command("ZRANGE", self._keys.sessions_of(user_id), 0, -1))
            groups = by_bucket(named)
            steps = [step("list_live", self._keys.bucket(b), limit, *conditions, *sids) for b, sids in groups.items()]
            found = [s for reply in self._link.send_all(steps) for s in map(records.session, reply)]
            return sorted((s for s in found if s is not None), key=lambda s: s.sid)[:limit]
        counts = count_all(self._link, self._keys, "due")
        first = find_bucket(after_sid) or 0
        waiting = [b for b in ALL_BUCKETS if counts[b] and b >= first]
        listed: list[Session] = []
        while waiting and len(listed) < limit:
            # As many buckets at once as could hold what is missing, if every session met the conditions.
            batch: list[int] = []
            while waiting and sum(counts[b] for b in batch) < limit - len(listed):
                batch.append(waiting.pop(0))
            missing = limit - len(listed)
            for reply in self._link.send_all(
                [step("list_live", self._keys.bucket(b), missing, *conditions) for b in batch]
            ):
                listed += [s for s in map(records.session, reply) if s is not None]
        return sorted(listed, key=lambda s: s.sid)[:limit]

    def participants(self, sid: str) -> list[Participant]:
        """See ports.SessionLists."""
        bucket = find_bucket(sid)
        if bucket is None:
            return []
        return records.participants(
            sid, self._link.send(command("HGETALL", self._keys.in_bucket(bucket, "sites", sid)))
        )

    def count_live(self, now: int) -> int:
        """See ports.SessionLists."""
        return sum(count_all(self._link, self._keys, "due"))
