"""`sso check`: every setting with its source, and whether the stores, the schema and the clock are fit to serve."""

from __future__ import annotations

import re
from typing import Any

import click

from sso_server import wiring
from sso_server.checks import redis_check
from sso_server.cli.output import Failed, json_option, print_json, print_table
from sso_server.clock import SystemClock
from sso_server.config import NAMES, ConfigError, Settings, load, sources
from sso_server.core.errors import LockstepError
from sso_server.logs import configure_logs
from sso_server.secret_key import prepare_data_dir
from sso_server.session_stores import open_session_stores
from sso_server.stores.sql import SqlStores, migrate
from sso_server.web.readiness import Readiness, Report

#: A store that hangs is given up by its own time-outs before, and they say which server it is.
_MOST_S = 5.0


@click.command("check")
@json_option
def check(as_json: bool) -> None:
    """Look for what is wrong: settings, stores, schema, clock. Exit code 1 if something is."""
    shown: list[dict[str, str]] = []
    problems: list[str] = []
    good: list[str] = []
    try:
        settings = load()
        shown = [_setting(settings, name) for name in NAMES]
        _look(settings, good, problems)
    except ConfigError as error:
        problems += error.problems
    if as_json:
        print_json({"ok": not problems, "settings": shown, "good": good, "problems": problems})
    else:
        if shown:
            rows = [(entry["name"], entry["value"], entry["source"]) for entry in shown]
            print_table(("SETTING", "VALUE", "FROM"), rows, "")
            click.echo()
        for sentence in good:
            click.echo(f"ok   {sentence}")
        for sentence in problems:
            click.echo(f"BAD  {sentence}")
    if problems:
        raise Failed(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} found.")


def _look(settings: Settings, good: list[str], problems: list[str]) -> None:
    """Everything that can be looked at from here: what `/readyz` looks at, with the details."""
    configure_logs(settings.log_format)
    prepare_data_dir(settings)
    problems += settings.doubts
    try:
        if migrate.has_schema(settings.sql_url):
            _look_at_all(settings, good, problems)
            return
        # Looking changes nothing: the first start or command makes it.
        good.append("There is no schema yet: sso serve makes it, as does the first command that needs it.")
    except LockstepError as error:
        problems.append(f"The database: {_words(error)}")
    try:
        _look_at_redis(settings, good, problems)
    except LockstepError as error:
        problems.append(_words(error))


def _look_at_all(settings: Settings, good: list[str], problems: list[str]) -> None:
    # A schema of another version is found by the checks; `open_centre` would not open it.
    built = wiring.build(settings)
    try:
        _tell(built.services.readiness.report(_MOST_S), good, problems)
        if migrate.current_is_head(settings.sql_url):
            good.append(f"Sites registered: {len(built.sql.clients.list_clients())}.")
    finally:
        built.close()


def _look_at_redis(settings: Settings, good: list[str], problems: list[str]) -> None:
    """Redis alone, if the settings name one: it needs no schema. Raises ConfigError."""
    if not settings.redis_url.get_secret_value():
        return
    sql = SqlStores.open(settings.sql_url)
    try:
        stores = open_session_stores(settings, sql)
        try:
            _tell(Readiness([redis_check(stores.health, SystemClock())]).report(_MOST_S), good, problems)
        finally:
            stores.close()
    finally:
        sql.close()


def _tell(report: Report, good: list[str], problems: list[str]) -> None:
    for finding in report.findings:
        good += [finding.good] if finding.good else []
        problems += finding.warnings
        # Whoever runs the command reads the logs too: the detail is for them.
        problems += [f"{reason} ({finding.detail})" if finding.detail else reason for reason in finding.reasons]


def _words(error: LockstepError) -> str:
    # What a driver says may have several lines.
    return f"{error.description} ({' '.join(error.detail.split())})" if error.detail else error.description


def _setting(settings: Settings, name: str) -> dict[str, str]:
    return {
        "name": f"SSO_{name.upper()}",
        "value": _shown(getattr(settings, name), name, settings),
        "source": sources().get(name, "default"),
    }


def _shown(value: Any, name: str, settings: Settings) -> str:
    """The value for people; of a secret only that it is there, of an address all but its password."""
    if not hasattr(value, "get_secret_value"):
        return str(value)
    secret: str = value.get_secret_value()
    if name == "database_url":
        return masked(settings.sql_url)
    if not secret:
        return "(in the data directory)" if name == "secret_key" else ""
    return masked(secret) if name.endswith("_url") else "********"


def masked(url: str) -> str:
    """A store's address for people: `scheme://user:********@host/...`; parameters may hold passwords as well."""
    # To the last @: a password that should have been escaped and wasn't is one as well.
    url = re.sub(r"//([^/@:]*)(:.*)?@", lambda m: f"//{m[1]}{':********' if m[2] else ''}@", url)
    return re.sub(r"\?.*", "?********", url)
