"""CensusStore on Redis: sizes of sorted sets, which Redis knows without counting. One round trip."""

from __future__ import annotations

from sso_server.core.census import Counted
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Call, Link, command


class RedisCensus:
    """For numbers that operators watch."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def count(self, now: int) -> Counted:
        """See ports.CensusStore. It costs as much however many there are."""
        replies = self._link.send_all([call for bucket in ALL_BUCKETS for call in self._looks(bucket, now)])
        width = len(replies) // len(ALL_BUCKETS)
        live, due, outbox, due_bulk, bulk, unfinished, archive = (
            sum(int(reply) for reply in replies[column::width]) for column in range(width - 1)
        )
        oldest = [int(float(reply[1])) for reply in replies[width - 1 :: width] if reply]
        return Counted(
            live=live,
            due=due,
            due_bulk=due_bulk,
            later=outbox - due,
            later_bulk=bulk - due_bulk,
            # Rows come and go between the looks at two sets.
            when_asked=max(0, unfinished - outbox - bulk),
            to_archive=archive,
            oldest_unfinished=min(oldest, default=None),
        )

    def _looks(self, bucket: int, now: int) -> list[Call]:
        def key(kind: str) -> str:
            return self._keys.in_bucket(bucket, kind)

        return [
            command("ZCARD", key("live")),
            command("ZCOUNT", key("outbox"), "-inf", now),
            command("ZCARD", key("outbox")),
            command("ZCOUNT", key("bulk"), "-inf", now),
            command("ZCARD", key("bulk")),
            command("ZCARD", key("unfinished")),
            command("ZCARD", key("archive")),
            command("ZRANGE", key("unfinished"), 0, 0, "WITHSCORES"),
        ]
