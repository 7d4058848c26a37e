"""Bringing a database's schema up to date: the supervisor's job alone, before anything else opens the database."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from time import sleep

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import exc, text
from sqlalchemy.engine import Connection

from sso_server.core.errors import Refused, Unavailable
from sso_server.core.records import record
from sso_server.stores.sql.engine import Database

_MIGRATIONS = Path(__file__).with_name("migrations")
# Any number will do, if nothing else in this database takes an advisory lock with it.
_ADVISORY_LOCK = 5_017_201_307
_LOCK_NOT_AVAILABLE = "55P03"
_INSUFFICIENT_PRIVILEGE = "42501"


# Changing a table waits for whoever reads it, and everybody else stands in line behind us. So we wait a moment only,
# let them through, and ask again: a backup that runs for an hour must not stop the centre for an hour. For less than
# PostgreSQL's deadlock_timeout (1 s): of two who wait crosswise, for two tables, it is we who give way, not a person.
_LOCK_MS = 500
_LOCK_TRIES = 20
_LOCK_PAUSE_S = 3.0


@record
class SchemaStatus:
    """Which schema there is: its revision (empty: none), and the revisions that this version would still add."""

    revision: str
    age: str
    """`none`, `current`, `older`, or `newer` (unknown to this version)."""
    pending: tuple[str, ...]


def upgrade(database_url: str) -> None:
    """Make or upgrade the schema; waits while another process does. All of it happens or nothing.

    Raises Refused (a newer program made it; the role may not; somebody holds a table), Unavailable, ValueError (a
    foreign URL).
    """
    _run(database_url, _upgrade)


def _upgrade(connection: Connection) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if not known.issuperset(MigrationContext.configure(connection).get_current_heads()):
        raise Refused(
            "The database's schema was made by a newer version of this program, which this one can't take back. Run"
            " that version, or restore a backup from before it.",
            code="schema_version",
        )
    command.upgrade(_config(connection), "head")


def downgrade(database_url: str, revision: str) -> None:
    """Back to an older revision (`base`: an empty database). Raises Refused (no such revision, or not older; else as
    `upgrade`), Unavailable, ValueError."""

    def step_back(connection: Connection) -> None:
        heads = MigrationContext.configure(connection).get_current_heads()
        known = [script.revision for script in _scripts().walk_revisions()]
        if not set(known).issuperset(heads):
            raise Refused(
                "The database's schema was made by a newer version of this program: take it back with that one.",
                code="schema_version",
            )
        # From the newest to the oldest: those behind the present one.
        older = known[known.index(heads[0]) + 1 :] if heads else []
        if revision not in (*older, *heads, "base"):
            words = ", ".join((*reversed(older), "base"))
            raise Refused(f"There is no revision {revision} to go back to; there are: {words}.", code="schema_version")
        command.downgrade(_config(connection), revision)

    _run(database_url, step_back)


def status(database_url: str) -> SchemaStatus:
    """What is there. Raises Unavailable, ValueError."""
    revisions = _current(database_url)
    newest_first = [script.revision for script in _scripts().walk_revisions()]
    age = age_of(revisions) if revisions else "none"
    pending: list[str] = []
    if age != "newer":
        pending = list(takewhile(lambda each: each not in revisions, newest_first))
    return SchemaStatus(",".join(sorted(revisions)), age, tuple(reversed(pending)))


def current_is_head(database_url: str) -> bool:
    """Whether the schema is the one this version was written for. Raises Unavailable, ValueError."""
    return _current(database_url) == set(_scripts().get_heads())


def has_schema(database_url: str) -> bool:
    """Whether there is a schema of ours at all, of whatever version. Raises Unavailable, ValueError."""
    return bool(_current(database_url))


def age_of(revisions: set[str]) -> str:
    """Of a schema with these revisions: `current`, `older`, or `newer` (unknown to this version)."""
    scripts = _scripts()
    if revisions == set(scripts.get_heads()):
        return "current"
    known = {script.revision for script in scripts.walk_revisions()}
    return "older" if revisions and revisions <= known else "newer"


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


def _run(database_url: str, work: Callable[[Connection], None]) -> None:
    for tries_left in reversed(range(_LOCK_TRIES)):
        try:
            with _locked(Database(database_url, patient=True)) as connection:
                work(connection)
        except Unavailable as error:
            if _sqlstate(error.__cause__) != _LOCK_NOT_AVAILABLE:
                raise
            if not tries_left:
                raise Refused(
                    "Something has been holding the database's tables for more than a minute (a backup that runs?), and"
                    " the schema can't be changed beside it. Nothing was changed; try again later.",
                    code="schema_locked",
                ) from error
            sleep(_LOCK_PAUSE_S)
        except exc.ProgrammingError as error:
            if _sqlstate(error) != _INSUFFICIENT_PRIVILEGE:
                raise
            raise Refused(
                "The database's role may not change the schema. Run sso db upgrade as the role that owns the tables, or"
                f" give it the right ({str(error.orig).strip()}).",
                code="schema_rights",
            ) from error
        else:
            return


def _sqlstate(error: BaseException | None) -> str:
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


@contextmanager
def _locked(database: Database) -> Iterator[Connection]:
    try:
        if database.is_sqlite:
            with _file_lock(Path(f"{database.url.database}.migrating")), database.write() as connection:
                yield connection
        else:
            with database.write() as connection:
                # Whoever comes second waits for as long as the first needs, and then finds nothing to do. Set here as
                # well as in the connection: behind a pooler the role's own limits hold.
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
                connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_MS}"))
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


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_MIGRATIONS))


def _config(connection: Connection) -> Config:
    config = Config()
    # Alembic reads its options as an ini file, in which a percent sign begins a substitution.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
