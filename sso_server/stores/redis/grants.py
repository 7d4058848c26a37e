"""The person's index of grants: in which bucket each lies that is to be revoked with all of a person's.

It lies in a slot of its own and is written before what it names: with the ticket, for longer than its grant is going
to live. A step that would make a grant live longer than it is named says so instead, and is sent again behind a longer
name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sso_server.core.errors import Unavailable
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.tickets import Ticket
from sso_server.stores.redis.arrangement import arrangement
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Call, Link, command, step

KEEP_MS = 10 * MINUTE
"""Tickets and tokens stay this long past their end, to be able to say that they have expired. The scripts repeat it."""
_OFFLINE_MS = 400 * DAY
_REFRESHABLE_MS = 40 * DAY
_SHORT_MS = DAY
_PAGE = 1000
_AHEAD_MS = 40 * DAY
"""How far a renewed name reaches past what made it necessary: how seldom a rotation has to be sent twice."""


class GrantIndex:
    """Writes and reads the index. It may name grants that are dead or never came to be, it misses none that lives."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def put(self, user_id: str, bucket: int, grant_id: str, now: int, until: int) -> Call:
        """The call that names a grant until then (ms)."""
        return step("index", self._keys.grants_of(user_id), now, until, f"{bucket:02d}/{grant_id}")

    def send(self, bucket: int, ends: Iterable[int], now: int, writing: Callable[[int], Call]) -> Any:
        """The reply of a step that writes tokens with these ends (ms). `writing` makes the call; it is told until when
        the index surely names the grant (0: as the grant says). A second round trip if the name is too short."""
        reply = self._link.send(writing(0))
        if reply[0] != "index":
            return reply
        _, user_id, grant_id = reply
        until = max(ends) + KEEP_MS + _AHEAD_MS
        name = self.put(str(user_id), bucket, str(grant_id), now, until)
        return self._link.send_in_order([name, writing(until)])[-1]

    def find(self, user_id: str) -> dict[int, list[str]]:
        """Ids of the person's grants by bucket."""
        groups: dict[int, list[str]] = {}
        for entry in self._link.send(command("ZRANGE", self._keys.grants_of(user_id), 0, -1)):
            bucket, _, grant_id = str(entry).partition("/")
            if bucket.isdecimal() and int(bucket) in ALL_BUCKETS and grant_id:
                groups.setdefault(int(bucket), []).append(grant_id)
        return groups

    def find_all(self) -> Iterator[dict[int, list[str]]]:
        """Ids of everybody's grants by bucket, page by page; some of them twice. Raises Unavailable, at the latest
        after the last page, if some may have been missed."""
        before = arrangement(self._link)
        for master in self._link.masters():
            # A cursor means nothing to another server.
            yield from self._find_in(master.of_one_life())
        if arrangement(self._link) != before:
            raise Unavailable(detail="Redis: slots have moved while all keys were gone through")

    def _find_in(self, master: Link) -> Iterator[dict[int, list[str]]]:
        cursor = "0"
        while True:
            pattern = self._keys.in_any_bucket("grant")
            cursor, names = master.send(command("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE, "TYPE", "hash"))
            groups: dict[int, list[str]] = {}
            for name in names:
                bucket, _, rest = str(name).removeprefix(f"{self._keys.prefix}:{{b").partition("}")
                groups.setdefault(int(bucket), []).append(rest.removeprefix(":grant:"))
            yield groups
            if int(cursor) == 0:
                return


def named_until(ticket: Ticket) -> int:
    """Until when (ms) the index names what may come from this ticket: the settings allow an offline grant 366 days and
    more at every rotation, an access token one hour; other grants mostly end with a session of at most 30 days."""
    if ticket.offline:
        return ticket.expires_at + _OFFLINE_MS
    return ticket.expires_at + (_REFRESHABLE_MS if ticket.refreshable else _SHORT_MS)
