"""PollStore on Redis: the rows of sites without our SDK, offered to those that ask; scripts only where there are some.

What a client is offered stands in each bucket's `unacked` set under its name without a store (scripts/_rows.lua).
"""

from __future__ import annotations

import json

from sso_server.core.polls import PollAnswer, PollEvent, PollReport
from sso_server.stores.redis.buckets import by_bucket
from sso_server.stores.redis.check_ins import STORES_KEPT_MS
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Call, Link, command, step

# Beside the stores of sites with our SDK: the one without a name is the client itself.
_FIELD = ""


class RedisPolls:
    """What sites without our SDK tell and hear when they ask."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def poll(self, report: PollReport, now: int, limit: int) -> PollAnswer:
        """See ports.PollStore. One round trip when nothing is offered, else two."""
        client_id, refusals = report.client_id, dict(report.refusals)
        acks, refused = by_bucket(report.acks), by_bucket(refusals)
        said = [
            self._script(bucket, client_id, now, 0, acks.get(bucket, []), refused.get(bucket, []), refusals)
            for bucket in sorted({*acks, *refused})
        ]
        looks = self._looks(client_id)
        counts = self._link.send_all([*said, *self._note(client_id, now), *looks])[-len(looks) :]
        steps = [self._script(b, client_id, now, limit + 1, [], [], {}) for b in ALL_BUCKETS if counts[b]]
        events = [
            PollEvent(sid, user_id, reason, int(ended_at))
            for found in self._link.send_all(steps)
            for sid, user_id, reason, ended_at in found
        ]
        events.sort(key=lambda event: (event.ended_at, event.sid))
        return PollAnswer(tuple(events[:limit]), more=len(events) > limit)

    def has_waiting(self, client_id: str, now: int) -> bool:
        """See ports.PollStore. One round trip of short reads."""
        del now  # rows whose time has passed leave the sets at the next poll or purge
        return any(self._link.send_all(self._looks(client_id)))

    def last_poll_at(self, client_id: str) -> int | None:
        """See ports.PollStore."""
        text = self._link.send(command("HGET", self._keys.stores_of(client_id), _FIELD))
        try:
            return int(json.loads(text)["at"])
        except (ValueError, KeyError, TypeError, OverflowError):
            return None

    def _looks(self, client_id: str) -> list[Call]:
        return [command("ZCARD", self._keys.unacked(bucket, client_id, "")) for bucket in ALL_BUCKETS]

    def _note(self, client_id: str, now: int) -> list[Call]:
        key = self._keys.stores_of(client_id)
        return [command("HSET", key, _FIELD, json.dumps({"at": now})), command("PEXPIRE", key, STORES_KEPT_MS)]

    def _script(
        self,
        bucket: int,
        client_id: str,
        now: int,
        limit: int,
        acks: list[str],
        refused: list[str],
        refusals: dict[str, str],
    ) -> Call:
        words: list[str | int] = [now, client_id, limit, len(acks), *acks]
        for sid in refused:
            words += [sid, refusals[sid]]
        return step("poll", self._keys.bucket(bucket), *words)
