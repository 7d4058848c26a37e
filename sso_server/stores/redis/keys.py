"""The name of every key, and nothing else. docs/redis.md is the table of them; a test compares the two.

Everything of a session carries the hash tag of its bucket, `{bNN}`, so that one script may touch all of it on a
Redis Cluster. What crosses buckets lives under a tag of its own and is written before what it names.
"""

from __future__ import annotations

import re

from sso_server.core.identifiers import BUCKETS
from sso_server.core.records import record

ALL_BUCKETS = range(BUCKETS)
_NAMES_EVERYWHERE = 1000
"""A master with a hundredth of the slots has one of them, but in one case of 23,000."""
_PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@record
class Keys:
    """All keys begin with `prefix`, so that several services may share a Redis. Raises ValueError for an odd prefix."""

    prefix: str

    def __post_init__(self) -> None:
        if _PREFIX.fullmatch(self.prefix) is None:
            # A brace here would move every key to another slot.
            raise ValueError(
                "The prefix of Redis keys has 1 to 64 letters, digits, dots, colons, dashes or underscores."
            )

    def bucket(self, bucket: int) -> str:
        """What every key of the bucket begins with; scripts get this one and build the others from it."""
        return f"{self.prefix}:{{b{bucket:02d}}}"

    def in_bucket(self, bucket: int, kind: str, name: str = "") -> str:
        """One key of a bucket: `session`, `sites`, `due`, ..."""
        return f"{self.bucket(bucket)}:{kind}:{name}" if name else f"{self.bucket(bucket)}:{kind}"

    def in_any_bucket(self, kind: str) -> str:
        """A pattern for SCAN: the keys of that kind in every bucket. (The prefix holds no character of a pattern.)"""
        return f"{self.prefix}:{{b[0-9][0-9]}}:{kind}:*"

    def unacked(self, bucket: int, client_id: str, store_id: str) -> str:
        """What a site's store must still hear of."""
        return self.in_bucket(bucket, "unacked", f"{client_id}/{store_id}")

    def denied(self, bucket: int, client_id: str) -> str:
        """A client's feed of what its APIs must refuse."""
        return self.in_bucket(bucket, "denied", client_id)

    def sessions_of(self, user_id: str) -> str:
        """Index: a person's sessions. May name dead ones, never misses a live one."""
        return f"{self.prefix}:{{u:{user_id}}}:sessions"

    def grants_of(self, user_id: str) -> str:
        """Index: a person's grants. May name dead ones, never misses a live one."""
        return f"{self.prefix}:{{u:{user_id}}}:grants"

    def stores_of(self, client_id: str) -> str:
        """A client's stores that ever checked in."""
        return f"{self.prefix}:{{c:{client_id}}}:stores"

    def guess(self, counter: str) -> str:
        """One counter of password guesses."""
        return f"{self.prefix}:{{g:{counter}}}:guess"

    def slip(self, name: str) -> str:
        """One slip, and until when it is good."""
        return f"{self.prefix}:{{n:{name}}}:slip"

    def written(self) -> str:
        """The tiny write that proves that this Redis takes writes."""
        return f"{self.prefix}:{{health}}:written"

    def unfinished_known(self) -> str:
        """That the sets of unfinished rows are whole: data of before they were kept has been gone through."""
        return f"{self.prefix}:{{health}}:unfinished"

    def heartbeat(self) -> str:
        """The last heartbeat of the delivery processes: a Redis that has lost it went back in time."""
        return f"{self.prefix}:{{health}}:heartbeat"

    def heartbeats(self) -> list[str]:
        """On a cluster every bucket has one, too, so that each master can be asked in the step that it takes."""
        return [self.heartbeat(), *(self.in_bucket(bucket, "heartbeat") for bucket in ALL_BUCKETS)]

    def heartbeats_everywhere(self) -> list[str]:
        """One master may have no bucket and only indexes: among so many names there is one for it."""
        return [*self.heartbeats(), *(f"{self.prefix}:{{h{n}}}:heartbeat" for n in range(_NAMES_EVERYWHERE))]
