"""`sso user`."""

import pytest

from sso_server.core.sign_in import Visitor
from tests.cli.conftest import PASSWORD, Sso


def can_sign_in(sso: Sso, password: str) -> bool:
    from sso_server.core.errors import WrongCredentials

    built = sso.built()
    try:
        visitor = Visitor(browser_id="br-00-" + "a" * 32, address="192.0.2.7", user_agent="", known_mark="")
        built.services.sign_in.authenticate("alice", password, visitor)
    except WrongCredentials:
        return False
    finally:
        built.close()
    return True


def test_the_first_command_makes_the_database_by_itself(sso: Sso) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD + "\n")
    assert [user["username"] for user in sso.json("user", "list")] == ["alice"]


@pytest.mark.parametrize(
    ("typed", "password"),
    [
        (PASSWORD + "\n", PASSWORD),
        (PASSWORD + "\r\n", PASSWORD),
        (PASSWORD, PASSWORD),
        (PASSWORD + " \n\n", PASSWORD + " \n"),
        ("  spaces and 汉字  \n", "  spaces and 汉字  "),
    ],
)
def test_only_one_newline_is_dropped_from_a_password_on_standard_input(sso: Sso, typed: str, password: str) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=typed)
    assert can_sign_in(sso, password)


def test_an_account_has_what_was_said_and_never_shows_its_hash(sso: Sso) -> None:
    options = ["--name", "Alice", "--email", "a@example.com", "--group", "staff", "--group", "ops", "--admin"]
    added = sso.json("user", "add", "Alice", *options, "--password-stdin", stdin=PASSWORD)
    shown = sso.json("user", "show", "ALICE")
    assert shown == {**added, "sessions": []}
    assert {k: shown[k] for k in ("username", "name", "email", "groups", "is_admin", "disabled_at")} == {
        "username": "Alice",
        "name": "Alice",
        "email": "a@example.com",
        "groups": ["staff", "ops"],
        "is_admin": True,
        "disabled_at": None,
    }
    assert "argon2" not in sso.run("user", "show", "alice").output + str(shown)


def test_a_taken_name_and_a_short_password_are_refused_in_one_line(sso: Sso) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    taken = sso.run("user", "add", "ALICE", "--password-stdin", stdin=PASSWORD, code=1)
    assert taken.stderr == "Error: The user name 'ALICE' is taken.\n"
    short = sso.run("user", "add", "bob", "--password-stdin", stdin="short", code=1)
    assert "at least 8 characters" in short.stderr
    assert short.stdout == ""


def test_without_a_terminal_the_password_must_come_on_standard_input(sso: Sso) -> None:
    assert "--password-stdin" in sso.run("user", "add", "alice", code=2).stderr


def test_a_disabled_account_can_be_enabled_again(sso: Sso) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    assert sso.json("user", "disable", "alice")["disabled_at"] is not None
    assert not can_sign_in(sso, PASSWORD)
    assert sso.json("user", "enable", "alice")["disabled_at"] is None
    assert can_sign_in(sso, PASSWORD)


def test_a_new_password_signs_the_person_out(sso: Sso, sign_in) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000")
    sid = sign_in("alice", "shop").sid
    assert sso.json("user", "show", "alice")["sessions"] == [sid]
    sso.run("user", "set-password", "alice", "--password-stdin", stdin="another long one\n")
    assert sso.json("session", "list") == []
    assert sso.json("session", "show", sid)["end_reason"] == "password_change"
    assert can_sign_in(sso, "another long one")


def test_an_unknown_user_is_named(sso: Sso) -> None:
    assert "There is no user 'carol'" in sso.run("user", "show", "carol", code=1).stderr


def test_a_list_shows_everybody_in_columns(sso: Sso) -> None:
    for name in ("bob", "alice"):
        sso.run("user", "add", name, "--name", "汉字" if name == "bob" else "", "--password-stdin", stdin=PASSWORD)
    lines = sso.run("user", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["USER", "alice", "bob"]
