"""`sso user`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sso_server.core.consents import Wish
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
    assert shown == {**added, "sessions": [], "apps": []}
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


@pytest.mark.parametrize("words", [("disable", "alice"), ("set-password", "alice", "--password-stdin")])
def test_while_sessions_can_not_be_ended_nobody_takes_the_change_itself_for_undone(
    sso: Sso, words: tuple[str, ...]
) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    away = Sso({**sso.env, "SSO_REDIS_URL": "redis://127.0.0.1:1/0"})
    failed = away.run("user", *words, stdin="another good password", code=1)
    assert failed.stderr.startswith("Error: The change is written, but not all that follows it is done: ")
    assert "as soon as a delivery process reaches the stores" in failed.stderr
    assert not can_sign_in(sso, PASSWORD)


@pytest.mark.parametrize(
    "words",
    [
        ("disable", "alice"),
        ("set-password", "alice", "--password-stdin"),
        ("update", "alice", "--name", "Eve"),
        ("add", "eve", "--password-stdin"),
    ],
)
def test_a_change_whose_line_in_the_audit_can_not_be_written_is_not_made(
    sso: Sso, tmp_path: Path, words: tuple[str, ...]
) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    before = sso.json("user", "list")
    rename(tmp_path, "audit", "audit_away")
    failed = sso.run("user", *words, stdin="another good password", code=1)
    assert failed.stderr.startswith("Error: The service cannot answer right now.")
    rename(tmp_path, "audit_away", "audit")
    assert sso.json("user", "list") == before
    assert can_sign_in(sso, PASSWORD)
    sso.run("user", *words, stdin="another good password")


def rename(tmp_path: Path, table: str, name: str) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "lockstep.sqlite3")) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {name}")


def test_a_disabled_account_can_be_enabled_again(sso: Sso) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    assert sso.json("user", "disable", "alice")["disabled_at"] is not None
    assert not can_sign_in(sso, PASSWORD)
    assert sso.json("user", "enable", "alice")["disabled_at"] is None
    assert can_sign_in(sso, PASSWORD)


def test_what_a_person_allowed_an_app_is_shown(sso: Sso) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "photos", "--site", "http://127.0.0.1:5000")
    built = sso.built()
    photos, alice = built.services.clients.find("photos"), built.services.accounts.get("alice")
    assert photos is not None
    built.services.consents.give(alice.user_id, photos, Wish(("openid", "email"), ("birthdate",)))
    built.close()
    (app,) = sso.json("user", "show", "alice")["apps"]
    assert (app["client_id"], app["scope"], app["claims"]) == ("photos", ["openid", "email"], ["birthdate"])
    assert app["granted_at"] == app["last_used_at"]
    assert "app photos: openid, email, birthdate; since " in sso.run("user", "show", "alice").output


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


def test_a_person_has_all_claims_of_openid_connect_and_each_can_be_taken_away(sso: Sso) -> None:
    given = ["--claim", "given_name=Ada", "--claim", "address.country=Chile", "--locale", "es-CL", "--email-verified"]
    added = sso.json("user", "add", "ada", "--email", "ada@example.com", *given, "--password-stdin", stdin=PASSWORD)
    assert added["claims"] == {"given_name": "Ada", "address": {"country": "Chile"}}
    assert (added["locale"], added["email_verified"]) == ("es-CL", True)
    changed = [
        "--claim",
        "address.country=",
        "--claim",
        "phone_number=+56 2 555 1212",
        "--claim",
        "birthdate=0000-02-29",
    ]
    updated = sso.json("user", "update", "ada", *changed, "--name", "Ada L.", "--group", "staff")
    assert updated["claims"] == {"given_name": "Ada", "phone_number": "+56 2 555 1212", "birthdate": "0000-02-29"}
    assert (updated["name"], updated["groups"], updated["locale"]) == ("Ada L.", ["staff"], "es-CL")
    assert updated["updated_at"] > added["updated_at"] == added["created_at"]
    shown = sso.run("user", "show", "ada").stdout
    assert "ada@example.com (verified)" in shown
    assert "+56 2 555 1212" in shown
    assert sso.json("user", "update", "ada", "--no-groups", "--claim", "given_name=")["groups"] == []


def test_what_was_verified_of_an_address_or_a_number_is_not_said_of_another(sso: Sso) -> None:
    sso.run("user", "add", "ada", "--email", "a@example.com", "--email-verified", "--password-stdin", stdin=PASSWORD)
    phone = ["--claim", "phone_number=+56 2 555 1212", "--claim", "phone_number_verified=true"]
    assert sso.json("user", "update", "ada", *phone)["claims"]["phone_number_verified"] is True
    moved = sso.json("user", "update", "ada", "--email", "b@example.com", "--claim", "phone_number=+56 2 555 1313")
    assert moved["email_verified"] is False
    assert moved["claims"] == {"phone_number": "+56 2 555 1313"}


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("birthdate=1990-02-30", "birthdate: must be a date"),
        ("website=javascript:alert(1)", "website: must be"),
        ("picture=https://eve@bank.example/", "picture: must be"),
        ("phone_number=112", "phone_number: must be"),
        ("phone_number_verified=maybe", "phone_number_verified: must be true or false"),
        ("phone_number_verified=true", "there is no phone_number"),
        ("zoneinfo=here and now", "zoneinfo: must be a time zone"),
        ("address.planet=Earth", "address.planet: must be one of"),
        ("nickname=a\x07b", "nickname: must be"),
        ("nickname=" + "a" * 1001, "nickname: must be"),
        ("shoe_size=44", "There is no claim 'shoe_size'"),
        ("sub=usr-eve", "There is no claim 'sub'"),
    ],
)
def test_a_claim_of_another_type_or_name_is_refused_and_nothing_changes(sso: Sso, claim: str, told: str) -> None:
    sso.run("user", "add", "ada", "--password-stdin", stdin=PASSWORD)
    assert told in sso.run("user", "update", "ada", "--name", "Eve", "--claim", claim, code=1).stderr
    assert sso.json("user", "show", "ada")["name"] == ""


def test_an_update_that_says_nothing_or_the_same_twice_is_wrong_usage(sso: Sso) -> None:
    sso.run("user", "add", "ada", "--password-stdin", stdin=PASSWORD)
    for wrong in ([], ["--claim", "x"], ["--claim", "=x"], ["--claim", "gender=a", "--claim", "gender=b"]):
        sso.run("user", "update", "ada", *wrong, code=2)
    sso.run("user", "update", "ada", "--group", "a", "--no-groups", code=2)
    assert "language tag" in sso.run("user", "update", "ada", "--locale", "??", code=1).stderr
    assert "could be verified" in sso.run("user", "update", "ada", "--email-verified", code=1).stderr
