"""PastStore on Redis: which life of which servers answers, and heartbeats that they must not lose.

`run_id` is another one after every start and at every other server; `master_replid` also tells of one that was a
replica in between and took over what others had written. On a cluster every master is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sso_server.core.restorations import Past
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Call, Link, step


class RedisPast:
    """What this Redis says of itself."""

    def __init__(self, link: Link, keys: Keys) -> None:
        """With a link without a fence: whoever is to be found out must be asked."""
        self._link = link
        self._keys = keys

    def look(self) -> Past:
        """See ports.PastStore."""
        masters = self._link.by_server(self._keys.heartbeats_everywhere())
        return past_of(self._link.send_all([past_call(keys[0]) for keys in masters], one_view=True))

    def beat(self, now: int, floor: int) -> Past:
        """See ports.PastStore. Not only where it is read: when slots move to another master, another one is."""
        masters = self._link.by_server(self._keys.heartbeats_everywhere())
        asked = [past_call(keys[0], now, floor) for keys in masters]
        written = {key for keys in masters for key in keys[1:]} if len(masters) > 1 else set()
        others = [past_call(key, now, floor, who=False) for key in self._keys.heartbeats() if key in written]
        return past_of(self._link.send_all([*asked, *others], one_view=True)[: len(asked)])


def past_call(heartbeat: str, now: int = 0, floor: int = 0, *, who: bool = True) -> Call:
    """Of the server that has this heartbeat. For a pipeline, so that the answer is that of the very server that gets
    the other calls. Without `who` of the heartbeat alone."""
    return step("past", heartbeat, now, floor, int(who))


def past_of(replies: Sequence[Any]) -> Past:
    """What the calls, one for each server, answered: together as old as the oldest."""
    names = sorted({f"redis:{incarnation}" for incarnation, *_ in replies if incarnation})
    return Past(",".join(names), min(int(heartbeat) for _, heartbeat, *_ in replies))


def clock_us(replies: Sequence[Any]) -> int:
    """The clock of the server that is the most behind (microseconds)."""
    return min(int(seconds) * 1_000_000 + int(micros) for *_, seconds, micros in replies)
