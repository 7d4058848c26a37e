"""The check-in side of the SQLite store: what is still to be told, what was answered, and the lease."""

import json
import sqlite3

from sso_client.clock import Instant
from sso_client.records import Applied, CheckInAnswer, Outgoing
from sso_client.stores import DENIED_MARGIN_MS, MAX_LIST, SIDS_EVERY_MS, TURN_MS, Turn
from sso_client.stores.sqlite_file import SqliteFile
from sso_client.stores.sqlite_sessions import end_sid

_OVERTAKEN_MS = 5000  # longer than anybody waits for the write lock
_AHEAD_MS = 10_000  # longer than a check-in takes


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

    def gather(self, now_ms: int, all_sids: bool, anew: bool = False) -> Outgoing:
        with self._file.write() as connection:
            if all_sids or anew:
                # After a gap no earlier list counts. One that was begun since the gap goes on where it stopped.
                connection.execute(
                    "UPDATE lease SET epoch = NULL, sids_cursor = '', sids_sent_at_ms = 0 WHERE ? OR epoch IS NOT NULL",
                    (anew,),
                )
            if anew:
                connection.execute("UPDATE lease SET feeding = NULL")
            lease = connection.execute(
                "SELECT mark, sids_sent_at_ms, sids_cursor, epoch, denied_to, feeding FROM lease"
            ).fetchone()
            sids, sids_end = None, ""
            sent_ago = now_ms - lease["sids_sent_at_ms"]
            if lease["epoch"] is None or lease["sids_cursor"] or not 0 <= sent_ago < SIDS_EVERY_MS:
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
                # By that index, or a store of 100,000 sessions would be read whole at each check-in.
                "SELECT sid FROM sessions INDEXED BY sessions_unreported"
                " WHERE sid IS NOT NULL AND served_at_ms > reported_at_ms"
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
            sids_from=lease["sids_cursor"],
            sids_end=sids_end,
            # With each list that begins everything that is denied is asked for, too: nothing that was missed stays so.
            # Unless that is still on its way: begun again by each attempt, a long list would never be whole.
            denied_from=None
            if sids is not None and not lease["sids_cursor"] and lease["feeding"] is None
            else lease["denied_to"],
        )

    def apply(self, answer: CheckInAnswer, told: Outgoing, sent: Instant) -> Applied:
        with self._file.write() as connection:
            # First forget what this 200 confirmed: an end listed again below gets a new acknowledgement.
            connection.executemany("DELETE FROM acks WHERE sid = ?", [(sid,) for sid in told.acks])
            connection.executemany("DELETE FROM untold_ends WHERE sid = ?", [(sid,) for sid in told.ended])
            connection.executemany(
                # An activity of the future was noted while the clock was wrong: reported once, it is over.
                "UPDATE sessions SET reported_at_ms = :at,"
                " served_at_ms = CASE WHEN served_at_ms > :at + :ahead THEN :at ELSE served_at_ms END WHERE sid = :sid",
                [{"at": told.read_at_ms, "ahead": _AHEAD_MS, "sid": sid} for sid in told.active],
            )
            ends = tuple((end, end_sid(connection, end.sid, sent.wall_ms)) for end in answer.ends)
            connection.executemany(
                "INSERT OR IGNORE INTO acks VALUES (?)",
                [(end.sid,) for end in answer.ends if end.reason != "unknown_session"],
            )
            connection.execute(
                "UPDATE lease SET epoch_seen_ms = :now WHERE :epoch <> '' AND list_epoch <> :epoch",
                {"now": sent.wall_ms, "epoch": answer.epoch},
            )
            known = _note_list(connection, answer.epoch, told)
            if told.sids is not None:
                # The centre knows them from now on, even those that were opened while it seemed to take no check-ins.
                connection.executemany(
                    "UPDATE sessions SET leased = 1 WHERE sid = ? AND leased = 0", [(sid,) for sid in told.sids]
                )
            fed = _note_denied(connection, answer, told, sent.wall_ms)
            connection.execute("UPDATE lease SET failure = ''")
            _note_mark(connection, answer.mark, sent)
            confirmed = known and fed and not answer.more
            if confirmed:
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
                if not told.sids_end:  # else the same caller goes on asking
                    connection.execute("UPDATE lease SET turn_until_boot_ms = 0")
        return Applied(ends, confirmed)

    def note_failure(self, kind: str, now: Instant) -> None:
        with self._file.write() as connection:
            connection.execute(
                "UPDATE lease SET failure = ?, attempted_boot_ms = ?, turn_until_boot_ms = 0", (kind, now.boot_ms)
            )

    def has_untold_ends(self) -> bool:
        with self._file.read() as connection:
            return connection.execute("SELECT 1 FROM untold_ends LIMIT 1").fetchone() is not None


def _note_denied(connection: sqlite3.Connection, answer: CheckInAnswer, told: Outgoing, now_ms: int) -> bool:
    """Keep what is refused until it is moot, with the lease or before it: no lease may cover more than we know.

    True if all of it is here. `feeding` is the epoch under which a list was begun that isn't whole yet; its parts
    belong together: each starts at or before the place that was reached, and all were answered under that epoch.
    """
    connection.execute("DELETE FROM denied WHERE until_ms <= ?", (now_ms - DENIED_MARGIN_MS,))
    connection.executemany(
        "INSERT INTO denied VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)",
        [
            (kind, name, item.until_ms + DENIED_MARGIN_MS)
            for item in answer.denied
            for kind, name in (("sid", item.sid), ("jti", item.jti))
            if name is not None
        ],
    )
    if answer.denied_to is None:
        connection.execute("UPDATE lease SET feeding = NULL")
        return True
    reached, feeding = connection.execute("SELECT denied_to, feeding FROM lease").fetchone()
    denied_to = answer.denied_to
    if told.denied_from is not None and feeding is not None:
        if answer.epoch != feeding:  # the centre went back in time and may count anew
            connection.execute("UPDATE lease SET feeding = NULL, epoch = NULL, sids_cursor = '', sids_sent_at_ms = 0")
            return False
        if told.denied_from > reached:  # asked before the list was begun again: what lies between is still to come
            return False
        if answer.more:
            denied_to = max(denied_to, reached)
    # Else also a smaller one: after an answer that was overtaken what lies between is asked for again. That costs
    # little; a gap would let somebody in.
    connection.execute(
        "UPDATE lease SET denied_to = ?, feeding = ?", (denied_to, answer.epoch if answer.more else None)
    )
    return not answer.more


def _note_mark(connection: sqlite3.Connection, mark: str, sent: Instant) -> None:
    """Keep the mark of the check-in that was sent last: an older one proves less of what the centre must still know."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'mark_sent'").fetchone()
    boot_id, boot_ms = json.loads(row["value"]) if row else ("", 0)
    # No check-in is overtaken by more than it takes: further ahead is another boot, on a system that doesn't name them.
    if boot_id == sent.boot_id and sent.boot_ms < boot_ms <= sent.boot_ms + _AHEAD_MS:
        return
    value = json.dumps([sent.boot_id, sent.boot_ms])
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('mark_sent', ?)", (value,))
    connection.execute("UPDATE lease SET mark = ?", (mark,))


def _note_list(connection: sqlite3.Connection, epoch: str, told: Outgoing) -> bool:
    """Note which part of the list was answered. True if the whole list was answered under this epoch, now or before.

    The parts belong together: each starts where the last one ended, and all were answered under one epoch. A part of
    another worker's list, or one from before the centre went back in time, proves nothing for this one.
    """
    lease = connection.execute("SELECT epoch, list_epoch, sids_cursor FROM lease").fetchone()
    place = (told.sids_from, epoch)
    if told.sids is not None and (not told.sids_from or place == (lease["sids_cursor"], lease["list_epoch"])):
        connection.execute("UPDATE lease SET sids_cursor = ?, list_epoch = ?", (told.sids_end, epoch))
        if not told.sids_end:
            connection.execute("UPDATE lease SET sids_sent_at_ms = ?, epoch = ?", (told.read_at_ms, epoch))
            return True
    elif epoch not in (lease["epoch"], lease["list_epoch"]):
        # From the start: whom the centre forgot must be registered again before anybody is confirmed.
        connection.execute("UPDATE lease SET sids_cursor = '', sids_sent_at_ms = 0, list_epoch = ?", (epoch,))
    return bool(epoch == lease["epoch"])
