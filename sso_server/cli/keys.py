"""`sso key`: the keys that sign ID tokens and logout tokens."""

from __future__ import annotations

from typing import Any

import click

from sso_server.cli.arguments import confirm
from sso_server.cli.centre import open_centre
from sso_server.cli.output import Failed, json_option, length, print_json, print_table, when
from sso_server.core.clients import ALGORITHMS
from sso_server.core.errors import Refused
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
@click.option("--alg", type=click.Choice(ALGORITHMS), help="Only this algorithm; without it, all.")
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


@keys.command("retire")
@click.argument("kid")
@click.option("--yes", is_flag=True, help="Don't ask first.")
@json_option
def retire_key(kid: str, yes: bool, as_json: bool) -> None:
    """Somebody else may have a key: from now on nothing that it signed is taken, and another one signs."""
    with open_centre() as centre:
        if kid not in {key.kid for key in centre.signing_keys.list_keys()}:
            raise Refused(f"There is no signing key {kid!r}: sso key list", code="key_unknown")
        confirm(f"Take nothing any more that {kid} signed?", yes)
        heir = centre.signing_keys.retire_now(kid)
        now = centre.services.clock.now()
        data: dict[str, str | int | None] = {"kid": kid, "retired": 1, "heir": heir.kid if heir else None}
        centre.services.audit.append(Event(now, EventKind.KEY_ROTATED, actor="cli", data=data))
    if as_json:
        print_json({"kid": kid, "heir": _key_json(heir, now) if heir is not None else None})
        return
    ending = f"; {heir.kid} signs" if heir is not None else ""
    click.echo(f"{kid} is retired{ending}. Sites read the key set anew when they meet a key that they don't know,")
    click.echo("and SDK sites every 10 min: until then they take what the old key has signed (docs/operations.md).")


@keys.command("reseal")
@json_option
def reseal_keys(as_json: bool) -> None:
    """Seal every signing key under the first secret, so that older ones can be dropped."""
    with open_centre() as centre:
        done = centre.signing_keys.reseal()
        unreadable = [kid for kid, index in centre.signing_keys.sealed_under().items() if index is None]
    if as_json:
        print_json({"resealed": done, "unreadable": unreadable})
    else:
        click.echo(f"Signing keys sealed anew: {done}. The first secret alone reads them now.")
    if unreadable:
        raise Failed(f"No secret of this centre opens: {', '.join(unreadable)}.")


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
