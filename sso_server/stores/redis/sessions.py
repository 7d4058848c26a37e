"""SessionStore on Redis: one script per step, all of it in the bucket of the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sso_server.core.errors import Unavailable
from sso_server.core.identifiers import bucket_of
from sso_server.core.policy import DAY
from sso_server.core.sessions import Opened, Session
from sso_server.core.sign_out import Ended
from sso_server.stores.redis import records
from sso_server.stores.redis.buckets import find_bucket
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Call, Link, command, step

INDEX_MARGIN_MS = 40 * DAY
"""How much longer than a session may live a person's index names it: for its ledger, while sites are being told."""
_RACES = 5


class RedisSessions:
    """Global sessions."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def open(self, candidate: Session, now: int, overlap_ms: int, *, shown: str = "") -> Opened | None:
        """See ports.SessionStore. A renewal is sent twice: first the index must know its new end."""
        key = self._keys.bucket(bucket_of(candidate.sid))
        words = records.session_words(candidate)
        sid = candidate.sid
        for _ in range(_RACES):
            open_it = step("open", key, now, overlap_ms, sid, shown, *words)
            _, reply = self._link.send_in_order([self._index(candidate, sid, now), open_it])
            if reply[0] == "taken":
                return None
            if reply[0] != "index":
                return _opened(reply)
            sid = str(reply[1])
        raise Unavailable(detail="Redis: the sessions of this browser change faster than one can be opened")

    def find_by_cookie(self, cookie_hash: str, bucket: int, now: int) -> Session | None:
        """See ports.SessionStore."""
        found = records.session(self._link.send(step("find_by_cookie", self._keys.bucket(bucket), cookie_hash)))
        return found if found is not None and found.is_cookie(cookie_hash, now) else None

    def find(self, sid: str) -> Session | None:
        """See ports.SessionStore."""
        bucket = find_bucket(sid)
        if bucket is None:
            return None
        key = self._keys.in_bucket(bucket, "session", sid)
        return records.session(self._link.send(command("HMGET", key, *records.SESSION)))

    def touch(self, sid: str, now: int) -> None:
        """See ports.SessionStore."""
        bucket = find_bucket(sid)
        if bucket is not None:
            self._link.send(step("touch", self._keys.bucket(bucket), now, sid))

    def end(self, sid: str, reason: str, now: int, *, bulk: bool = False) -> Ended | None:
        """See ports.SessionStore."""
        bucket = find_bucket(sid)
        if bucket is None:
            return None
        return ended(self._link.send(step("end", self._keys.bucket(bucket), now, sid, reason, int(bulk))))

    def note_forgotten(self, audience: Sequence[str], until: int, now: int) -> None:
        """See ports.SessionStore."""
        steps = [step("note_forgotten", self._keys.bucket(b), now, until, *audience) for b in ALL_BUCKETS]
        self._link.send_all(steps)

    def _index(self, candidate: Session, sid: str, now: int) -> Call:
        until = candidate.absolute_until + INDEX_MARGIN_MS
        return step("index", self._keys.sessions_of(candidate.user_id), now, until, sid)


def ended(reply: Any) -> Ended | None:
    """The answer of a script that ended a session; None when there was none that could be read."""
    first, values, rows = reply
    session = records.session(values)
    return None if session is None else Ended(session, tuple(records.notifications(rows)), first=first == 1)


def _opened(reply: Any) -> Opened:
    how, values, replaced = reply
    session = records.session(values)
    if session is None:
        raise Unavailable(detail="Redis: the session just opened can't be read back")
    return Opened(session, renewed=how == "renewed", replaced=records.session(replaced))
