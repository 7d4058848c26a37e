"""`sso client`: registering sites. Secrets are shown once, as ready lines for the site's environment."""

from __future__ import annotations

import shlex
from typing import Any

import click

from sso_server.cli.arguments import duration
from sso_server.cli.centre import Centre, once_written, open_centre
from sso_server.cli.client_apply import apply_file
from sso_server.cli.client_change import (
    after_change,
    before_change,
    change_words,
    check_outside,
    environment,
    note,
    with_secret,
)
from sso_server.cli.client_options import given, registration_options
from sso_server.cli.client_view import client_fields, client_json, promise_word, told_at
from sso_server.cli.logout_trial import try_logout
from sso_server.cli.output import json_option, length, print_fields, print_json, print_table, when
from sso_server.cli.registration import changed_client, differences, new_client
from sso_server.core.client_metadata import AUTHORIZATION_CODE
from sso_server.core.clients import CAS, Client, check_audience, check_services_free
from sso_server.core.errors import Refused


@click.group("client")
def clients() -> None:
    """Sites (registered clients)."""


clients.add_command(try_logout)
clients.add_command(apply_file)


@clients.command("add")
@click.argument("client_id")
@registration_options
@json_option
def add_client(client_id: str, as_json: bool, **options: Any) -> None:
    """Register a site and print its secret once."""
    wishes = given(options)
    # A program that only asks for tokens of its own, or on a device, is sent nowhere.
    goes_nowhere = "grant_types" in wishes and AUTHORIZATION_CODE not in wishes["grant_types"]
    if not goes_nowhere and not any(name in wishes for name in ("site", "redirect_uris", "cas_services")):
        raise click.UsageError("Say where the site is: --site BASE_URL, --redirect-uri URI, or --cas-service URL.")
    with open_centre() as centre:
        client = new_client(client_id, wishes, centre.settings, centre.services.clock.now())
        present = _present(centre)
        check_audience(client, present)
        check_services_free(client, present)
        check_outside(centre, client)
        client, secret = with_secret(centre, client)
        if not centre.client_store.add(client):
            raise Refused(f"There is a client {client_id!r} already; change it with: sso client update {client_id} ...")
        note(centre, client_id, "added")
        _show_secret(centre, client, secret, as_json, f"{client_id} is registered.")


@clients.command("update")
@click.argument("client_id")
@registration_options
@json_option
def update_client(client_id: str, as_json: bool, **options: Any) -> None:
    """Change a site; what isn't named stays. An empty --backchannel-logout-uri removes the address."""
    wishes = given(options)
    if not wishes:
        raise click.UsageError("Nothing to change was given.")
    with open_centre() as centre:
        old = centre.get_client(client_id)
        new = changed_client(old, wishes)
        if "audience" in wishes:
            check_audience(new, _present(centre))
        if new.cas_services != old.cas_services:
            check_services_free(new, _present(centre))
        check_outside(centre, new, old)
        secret = ""
        if new.takes_secret and not new.secrets:
            new, secret = with_secret(centre, new)
        _write(centre, new, old)
        if secret:
            _show_secret(
                centre,
                new,
                secret,
                as_json,
                f"{client_id} has a secret now." if new.kind == CAS else f"{client_id} is confidential now.",
            )
        elif as_json:
            print_json({"client": client_json(new, centre)})
        else:
            changes = differences(old, new)
            click.echo(f"{client_id}: " + (change_words(changes) or "nothing changed") + ".")


@clients.command("list")
@json_option
def list_clients(as_json: bool) -> None:
    """List all sites."""
    with open_centre() as centre:
        found = sorted(centre.client_store.list_clients(), key=lambda c: c.client_id)
        if as_json:
            print_json([client_json(client, centre) for client in found])
            return
        rows = [(c.client_id, c.name, promise_word(c, centre), told_at(c), when(c.created_at)) for c in found]
    headings = ("CLIENT", "NAME", "PROMISE", "TOLD AT", "SINCE")
    print_table(headings, rows, "No site is registered yet. Register one: sso client add CLIENT_ID --site BASE_URL")


@clients.command("show")
@click.argument("client_id")
@json_option
def show_client(client_id: str, as_json: bool) -> None:
    """Show a site, what is promised for it, and its stores."""
    with open_centre() as centre:
        client = centre.get_client(client_id)
        if as_json:
            print_json(client_json(client, centre))
        else:
            print_fields(client_fields(client, centre))


@clients.command("remove")
@click.argument("client_id")
@json_option
def remove_client(client_id: str, as_json: bool) -> None:
    """Remove a site; every session that opened it ends."""
    with open_centre() as centre:
        ended, order = centre.removals_of([client_id])[client_id]
        if not centre.client_store.remove(client_id, order):
            raise Refused(f"There is no client {client_id!r}.", code="client_unknown")
        with once_written():
            note(centre, client_id, "removed")
            centre.finish_order(order)
    if as_json:
        print_json({"client_id": client_id, "removed": True, "sessions_ended": ended})
    else:
        click.echo(f"{client_id} is removed; sessions ended: {ended}.")


@clients.command("rotate-secret")
@click.argument("client_id")
@click.option("--overlap", type=duration, default="0", help="How long the old secret still works, e.g. 24h.")
@json_option
def rotate_secret(client_id: str, overlap: int, as_json: bool) -> None:
    """Give a site a new secret and print it once."""
    with open_centre() as centre:
        old = centre.get_client(client_id)
        if not old.takes_secret:
            what = "a public client" if old.public else "a CAS service without the SDK"
            what = "a client that authenticates by its keys" if old.has_secret else what
            raise Refused(f"{client_id} is {what}: it has no secret.", code="client_public")
        client, secret = with_secret(centre, old, overlap * 1000)
        _write(centre, client, old)
        ending = f"The old one works for {length(overlap * 1000)} more." if overlap else "The old one works no more."
        _show_secret(centre, client, secret, as_json, f"{client_id} has a new secret. {ending}")


def _present(centre: Centre) -> dict[str, Client]:
    return {client.client_id: client for client in centre.client_store.list_clients()}


def _write(centre: Centre, client: Client, was: Client) -> None:
    before_change(centre, client, was)
    if not centre.client_store.update(client, was):
        centre.get_client(was.client_id)
        raise Refused(f"{was.client_id} was changed at the same time: nothing was written. Try again.", code="conflict")
    after_change(centre, client, was)


def _show_secret(centre: Centre, client: Client, secret: str, as_json: bool, sentence: str) -> None:
    """The lines that the site needs. Comments begin with #, so that the whole answer can be pasted into a shell."""
    lines = environment(centre, client, secret)
    if as_json:
        answer = {"client": client_json(client, centre), "client_secret": secret or None, "environment": lines}
        if client.kind == CAS:
            answer["cas_server_url"] = centre.settings.issuer + "/cas"
        print_json(answer)
        return
    click.echo(f"# {sentence}" + (" Its secret is shown this once: the centre keeps a digest only." if secret else ""))
    for name, value in lines.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if client.kind == CAS:
        # Its logout calls go to the service itself where it has no address for them.
        if not client.has_secret:
            click.echo(f"# The CAS server for its settings: {centre.settings.issuer}/cas")
        return
    if client.delivery == "poll":
        click.echo(f"# It asks for its sign-outs: POST {centre.settings.issuer}/poll")
    elif not client.backchannel_logout_uri:
        click.echo("# It has no logout address: nobody tells it that a session has ended.")
