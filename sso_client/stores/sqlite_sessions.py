"""Local sessions, logout calls and the event log in SQLite: how sessions begin, end, and stay ended."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sso_client.clock import Instant
from sso_client.lease import Lease
from sso_client.records import Event, LocalSession, Tokens
from sso_client.stores import ANYBODY, MAX_UNSIGNED, TOMBSTONE_MS, Ended
from sso_client.stores.sqlite_file import SqliteFile

_KEPT_EVENTS = 500
# Longer than any local session or ID token can matter.
_WATERMARK_MS = 31 * 86_400_000


def end_sid(connection: sqlite3.Connection, sid: str, now_ms: int) -> tuple[LocalSession, ...]:
    """End every local session of a sid, and keep late ones from being opened. Returns those that ended."""
    ended = delete_sessions(connection, "sid = ?", (sid,))
    # Also for a known sid: another tab's ticket may have been redeemed a moment before the end.
    connection.execute(
        "INSERT INTO tombstones VALUES (?, ?) ON CONFLICT DO UPDATE SET until_ms = excluded.until_ms",
        (sid, now_ms + TOMBSTONE_MS),
    )
    return ended


def delete_sessions(connection: sqlite3.Connection, where: str, values: tuple[object, ...]) -> tuple[LocalSession, ...]:
    """Delete local sessions by a condition of ours; returns them as they were."""
    return tuple(map(_session, connection.execute(f"DELETE FROM sessions WHERE {where} RETURNING *", values)))  # noqa: S608


def lease_in(row: Mapping[str, Any]) -> Lease:
    """The lease in a row that has its columns."""
    stamp = None if row["boot_id"] is None else Instant(row["wall_ms"], row["boot_ms"], row["boot_id"])
    return Lease(stamp, row["lease_ms"], row["grace_ms"], row["report_ms"], row["failure"])


class SqliteSessions:
    """`LocalSessions` in SQLite."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def heard_epoch(self) -> str | None:
        with self._file.read() as connection:
            epoch: str | None = connection.execute("SELECT list_epoch FROM lease").fetchone()[0]
        return epoch

    def open(
        self, session: LocalSession, replaces: str | None, epoch: str | None = None, tokens: Tokens | None = None
    ) -> bool:
        now_ms = session.opened_at_ms
        with self._file.write() as connection:
            connection.execute("DELETE FROM tombstones WHERE until_ms <= ?", (now_ms,))
            connection.execute("DELETE FROM watermarks WHERE noted_at_ms <= ?", (now_ms - _WATERMARK_MS,))
            ended = connection.execute(
                "SELECT 1 FROM tombstones WHERE sid = :sid UNION ALL SELECT 1 FROM untold_ends WHERE sid = :sid"
                " UNION ALL SELECT 1 FROM watermarks WHERE sub = :sub AND iat >= :iat"
                " UNION ALL SELECT 1 FROM watermarks WHERE sub = :anybody AND iat BETWEEN :iat AND :now_s",
                {
                    "sid": session.sid,
                    "sub": session.sub,
                    "iat": session.id_token_iat,
                    "anybody": ANYBODY,
                    "now_s": now_ms // 1000,
                },
            ).fetchone()
            if ended:
                return False
            if replaces is not None:
                connection.execute("DELETE FROM sessions WHERE cookie_hash = ?", (replaces,))
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    session.cookie_hash,
                    session.sid,
                    session.sub,
                    session.id_token,
                    session.id_token_iat,
                    json.dumps(dict(session.claims)),
                    session.asked,
                    session.generation,
                    session.opened_at_ms,
                    session.until_ms,
                    session.served_at_ms,
                    session.reported_at_ms,
                    session.leased,
                    session.site_user,
                ),
            )
            if tokens is not None:
                connection.execute(
                    "INSERT INTO tokens (cookie_hash, access_token, access_until_ms, refresh_token, access_life_ms)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (
                        session.cookie_hash,
                        tokens.access_token,
                        tokens.access_until_ms,
                        tokens.refresh_token,
                        tokens.access_life_ms,
                    ),
                )
            connection.execute(
                "UPDATE lease SET epoch = NULL, sids_cursor = '', sids_sent_at_ms = 0 WHERE list_epoch IS NOT ?",
                (epoch,),
            )
        return True

    def find(self, cookie_hash: str, now_ms: int) -> tuple[LocalSession | None, Lease]:
        with self._file.read() as connection:
            row = connection.execute(
                "SELECT l.boot_id, l.boot_ms, l.wall_ms, l.lease_ms, l.grace_ms, l.report_ms, l.failure, s.*"
                " FROM lease l LEFT JOIN sessions s ON s.cookie_hash = ? AND s.until_ms > ?",
                (cookie_hash, now_ms),
            ).fetchone()
        return (None if row["cookie_hash"] is None else _session(row)), lease_in(row)

    def mark_served(self, session: LocalSession, now_ms: int) -> bool:
        with self._file.write() as connection:
            changed = connection.execute(
                # A report of the future was noted while the clock was wrong; it must not hide activity from now on.
                "UPDATE sessions SET served_at_ms = :now, generation = generation + 1,"
                " reported_at_ms = CASE WHEN reported_at_ms > :now THEN 0 ELSE reported_at_ms END"
                " WHERE cookie_hash = :cookie AND generation = :generation",
                {"now": now_ms, "cookie": session.cookie_hash, "generation": session.generation},
            )
            return changed.rowcount == 1

    def end_here(self, cookie_hash: str, now_ms: int, report: bool) -> LocalSession | None:
        with self._file.write() as connection:
            row = connection.execute("SELECT * FROM sessions WHERE cookie_hash = ?", (cookie_hash,)).fetchone()
            if row is None:
                return None
            session = _session(row)
            connection.execute("DELETE FROM sessions WHERE cookie_hash = ?", (cookie_hash,))
            if session.sid is not None and (report or session.leased):
                end_sid(connection, session.sid, now_ms)
                connection.execute("INSERT OR IGNORE INTO untold_ends VALUES (?, ?)", (session.sid, now_ms))
            elif session.sid is not None:
                # Nobody is told, so at that provider the sid lives on: the person may sign in with it again at once.
                connection.execute("DELETE FROM sessions WHERE sid = ?", (session.sid,))
            return session

    def leave(self, cookie_hash: str) -> LocalSession | None:
        with self._file.write() as connection:
            row = connection.execute("SELECT * FROM sessions WHERE cookie_hash = ?", (cookie_hash,)).fetchone()
            if row is None:
                return None
            session = _session(row)
            # A sid is one browser: an older cookie's session in it is left as well.
            connection.execute("DELETE FROM sessions WHERE cookie_hash = ? OR sid = ?", (cookie_hash, session.sid))
            return session

    def tell_end(self, sid: str, now_ms: int) -> None:
        with self._file.write() as connection:
            end_sid(connection, sid, now_ms)
            connection.execute("INSERT OR IGNORE INTO untold_ends VALUES (?, ?)", (sid, now_ms))

    def drop_lapsed(self, now_ms: int, limit: int = 100) -> tuple[LocalSession, ...]:
        with self._file.write() as connection:
            lapsed = "cookie_hash IN (SELECT cookie_hash FROM sessions WHERE until_ms <= ? LIMIT ?)"
            return delete_sessions(connection, lapsed, (now_ms, limit))


class SqliteInbox:
    """`LogoutInbox` in SQLite."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def end_by_sid(self, sid: str, jti: str, now_ms: int) -> Ended:
        with self._file.write() as connection:
            ended = end_sid(connection, sid, now_ms)
            return Ended(ended, _note_jti(connection, jti, now_ms))

    def end_by_sub(self, sub: str, iat: int, jti: str, now_ms: int) -> Ended:
        with self._file.write() as connection:
            ended = delete_sessions(connection, "sub = ? AND id_token_iat <= ?", (sub, iat))
            _note_watermark(connection, sub, iat, now_ms)
            return Ended(ended, _note_jti(connection, jti, now_ms))

    def end_unsigned(self, sids: Sequence[str], now_ms: int) -> tuple[LocalSession, ...]:
        with self._file.write() as connection:
            ended = [session for sid in sids for session in end_sid(connection, sid, now_ms)]
            if connection.execute("SELECT count(*) FROM tombstones").fetchone()[0] > MAX_UNSIGNED:
                _forget_oldest(connection, now_ms)
            return tuple(ended)


class SqliteEvents:
    """`EventLog` in SQLite: the last few hundred events."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def record(self, event: Event) -> None:
        with self._file.write() as connection:
            added = connection.execute(
                "INSERT INTO events (at_ms, kind, text, sid, after_ms) VALUES (?, ?, ?, ?, ?)",
                (event.at_ms, event.kind, event.text, event.sid, event.after_ms),
            )
            connection.execute("DELETE FROM events WHERE id <= ?", ((added.lastrowid or 0) - _KEPT_EVENTS,))

    def recent(self, limit: int) -> list[Event]:
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT at_ms, kind, text, sid, after_ms FROM events ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [Event(*row) for row in rows]


def _forget_oldest(connection: sqlite3.Connection, now_ms: int) -> None:
    """A tenth of the tombstones makes way for a watermark: one at a time would mean to sort them with each call."""
    # What was noted while the clock was ahead would outlive, and push out, what comes now.
    latest = now_ms + TOMBSTONE_MS
    connection.execute("UPDATE tombstones SET until_ms = :latest WHERE until_ms > :latest", {"latest": latest})
    connection.execute("DELETE FROM watermarks WHERE sub = ? AND iat > ?", (ANYBODY, now_ms // 1000))
    old = connection.execute(
        "SELECT sid, until_ms FROM tombstones ORDER BY until_ms DESC LIMIT -1 OFFSET ?",
        (MAX_UNSIGNED - MAX_UNSIGNED // 10,),
    ).fetchall()
    connection.executemany("DELETE FROM tombstones WHERE sid = ?", [(row["sid"],) for row in old])
    _note_watermark(connection, ANYBODY, (old[0]["until_ms"] - TOMBSTONE_MS) // 1000, now_ms)


def _note_watermark(connection: sqlite3.Connection, sub: str, iat: int, now_ms: int) -> None:
    """A watermark, not a tombstone: a new sign-in is welcome, an old ID token is dead for good."""
    connection.execute(
        "INSERT INTO watermarks VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
        " SET iat = max(iat, excluded.iat), noted_at_ms = excluded.noted_at_ms",
        (sub, iat, now_ms),
    )


def _note_jti(connection: sqlite3.Connection, jti: str, now_ms: int) -> bool:
    """Remember a logout token after its work is done; True if it was here before (its work is done all the same)."""
    connection.execute("DELETE FROM seen_jti WHERE until_ms <= ?", (now_ms,))
    added = connection.execute("INSERT OR IGNORE INTO seen_jti VALUES (?, ?)", (jti, now_ms + TOMBSTONE_MS))
    return added.rowcount == 0


def _session(row: Mapping[str, Any]) -> LocalSession:
    return LocalSession(
        cookie_hash=row["cookie_hash"],
        sid=row["sid"],
        sub=row["sub"],
        id_token=row["id_token"],
        id_token_iat=row["id_token_iat"],
        claims=json.loads(row["claims"]),
        asked=bool(row["asked"]),
        generation=row["generation"],
        opened_at_ms=row["opened_at_ms"],
        until_ms=row["until_ms"],
        served_at_ms=row["served_at_ms"],
        reported_at_ms=row["reported_at_ms"],
        leased=bool(row["leased"]),
        site_user=row["site_user"],
    )
