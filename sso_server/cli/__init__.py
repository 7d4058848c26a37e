"""The `sso` command: one file per noun. Exit codes: 0 done, 1 refused or failed, 2 wrong usage."""

from __future__ import annotations

import os

import click

from sso_server.cli.output import Commands

# Where each command is: `sso deliver` has no use for what the demo needs, and three processes of ours start like this.
_COMMANDS = {
    "admin": "sso_server.cli.admin:admin",
    "backup": "sso_server.cli.backup:backup",
    "check": "sso_server.cli.check:check",
    "client": "sso_server.cli.clients:clients",
    "db": "sso_server.cli.db:db",
    "deliver": "sso_server.cli.running:deliver_command",
    "demo": "sso_server.cli.demo:demo",
    "key": "sso_server.cli.keys:keys",
    "registration": "sso_server.cli.registration_tokens:registrations",
    "restore": "sso_server.cli.restore:restore",
    "secret": "sso_server.cli.secrets:secrets",
    "serve": "sso_server.cli.running:serve_command",
    "session": "sso_server.cli.sessions:sessions",
    "signout": "sso_server.cli.signouts:signouts",
    "user": "sso_server.cli.users:users",
}


@click.group(
    cls=Commands,
    elsewhere=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="lockstep-sso", prog_name="sso")
@click.pass_context
def main(context: click.Context) -> None:
    """Lockstep: sign in once, sign out everywhere. Settings come from the environment: see docs/configuration.md."""
    # SQLite makes its files with the process's mask: password hashes and sessions are for this user alone, also in a
    # data directory that somebody made for all to read. Children inherit it.
    before = os.umask(0o077)
    context.call_on_close(lambda: os.umask(before))
