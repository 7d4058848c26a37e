"""`sso user`: accounts from the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sso_server.cli.arguments import password_option, read_password
from sso_server.cli.centre import open_centre
from sso_server.cli.output import json_option, print_fields, print_json, print_table, when
from sso_server.core.accounts import Changes
from sso_server.core.consents import Consent
from sso_server.core.profiles import read_profile
from sso_server.core.users import User, fold_username

_PAGE = 500
_Command = TypeVar("_Command", bound=Callable[..., Any])


def user_json(user: User) -> dict[str, Any]:
    """An account as programs read it; never the hash."""
    return {
        "user_id": user.user_id,
        "username": user.username,
        "name": user.name,
        "email": user.email,
        "email_verified": user.email_verified,
        "groups": list(user.groups),
        "is_admin": user.is_admin,
        "locale": user.locale,
        "claims": read_profile(user.profile),
        "updated_at": user.updated_at or user.created_at,
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
    }


def _profile_options(command: _Command) -> _Command:
    """What sites may be told of the person beside name, address and groups."""
    for option in (
        click.option(
            "--claim", "claims", multiple=True, metavar="NAME=VALUE",
            help="A further claim, such as given_name=Ada or address.country=Chile; may be repeated. An empty VALUE "
            "takes it away.",
        ),
        click.option("--locale", default=None, help="The person's language, such as en or zh-CN."),
        click.option(
            "--email-verified/--email-unverified", default=None, help="Whether the address is known to be theirs."
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group("user")
def users() -> None:
    """Accounts."""


@users.command("add")
@click.argument("username")
@click.option("--name", default="", help="The name that pages and sites show.")
@click.option("--email", default="", help="The e-mail address.")
@click.option("--group", "groups", multiple=True, help="A group that sites are told of; may be repeated.")
@click.option("--admin", is_flag=True, help="An administrator of the centre.")
@_profile_options
@password_option
@json_option
def add_user(
    username: str,
    name: str,
    email: str,
    groups: tuple[str, ...],
    admin: bool,
    email_verified: bool | None,
    locale: str | None,
    claims: tuple[str, ...],
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Make an account."""
    more = Changes(email_verified=email_verified, locale=locale, claims=_claims(claims))
    password = read_password(password_stdin)
    with open_centre() as centre:
        user = centre.services.accounts.add(
            username,
            password,
            name=name,
            email=email,
            groups=tuple(dict.fromkeys(groups)),
            is_admin=admin,
            more=more,
            actor="cli",
        )
    _answer(user, as_json, f"{user.username} can sign in now.")


@users.command("update")
@click.argument("username")
@click.option("--name", default=None, help="The name that pages and sites show.")
@click.option("--email", default=None, help="The e-mail address; a new one counts as not verified.")
@click.option("--group", "groups", multiple=True, help="The groups from now on, in the place of all; may be repeated.")
@click.option("--no-groups", is_flag=True, help="The person is in no group any more.")
@_profile_options
@json_option
def update_user(
    username: str,
    name: str | None,
    email: str | None,
    groups: tuple[str, ...],
    no_groups: bool,
    email_verified: bool | None,
    locale: str | None,
    claims: tuple[str, ...],
    as_json: bool,
) -> None:
    """Change what sites are told of a person; nobody is signed out."""
    if groups and no_groups:
        raise click.UsageError("Either --group or --no-groups.")
    changes = Changes(
        name=name,
        email=email,
        email_verified=email_verified,
        locale=locale,
        groups=tuple(dict.fromkeys(groups)) if groups or no_groups else None,
        claims=_claims(claims),
    )
    if changes == Changes():
        raise click.UsageError("Say what to change, for instance --name NAME or --claim given_name=Ada.")
    with open_centre() as centre:
        user = centre.services.accounts.update(username, changes, actor="cli")
    _answer(user, as_json, f"Sites are told this of {user.username} from their next look on.")


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """List all accounts by name."""
    found: list[User] = []
    with open_centre() as centre:
        while page := centre.services.users.list_users(_PAGE, after=_after(found)):
            found += page
            if len(page) < _PAGE:
                break
    if as_json:
        print_json([user_json(user) for user in found])
        return
    rows = [
        (u.username, u.name or "-", u.email or "-", ", ".join(u.groups) or "-", _standing(u), when(u.created_at))
        for u in found
    ]
    headings = ("USER", "NAME", "E-MAIL", "GROUPS", "STATE", "SINCE")
    print_table(headings, rows, "There are no accounts yet. Make one: sso user add USERNAME --password-stdin")


@users.command("show")
@click.argument("username")
@json_option
def show_user(username: str, as_json: bool) -> None:
    """Show one account, where it is signed in, and what it allowed apps."""
    with open_centre() as centre:
        user = centre.services.accounts.get(username)
        live = centre.services.lists.list_live(centre.services.clock.now(), 1000, user_id=user.user_id)
        apps = centre.services.consents.list_of(user.user_id)
    if as_json:
        print_json(
            user_json(user) | {"sessions": [session.sid for session in live], "apps": [_app_json(app) for app in apps]}
        )
        return
    print_fields(
        [
            ("user", user.username),
            ("id", user.user_id),
            ("name", user.name),
            ("e-mail", f"{user.email} ({'verified' if user.email_verified else 'not verified'})" if user.email else ""),
            ("groups", ", ".join(user.groups)),
            ("language", user.locale),
            *((name, _shown(value)) for name, value in read_profile(user.profile).items()),
            ("state", _standing(user)),
            ("since", when(user.created_at)),
            ("sessions", str(len(live))),
        ]
    )
    for session in live:
        click.echo(f"  {session.sid}  last active {when(session.last_active_at)}")
    for app in apps:
        allowed = ", ".join((*app.scope, *app.claims))
        click.echo(f"  app {app.client_id}: {allowed}; since {when(app.granted_at)}, used {when(app.last_used_at)}")


@users.command("disable")
@click.argument("username")
@json_option
def disable_user(username: str, as_json: bool) -> None:
    """Let nobody sign in as this person; their sessions end."""
    with open_centre() as centre:
        user = centre.services.accounts.disable(username, actor="cli")
        centre.finish_orders()
    _answer(user, as_json, f"{user.username} can't sign in any more and is signed out everywhere.")


@users.command("enable")
@click.argument("username")
@json_option
def enable_user(username: str, as_json: bool) -> None:
    """Let a disabled account sign in again."""
    with open_centre() as centre:
        user = centre.services.accounts.enable(username, actor="cli")
    _answer(user, as_json, f"{user.username} can sign in.")


@users.command("set-password")
@click.argument("username")
@password_option
@json_option
def set_password(username: str, password_stdin: bool, as_json: bool) -> None:
    """Set a new password; every session of the person ends."""
    password = read_password(password_stdin)
    with open_centre() as centre:
        user = centre.services.accounts.set_password(username, password, actor="cli")
        centre.finish_orders()
    _answer(user, as_json, f"{user.username} has a new password and is signed out everywhere.")


def _claims(given: tuple[str, ...]) -> dict[str, str]:
    """`NAME=VALUE` each. Usage error for anything else, and for a name that is said twice."""
    pairs = [text.partition("=") for text in given]
    found = {name.strip(): value for name, _, value in pairs}
    if not all(name.strip() and mark for name, mark, _ in pairs) or len(found) != len(pairs):
        raise click.BadParameter("A claim is NAME=VALUE, each name once.", param_hint="--claim")
    return found


def _shown(value: object) -> str:
    """A claim in one line."""
    if isinstance(value, dict):
        return ", ".join(_shown(part) for part in value.values())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " / ".join(str(value).splitlines())


def _app_json(app: Consent) -> dict[str, Any]:
    return {
        "client_id": app.client_id,
        "scope": list(app.scope),
        "claims": list(app.claims),
        "granted_at": app.granted_at,
        "last_used_at": app.last_used_at,
    }


def _answer(user: User, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(user_json(user))
    else:
        click.echo(sentence)


def _after(found: list[User]) -> str:
    return fold_username(found[-1].username) if found else ""


def _standing(user: User) -> str:
    words = ["disabled" if user.disabled_at is not None else "", "administrator" if user.is_admin else ""]
    return ", ".join(filter(None, words)) or "-"
