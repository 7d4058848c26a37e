"""`sso backup`: a copy of the SQLite database while it is in use, and a look into such a copy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sso_server.cli.output import Failed, json_option, print_fields, print_json, when
from sso_server.clock import SystemClock
from sso_server.config import Settings, load
from sso_server.core.errors import Refused
from sso_server.core.keys import StoredKey
from sso_server.crypto.key_pairs import PrivateSeal
from sso_server.secret_key import kept_secret_file, known_secrets
from sso_server.stores.sql.address import parse_url
from sso_server.stores.sql.backup import Contents, look_into, write_backup

_SCHEMAS = {
    "current": "this version's",
    "older": "an older version's: it is migrated when it is put back",
    "newer": "a newer version's: this one can't use it",
}


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing: say whether FILE is whole, and what it holds."
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@json_option
def backup(file: Path, only_check: bool, force: bool, as_json: bool) -> None:
    """Copy the SQLite database into FILE while the centre runs, or check such a copy."""
    settings = load()
    if only_check:
        contents = look_into(file)
    else:
        contents = write_backup(sqlite_path(settings), file, SystemClock().now(), overwrite=force)
    unreadable = unreadable_keys(contents.keys, known_secrets(settings))
    if as_json:
        print_json({"file": str(file), **contents_json(contents, unreadable)})
    else:
        print_fields(_fields(contents, unreadable))
        if not only_check:
            click.echo(f"\n{file} is written. {_what_is_missing(settings)}")
    if contents.schema == "newer" or unreadable:
        raise Failed(f"{file} can't be put back with these settings.")


def sqlite_path(settings: Settings) -> str:
    """The path of the SQLite database. Raises Refused, with what to do instead, where there is none."""
    url = parse_url(settings.sql_url)
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    raise Refused(
        "The database is PostgreSQL: its own tools make its backups (pg_dump, pg_basebackup; docs/operations.md). After"
        " putting one back, and before the nodes start, run: sso restore",
        code="not_sqlite",
    )


def contents_json(contents: Contents, unreadable: Sequence[str]) -> dict[str, Any]:
    """What a backup holds, as programs read it."""
    return {
        "taken_at": contents.taken_at,
        "schema": contents.schema,
        "users": contents.users,
        "clients": contents.clients,
        "live_sessions": contents.live_sessions,
        "signing_keys": [key.kid for key in contents.keys],
        "unreadable_keys": list(unreadable),
    }


def unreadable_keys(keys: Sequence[StoredKey], secrets: Sequence[str]) -> list[str]:
    """Names of the keys that still sign and that none of these secrets opens."""
    seal = PrivateSeal(secrets) if secrets else None
    now = SystemClock().now()
    needed = (key for key in keys if key.retired_at is None or now < key.retired_at)
    return [key.kid for key in needed if seal is None or seal.index_of(key.private_sealed) is None]


def _fields(contents: Contents, unreadable: Sequence[str]) -> list[tuple[str, str]]:
    keys = f"{len(contents.keys)}"
    return [
        ("taken", when(contents.taken_at)),
        ("schema", _SCHEMAS[contents.schema]),
        ("accounts", str(contents.users)),
        ("sites", str(contents.clients)),
        ("sessions", f"{contents.live_sessions} (they end when it is put back)"),
        ("signing keys", keys + (f", {len(unreadable)} can't be read with this secret key" if unreadable else "")),
    ]


def _what_is_missing(settings: Settings) -> str:
    redis = " Sessions live in Redis and aren't in it." if settings.redis_url.get_secret_value() else ""
    if settings.secret_key.get_secret_value():
        return f"SSO_SECRET_KEY isn't in it: keep that elsewhere, or the signing keys can't be read.{redis}"
    where = kept_secret_file(settings)
    return f"The secret key isn't in it: keep {where} elsewhere, or the signing keys can't be read.{redis}"
