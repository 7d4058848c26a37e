"""`sso admin`: the one-time link that makes the first administrator, for whoever can run commands on the server."""

from __future__ import annotations

import click

from sso_server.cli.centre import open_centre
from sso_server.cli.output import json_option, length, print_json
from sso_server.core import setup
from sso_server.core.events import Event, EventKind


@click.group("admin")
def admin() -> None:
    """The centre's administrators."""


@admin.command("setup-link")
@json_option
def setup_link(as_json: bool) -> None:
    """Print a link that makes an administrator, also where there is one: it works once, for 30 minutes. Links printed
    before work no more.
    """
    with open_centre() as centre:
        now = centre.services.clock.now()
        services = centre.services
        token = setup.issue(services.one_time, services.randomness, services.clock, first_only=False)
        centre.services.audit.append(Event(now, EventKind.SETUP_LINK, actor="cli"))
        link = f"{centre.settings.issuer}/setup?token={token}"
    if as_json:
        print_json({"link": link, "expires_at": now + setup.LIFE_MS})
        return
    click.echo(link)
    click.echo(f"It works once, for {length(setup.LIFE_MS)}.", err=True)
