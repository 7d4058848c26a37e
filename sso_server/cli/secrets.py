"""`sso secret`: the secret key that is kept in the data directory, exchanged in steps between which every process is
started anew, so that nobody ever meets a form or a mark that it can't read.
"""

from __future__ import annotations

import hashlib
from typing import Any

import click

from sso_server.cli.centre import Centre, open_centre
from sso_server.cli.output import json_option, print_json, print_table
from sso_server.config import Settings
from sso_server.core.errors import Refused
from sso_server.core.events import Event, EventKind
from sso_server.secret_key import keep_secrets, new_secret, newest

_RESTART = "Now start every process of this centre anew (one node after the other)"


@click.group("secret")
def secrets() -> None:
    """The secret key."""


@secrets.command("list")
@json_option
def list_secrets(as_json: bool) -> None:
    """List the secrets by fingerprint: what each does, and how many signing keys need it."""
    with open_centre() as centre:
        rows = secret_rows(centre)
    if as_json:
        print_json(rows)
        return
    shown = [(row["fingerprint"], "writes, reads" if row["writes"] else "reads", str(row["keys"])) for row in rows]
    print_table(("SECRET", "DOES", "SIGNING KEYS UNDER IT"), shown, "")


@secrets.command("add")
@json_option
def add_secret(as_json: bool) -> None:
    """Step 1: make a new secret that every process can read, and none writes with yet."""
    with open_centre() as centre:
        present = _kept(centre)
        _change(centre, (*present, new_secret(present)), "added", as_json, f"{_RESTART}, then run: sso secret promote")


@secrets.command("promote")
@json_option
def promote_secret(as_json: bool) -> None:
    """Step 2: have the newest secret write."""
    with open_centre() as centre:
        present = _kept(centre)
        if len(present) < 2:
            raise Refused("There is one secret only. Make another first: sso secret add", code="secret_single")
        fresh = newest(present)
        if fresh == present[0]:
            # A step of a runbook that is repeated must not put back the one that is to go: perhaps it leaked.
            _say(present, "none", as_json, "The newest writes already: nothing was changed. Next: sso key reseal")
            return
        others = (secret for secret in present if secret != fresh)
        _change(centre, (fresh, *others), "promoted", as_json, f"{_RESTART}, then run: sso key reseal")


@secrets.command("drop")
@json_option
def drop_secrets(as_json: bool) -> None:
    """Step 3: forget all secrets but the newest, which writes."""
    with open_centre() as centre:
        present = _kept(centre)
        if present[0] != newest(present):
            raise Refused("The newest secret doesn't write yet. First run: sso secret promote", code="secret_unused")
        needed = sum(row["keys"] for row in secret_rows(centre)[1:])
        if needed:
            raise Refused(f"{needed} signing keys still need an older secret. First run: sso key reseal")
        if len(present) < 2:
            _say(present, "none", as_json, "There is no other: nothing was changed.")
            return
        gone = ", ".join(map(fingerprint, present[1:]))
        _change(centre, present[:1], "dropped", as_json, f"{_RESTART}. Forgotten: {gone}.")


def secret_rows(centre: Centre) -> list[dict[str, Any]]:
    """Each secret of this process, first the one that writes."""
    under = list(centre.signing_keys.sealed_under().values())
    return [
        {"fingerprint": fingerprint(secret), "writes": index == 0, "keys": under.count(index)}
        for index, secret in enumerate(centre.secrets)
    ]


def fingerprint(secret: str) -> str:
    """A name that tells secrets apart and says nothing else about them."""
    return hashlib.sha256(b"lockstep secret fingerprint\0" + secret.encode()).hexdigest()[:8]


def _kept(centre: Centre) -> tuple[str, ...]:
    """The secrets of the kept file. Raises Refused where the settings name them."""
    settings: Settings = centre.settings
    if settings.secret_key.get_secret_value():
        raise Refused(
            "The secret comes from SSO_SECRET_KEY: change it there, in the same steps (docs/operations.md): OLD,NEW"
            " everywhere; NEW,OLD everywhere; sso key reseal; NEW everywhere.",
            code="secret_in_settings",
        )
    return centre.secrets


def _change(centre: Centre, secrets_in_order: tuple[str, ...], change: str, as_json: bool, next_step: str) -> None:
    keep_secrets(centre.settings, secrets_in_order)
    centre.services.audit.append(
        Event(centre.services.clock.now(), EventKind.KEY_ROTATED, actor="cli", data={"secret": change})
    )
    _say(secrets_in_order, change, as_json, next_step)


def _say(secrets_in_order: tuple[str, ...], change: str, as_json: bool, next_step: str) -> None:
    names = [fingerprint(secret) for secret in secrets_in_order]
    if as_json:
        print_json({"change": change, "secrets": names})
    else:
        click.echo(f"The secrets now: {', '.join(names)}. The first writes, all read. {next_step}")
