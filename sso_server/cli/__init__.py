"""The `sso` command: one file per noun. Exit codes: 0 done, 1 refused or failed, 2 wrong usage."""

from __future__ import annotations

import os

import click

from sso_server.cli.admin import admin
from sso_server.cli.check import check
from sso_server.cli.clients import clients
from sso_server.cli.db import db
from sso_server.cli.demo import demo
from sso_server.cli.keys import keys
from sso_server.cli.output import Commands
from sso_server.cli.running import deliver_command, serve_command
from sso_server.cli.sessions import sessions
from sso_server.cli.signouts import signouts
from sso_server.cli.users import users


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="lockstep-sso", prog_name="sso")
@click.pass_context
def main(context: click.Context) -> None:
    """Lockstep: sign in once, sign out everywhere. Settings come from the environment: see docs/configuration.md."""
    # SQLite makes its files with the process's mask: password hashes and sessions are for this user alone, also in a
    # data directory that somebody made for all to read. Children inherit it.
    before = os.umask(0o077)
    context.call_on_close(lambda: os.umask(before))


for command in (
    demo,
    serve_command,
    deliver_command,
    users,
    clients,
    sessions,
    signouts,
    keys,
    admin,
    db,
    check,
):
    main.add_command(command)
