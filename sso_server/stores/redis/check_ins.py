"""CheckInStore on Redis: one look at all buckets, scripts where the report or the list has something.

Every row written before the look is in the answer, or the call fails: one bucket that can't be read is Unavailable.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from sso_server.core.check_in import EndNotice, SiteStore, StoreAnswer, StoreReport
from sso_server.core.errors import Unavailable
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.sessions import EndReason
from sso_server.stores.redis.buckets import by_bucket
from sso_server.stores.redis.denials import list_denied
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Call, Link, command, step
from sso_server.stores.redis.past import clock_us, past_call, past_of
from sso_server.stores.redis.records import pairs, site_members

STORES_KEPT_MS = 400 * DAY
_PAGE = 1000


class RedisCheckIns:
    """What site stores tell and hear."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def registered(self, client_id: str, sids: Sequence[str]) -> list[str]:
        """See ports.CheckInStore."""
        steps = [step("registered", self._keys.bucket(b), client_id, *group) for b, group in by_bucket(sids).items()]
        found = {sid for reply in self._link.send_all(steps) for sid in reply}
        return [sid for sid in dict.fromkeys(sids) if sid in found]

    def check_in(self, report: StoreReport, now: int, limit: int) -> StoreAnswer:
        """See ports.CheckInStore. One round trip when nothing is waiting, else two."""
        told = {b: self._script(report, b, now, limit, lists) for b, lists in _lists_by_bucket(report).items()}
        quiet = [b for b in ALL_BUCKETS if b not in told]
        looks = [self._look(report, b) for b in quiet]
        asked, written = self._masters()
        # The store's own record comes first: it is a write, and a Redis that refuses it must not renew a lease.
        # Each server's clock before its buckets: what is denied after it has a later place.
        first = [*asked, *written, self._record(report, now), *told.values(), *looks]
        answered = self._link.send_all(first, one_view=True)
        pasts, ((outcome, at), *replies) = answered[: len(asked)], answered[len(asked) + len(written) :]
        answers = replies[: len(told)]
        waiting = [b for b, count in zip(quiet, replies[len(told) :], strict=True) if count]
        if waiting:
            rest = [self._script(report, b, now, limit, ([], [], [])) for b in waiting]
            answered = self._link.send_all([*asked, *rest], one_view=True)
            if past_of(answered[: len(asked)]).incarnation != past_of(pasts).incarnation:
                raise Unavailable(detail="Redis: another server answers since a moment ago")
            answers += answered[len(asked) :]
        rows = [EndNotice(sid, reason, int(ended_at)) for _, found, *_ in answers for sid, reason, ended_at in found]
        rows.sort(key=lambda row: (row.ended_at, row.sid))
        listed = {row.sid for row in rows}
        # Never cut off: the store named them in this call and would not be told again.
        unknown = [
            EndNotice(sid, EndReason.UNKNOWN_SESSION.value, int(ended_at))
            for found, *_ in answers
            for sid, ended_at in found
            if sid not in listed
        ]
        ends = (*rows[:limit], *unknown)
        feeds = [feed for *_, feed in answers]
        denied, denied_to, more_denied = list_denied(feeds, report, now, clock_us(pasts))
        return StoreAnswer(
            ends,
            len(rows) > limit or any(more for _, _, more, _ in answers) or more_denied,
            at=int(at),
            past=past_of(pasts),
            went_back=outcome == 0,
            is_full=outcome == 2,
            denied=denied,
            denied_to=denied_to,
        )

    def find_site_stores(self, client_id: str, store_ids: Collection[str] | None = None) -> list[SiteStore]:
        """See ports.CheckInStore."""
        found = []
        for store_id, text in self._texts(client_id, store_ids).items():
            if not store_id:
                # When the client itself last polled (polls.py).
                continue
            try:
                record = json.loads(text)
                at, lease_s, grace_s = (int(record[name]) for name in ("at", "lease_s", "grace_s"))
                lapsed_from, lapsed_to = (int(record.get(name, 0)) for name in ("lapsed_from", "lapsed_to"))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            found.append(SiteStore(client_id, store_id, at, lease_s, grace_s, lapsed_from, lapsed_to))
        return sorted(found, key=lambda store: store.store_id)

    def _texts(self, client_id: str, store_ids: Collection[str] | None) -> dict[str, str]:
        """The values of the client's stores: of these, or page by page (others go between the pages) of all."""
        key, texts = self._keys.stores_of(client_id), dict[str, str]()
        if store_ids is not None:
            names = list(store_ids)
            values = self._link.send(command("HMGET", key, *names)) if names else []
            return {name: text for name, text in zip(names, values, strict=True) if text is not None}
        cursor = "0"
        while True:
            cursor, flat = self._link.send(command("HSCAN", key, cursor, "COUNT", _PAGE))
            texts |= pairs(flat)
            if str(cursor) == "0":
                return texts

    def _masters(self) -> tuple[list[Call], list[Call]]:
        """For each master that has a bucket: who it is, and, if there are several, a write. The store's own record is
        at one of them; each that is cut off must refuse (design 5.6)."""
        masters = self._link.by_server([self._keys.bucket(bucket) for bucket in ALL_BUCKETS])
        if len(masters) == 1:
            return [past_call(self._keys.heartbeat())], []
        ones = [keys[0] for keys in masters]
        # What every key of the bucket begins with is a name of its slot.
        asked = [past_call(f"{bucket}:heartbeat") for bucket in ones]
        return asked, [command("SET", f"{bucket}:written", 1, "PX", MINUTE) for bucket in ones]

    def _look(self, report: StoreReport, bucket: int) -> Call:
        """Whether the bucket has something for this store: not 0."""
        unacked = self._keys.unacked(bucket, report.client_id, report.store_id)
        if report.denied_from is None:
            return command("ZCARD", unacked)
        # One command for both sets: an empty one isn't there.
        return command("EXISTS", unacked, self._keys.denied(bucket, report.client_id))

    def _record(self, report: StoreReport, now: int) -> Call:
        key, lease = self._keys.stores_of(report.client_id), (report.lease_s, report.grace_s)
        return step(
            "checked_in", key, report.store_id, now, *lease, STORES_KEPT_MS, report.proves_from, report.most_stores
        )

    def _script(
        self, report: StoreReport, bucket: int, now: int, limit: int, lists: tuple[list[str], list[str], list[str]]
    ) -> Call:
        r = report
        words: list[str | int] = [
            now,
            limit,
            r.client_id,
            r.store_id,
            site_members(r.kind, r.logout_uri, reports=True),
            r.local_max_ms,
            r.margin_ms,
            r.most_in_session,
            -1 if r.denied_from is None else r.denied_from,
            r.most_denied + 1,
        ]
        for sids in lists:
            words += [len(sids), *sids]
        return step("check_in", self._keys.bucket(bucket), *words)


def _lists_by_bucket(report: StoreReport) -> dict[int, tuple[list[str], list[str], list[str]]]:
    """acks, active and live of each bucket that the report names."""
    lists: dict[int, tuple[list[str], list[str], list[str]]] = {}
    for i, sids in enumerate((report.acks, report.active, report.live or ())):
        for bucket, group in by_bucket(sids).items():
            lists.setdefault(bucket, ([], [], []))[i].extend(group)
    return lists
