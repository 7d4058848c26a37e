"""`sso client apply`: the clients become what a file says, all of them in one step or none."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sso_server.cli.centre import Centre, once_written, open_centre
from sso_server.cli.client_change import (
    after_change,
    before_change,
    change_words,
    check_outside,
    environment,
    note,
    with_secret,
)
from sso_server.cli.client_file import check_wishes, read_wishes
from sso_server.cli.metadata_wishes import keeping_registration
from sso_server.cli.output import json_option, print_json
from sso_server.cli.registration import differences, keeps_protocol
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest, Refused
from sso_server.core.records import record
from sso_server.core.users import EndOrder

_NOTED = {"add": "added", "remove": "removed"}


@record
class Step:
    """What is done about one client."""

    action: str
    """`add`, `change`, `same` or `remove`."""
    old: Client | None
    new: Client | None
    secret: str = ""
    """One that was made now and is shown once."""
    secrets_change: bool = False

    @property
    def client_id(self) -> str:
        """Whose."""
        client = self.new or self.old
        return client.client_id if client is not None else ""

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Field by field; of secrets only that there are others."""
        if self.action != "change" or self.old is None or self.new is None:
            return {}
        secrets = {"secrets": ("the old ones", "the file's" if not self.secret else "a new one")}
        return differences(self.old, self.new) | (secrets if self.secrets_change else {})


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option(
    "--prune",
    is_flag=True,
    help="Remove sites that the file doesn't name; sessions that opened them end. Who registered itself stays.",
)
@json_option
def apply_file(file: Path, dry_run: bool, prune: bool, as_json: bool) -> None:
    """Register what a TOML or JSON file says.

    Sites that it names become as it says, sites that it doesn't name stay as they are.
    """
    wishes = read_wishes(file)
    if prune and not wishes:
        raise InvalidRequest(f"{file} names no client: with --prune every site would be removed.")
    with open_centre() as centre:
        present = {client.client_id: client for client in centre.client_store.list_clients()}
        named = {wish.client_id for wish in wishes}
        others = {name: client for name, client in present.items() if name not in named}
        # Clients that registered themselves are in nobody's file: who is to go is removed by name.
        doomed = (
            {name: old for name, old in others.items() if not old.metadata.registration_token_hash} if prune else {}
        )
        staying = {name: client for name, client in others.items() if name not in doomed}
        wanted = check_wishes(file, wishes, centre.settings, centre.services.clock.now(), staying)
        has_said = {wish.client_id for wish in wishes if wish.secrets is not None}
        steps = [_step(centre, new, present.get(new.client_id), new.client_id in has_said) for new in wanted]
        steps += [Step("remove", old, None) for _, old in sorted(doomed.items())]
        for step in steps:
            if step.new is not None:
                check_outside(centre, step.new, step.old)
        ended: dict[str, int] = {}
        if dry_run or all(step.action == "same" for step in steps):
            _show(centre, steps, ended, dry_run, as_json)
            return
        removals = _write(centre, steps)
        try:
            with once_written():
                _follow_up(centre, steps, removals, ended)
        finally:
            # Whatever fails from here on: nobody else knows the secrets that were made, and they are never made again.
            _show(centre, steps, ended, dry_run, as_json)


def _step(centre: Centre, new: Client, old: Client | None, names_secrets: bool) -> Step:
    if old is not None:
        if new.kind != old.kind:
            raise keeps_protocol(old)
        kept = old.secrets if new.takes_secret else ()
        new = replace(new, created_at=old.created_at, secrets=new.secrets if names_secrets else kept)
        new = replace(new, metadata=keeping_registration(new.metadata, old.metadata))
    secret = ""
    if new.takes_secret and not new.secrets:
        new, secret = with_secret(centre, new)
    if old is None:
        return Step("add", None, new, secret)
    secrets_change = bool(secret) or {s.hash for s in old.secrets} != {s.hash for s in new.secrets}
    if not secrets_change:
        # The same ones; one that ends soon by `rotate-secret --overlap` stays as it is unless the file names it.
        secrets_change = names_secrets and any(s.expires_at is not None for s in old.secrets)
    if not differences(old, new) and not secrets_change:
        return Step("same", old, new)
    return Step("change", old, new, secret, secrets_change)


def _write(centre: Centre, steps: Sequence[Step]) -> dict[str, tuple[int, EndOrder]]:
    """All of it in one transaction: how many sessions end with each removal, and its order.

    Raises Refused, Unavailable: nothing was written.
    """
    added = [step.new for step in steps if step.action == "add" and step.new is not None]
    changed = [(s.new, s.old) for s in steps if s.action == "change" and s.new is not None and s.old is not None]
    removed = [step.old for step in steps if step.action == "remove" and step.old is not None]
    for client, was in changed:
        before_change(centre, client, was)
    removals = centre.removals_of([client.client_id for client in removed])
    if not centre.client_store.change_all(added, changed, removed, [order for _, order in removals.values()]):
        raise Refused("Somebody else changed a site at the same time: nothing was written. Try again.", code="conflict")
    return removals


def _follow_up(
    centre: Centre, steps: Sequence[Step], removals: Mapping[str, tuple[int, EndOrder]], ended: dict[str, int]
) -> None:
    """Fills in how many sessions have ended, client by client. Raises Unavailable."""
    for step in steps:
        if step.action == "change" and step.new is not None and step.old is not None:
            after_change(centre, step.new, step.old)
        elif step.action in _NOTED:
            note(centre, step.client_id, _NOTED[step.action])
    for client_id, (count, order) in removals.items():
        centre.finish_order(order)
        ended[client_id] = count


def _show(centre: Centre, steps: Sequence[Step], ended: dict[str, int], dry_run: bool, as_json: bool) -> None:
    shown = [_as_json(centre, step, ended, dry_run) for step in steps]
    if as_json:
        print_json({"dry_run": dry_run, "clients": shown})
        return
    for step, entry in zip(steps, shown, strict=True):
        if step.action == "remove":
            words = f"sessions ended: {ended[step.client_id]}" if step.client_id in ended else ""
        else:
            words = change_words(step.changes)
        click.echo(f"# {step.client_id}: {step.action}" + (f" ({words})" if words else ""))
        for name, value in (entry["environment"] or {}).items():
            click.echo(f"export {name}={shlex.quote(value)}")
    if dry_run:
        click.echo("# Nothing was written (--dry-run).")


def _as_json(centre: Centre, step: Step, ended: dict[str, int], dry_run: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "client_id": step.client_id,
        "action": step.action,
        "changes": step.changes,
        "environment": None,
    }
    if step.secret and step.new is not None and not dry_run:
        entry["environment"] = environment(centre, step.new, step.secret)
    if step.action == "remove":
        entry["sessions_ended"] = ended.get(step.client_id)
    return entry
