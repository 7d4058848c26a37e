"""What a site does itself when somebody signs in or out: it maps or refuses people, and hears of each end once."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_client import SSOError, User
from sso_client.flask import SSO
from sso_client.testing import FakeSSO
from tests.support.sdk import MovedClock


class Account:
    """The site's own user, as Flask-Login knows them."""

    def get_id(self) -> int:
        return 7


@pytest.fixture
def make(fake_sso: FakeSSO, clock: MovedClock) -> Callable[..., Flask]:
    def site(on_login: Callable[[User], Any] | None = None, **options: Any) -> Flask:
        app = Flask("site_with_hooks")
        sso = SSO(app, clock=clock, **options)
        app.config["heard"] = []
        if on_login is not None:
            sso.on_login(on_login)

        @sso.on_logout
        def fails(user: User, reason: str) -> None:
            raise RuntimeError("the site's own trouble")

        @sso.on_logout
        def hears(user: User, reason: str) -> None:
            app.config["heard"].append((user.username, reason))

        @app.get("/")
        @sso.login_required
        def home() -> str:
            assert sso.session is not None
            return f"{sso.session.site_user!r}"

        @app.get("/token")
        @sso.login_required
        def token() -> str:
            return sso.access_token()

        @app.get("/open")
        def open_page() -> str:
            return str(sso.session is None)

        return app

    return site


@pytest.mark.parametrize(("answer", "kept"), [(7, "'7'"), ("seven", "'seven'"), (Account(), "'7'"), (None, "None")])
def test_on_login_names_the_sites_own_user(answer: Any, kept: str, make, fake_sso: FakeSSO) -> None:
    people: list[User] = []

    def on_login(user: User) -> Any:
        people.append(user)
        return answer

    client = make(on_login).test_client()
    fake_sso.sign_in(client, "alice", email="alice@example.com")
    assert client.get("/").text == client.get("/").text == kept
    assert [(user.username, user.email) for user in people] == [("alice", "alice@example.com")], "asked once"


def refuse(_: User) -> Any:
    raise SSOError("account_refused", "no such member")


@pytest.mark.parametrize("on_login", [refuse, lambda _: False, lambda _: ""])
def test_whom_the_site_refuses_gets_a_page_and_no_session(on_login, make, fake_sso: FakeSSO) -> None:
    client = make(on_login).test_client()
    page = fake_sso.visit(client, "/", "mallory")
    assert page.status == 403
    assert "account_refused" in page.text
    assert "no such member" not in page.text
    assert client.get("/open").text == "True"


def test_a_hook_that_fails_is_the_sites_own_500_and_opens_nothing(make, fake_sso: FakeSSO) -> None:
    broken = [True]

    def on_login(user: User) -> str:
        if broken:
            raise ZeroDivisionError(broken.pop())
        return user.username

    client = make(on_login).test_client()
    assert fake_sso.visit(client, "/").status == 500
    assert client.get("/open").text == "True"
    assert fake_sso.visit(client, "/").text == "'alice'", "the next attempt is a new one"


def signs_out_here(client: FlaskClient, sso: FakeSSO, clock: MovedClock) -> None:
    client.post("/sso/logout", headers={"Sec-Fetch-Site": "same-origin"})


def leaves_this_site_only(client: FlaskClient, sso: FakeSSO, clock: MovedClock) -> None:
    client.post("/sso/logout", data={"scope": "site"}, headers={"Sec-Fetch-Site": "same-origin"})


def is_called(client: FlaskClient, sso: FakeSSO, clock: MovedClock) -> None:
    (sid,) = sso.live("alice")
    sso.sign_out("alice", reason="administrator")
    assert sso.call_logout(client, sso.logout_token(sid)).status == 200  # the same end again


def hears_at_check_in(client: FlaskClient, sso: FakeSSO, clock: MovedClock) -> None:
    sso.sign_out("alice", reason="disabled", call=False)
    clock.go(31)
    client.get("/open")
    clock.go(31)
    client.get("/open")


def is_refused_a_new_token(client: FlaskClient, sso: FakeSSO, clock: MovedClock) -> None:
    sso.fail("token", "invalid_grant")
    clock.go(25)
    for _ in range(2):
        client.get("/token")


def runs_out(client: FlaskClient, sso: FakeSSO, clock: MovedClock) -> None:
    clock.go(41)
    bob = client.application.test_client()  # type: ignore[attr-defined]  # somebody else's requests
    sso.sign_in(bob, "bob")
    clock.go(31)
    bob.get("/")
    bob.get("/")


@pytest.fixture
def short_tokens(fake_sso: FakeSSO) -> None:
    fake_sso.provider.access_token_s = 20


@pytest.mark.usefixtures("short_tokens")
@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        (signs_out_here, "signed_out_here"),
        (leaves_this_site_only, "left_site"),
        (is_called, "administrator"),
        (hears_at_check_in, "disabled"),
        (is_refused_a_new_token, "refresh_refused"),
        (runs_out, "expired"),
    ],
)
def test_on_logout_hears_of_every_end_once_and_stops_none(
    ends: Callable[..., None], reason: str, make, fake_sso: FakeSSO, clock: MovedClock
) -> None:
    app = make(session_max_age=40 if ends is runs_out else 3600)
    client = app.test_client()
    fake_sso.sign_in(client, "alice")
    assert client.get("/").status_code == 200
    ends(client, fake_sso, clock)
    assert client.get("/open").text == "True"
    heard = [one for one in app.config["heard"] if one[0] == "alice"]
    assert heard == [("alice", reason)]
