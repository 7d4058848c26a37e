"""An existing Flask site becomes one of many by a diff of at most twenty lines, and keeps its own users."""

import logging
import re
import sqlite3
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from sso_client.testing import FakeSSO

HERE = Path(__file__).parent / "existing_site"
DIFF = HERE / "to_single_sign_on.diff"
Load = Callable[[str], Any]


def patched(text: str, diff: str) -> str:
    """The text after a unified diff; every line of context must be there as it says."""
    old, new, at = text.splitlines(keepends=True), [], 0
    for line in diff.splitlines(keepends=True)[2:]:
        if hunk := re.match(r"@@ -(\d+)", line):
            start = int(hunk[1]) - 1
            new, at = new + old[at:start], start
            continue
        kind, rest = line[0], line[1:]
        if kind in " -":
            assert old[at] == rest, f"line {at + 1} isn't {rest!r}"
            at += 1
        if kind in " +":
            new.append(rest)
    return "".join(new + old[at:])


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Imports a text as the site's module."""

    def run(text: str) -> Any:
        module = types.ModuleType("notes")
        module.__file__ = str(tmp_path / "notes.py")
        sys.modules["notes"] = module
        exec(compile(text, module.__file__, "exec"), module.__dict__)
        return module

    yield run
    sys.modules.pop("notes", None)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {"DATABASE": str(tmp_path / "notes.sqlite3"), "SECRET_KEY": "the site's own", "WTF_CSRF_TIME_LIMIT": None}


@pytest.fixture
def before(load: Load, config: dict[str, Any]) -> Any:
    """The site as it was, with two accounts that have a password there."""
    site = load((HERE / "before.py").read_text("utf-8"))
    app = site.create_app(**config)
    with app.app_context():
        for name in ("alice", "bob"):
            site.add_account(name, f"{name}'s password")
    return app


@pytest.fixture
def after(before: Any, fake_sso: FakeSSO, load: Load, config: dict[str, Any]) -> Any:
    """The same with the diff, on the same database."""
    return load(patched((HERE / "before.py").read_text("utf-8"), DIFF.read_text("utf-8"))).create_app(**config)


def token(client: FlaskClient, page: str = "/") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page).text)
    assert found
    return found[1]


def sign_in_as_before(client: FlaskClient, name: str) -> None:
    form = {"username": name, "password": f"{name}'s password", "remember": "on", "csrf_token": token(client, "/login")}
    assert client.post("/login", data=form).location == "/"


def add_note(client: FlaskClient, text: str) -> None:
    assert client.post("/notes", data={"text": text, "csrf_token": token(client)}).status_code == 302


def test_the_diff_has_at_most_twenty_lines() -> None:
    changed = [line for line in DIFF.read_text("utf-8").splitlines()[2:] if line[:1] in ("+", "-")]
    assert len(changed) <= 20
    assert 140 <= len((HERE / "before.py").read_text("utf-8").splitlines()) <= 160


def test_the_site_works_before(before: Any) -> None:
    client = before.test_client()
    assert client.get("/").location == "/login?next=%2F"
    sign_in_as_before(client, "alice")
    add_note(client, "buy milk")
    assert "buy milk" in client.get("/").text


def test_people_keep_their_accounts_and_what_is_in_them(before: Any, after: Any, fake_sso: FakeSSO) -> None:
    old = before.test_client()
    sign_in_as_before(old, "alice")
    add_note(old, "buy milk")
    client = after.test_client()
    assert client.get("/").location == "/sso/login?next=/"
    page = fake_sso.visit(client, "/", "alice")
    assert "buy milk" in page.text
    assert 'src="/sso/tab.js" data-sub="alice"' in page.text
    add_note(client, "and bread")
    assert "and bread" in client.get("/").text


def test_somebody_new_gets_an_account(after: Any, fake_sso: FakeSSO, config: dict[str, Any]) -> None:
    client = after.test_client()
    fake_sso.visit(client, "/", "carol")
    add_note(client, "hello")
    with sqlite3.connect(config["DATABASE"]) as db:
        assert db.execute("SELECT count(*) FROM users WHERE username = 'carol'").fetchone() == (1,)
    db.close()


def test_who_was_signed_in_or_remembered_before_must_sign_in_once(before: Any, after: Any) -> None:
    client = before.test_client()
    sign_in_as_before(client, "alice")
    assert client.get("/").status_code == 200
    client.application = after
    assert client.get("/").location == "/sso/login?next=/"
    client.delete_cookie("session")
    assert client.get("/").location == "/sso/login?next=/"
    assert client.get_cookie("remember_token") is None


def test_the_old_sign_out_button_signs_out_everywhere(after: Any, fake_sso: FakeSSO) -> None:
    client = after.test_client()
    fake_sso.sign_in(client, "alice")
    assert client.post("/logout").status_code == 400, "the site's own form still needs its token"
    assert client.post("/logout", data={"csrf_token": token(client)}).location == "/healthz"
    assert fake_sso.live("alice") == []
    assert client.get("/").status_code == 302


def test_the_centres_call_gets_through_guard_and_csrf_protection(after: Any, fake_sso: FakeSSO) -> None:
    client = after.test_client()
    fake_sso.sign_in(client, "alice")
    fake_sso.sign_out("alice")
    assert client.get("/").location == "/sso/login?next=/"


def test_the_old_address_of_the_sign_in_page_leads_to_the_centre(after: Any) -> None:
    assert after.test_client().get("/login").location == "/sso/login"


def test_an_account_that_the_site_has_closed_gets_a_page(after: Any, fake_sso: FakeSSO) -> None:
    client = after.test_client()
    fake_sso.sign_in(client, "bob")
    assert client.post("/close", data={"csrf_token": token(client)}).location == "/healthz"
    assert client.get("/").status_code == 403


def test_a_guard_that_was_forgotten_is_named_with_the_lines_to_add(
    before: Any, fake_sso: FakeSSO, load: Load, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    text = patched((HERE / "before.py").read_text("utf-8"), DIFF.read_text("utf-8"))
    app = load(text.replace("sso.is_own_route() or ", "")).create_app(**config)
    caplog.set_level(logging.ERROR, "sso_client")
    client = app.test_client()
    answers = [client.get("/sso/login"), client.post("/sso/backchannel-logout"), client.get("/sso/login")]
    assert [answer.status_code for answer in answers] == [302, 401, 302]
    said = [record.message for record in caplog.records]
    assert len(said) == 2
    for message in said:
        assert "guard_in_the_way" in message
        assert "if sso.is_own_route(): return None" in message
