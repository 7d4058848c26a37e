"""The local store in one SQLite file: the default, shared by all workers of a host."""

from pathlib import Path

from sso_client.stores import LocalStore
from sso_client.stores.sqlite_file import SqliteFile
from sso_client.stores.sqlite_journal import SqliteJournal
from sso_client.stores.sqlite_sessions import SqliteEvents, SqliteInbox, SqliteSessions
from sso_client.stores.sqlite_tokens import SqliteDenied, SqlitePages, SqliteTokens


def open_sqlite_store(path: str | Path, *, issuer: str, client_id: str, busy_s: float = 2.0) -> LocalStore:
    """Open or create the store of one client. Raises SSOError `store_not_writable`, `store_other_client` and others."""
    file = SqliteFile(Path(path), busy_s)
    store_id = file.prepare(issuer, client_id)
    return LocalStore(
        store_id=store_id,
        sessions=SqliteSessions(file),
        inbox=SqliteInbox(file),
        journal=SqliteJournal(file),
        events=SqliteEvents(file),
        tokens=SqliteTokens(file),
        denied=SqliteDenied(file),
        pages=SqlitePages(file),
        close=file.close,
    )
