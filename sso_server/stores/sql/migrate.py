"""Bringing a database's schema up to date: the supervisor's job alone, before anything else opens the database."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from sso_server.core.errors import Refused, Unavailable
from sso_server.stores.sql.engine import Database

_MIGRATIONS = Path(__file__).with_name("migrations")
# Any number will do, if nothing else in this database takes an advisory lock with it.
_ADVISORY_LOCK = 5_017_201_307


def upgrade(database_url: str) -> None:
    """Make or upgrade the schema; waits while another process does.

    Raises Refused (a newer program made it), Unavailable, ValueError (a foreign URL).
    """
    with _locked(Database(database_url)) as connection:
        known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
        if not known.issuperset(MigrationContext.configure(connection).get_current_heads()):
            raise Refused(
                "The database's schema was made by a newer version of this program, which this one can't take back. Run"
                " that version, or restore a backup from before it.",
                code="schema_version",
            )
        command.upgrade(_config(connection), "head")


def downgrade(database_url: str, revision: str) -> None:
    """Back to an older revision (`base`: an empty database). Raises Unavailable, ValueError."""
    with _locked(Database(database_url)) as connection:
        command.downgrade(_config(connection), revision)


def current_is_head(database_url: str) -> bool:
    """Whether the schema is the one this version was written for. Raises Unavailable, ValueError."""
    return _current(database_url) == set(ScriptDirectory(str(_MIGRATIONS)).get_heads())


def has_schema(database_url: str) -> bool:
    """Whether there is a schema of ours at all, of whatever version. Raises Unavailable, ValueError."""
    return bool(_current(database_url))


def _current(database_url: str) -> set[str]:
    database = Database(database_url)
    if database.is_sqlite and not Path(database.url.database or "").exists():
        # Asking would make an empty file.
        return set()
    try:
        with database.read() as connection:
            return set(MigrationContext.configure(connection).get_current_heads())
    finally:
        database.close()


@contextmanager
def _locked(database: Database) -> Iterator[Connection]:
    try:
        if database.is_sqlite:
            with _file_lock(Path(f"{database.url.database}.migrating")), database.write() as connection:
                yield connection
        else:
            with database.write() as connection:
                # Whoever comes second waits for as long as the first needs, and then finds nothing to do.
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
                yield connection
    finally:
        database.close()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    try:
        file = path.open("w")
    except OSError as error:
        raise Unavailable(detail=f"database: {error}") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _config(connection: Connection) -> Config:
    config = Config()
    # Alembic reads its options as an ini file, in which a percent sign begins a substitution.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
