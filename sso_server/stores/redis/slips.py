"""SlipStore on Redis: each slip under a tag of its own. Whether it is still good is asked of the caller's clock, as in
SQL; Redis drops it by its own a little later.
"""

from __future__ import annotations

from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Link, step


class RedisSlips:
    """Small texts that live for minutes."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def add(self, name: str, content: str, expires_at: int, now: int) -> bool:
        """See ports.SlipStore. If its answer is lost, whoever repeats it is told that there is one already."""
        return bool(self._link.send(step("slip_add", self._keys.slip(name), now, content, expires_at)))

    def find(self, name: str, now: int) -> str | None:
        """See ports.SlipStore."""
        return _content(self._link.send(step("slip_find", self._keys.slip(name), now)))

    def replace(self, name: str, was: str, content: str, now: int) -> bool:
        """See ports.SlipStore."""
        return bool(self._link.send(step("slip_replace", self._keys.slip(name), now, was, content)))

    def extend(self, name: str, expires_at: int, now: int) -> bool:
        """See ports.SlipStore."""
        return bool(self._link.send(step("slip_extend", self._keys.slip(name), now, expires_at)))

    def take(self, name: str, now: int) -> str | None:
        """See ports.SlipStore."""
        return _content(self._link.send(step("slip_take", self._keys.slip(name), now)))


def _content(reply: object) -> str | None:
    return str(reply[0]) if isinstance(reply, list) and reply else None
