"""Where a ticket or token lives of which a port hands over the digest alone: its bucket, its family, its person.

A digest carries no bucket. The place is written before what it points to and expires by itself; reading it is the one
extra round trip of redeem, rotate, find_token and revoke.
"""

from __future__ import annotations

from dataclasses import dataclass

from sso_server.core.policy import MINUTE
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Call, Link, command, step

KEEP_MS = 10 * MINUTE
"""Tickets and tokens stay this long past their end, to be able to say that they have expired. The scripts repeat it."""


@dataclass(frozen=True, slots=True)
class Place:
    """The bucket of the session, the digest of the ticket that all came from, and the person."""

    bucket: int
    grant_id: str
    user_id: str


class Places:
    """Reads places, and says which calls write them."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def find(self, digest: str) -> Place | None:
        """The place; None when the digest is unknown or its place can't be read."""
        text = self._link.send(command("GET", self._keys.place(digest)))
        bucket, _, rest = str(text or "").partition("/")
        grant_id, _, user_id = rest.partition("/")
        if not bucket.isdecimal() or int(bucket) not in ALL_BUCKETS or not grant_id:
            return None
        return Place(int(bucket), grant_id, user_id)

    def put(self, digest: str, place: Place, life_ms: int) -> Call:
        """The call that writes one."""
        value = f"{place.bucket:02d}/{place.grant_id}/{place.user_id}"
        return command("SET", self._keys.place(digest), value, "PX", max(1, life_ms))

    def put_tokens(self, place: Place, ends: dict[str, int], now: int) -> list[Call]:
        """The calls that come before new tokens of a family (digest -> end): their places, and the person's index."""
        until = max(ends.values()) + KEEP_MS
        index = step("index", self._keys.grants_of(place.user_id), now, until, f"{place.bucket:02d}/{place.grant_id}")
        return [*(self.put(digest, place, end - now + KEEP_MS) for digest, end in ends.items()), index]
