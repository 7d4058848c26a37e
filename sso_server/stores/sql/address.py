"""The database's address as people write it: an SQLite file, or PostgreSQL with one host or several. No driver here."""

from __future__ import annotations

import re

from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url

# Our own option, which no server hears of: a pooler hands each transaction to another connection of the server.
POOLER = "pooler"
TRANSACTION = "transaction"
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_SEVERAL = re.compile(r"(?P<before>[^/]*//(?:.*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<after>[/?].*)?", re.DOTALL)
_NUMBERS = re.compile(r"[0-9]*(?:,[0-9]*)*")
_HOST = re.compile(r"(\[[^\]]+\]|[^\[\]:]+)(?::([0-9]+))?")


def parse_url(database_url: str) -> URL:
    """The URL with the driver we use. Raises ValueError for another engine or an SQLite that isn't a file."""
    several = _SEVERAL.fullmatch(database_url) if database_url.startswith("postgres") else None
    try:
        url = make_url(f"{several['before']}{several['after'] or ''}" if several else database_url)
    except (exc.ArgumentError, ValueError):
        raise ValueError("not a database URL") from None
    if url.drivername in _POSTGRESQL:
        return _postgresql(url, several["hosts"] if several else "")
    if url.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise ValueError(f"{url.drivername} is neither sqlite nor postgresql")
    if not url.database or url.database == ":memory:":
        # Every process would have its own.
        raise ValueError("an SQLite database must be a file")
    return url


def is_pooled(url: URL) -> bool:
    """Whether a pooler that shares connections between transactions stands before the server."""
    return url.query.get(POOLER) == TRANSACTION


def _postgresql(url: URL, hosts: str) -> URL:
    url = url.set(drivername="postgresql+psycopg")
    if url.query.get(POOLER, TRANSACTION) != TRANSACTION:
        raise ValueError(f"{POOLER} can only be {TRANSACTION}")
    if "@" in (url.host or ""):
        # Whatever is said of this host, in logs too, would say the rest of the password.
        raise ValueError("a password's @ must be written %40")
    if not all(
        _NUMBERS.fullmatch(",".join(url.normalized_query.get(name, ()))) for name in ("port", "connect_timeout")
    ):
        raise ValueError("port and connect_timeout must be numbers")
    if hosts:
        found = [_HOST.fullmatch(part) for part in hosts.split(",")]
        names = [match[1].strip("[]") for match in found if match]
        if len(names) < len(found):
            raise ValueError("not a list of hosts")
        ports = ",".join(match[2] or "5432" for match in found if match)
        url = url.update_query_dict({"host": ",".join(names), "port": ports})
    if "," in str(url.query.get("host", "")) and "target_session_attrs" not in url.query:
        # libpq would take the first that answers, and a standby answers.
        url = url.update_query_dict({"target_session_attrs": "read-write"})
    return url
