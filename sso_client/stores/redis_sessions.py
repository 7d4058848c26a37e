"""Local sessions, logout calls and the event log in Redis: how sessions begin, end, and stay ended."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sso_client.clock import Instant
from sso_client.lease import Lease
from sso_client.records import Event, LocalSession, Tokens
from sso_client.stores import MAX_UNSIGNED, TOMBSTONE_MS, Ended
from sso_client.stores.redis_link import RedisLink

_KEPT_EVENTS = 500
# Longer than any local session or ID token can matter.
_WATERMARK_MS = 31 * 86_400_000
# What `Lease` says of a host that has never checked in.
_REPORT_MS = 60_000


def session_in(row: Any) -> LocalSession:
    """The session in what scripts/_sessions.lua calls a row."""
    cookie_hash, sid, sub, iat, until_ms, generation, served_at_ms, reported_at_ms, leased, about = row
    rest = json.loads(about)
    return LocalSession(
        cookie_hash=cookie_hash,
        sid=sid,
        sub=sub,
        id_token=rest["id_token"],
        id_token_iat=int(iat),
        claims=rest["claims"],
        asked=rest["asked"],
        generation=int(generation),
        opened_at_ms=rest["opened_at_ms"],
        until_ms=int(until_ms),
        served_at_ms=int(served_at_ms),
        reported_at_ms=int(reported_at_ms),
        leased=leased == "1",
        site_user=rest["site_user"],
    )


def sessions_in(rows: Any) -> tuple[LocalSession, ...]:
    """The sessions in a list of rows."""
    return tuple(map(session_in, rows))


def lease_in(row: Any) -> Lease:
    """The lease of one host as scripts/_host.lua hands it out."""
    boot_id, boot_ms, wall_ms, lease_ms, grace_ms, report_ms, failure = row
    stamp = None if boot_id is None else Instant(int(wall_ms), int(boot_ms), boot_id)
    return Lease(stamp, int(lease_ms or 0), int(grace_ms or 0), int(report_ms or _REPORT_MS), failure or "")


def marked(text: str | None) -> str:
    """A text that may be absent, as the scripts take it."""
    return "-" if text is None else f"={text}"


class RedisSessions:
    """`LocalSessions` in Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def heard_epoch(self) -> str | None:
        epoch: str | None = self._link.step("heard_epoch")
        return epoch

    def open(
        self, session: LocalSession, replaces: str | None, epoch: str | None = None, tokens: Tokens | None = None
    ) -> bool:
        about = {
            "id_token": session.id_token,
            "claims": dict(session.claims),
            "asked": session.asked,
            "opened_at_ms": session.opened_at_ms,
            "site_user": session.site_user,
        }
        fields: dict[str, str | int] = {
            "until": session.until_ms,
            "generation": session.generation,
            "served": session.served_at_ms,
            "reported": session.reported_at_ms,
            "leased": int(session.leased),
            "about": json.dumps(about),
        }
        if tokens is not None:
            # In the session's own hash: whatever ends the session ends them.
            fields |= {"access": tokens.access_token, "access_until": tokens.access_until_ms}
            fields |= {"access_life": tokens.access_life_ms}
            fields |= {} if tokens.refresh_token is None else {"refresh": tokens.refresh_token}
        opened = self._link.step(
            "open",
            session.opened_at_ms,
            session.cookie_hash,
            marked(session.sid),
            session.sub,
            session.id_token_iat,
            replaces or "",
            marked(epoch),
            session.opened_at_ms - _WATERMARK_MS,
            *(word for pair in fields.items() for word in pair),
        )
        return bool(opened == 1)

    def find(self, cookie_hash: str, now_ms: int) -> tuple[LocalSession | None, Lease]:
        lease, row = self._link.step("find", cookie_hash, now_ms, self._link.host())
        return (None if row is None else session_in(row)), lease_in(lease)

    def mark_served(self, session: LocalSession, now_ms: int) -> bool:
        return bool(self._link.step("mark_served", session.cookie_hash, session.generation, now_ms) == 1)

    def end_here(self, cookie_hash: str, now_ms: int, report: bool) -> LocalSession | None:
        row = self._link.step("end_here", cookie_hash, now_ms, int(report), now_ms + TOMBSTONE_MS)
        return None if row is None else session_in(row)

    def leave(self, cookie_hash: str) -> LocalSession | None:
        row = self._link.step("leave", cookie_hash)
        return None if row is None else session_in(row)

    def tell_end(self, sid: str, now_ms: int) -> None:
        self._link.step("tell_end", sid, now_ms, now_ms + TOMBSTONE_MS)

    def drop_lapsed(self, now_ms: int, limit: int = 100) -> tuple[LocalSession, ...]:
        return sessions_in(self._link.step("drop_lapsed", now_ms, limit))


class RedisInbox:
    """`LogoutInbox` in Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def end_by_sid(self, sid: str, jti: str, now_ms: int) -> Ended:
        rows, seen = self._link.step("end_by_sid", sid, jti, now_ms, now_ms + TOMBSTONE_MS)
        return Ended(sessions_in(rows), seen == 1)

    def end_by_sub(self, sub: str, iat: int, jti: str, now_ms: int) -> Ended:
        rows, seen = self._link.step("end_by_sub", sub, iat, jti, now_ms, now_ms + TOMBSTONE_MS)
        return Ended(sessions_in(rows), seen == 1)

    def end_unsigned(self, sids: Sequence[str], now_ms: int) -> tuple[LocalSession, ...]:
        return sessions_in(self._link.step("end_unsigned", now_ms, TOMBSTONE_MS, MAX_UNSIGNED, *sids))


class RedisEvents:
    """`EventLog` in Redis: the last few hundred events."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def record(self, event: Event) -> None:
        self._link.step("record_event", json.dumps(asdict(event)), _KEPT_EVENTS)

    def recent(self, limit: int) -> list[Event]:
        return [Event(**json.loads(line)) for line in self._link.step("recent_events", limit)]
