"""Which revision of the schema a database has, and which ones this program knows: without Alembic, which is slow to
load. Bringing it up to date is migrate.py's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import exc, text

from sso_server.core.errors import Unavailable
from sso_server.stores.sql.engine import Database

_VERSION = text("SELECT version_num FROM alembic_version")


@cache
def known_revisions() -> tuple[str, ...]:
    """Oldest first; the last one is what this program needs. A revision's file begins with its name."""
    files = Path(__file__).with_name("migrations").glob("versions/[0-9]*.py")
    return tuple(sorted(file.name.partition("_")[0] for file in files))


def is_current(database_url: str) -> bool:
    """Whether there is nothing to bring up to date; False as well where nobody can say. Raises ValueError (a foreign
    URL)."""
    database = Database(database_url)
    try:
        # Asking SQLite would make an empty file.
        is_there = not database.is_sqlite or Path(database.url.database or "").exists()
        return is_there and revision_of(database) == known_revisions()[-1]
    except Unavailable:
        return False
    finally:
        database.close()


def revision_of(database: Database) -> str:
    """Empty: there is no schema of ours. Raises Unavailable."""
    with database.read() as connection:
        try:
            return str(connection.execute(_VERSION).scalar() or "")
        except exc.ProgrammingError:  # PostgreSQL: no such table
            return ""
