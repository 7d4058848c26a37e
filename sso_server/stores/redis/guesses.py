"""GuessStore on Redis: one counter per key, each under a tag of its own, counted one after the other.

Counters of one attempt lie in different slots, so no script may count them together. The first that makes wait stops
the attempt, and those counted before it are taken back: a crash in between counts an attempt too many, never too few.
"""

from __future__ import annotations

from collections.abc import Sequence

from sso_server.core.guesses import Limit
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Call, Link, command, step


class RedisGuesses:
    """Counters of password guesses."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def begin(self, limits: Sequence[Limit], now: int) -> int:
        """See ports.GuessStore. One round trip per counter; the person's own comes first and stops most floods."""
        for i, limit in enumerate(limits):
            wait = int(self._link.send(self._count(limit, now, 1)))
            if wait > 0:
                undo = [self._undo(counted.key) for counted in limits[:i]]
                others = [self._count(other, now, 0) for other in limits[i + 1 :]]
                replies = self._link.send_all([*undo, *others])
                return max([wait, *(int(reply) for reply in replies[len(undo) :])])
        return 0

    def settle(self, clear: Sequence[str], refund: Sequence[str]) -> None:
        """See ports.GuessStore."""
        forget = [command("DEL", self._keys.guess(key)) for key in clear]
        self._link.send_all([*forget, *(self._undo(key) for key in refund)])

    def _count(self, limit: Limit, now: int, count: int) -> Call:
        numbers = (limit.free, limit.base_ms, limit.cap_ms, limit.forget_ms)
        return step("guess_count", self._keys.guess(limit.key), now, *numbers, count)

    def _undo(self, key: str) -> Call:
        return step("guess_undo", self._keys.guess(key))
