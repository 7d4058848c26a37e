"""`sso user`: accounts from the command line."""

from __future__ import annotations

from typing import Any

import click

from sso_server.cli.arguments import password_option, read_password
from sso_server.cli.centre import open_centre
from sso_server.cli.output import json_option, print_fields, print_json, print_table, when
from sso_server.core.users import User, fold_username

_PAGE = 500


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
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
    }


@click.group("user")
def users() -> None:
    """Accounts."""


@users.command("add")
@click.argument("username")
@click.option("--name", default="", help="The name that pages and sites show.")
@click.option("--email", default="", help="The e-mail address.")
@click.option("--group", "groups", multiple=True, help="A group that sites are told of; may be repeated.")
@click.option("--admin", is_flag=True, help="An administrator of the centre.")
@password_option
@json_option
def add_user(
    username: str, name: str, email: str, groups: tuple[str, ...], admin: bool, password_stdin: bool, as_json: bool
) -> None:
    """Make an account."""
    password = read_password(password_stdin)
    with open_centre() as centre:
        user = centre.services.accounts.add(
            username,
            password,
            name=name,
            email=email,
            groups=tuple(dict.fromkeys(groups)),
            is_admin=admin,
            actor="cli",
        )
    _answer(user, as_json, f"{user.username} can sign in now.")


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
    """Show one account and where it is signed in."""
    with open_centre() as centre:
        user = centre.services.accounts.get(username)
        live = centre.services.lists.list_live(centre.services.clock.now(), 1000, user_id=user.user_id)
    if as_json:
        print_json(user_json(user) | {"sessions": [session.sid for session in live]})
        return
    print_fields(
        [
            ("user", user.username),
            ("id", user.user_id),
            ("name", user.name),
            ("e-mail", user.email),
            ("groups", ", ".join(user.groups)),
            ("state", _standing(user)),
            ("since", when(user.created_at)),
            ("sessions", str(len(live))),
        ]
    )
    for session in live:
        click.echo(f"  {session.sid}  last active {when(session.last_active_at)}")


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
