"""`sso db`: the schema of the database."""

from __future__ import annotations

import click

from sso_server.cli.output import json_option, print_fields, print_json
from sso_server.config import load
from sso_server.secret_key import prepare_data_dir
from sso_server.stores.sql import migrate

_AGES = {
    "none": "There is no schema yet: sso db upgrade makes it, and so does sso serve.",
    "current": "It is the one that this version was written for.",
    "older": "It is older than this version: run sso db upgrade.",
    "newer": "It was made by a newer version, which this one can't read.",
}


@click.group("db")
def db() -> None:
    """The database."""


@db.command("upgrade")
@json_option
def upgrade(as_json: bool) -> None:
    """Bring the schema up to date; `sso serve` does it by itself before it starts."""
    settings = load()
    prepare_data_dir(settings)
    was_current = migrate.current_is_head(settings.sql_url)
    if not was_current:
        migrate.upgrade(settings.sql_url)
    if as_json:
        print_json({"upgraded": not was_current})
    else:
        click.echo("The schema was up to date." if was_current else "The schema is up to date now.")


@db.command("status")
@json_option
def status(as_json: bool) -> None:
    """Which schema there is, and what an upgrade would add. Changes nothing."""
    found = migrate.status(load().sql_url)
    if as_json:
        print_json({"revision": found.revision, "age": found.age, "pending": list(found.pending)})
        return
    print_fields([("Revision", found.revision), ("Pending", ", ".join(found.pending))])
    click.echo(_AGES[found.age])


@db.command("downgrade")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def downgrade(revision: str, yes: bool, as_json: bool) -> None:
    """Take the schema back to REVISION (`base`: to an empty database), for an older version of this program.

    What only the newer schema can hold is lost. Stop every centre and make a backup first.
    """
    settings = load()
    if not yes:
        click.confirm(f"Take the schema back to {revision}? What only the newer one can hold is lost.", abort=True)
    migrate.downgrade(settings.sql_url, revision)
    if as_json:
        print_json({"revision": migrate.status(settings.sql_url).revision})
    else:
        click.echo(f"The schema is that of {revision} now.")
