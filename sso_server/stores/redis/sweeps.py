"""Sweeps on Redis: what is due is read from each bucket's sorted set, never from keys that expire by themselves.

A key that expires tells nobody; a session must end with its notifications.
"""

from __future__ import annotations

from sso_server.core.sign_out import Ended
from sso_server.stores.redis.buckets import count_all, lowest_score, share_out
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Link, command, step
from sso_server.stores.redis.sessions import ended


class RedisSweeps:
    """Time running out."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def end_due(self, now: int, limit: int) -> list[Ended]:
        """See ports.Sweeps."""
        shares = share_out(count_all(self._link, self._keys, "due", now), limit, first=now)
        replies = self._link.send_all([step("end_due", self._keys.bucket(b), now, take) for b, take in shares])
        swept = [ended(one) for reply in replies for one in reply]
        return [one for one in swept if one is not None]

    def oldest_due(self, now: int) -> int | None:
        """See ports.Sweeps."""
        oldest = lowest_score(self._link, self._keys, "due")
        return oldest if oldest is not None and oldest <= now else None

    def purge(self, now: int, limit: int) -> int:
        """See ports.Sweeps. Tickets, tokens, grants and guesses expire by themselves; here go ended sessions."""
        shares = share_out(count_all(self._link, self._keys, "purge", now), limit, first=now)
        changed = 0
        forget = []
        for settled, gone in self._link.send_all(
            [step("purge", self._keys.bucket(b), now, take) for b, take in shares]
        ):
            changed += int(settled) + len(gone) // 2
            forget += [
                command("ZREM", self._keys.sessions_of(user_id), sid)
                for sid, user_id in zip(gone[::2], gone[1::2], strict=True)
            ]
        # Last, because an index may name dead sessions but never miss a live one.
        self._link.send_all(forget)
        return changed
