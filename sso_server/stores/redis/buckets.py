"""Visiting the 64 buckets: one pipelined look at all, then scripts only where there is something to do."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from sso_server.core.identifiers import BUCKETS, bucket_of
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Link, command


def find_bucket(sid: str) -> int | None:
    """The bucket of a sid; None for a text that is none."""
    try:
        return bucket_of(sid)
    except ValueError:
        return None


def by_bucket(sids: Iterable[str]) -> dict[int, list[str]]:
    """Grouped, each sid once; texts that aren't sids are left out."""
    groups: dict[int, list[str]] = {}
    for sid in dict.fromkeys(sids):
        bucket = find_bucket(sid)
        if bucket is not None:
            groups.setdefault(bucket, []).append(sid)
    return groups


def share_out(counts: Sequence[int], limit: int, first: int = 0) -> list[tuple[int, int]]:
    """Which buckets to visit, beginning with `first`, and how many to take from each, at most `limit` together."""
    shares: list[tuple[int, int]] = []
    for i in ALL_BUCKETS:
        bucket = (first + i) % BUCKETS
        take = min(counts[bucket], limit)
        if take > 0:
            shares.append((bucket, take))
            limit -= take
    return shares


def count_all(link: Link, keys: Keys, kind: str, most: int | str = "+inf", *, least: str = "-inf") -> list[int]:
    """For each bucket, how many members of its sorted set have a score from `least` to `most`. One round trip."""
    replies = link.send_all([command("ZCOUNT", keys.in_bucket(b, kind), least, most) for b in ALL_BUCKETS])
    return [int(reply) for reply in replies]


def lowest_score(link: Link, keys: Keys, *kinds: str) -> int | None:
    """The smallest score in the sorted sets of these kinds in all buckets. One round trip."""
    sets = [keys.in_bucket(b, kind) for kind in kinds for b in ALL_BUCKETS]
    replies = link.send_all([command("ZRANGE", key, 0, 0, "WITHSCORES") for key in sets])
    scores = [int(float(reply[1])) for reply in replies if reply]
    return min(scores, default=None)


class NewestFirst:
    """The sids of ended sessions (or, with another kind, the names of their rows) across all buckets, newest end first
    (of one end the greatest), read page by page."""

    _AT_ONCE = 20

    def __init__(self, link: Link, keys: Keys, before: int, kind: str = "ended") -> None:
        """With `before` (ms; 0: none) only those that ended earlier."""
        self._kind = kind
        self._link = link
        self._keys = keys
        self._most = f"({before}" if before else "+inf"
        self._read = dict.fromkeys(ALL_BUCKETS, 0)
        """How many of each bucket have been read; a bucket that is read to its end is missing."""
        self._waiting: list[tuple[int, tuple[int, ...], str, int]] = []
        self._in_hand: dict[int, int] = dict.fromkeys(ALL_BUCKETS, 0)

    def next_sids(self, limit: int) -> list[str]:
        """The next ones, at most `limit`; none: there are no more."""
        sids: list[str] = []
        while len(sids) < limit:
            # Only while something of every unfinished bucket is in hand is the newest in hand the newest of all.
            hungry = [b for b in self._read if self._in_hand[b] == 0]
            self._load(hungry)
            if not self._waiting:
                break
            *_, sid, bucket = heapq.heappop(self._waiting)
            self._in_hand[bucket] -= 1
            sids.append(sid)
        return sids

    def _load(self, hungry: Sequence[int]) -> None:
        looks = [
            command("ZREVRANGEBYSCORE", key, self._most, "-inf", "WITHSCORES", "LIMIT", self._read[b], self._AT_ONCE)
            for b, key in ((b, self._keys.in_bucket(b, self._kind)) for b in hungry)
        ]
        for bucket, reply in zip(hungry, self._link.send_all(looks), strict=True):
            found = list(zip(reply[::2], reply[1::2], strict=True))
            for sid, score in found:
                # Of one millisecond the greatest first, across buckets as Redis has it in each.
                heapq.heappush(self._waiting, (-int(float(score)), tuple(-ord(c) for c in sid), sid, bucket))
            self._in_hand[bucket] += len(found)
            self._read[bucket] += len(found)
            if len(found) < self._AT_ONCE:
                del self._read[bucket]
