"""`sso restore`: a backup in the database's place, and everything that had to end since ended again.

The row that says so is in the file before the file has the database's name (`stores.sql.replacing`): a kill at any
moment leaves the old database, or the backup with nobody served until the row is carried out.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import click

from sso_server import wiring
from sso_server.cli.arguments import confirm
from sso_server.cli.backup import sqlite_path, unreadable_keys
from sso_server.cli.output import Failed, json_option, print_json
from sso_server.clock import SystemClock
from sso_server.config import Settings, load
from sso_server.core.errors import Refused
from sso_server.core.putting_back import order_restoration
from sso_server.crypto.identifiers import SystemRandomness
from sso_server.crypto.signing_keys import SigningKeys
from sso_server.logs import configure_logs
from sso_server.secret_key import known_secrets, prepare_data_dir, secret_keys
from sso_server.stores.sql import SqlStores, migrate
from sso_server.stores.sql.backup import look_into
from sso_server.stores.sql.going_back import Undone, undone
from sso_server.stores.sql.replacing import replace_database

_TRIES = 120
_PAUSE_S = 0.5
_CHANGES = {
    "password": "has the password of the backup again",
    "disabled": "was disabled since, and can sign in again",
    "enabled": "was enabled since, and is disabled again",
    "rights": "has the groups and rights of the backup again",
    "added": "was added since, and is gone",
    "registered": "was registered since, and is gone",
    "removed": "was removed since, and is registered again",
    "changed": "is registered as it was then, with the secrets of then",
    "retired": "was retired since, and signs again: after a leak, sso key retire it once more",
}
_NAMED = {"username": "", "client_id": "the site ", "kid": "the signing key "}


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--new-keys", is_flag=True, help="The secret key is lost: give up the signing keys that it opened.")
@click.option("--yes", is_flag=True, help="Don't ask first.")
@json_option
def restore(file: Path | None, new_keys: bool, yes: bool, as_json: bool) -> None:
    """Put the backup FILE in the database's place; every session and every grant ends.

    Without FILE: something else (pg_restore, a snapshot) has put a store back, and only what must end is ended.
    """
    settings = load()
    configure_logs(settings.log_format)
    if file is None:
        _only_end(settings, yes, as_json)
    else:
        _put_back(settings, file, new_keys, yes, as_json)


def _put_back(settings: Settings, file: Path, new_keys: bool, yes: bool, as_json: bool) -> None:
    database = sqlite_path(settings)
    contents = look_into(file)
    if contents.schema == "newer":
        raise Refused("The backup was made by a newer version of this program: use that one.", code="schema_version")
    if not new_keys:
        _check_secrets(settings, unreadable_keys(contents.keys, known_secrets(settings)))
    confirm(f"Replace {database} by {file}, and sign everybody out?", yes)
    prepare_data_dir(settings)
    Path(database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    suffix = datetime.fromtimestamp(SystemClock().now() / 1000, tz=UTC).strftime("-replaced-%Y%m%dT%H%M%S.%fZ")

    def prepare(url: str) -> None:
        _write_order(settings, url, contents.newest_session_at, new_keys)

    kept = replace_database(database, file, prepare, suffix)
    # Said before the work: whoever is interrupted now must know it.
    click.echo(f"{file} is in place." + (f" What was there before is {kept}." if kept else ""), err=True)
    changes = undone(kept, database) if kept is not None else []
    ended = _carry_out(settings)
    if as_json:
        shown = [{one.what: one.name, "change": one.change} for one in changes]
        print_json({"file": str(file), "replaced": kept and str(kept), "sessions_ended": ended, "undone": shown})
        return
    click.echo(_done(ended))
    _print_undone(changes)


def _only_end(settings: Settings, yes: bool, as_json: bool) -> None:
    confirm("Sign everybody out, because a store was put back?", yes)
    prepare_data_dir(settings)
    migrate.upgrade(settings.sql_url)
    built = wiring.build(settings)
    try:
        # One that is under way has to be finished first: it may know of more.
        _until_done(built)
        order_restoration(built.sql.restorations, built.services.clock, built.services.randomness)
        ended = _until_done(built)
    finally:
        built.close()
    if as_json:
        print_json({"file": None, "replaced": None, "sessions_ended": ended, "undone": []})
    else:
        click.echo(_done(ended))


def _check_secrets(settings: Settings, unreadable: list[str]) -> None:
    if unreadable:
        where = "SSO_SECRET_KEY" if settings.secret_key.get_secret_value() else f"{settings.data_dir / 'secret-key'}"
        raise Refused(
            f"The backup's signing keys can't be read with {where}: put the secret key of that time there. If it is"
            " lost, sso restore --new-keys gives those keys up.",
            code="signing_key_unreadable",
        )


def _write_order(settings: Settings, url: str, newest_session_at: int, new_keys: bool) -> None:
    stores, clock = SqlStores.open(url), SystemClock()
    try:
        if new_keys:
            SigningKeys(stores.keys, secret_keys(settings), clock).give_up_unreadable()
        order_restoration(
            stores.restorations, clock, SystemRandomness(), newest_session_at=newest_session_at, is_aside=True
        )
    finally:
        stores.close()


def _carry_out(settings: Settings) -> int:
    built = wiring.build(settings)
    try:
        return _until_done(built)
    finally:
        built.close()


def _until_done(built: wiring.Built) -> int:
    """How many sessions it has ended. Raises Failed, Unavailable."""
    restorer, pause = built.restorer(), threading.Event()
    for _ in range(_TRIES):
        if not built.services.restorations.is_unfinished():
            return built.services.restorations.state().newest.ended
        if not restorer.run_once():
            pause.wait(_PAUSE_S)
    raise Failed(
        "What must end has not ended yet: this machine's clock and the store's differ. It is written down: until a"
        " delivery process (sso serve, sso deliver) whose clock is right has done it, no site's lease is renewed."
    )


def _done(ended: int) -> str:
    return f"Everybody is signed out (sessions ended: {ended}), and every refresh token is revoked."


def _print_undone(changes: list[Undone]) -> None:
    if changes:
        click.echo("Changed after the backup was taken, and now as they were then:")
    for one in changes:
        click.echo(f"  {_NAMED[one.what]}{one.name} {_CHANGES[one.change]}")
