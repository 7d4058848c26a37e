"""A site that uses Flask-Login: our local session says who is signed in; nothing of Flask-Login's own undoes an end."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, request
from flask.testing import FlaskClient
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    fresh_login_required,
    login_fresh,
    login_required,
    login_user,
    logout_user,
    user_logged_in,
    user_logged_out,
)

from sso_client.flask import SSO
from sso_client.flask_login import FlaskLogin
from sso_client.testing import FakeSSO
from tests.support.sdk import MovedClock

Make = Callable[..., Flask]


class Account(UserMixin):
    """A row of the site's own table of users, whose class says "authenticated" whatever the row says."""

    is_authenticated = True

    def __init__(self, number: str) -> None:
        self.id = number
        self.active = True

    @property
    def is_active(self) -> bool:
        return self.active


ACCOUNTS = {"alice": "7", "bob": "8", "root": "1"}


@pytest.fixture
def accounts() -> dict[str, Account]:
    return {number: Account(number) for number in ACCOUNTS.values()}


@pytest.fixture
def make(fake_sso: FakeSSO, tmp_path: Path, clock: MovedClock, accounts: dict[str, Account]) -> Make:
    manager, sso = LoginManager(), SSO(clock=clock)
    manager.login_view = "old_login"

    @manager.user_loader
    def load(number: str) -> Account | None:
        return accounts.get(number)

    @manager.request_loader
    def by_key(asked: Any) -> Account | None:
        if sso.bearer is not None:
            return accounts.get(ACCOUNTS.get(sso.bearer.user.sub, ""))
        return accounts["1"] if asked.headers.get("X-Key") == "sesame" else None

    @sso.on_login
    def on_login(user: Any) -> Account | None:
        return accounts.get(ACCOUNTS.get(user.username, ""))

    def create_app(guard: Callable[[], None] = lambda: None, **options: Any) -> Flask:
        app = Flask("shop", instance_path=str(tmp_path / "instance"))
        app.before_request(guard)
        app.secret_key = "known only here"
        pages = Blueprint("pages", "pages")

        @pages.get("/")
        @login_required
        def home() -> str:
            return f"hi {current_user.id} {login_fresh()}"

        @pages.get("/vault")
        @fresh_login_required
        def vault() -> str:
            return "gold"

        @pages.get("/open")
        def open_page() -> str:
            return str(current_user.is_authenticated)

        @pages.get("/plain")
        def plain() -> str:
            return "asks nobody"

        @pages.get("/api")
        @sso.bearer_required()
        def api() -> str:
            return f"{sso.user.sub} is {current_user.get_id()}"

        @pages.get("/api/own")
        @sso.bearer_required()
        @login_required
        def own_api() -> str:
            return f"hi {current_user.id}"

        @pages.post("/leave")
        def leave() -> str:
            logout_user()
            return str(current_user.is_authenticated)

        @pages.post("/leave-by-sso")
        def leave_by_sso() -> str:
            was = sso.user.is_authenticated
            sso.sign_out()
            return f"{was} {sso.user.is_authenticated} {current_user.is_authenticated}"

        @pages.get("/old-login/<number>")
        def old_login(number: str) -> str:
            login_user(accounts[number], remember=True)
            return "in"

        manager.init_app(app)
        sso.init_app(app)
        app.register_blueprint(pages)
        FlaskLogin(sso, manager, **options).init_app(app)
        return app

    return create_app


@pytest.fixture
def client(make: Make) -> FlaskClient:
    return make().test_client()


def names(client: FlaskClient) -> set[str]:
    return {cookie.key for cookie in client._cookies.values()}


def test_login_required_leads_to_the_centre_and_back_to_the_sites_own_user(
    client: FlaskClient, fake_sso: FakeSSO
) -> None:
    answer = client.get("/?item=1")
    assert (answer.status_code, answer.location) == (302, "/sso/login?next=/?item%3D1")
    assert fake_sso.visit(client, "/", "alice").text == "hi 7 True"
    assert client.get("/open").text == "True"


def test_a_program_gets_json(client: FlaskClient) -> None:
    assert client.get("/", headers={"Accept": "application/json"}).json["error"] == "login_required"


@pytest.mark.parametrize("call", [True, False], ids=["called", "check-in"])
def test_an_end_elsewhere_is_the_end_here_whatever_flask_login_kept(
    call: bool, client: FlaskClient, fake_sso: FakeSSO, clock: MovedClock
) -> None:
    fake_sso.sign_in(client, "alice")
    client.get("/old-login/7")  # the site's own view, still there: an entry in Flask's session and a remember cookie
    assert {"remember_token", "session"} <= names(client)
    fake_sso.sign_out("alice", call=call)
    if not call:
        clock.go(61)
    assert client.get("/open").text == "False"
    assert "remember_token" not in names(client)
    assert client.get("/").status_code == 302


def test_the_remember_cookie_signs_nobody_in_and_is_warned_of_once(
    client: FlaskClient, fake_sso: FakeSSO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "sso_client")
    for _ in range(2):
        client.get("/old-login/7")
        client.delete_cookie("session")
        assert "remember_token" in names(client)
        assert client.get("/open").text == "False"
        assert "remember_token" not in names(client)
    assert sum("remember cookie" in record.message for record in caplog.records) == 1
    # Nor does it hide who is signed in really.
    client.get("/old-login/8")
    client.delete_cookie("session")
    assert fake_sso.visit(client, "/", "alice").text == "hi 7 True"


def test_login_user_takes_nobodys_place(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, "alice")
    client.get("/old-login/8")
    assert client.get("/").text == "hi 7 True"
    for name in names(client):
        if name.startswith("sso-"):
            client.delete_cookie(name)
    assert client.get("/open").text == "False"


def test_a_local_account_is_outside_single_sign_out_and_only_if_the_site_says_so(make: Make, fake_sso: FakeSSO) -> None:
    client = make(local_accounts=lambda number: number == "1").test_client()
    client.get("/old-login/1")
    assert client.get("/").text.startswith("hi 1")
    client.get("/old-login/7")
    assert client.get("/open").text == "False"
    # Who signs in at the centre is that person, and alone.
    client.get("/old-login/1")
    fake_sso.sign_in(client, "alice")
    assert client.get("/").text == "hi 7 True"
    fake_sso.sign_out("alice")
    assert client.get("/open").text == "False"


def test_a_guard_from_before_the_bridge_sees_who_is_there_now(make: Make, fake_sso: FakeSSO) -> None:
    seen: list[bool] = []

    def guard() -> None:
        if request.path == "/plain":
            seen.append(current_user.is_authenticated)

    client = make(guard).test_client()
    with client.session_transaction() as kept:
        kept["_user_id"] = "7"
    client.get("/plain")
    fake_sso.sign_in(client, "alice")
    client.get("/plain")
    fake_sso.sign_out("alice")
    client.get("/plain")
    assert seen == [False, True, False]


def test_the_sites_own_keys_for_programs_go_on(client: FlaskClient) -> None:
    assert client.get("/open", headers={"X-Key": "sesame"}).text == "True"
    assert client.get("/open").text == "False"


@pytest.mark.parametrize("cookie", ["none", "local account", "session"])
def test_a_token_speaks_for_its_person_alone_whatever_cookie_comes_with_it(
    cookie: str, make: Make, fake_sso: FakeSSO
) -> None:
    app = make(local_accounts=lambda number: number == "1")

    @app.before_request
    def guard() -> None:  # of the site's own: it has asked already
        current_user.get_id()

    client = app.test_client()
    if cookie == "local account":
        client.get("/old-login/1")
    elif cookie == "session":
        fake_sso.sign_in(client, "alice")
    for sub, found in (("zoe", None), ("bob", "8")):
        token = {"Authorization": f"Bearer {fake_sso.access_token(sub)}"}
        assert client.get("/api", headers=token).text == f"{sub} is {found}"
        own = client.get("/api/own", headers=token)
        assert (own.status_code, "account_refused" in own.text) == ((200, False) if found else (403, True))


@pytest.mark.parametrize(("path", "said"), [("/leave", "False"), ("/leave-by-sso", "True False False")])
def test_a_view_of_the_sites_own_signs_out_at_the_centre(
    path: str, said: str, client: FlaskClient, fake_sso: FakeSSO
) -> None:
    fake_sso.sign_in(client, "alice")
    assert client.post(path).text == said
    assert fake_sso.live("alice") == []
    assert client.get("/open").text == "False"
    assert not {name for name in names(client) if name.startswith("sso-") and not name.endswith("-turn")}


def test_a_sign_in_that_is_old_is_asked_for_again(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, "alice", auth_time=int(time.time()) - 3600)
    assert client.get("/").text == "hi 7 False"
    assert client.get("/vault").location == "/sso/login?next=/vault&max_age=300"
    assert fake_sso.visit(client, "/vault", "alice").text == "gold"
    assert client.get("/").text == "hi 7 True"


def test_clocks_that_differ_ask_nobody_twice(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, "alice", auth_time=int(time.time()) - 320)  # less than 300 s by the centre's clock
    assert client.get("/vault").text == "gold"


def test_an_account_that_the_site_does_not_know_gets_a_page_and_no_loop(
    client: FlaskClient, fake_sso: FakeSSO, accounts: dict[str, Account]
) -> None:
    answer = fake_sso.visit(client, "/", "stranger")
    assert answer.status == 403
    assert "account_refused" in answer.text
    other = client.application.test_client()  # type: ignore[attr-defined]
    fake_sso.sign_in(other, "alice")
    accounts["7"].active = False
    assert other.get("/").status_code == 403
    assert other.get("/open").text == "False"


def test_nobody_is_called_anonymous_while_nobody_can_tell(
    client: FlaskClient, fake_sso: FakeSSO, clock: MovedClock
) -> None:
    fake_sso.sign_in(client, "alice")
    fake_sso.cut_off()
    clock.go(61)
    assert client.get("/").status_code == 503
    assert client.get("/open").status_code == 503
    assert client.get("/plain").text == "asks nobody"
    fake_sso.heal()
    clock.go(3)
    assert client.get("/").text.startswith("hi 7")


def test_flask_logins_signals_are_sent_for_what_happens_in_this_browser(client: FlaskClient, fake_sso: FakeSSO) -> None:
    heard: list[tuple[str, str]] = []

    def came(_: Any, user: Account) -> None:
        heard.append(("in", user.id))

    def went(_: Any, user: Account) -> None:
        heard.append(("out", user.id))

    app = client.application  # type: ignore[attr-defined]
    with user_logged_in.connected_to(came, app), user_logged_out.connected_to(went, app):
        fake_sso.sign_in(client, "alice")
        client.post("/leave")
        fake_sso.sign_in(client, "bob")
        client.post("/sso/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert heard == [("in", "7"), ("out", "7"), ("in", "8"), ("out", "8")]


def test_pages_that_watch_and_files_keep_nobody_active(
    client: FlaskClient, fake_sso: FakeSSO, clock: MovedClock
) -> None:
    fake_sso.sign_in(client, "alice")
    for _ in range(3):
        clock.go(31)
        assert client.get("/sso/me").json["signed_in"] is True
        assert "event: over" not in client.get("/sso/events").text
        assert client.get("/static/shop.css").status_code == 404
    assert len(fake_sso.provider.check_ins) >= 3
    assert not any(told["active"] for told in fake_sso.provider.check_ins)
    clock.go(31)
    client.get("/")
    assert len(fake_sso.provider.check_ins[-1]["active"]) == 1


def test_two_applications_of_one_factory_and_an_outer_context_mix_nobody_up(make: Make, fake_sso: FakeSSO) -> None:
    one, two = make(), make()
    alice, bob = one.test_client(), two.test_client()
    fake_sso.sign_in(alice, "alice")
    fake_sso.sign_in(bob, "bob")
    with one.app_context():
        assert alice.get("/").text == "hi 7 True"
        assert one.test_client().get("/open").text == "False"
    assert bob.get("/").text == "hi 8 True"
