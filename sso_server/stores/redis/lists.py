"""SessionLists on Redis: reading across sessions, bucket by bucket."""

from __future__ import annotations

from sso_server.core.sessions import Participant, Session
from sso_server.stores.redis import records
from sso_server.stores.redis.buckets import by_bucket, count_all, find_bucket
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Link, command, step

_PAGE = 500
"""How many sessions one round trip looks at: others wait for it, so it takes a few milliseconds at most."""


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
        conditions = (user_id, client_id, older_than_version, opened_before)
        if user_id:
            named = self._link.send(command("ZRANGE", self._keys.sessions_of(user_id), 0, -1))
            steps = [
                step("list_live", self._keys.bucket(b), limit, _PAGE, *conditions, after_sid, *sids)
                for b, sids in by_bucket(named).items()
            ]
            found = [s for reply, _ in self._link.send_all(steps) for s in map(records.session, reply) if s is not None]
            return sorted(found, key=lambda s: s.sid)[:limit]
        counts = count_all(self._link, self._keys, "live")
        first = find_bucket(after_sid) or 0
        waiting = [(b, after_sid if b == first else "") for b in ALL_BUCKETS if counts[b] and b >= first]
        listed: list[Session] = []
        while waiting and len(listed) < limit:
            batch = _batch(waiting, counts)
            steps = [
                step("list_live", self._keys.bucket(b), limit - len(listed), _PAGE, *conditions, after)
                for b, after in batch
            ]
            del waiting[: len(batch)]
            for i, (reply, go_on_after) in enumerate(self._link.send_all(steps)):
                listed += [s for s in map(records.session, reply) if s is not None]
                if go_on_after:
                    # The buckets behind this one come after its sids: they are asked again when it is through.
                    waiting[:0] = [(batch[i][0], go_on_after), *batch[i + 1 :]]
                    break
        return listed[:limit]

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
        return sum(count_all(self._link, self._keys, "live"))


def _batch(waiting: list[tuple[int, str]], counts: list[int]) -> list[tuple[int, str]]:
    """The next buckets in order: one, or as many as hold no more than a page together."""
    size = 1
    while size < len(waiting) and sum(counts[b] for b, _ in waiting[: size + 1]) <= _PAGE:
        size += 1
    return waiting[:size]
