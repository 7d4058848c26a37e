"""Tokens in SQLite: those of local sessions, those that are refused, and the long pages to go back to."""

from sso_client.clock import Instant
from sso_client.identifiers import new_secret
from sso_client.lease import Lease
from sso_client.records import LocalSession, Tokens
from sso_client.stores import MAX_PAGE, MAX_PAGES, PAGE_MS, RENEWAL_MS
from sso_client.stores.sqlite_file import SqliteFile
from sso_client.stores.sqlite_sessions import delete_sessions, lease_in


class SqliteTokens:
    """`LocalTokens` in SQLite."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def find(self, cookie_hash: str) -> Tokens | None:
        with self._file.read() as connection:
            row = connection.execute(
                "SELECT access_token, access_until_ms, refresh_token, access_life_ms FROM tokens WHERE cookie_hash = ?",
                (cookie_hash,),
            ).fetchone()
        return None if row is None else Tokens(*row)

    def take_renewal(self, cookie_hash: str, now: Instant) -> bool:
        # The boot clock, as for check-ins: nobody sets it back. A right from another boot has died with its holder, and
        # one far ahead was never given.
        with self._file.write() as connection:
            taken = connection.execute(
                "UPDATE tokens SET boot_id = :boot, renewing_until_boot_ms = :now + :life WHERE cookie_hash = :cookie"
                " AND (boot_id <> :boot OR renewing_until_boot_ms NOT BETWEEN :now + 1 AND :now + 2 * :life)",
                {"boot": now.boot_id, "now": now.boot_ms, "life": RENEWAL_MS, "cookie": cookie_hash},
            )
            return taken.rowcount == 1

    def keep_renewed(self, cookie_hash: str, spent: str, tokens: Tokens) -> bool:
        with self._file.write() as connection:
            kept = connection.execute(
                "UPDATE tokens SET access_token = ?, access_until_ms = ?, refresh_token = ?, access_life_ms = ?,"
                " renewing_until_boot_ms = 0 WHERE cookie_hash = ? AND refresh_token = ?",
                (
                    tokens.access_token,
                    tokens.access_until_ms,
                    tokens.refresh_token,
                    tokens.access_life_ms,
                    cookie_hash,
                    spent,
                ),
            )
            return kept.rowcount == 1

    def give_renewal_back(self, cookie_hash: str) -> None:
        with self._file.write() as connection:
            connection.execute("UPDATE tokens SET renewing_until_boot_ms = 0 WHERE cookie_hash = ?", (cookie_hash,))

    def end_refused(self, cookie_hash: str, spent: str) -> LocalSession | None:
        with self._file.write() as connection:
            holds = "cookie_hash = (SELECT cookie_hash FROM tokens WHERE cookie_hash = ? AND refresh_token = ?)"
            return next(iter(delete_sessions(connection, holds, (cookie_hash, spent))), None)


class SqliteDenied:
    """`DeniedTokens` in SQLite; check-in fills it (`sqlite_journal`)."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def find(self, sid: str | None, jti: str | None, now_ms: int) -> tuple[bool, Lease, bool, int]:
        with self._file.read() as connection:
            row = connection.execute(
                "SELECT boot_id, boot_ms, wall_ms, lease_ms, grace_ms, report_ms, failure, denied_to, epoch_seen_ms,"
                " EXISTS (SELECT 1 FROM denied WHERE until_ms > :now AND"
                " ((kind = 'sid' AND name = :sid) OR (kind = 'jti' AND name = :jti))) AS is_denied FROM lease",
                {"now": now_ms, "sid": sid, "jti": jti},
            ).fetchone()
        return bool(row["is_denied"]), lease_in(row), row["denied_to"] is not None, row["epoch_seen_ms"]


class SqlitePages:
    """`KeptPages` in SQLite."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def keep(self, page: str, now_ms: int) -> str:
        if len(page) > MAX_PAGE:
            raise ValueError(f"a page of {len(page)} characters")
        name = new_secret()
        with self._file.write() as connection:
            connection.execute("DELETE FROM pages WHERE until_ms <= ?", (now_ms,))
            added = connection.execute(
                "INSERT INTO pages (name, page, until_ms) VALUES (?, ?, ?)", (name, page, now_ms + PAGE_MS)
            )
            connection.execute("DELETE FROM pages WHERE id <= ?", ((added.lastrowid or 0) - MAX_PAGES,))
        return name

    def find(self, name: str, now_ms: int) -> str | None:
        with self._file.read() as connection:
            row = connection.execute(
                "SELECT page FROM pages WHERE name = ? AND until_ms > ?", (name, now_ms)
            ).fetchone()
        return None if row is None else str(row["page"])
