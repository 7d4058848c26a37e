"""`sso registration`: initial access tokens, by which clients may register themselves. Each is shown once."""

from __future__ import annotations

from typing import Any

import click

from sso_server.cli.arguments import duration
from sso_server.cli.centre import Centre, open_centre
from sso_server.cli.metadata_wishes import GRANT_WORDS, metadata_word
from sso_server.cli.output import json_option, print_json, print_table, when
from sso_server.core.claims import SCOPES
from sso_server.core.policy import SECOND
from sso_server.core.registrations import OFF, OPEN, USUAL_GRANTS, USUAL_SCOPES, RegistrationToken


@click.group("registration")
def registrations() -> None:
    """Initial access tokens, by which clients register themselves."""


@registrations.command("add")
@click.argument("name")
@click.option("--uses", type=click.IntRange(1, 1_000_000), help="How many clients may be registered with it.")
@click.option("--expires", type=duration, metavar="DURATION", help="How long it works, e.g. 30d.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="What such clients may know of people; without it, all but groups; repeatable.",
)
@click.option(
    "--grant",
    "grants",
    type=click.Choice(tuple(GRANT_WORDS)),
    multiple=True,
    help="How they may get tokens; without it, by codes, refresh tokens and on devices; repeatable.",
)
@json_option
def add_token(
    name: str, uses: int | None, expires: int | None, scopes: tuple[str, ...], grants: tuple[str, ...], as_json: bool
) -> None:
    """Make an initial access token and print it once."""
    with open_centre() as centre:
        made, text = centre.services.registrations.add_token(
            name,
            uses=uses,
            life_ms=None if expires is None else expires * SECOND,
            scopes=tuple(scope for scope in SCOPES if scope in ("openid", *scopes)) if scopes else USUAL_SCOPES,
            grants=tuple(GRANT_WORDS[word] for word in dict.fromkeys(grants)) or USUAL_GRANTS,
        )
        if as_json:
            print_json(_as_json(made) | {"token": text, "registration_endpoint": _endpoint(centre)})
            return
        click.echo(
            f"# {name}: shown this once, the centre keeps a digest only. Clients register at {_endpoint(centre)}"
        )
        click.echo(text)
        if (mode := centre.services.registrations.mode) in (OPEN, OFF):
            needs = "without it, too" if mode == OPEN else "not at all"
            click.echo(f"Clients register {needs}, as long as SSO_REGISTRATION is {mode}.", err=True)


@registrations.command("list")
@json_option
def list_tokens(as_json: bool) -> None:
    """List initial access tokens, also those that work no more."""
    with open_centre() as centre:
        found = centre.services.registrations.list_tokens()
        now = centre.services.clock.now()
        if as_json:
            print_json([_as_json(token) for token in found])
            return
        rows = [
            (
                token.name,
                "yes" if token.works(now) else "no",
                "any number" if token.uses_left is None else str(token.uses_left),
                "never" if token.expires_at is None else when(token.expires_at),
                " ".join(token.scopes),
                when(token.created_at),
            )
            for token in found
        ]
    headings = ("NAME", "WORKS", "USES LEFT", "EXPIRES", "SCOPES", "SINCE")
    print_table(headings, rows, "There is no initial access token. Make one: sso registration add NAME")


@registrations.command("remove")
@click.argument("name")
@json_option
def remove_token(name: str, as_json: bool) -> None:
    """Remove one; clients that registered with it stay."""
    with open_centre() as centre:
        centre.services.registrations.remove_token(name)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        click.echo(f"{name} is removed; clients that registered with it stay.")


def _as_json(token: RegistrationToken) -> dict[str, Any]:
    return {
        "name": token.name,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "uses_left": token.uses_left,
        "scopes": list(token.scopes),
        "grants": metadata_word("grant_types", token.grants).split(),
    }


def _endpoint(centre: Centre) -> str:
    return f"{centre.settings.issuer}/register"
