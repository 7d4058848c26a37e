"""Visiting the 64 buckets: one pipelined look at all, then scripts only where there is something to do."""

from __future__ import annotations

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


def count_all(link: Link, keys: Keys, kind: str, most: int | str = "+inf") -> list[int]:
    """For each bucket, how many members of its sorted set have a score of at most `most`. One round trip."""
    replies = link.send_all([command("ZCOUNT", keys.in_bucket(b, kind), "-inf", most) for b in ALL_BUCKETS])
    return [int(reply) for reply in replies]


def lowest_score(link: Link, keys: Keys, kind: str) -> int | None:
    """The smallest score in the sorted sets of all buckets. One round trip."""
    replies = link.send_all([command("ZRANGE", keys.in_bucket(b, kind), 0, 0, "WITHSCORES") for b in ALL_BUCKETS])
    scores = [int(float(reply[1])) for reply in replies if reply]
    return min(scores, default=None)
