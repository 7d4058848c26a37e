"""What is undone when a backup takes a database's place: accounts, sites and signing keys that the replaced file has as
they were changed since. Read from the files themselves: neither is anybody's database at that moment.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from sso_server.core.records import record

_Rows = dict[str, sqlite3.Row]


@record
class Undone:
    """One thing that goes back to the backup's."""

    what: str
    """`username`, `client_id` or `kid`."""
    name: str
    change: str
    """What was done since: of a person `password`, `disabled`, `enabled`, `rights`, `added`; of a site `registered`,
    `removed`, `changed`; of a key `retired`."""


def undone(replaced: Path, database: str) -> list[Undone]:
    """Accounts first, then sites and keys, by name; nothing of a file that can't be read."""
    found: list[Undone] = []
    for table, name, compare in (
        ("users", "user_id", _accounts),
        ("clients", "client_id", _sites),
        ("signing_keys", "kid", _keys),
    ):
        with suppress(sqlite3.Error, OSError):
            later, now = (_rows(path, table, name) for path in (replaced, Path(database)))
            found += sorted(compare(later, now), key=lambda one: one.name)
    return found


def _rows(path: Path, table: str, name: str) -> _Rows:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return {row[name]: row for row in connection.execute(f"SELECT * FROM {table}")}  # noqa: S608  (our own names)


def _accounts(later: _Rows, now: _Rows) -> Iterator[Undone]:
    for user_id, row in later.items():
        old = now.get(user_id)
        if old is None:
            yield Undone("username", row["username"], "added")
            continue
        if row["password_hash"] != old["password_hash"]:
            yield Undone("username", row["username"], "password")
        if bool(row["disabled_at"]) != bool(old["disabled_at"]):
            yield Undone("username", row["username"], "disabled" if row["disabled_at"] else "enabled")
        if (row["groups"], row["is_admin"]) != (old["groups"], old["is_admin"]):
            yield Undone("username", row["username"], "rights")


def _sites(later: _Rows, now: _Rows) -> Iterator[Undone]:
    for client_id in later.keys() | now.keys():
        one, old = later.get(client_id), now.get(client_id)
        if old is None:
            yield Undone("client_id", client_id, "registered")
        elif one is None:
            yield Undone("client_id", client_id, "removed")
        elif any(one[name] != old[name] for name in one.keys() if name in old.keys()):  # noqa: SIM118  (rows iterate values)
            yield Undone("client_id", client_id, "changed")


def _keys(later: _Rows, now: _Rows) -> Iterator[Undone]:
    for kid, old in now.items():
        one = later.get(kid)
        if old["retired_at"] is None and (one is None or one["retired_at"] is not None):
            yield Undone("kid", kid, "retired")
