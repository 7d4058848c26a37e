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
        own = 0
        for i, limit in enumerate(limits):
            spared = i > 0 and own < limit.spare
            wait, count = map(int, self._link.send(self._count(limit, now, "spared" if spared else "count")))
            own = count if i == 0 else own
            if wait > 0:
                undo = [self._undo(counted.key) for counted in limits[:i]]
                others = [self._count(other, now, "look") for other in limits[i + 1 :] if own >= other.spare]
                replies = self._link.send_all([*undo, *others])
                return max([wait, *(int(reply[0]) for reply in replies[len(undo) :])])
        return 0

    def settle(self, clear: Sequence[str], refund: Sequence[str]) -> None:
        """See ports.GuessStore."""
        forget = [command("DEL", self._keys.guess(key)) for key in clear]
        self._link.send_all([*forget, *(self._undo(key) for key in refund)])

    def _count(self, limit: Limit, now: int, how: str) -> Call:
        numbers = (limit.free, limit.base_ms, limit.cap_ms, limit.forget_ms)
        return step("guess_count", self._keys.guess(limit.key), now, *numbers, how)

    def _undo(self, key: str) -> Call:
        return step("guess_undo", self._keys.guess(key))
