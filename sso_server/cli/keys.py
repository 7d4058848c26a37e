"""`sso key`: the keys that sign ID tokens and logout tokens."""

from __future__ import annotations

from typing import Any

import click

from sso_server.cli.centre import open_centre
from sso_server.cli.output import json_option, length, print_json, print_table, when
from sso_server.core.clients import ALGORITHMS
from sso_server.core.events import Event, EventKind
from sso_server.core.keys import StoredKey


@click.group("key")
def keys() -> None:
    """Signing keys."""


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys that sites can see, oldest first."""
    with open_centre() as centre:
        found = centre.signing_keys.list_keys()
        now = centre.services.clock.now()
    if as_json:
        print_json([_key_json(key, now) for key in found])
        return
    rows = [
        (key.kid, key.alg, _standing(key, now), when(key.active_from), when(key.retired_at), when(key.expires_at))
        for key in found
    ]
    headings = ("KEY", "ALG", "STATE", "SIGNS FROM", "SIGNS UNTIL", "SHOWN UNTIL")
    print_table(headings, rows, "There is no key yet: the first is made when the centre starts, or signs.")


@keys.command("rotate")
@click.option("--alg", type=click.Choice(ALGORITHMS), help="Only this algorithm; without it, both.")
@json_option
def rotate_keys(alg: str | None, as_json: bool) -> None:
    """Make a next key: shown to sites at once, signing ten minutes later; then the old one retires."""
    with open_centre() as centre:
        # A fresh centre has no key at all yet: something must sign until the next one does.
        centre.signing_keys.ensure_keys()
        made = [centre.signing_keys.rotate(each) for each in ((alg,) if alg else ALGORITHMS)]
        now = centre.services.clock.now()
        for key in made:
            centre.services.audit.append(
                Event(now, EventKind.KEY_ROTATED, actor="cli", data={"kid": key.kid, "alg": key.alg})
            )
    if as_json:
        print_json([_key_json(key, now) for key in made])
        return
    for key in made:
        click.echo(f"{key.alg}: {key.kid} signs in {length(key.active_from - now)}, until then the old one does.")


def _key_json(key: StoredKey, now: int) -> dict[str, Any]:
    """A key as programs read it; never the private half."""
    return {
        "kid": key.kid,
        "alg": key.alg,
        "state": _standing(key, now),
        "created_at": key.created_at,
        "active_from": key.active_from,
        "retired_at": key.retired_at,
        "expires_at": key.expires_at,
    }


def _standing(key: StoredKey, now: int) -> str:
    if now < key.active_from:
        return "next"
    return "active" if key.retired_at is None or now < key.retired_at else "retired"
