"""PastStore on Redis: which life of which server answers, and a heartbeat that it must not lose.

`run_id` is another one after every start and at every other server; `master_replid` also tells of one that was a
replica in between and took over what others had written.
"""

from __future__ import annotations

from typing import Any

from sso_server.core.restorations import Past
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Call, Link, step


class RedisPast:
    """What this Redis says of itself."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def look(self) -> Past:
        """See ports.PastStore."""
        return past_of(self._link.send(past_call(self._keys)))

    def beat(self, now: int, floor: int) -> Past:
        """See ports.PastStore."""
        return past_of(self._link.send(past_call(self._keys, now, floor)))


def past_call(keys: Keys, now: int = 0, floor: int = 0) -> Call:
    """For a pipeline, so that the answer is that of the very server that gets the other calls."""
    return step("past", keys.heartbeat(), now, floor)


def past_of(reply: Any) -> Past:
    """What the call answered."""
    incarnation, heartbeat = reply
    return Past(f"redis:{incarnation}" if incarnation else "", int(heartbeat))
