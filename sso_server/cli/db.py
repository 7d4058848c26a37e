"""`sso db`: the schema of the database."""

from __future__ import annotations

import click

from sso_server.cli.output import json_option, print_json
from sso_server.config import load
from sso_server.secret_key import prepare_data_dir
from sso_server.stores.sql import migrate


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
