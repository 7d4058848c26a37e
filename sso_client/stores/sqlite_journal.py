"""The check-in side of the SQLite store: what is still to be told, what was answered, and the lease."""

from sso_client.clock import Instant
from sso_client.records import CheckInAnswer, End, Outgoing
from sso_client.stores import MAX_LIST, SIDS_EVERY_MS, TURN_MS, Turn
from sso_client.stores.sqlite_file import SqliteFile
from sso_client.stores.sqlite_sessions import end_sid

_OVERTAKEN_MS = 5000  # longer than anybody waits for the write lock


class SqliteJournal:
    """`CheckInJournal` in SQLite."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def take_turn(self, now: Instant, rest_ms: int, refused_rest_ms: int = 0) -> Turn:
        # Times are the boot clock's: nobody sets it back. One far in the future was written before a reboot; one a
        # little ahead by somebody who read the clock after us but got the write lock first.
        with self._file.write() as connection:
            row = connection.execute("SELECT turn_until_boot_ms, attempted_boot_ms, failure FROM lease").fetchone()
            if now.boot_ms < row["turn_until_boot_ms"] <= now.boot_ms + TURN_MS + _OVERTAKEN_MS:
                return Turn.BUSY
            if row["failure"] == "refused":
                rest_ms = max(rest_ms, refused_rest_ms)
            if row["failure"] and -_OVERTAKEN_MS <= now.boot_ms - row["attempted_boot_ms"] < rest_ms:
                return Turn.RESTING
            connection.execute("UPDATE lease SET turn_until_boot_ms = ?", (now.boot_ms + TURN_MS,))
            return Turn.MINE

    def give_turn_back(self) -> None:
        with self._file.write() as connection:
            connection.execute("UPDATE lease SET turn_until_boot_ms = 0")

    def gather(self, now_ms: int, all_sids: bool) -> Outgoing:
        with self._file.write() as connection:
            lease = connection.execute("SELECT mark, sids_sent_at_ms, sids_cursor FROM lease").fetchone()
            sids, sids_end = None, ""
            sent_ago = now_ms - lease["sids_sent_at_ms"]
            if all_sids or lease["sids_cursor"] or not 0 <= sent_ago < SIDS_EVERY_MS:
                sids = tuple(
                    row[0]
                    for row in connection.execute(
                        "SELECT DISTINCT sid FROM sessions WHERE sid > ? AND until_ms > ? ORDER BY sid LIMIT ?",
                        (lease["sids_cursor"], now_ms, MAX_LIST),
                    )
                )
                sids_end = sids[-1] if len(sids) == MAX_LIST else ""
            acks = connection.execute("SELECT sid FROM acks LIMIT ?", (MAX_LIST,)).fetchall()
            ended = connection.execute("SELECT sid FROM untold_ends ORDER BY at_ms LIMIT ?", (MAX_LIST,)).fetchall()
            # Whoever has waited longest comes first, so that many busy sessions don't keep one from being reported.
            active = connection.execute(
                "SELECT sid FROM sessions WHERE sid IS NOT NULL AND served_at_ms > reported_at_ms"
                " GROUP BY sid ORDER BY min(reported_at_ms), sid LIMIT ?",
                (MAX_LIST,),
            ).fetchall()
        return Outgoing(
            read_at_ms=now_ms,
            mark=lease["mark"],
            acks=tuple(row[0] for row in acks),
            ended=tuple(row[0] for row in ended),
            active=tuple(row[0] for row in active),
            sids=sids,
            sids_end=sids_end,
        )

    def apply(self, answer: CheckInAnswer, told: Outgoing, sent: Instant) -> list[tuple[End, int]]:
        with self._file.write() as connection:
            # First forget what this 200 confirmed: an end listed again below gets a new acknowledgement.
            connection.executemany("DELETE FROM acks WHERE sid = ?", [(sid,) for sid in told.acks])
            connection.executemany("DELETE FROM untold_ends WHERE sid = ?", [(sid,) for sid in told.ended])
            connection.executemany(
                "UPDATE sessions SET reported_at_ms = ? WHERE sid = ?", [(told.read_at_ms, sid) for sid in told.active]
            )
            ends = [(end, end_sid(connection, end.sid, sent.wall_ms)) for end in answer.ends]
            connection.executemany(
                "INSERT OR IGNORE INTO acks VALUES (?)",
                [(end.sid,) for end in answer.ends if end.reason != "unknown_session"],
            )
            if told.sids is not None:
                connection.execute(
                    "UPDATE lease SET sids_cursor = ?,"
                    " sids_sent_at_ms = CASE ? WHEN '' THEN ? ELSE sids_sent_at_ms END",
                    (told.sids_end, told.sids_end, told.read_at_ms),
                )
                # The centre knows them from now on, even those that were opened while it seemed to take no check-ins.
                connection.executemany(
                    "UPDATE sessions SET leased = 1 WHERE sid = ? AND leased = 0", [(sid,) for sid in told.sids]
                )
            connection.execute("UPDATE lease SET failure = '', turn_until_boot_ms = 0")
            connection.execute("UPDATE lease SET mark = ?", (answer.mark,))
            if not answer.more:
                # Answers may overtake each other: an older stamp only shortens the lease, so no order is needed.
                stamp = sent.earlier(answer.lag_ms)
                connection.execute(
                    "UPDATE lease SET boot_id = ?, boot_ms = ?, wall_ms = ?, lease_ms = ?, grace_ms = ?, report_ms = ?",
                    (
                        stamp.boot_id,
                        stamp.boot_ms,
                        stamp.wall_ms,
                        answer.lease_ms,
                        answer.grace_ms,
                        answer.report_ms,
                    ),
                )
        return ends

    def note_failure(self, kind: str, now: Instant) -> None:
        with self._file.write() as connection:
            connection.execute(
                "UPDATE lease SET failure = ?, attempted_boot_ms = ?, turn_until_boot_ms = 0", (kind, now.boot_ms)
            )

    def has_untold_ends(self) -> bool:
        with self._file.read() as connection:
            return connection.execute("SELECT 1 FROM untold_ends LIMIT 1").fetchone() is not None
