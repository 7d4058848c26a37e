"""The check-in side of the Redis store: what is still to be told, what was answered, and each host's lease.

Sessions, ends and acknowledgements are the store's; the lease, the turn, the mark and the failure are one host's.

Why N holds though hosts share everything but the lease. A host stamps its lease with the time at which *it* asked, by
*its* clocks, in the step that applies what was answered; whoever heard of an end first has taken the session from all
hosts before it acknowledges. So an end that a host's check-in doesn't list was either committed after it was asked, or
its session is gone from the store.

And why it holds when Redis loses its last writes (a failover, a restart). What is left is what Redis was a moment
earlier: every lease in it was stamped before the ends that were lost, and runs out within N of them. Nobody may stamp a
new one before the lost ends are heard again, and the centre doesn't repeat what was acknowledged. So `gather` and
`apply` compare the server's `run_id` and replication id with those of the last check-in; if they changed, no lease is
stamped before the whole list of sessions was shown to the centre, which names those that ended.
"""

import json

from sso_client.clock import Instant
from sso_client.records import Applied, CheckInAnswer, Outgoing
from sso_client.stores import DENIED_MARGIN_MS, MAX_LIST, SIDS_EVERY_MS, TOMBSTONE_MS, TURN_MS, Turn
from sso_client.stores.redis_link import RedisLink
from sso_client.stores.redis_sessions import sessions_in

_OVERTAKEN_MS = 5000  # longer than anybody waits for Redis
_AHEAD_MS = 10_000  # longer than a check-in takes
_TURNS = {"mine": Turn.MINE, "busy": Turn.BUSY, "resting": Turn.RESTING}


class RedisJournal:
    """`CheckInJournal` in Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def take_turn(self, now: Instant, rest_ms: int, refused_rest_ms: int = 0) -> Turn:
        host = self._link.host(now.boot_id)
        rests = (rest_ms, refused_rest_ms)
        return _TURNS[self._link.step("take_turn", host, now.boot_ms, *rests, TURN_MS, _OVERTAKEN_MS)]

    def give_turn_back(self) -> None:
        self._link.step("give_turn_back", self._link.host())

    def gather(self, now_ms: int, all_sids: bool, anew: bool = False) -> Outgoing:
        host = self._link.host()
        mark, acks, ended, active, sids, sids_from, sids_end, denied_to = self._link.step(
            "gather", host, now_ms, int(all_sids), int(anew), MAX_LIST, SIDS_EVERY_MS
        )
        return Outgoing(
            read_at_ms=now_ms,
            mark=mark,
            acks=tuple(acks),
            ended=tuple(ended),
            active=tuple(active),
            sids=None if sids is None else tuple(sids),
            sids_from=sids_from,
            sids_end=sids_end,
            denied_from=None if denied_to is None else int(denied_to),
        )

    def apply(self, answer: CheckInAnswer, told: Outgoing, sent: Instant) -> Applied:
        stamp = sent.earlier(answer.lag_ms)
        lease = {
            "boot_id": stamp.boot_id,
            "boot_ms": stamp.boot_ms,
            "wall_ms": stamp.wall_ms,
            "lease_ms": answer.lease_ms,
            "grace_ms": answer.grace_ms,
            "report_ms": answer.report_ms,
        }
        said = {
            "acks": told.acks,
            "ended": told.ended,
            "active": told.active,
            "read_at": str(told.read_at_ms),
            "far_ahead": told.read_at_ms + _AHEAD_MS,
            "ends": [{"sid": end.sid, "ack": end.reason != "unknown_session"} for end in answer.ends],
            "now": str(sent.wall_ms),
            "tombstone_until": str(sent.wall_ms + TOMBSTONE_MS),
            "epoch": answer.epoch,
            "more": answer.more,
            "sids_from": told.sids_from,
            "sids_end": told.sids_end,
            "denied": [
                [f"{kind}:{name}", str(item.until_ms + DENIED_MARGIN_MS)]
                for item in answer.denied
                for kind, name in (("sid", item.sid), ("jti", item.jti))
                if name is not None
            ],
            "denied_before": str(sent.wall_ms - DENIED_MARGIN_MS),
            "mark": answer.mark,
            "sent_boot_ms": sent.boot_ms,
            "ahead": _AHEAD_MS,
            "stamp": [str(word) for pair in lease.items() for word in pair],
        }
        said |= {} if told.sids is None else {"sids": told.sids}
        said |= {} if answer.denied_to is None else {"denied_to": str(answer.denied_to)}
        said |= {} if told.denied_from is None else {"denied_from": told.denied_from}
        confirmed, ends = self._link.step(
            "apply", self._link.host(sent.boot_id), json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        )
        return Applied(
            tuple((end, sessions_in(rows)) for end, rows in zip(answer.ends, ends, strict=True)), confirmed == 1
        )

    def note_failure(self, kind: str, now: Instant) -> None:
        self._link.step("note_failure", self._link.host(now.boot_id), kind, now.boot_ms)

    def has_untold_ends(self) -> bool:
        return bool(self._link.step("has_untold") == 1)
