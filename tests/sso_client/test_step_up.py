"""Pages that ask for a sign-in that is fresh or of a certain kind: asked for again, never taken silently, no loop."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_client.flask import SSO, current_user
from sso_client.testing import FakeSSO, Page
from sso_client.testing.site import site_of
from tests.support.sdk import MovedClock


@pytest.fixture
def site(fake_sso: FakeSSO, clock: MovedClock) -> Flask:
    app = Flask("site_with_a_vault")
    sso = SSO(app, clock=clock)

    @app.get("/")
    @sso.login_required
    def home() -> str:
        return f"hi {current_user.username}"

    @app.route("/vault/<path:what>", methods=["GET", "POST"])
    @sso.login_required(max_age=300)
    def vault(what: str) -> str:
        return f"{what} of {current_user.username}"

    @app.get("/gold")
    @sso.login_required(acr=["gold", "platinum"])
    def gold() -> str:
        return str(current_user.acr)

    @app.get("/staff-vault")
    @sso.login_required(max_age=300, groups=["staff"])
    def staff_vault() -> str:
        return "staff"

    @app.get("/strict")
    @sso.login_required
    def strict() -> Any:
        return "strict" if current_user.is_fresh(300) else sso.ask_to_sign_in(max_age=300)

    return app


@pytest.fixture
def client(site: Flask) -> FlaskClient:
    return site.test_client()


def ago(seconds: float) -> int:
    return int(time.time() - seconds)


def asked_of_the_centre(client: FlaskClient, page: str) -> dict[str, list[str]]:
    answer = client.get(page)
    assert answer.location.startswith("/sso/login")
    return parse_qs(urlsplit(client.get(answer.location).location).query)


def test_an_old_sign_in_is_asked_for_again_and_comes_back_to_the_page(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, auth_time=ago(3600))
    assert client.get("/").text == "hi alice"
    assert asked_of_the_centre(client, "/vault/a?b=c%26d")["max_age"] == ["300"]
    page = fake_sso.visit(client, "/vault/ring")
    assert (page.status, page.text) == (200, "ring of alice")
    assert client.get("/vault/crown").text == "crown of alice", "once is enough for five minutes"
    assert len(fake_sso.live("alice")) == 1, "the session at the centre is the same"


def test_a_stranger_types_once(client: FlaskClient, fake_sso: FakeSSO) -> None:
    assert fake_sso.visit(client, "/vault/ring").text == "ring of alice"
    assert fake_sso.calls("authorize") == 1


def test_time_goes_by_until_it_is_due_again(client: FlaskClient, fake_sso: FakeSSO, clock: MovedClock) -> None:
    fake_sso.sign_in(client)
    clock.go(320)  # two clocks may be a minute apart
    assert client.get("/vault/ring").status_code == 200
    clock.go(50)
    assert client.get("/vault/ring").location == "/sso/login?next=/vault/ring&max_age=300"


def test_a_silent_answer_is_refused_and_what_was_there_stays(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, auth_time=ago(3600))
    page = fake_sso.visit(client, "/vault/ring", auth_time=ago(3600))  # a centre that ignores max_age
    assert (page.status, page.location) == (403, None)
    assert "auth_too_old" in page.text
    assert client.get("/").text == "hi alice"


def test_a_kind_of_sign_in_is_asked_for_and_demanded(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client)
    assert asked_of_the_centre(client, "/gold")["acr_values"] == ["gold platinum"]
    page = fake_sso.visit(client, "/gold", acr="silver")
    assert (page.status, page.location) == (403, None)
    assert "acr_unmet" in page.text
    assert client.get("/").text == "hi alice"
    assert fake_sso.visit(client, "/gold", acr="platinum").text == "platinum"
    assert client.get("/gold").text == "platinum"


def test_a_program_is_told_what_is_missing(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, auth_time=ago(3600))
    headers = {"Accept": "application/json", "Referer": "http://localhost/page"}
    answer = client.get("/vault/ring", headers=headers)
    assert answer.status_code == 401
    told = answer.get_json()
    assert (told["error"], told["max_age"]) == ("login_required", 300)
    assert told["login_url"].endswith("/sso/login?next=/page&max_age=300")
    assert client.get("/gold", headers=headers).get_json()["acr"] == ["gold", "platinum"]


def test_what_was_sent_is_not_lost_silently(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, auth_time=ago(3600))
    answer = client.post("/vault/ring", headers={"Referer": "http://localhost/form"})
    assert answer.status_code == 401
    assert 'href="/sso/login?next=/form&amp;max_age=300"' in answer.text
    assert "confirm that it&#x27;s you" in answer.text
    fake_sso.visit(client, "/sso/login?next=/&max_age=300")
    assert client.post("/vault/ring").text == "ring of alice"


def test_several_tabs_step_up_at_once(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, auth_time=ago(3600))
    logins = [client.get(f"/vault/{number}").location for number in range(4)]
    asked = [urlsplit(client.get(login).location) for login in logins]
    # The first tab's person types; the others' tabs come back later, with the same fresh sign-in.
    ends = []
    for query in (parts.query for parts in asked):
        back = urlsplit(fake_sso._through_the_provider(client, site_of(client), query, "alice", {"auth_time": ago(0)}))
        ends.append(client.get(f"{back.path}?{back.query}").location)
    assert ends == [f"/vault/{number}" for number in range(4)]
    assert [client.get(end).status_code for end in ends] == [200] * 4


@pytest.mark.parametrize("skew", [-45, 45])
def test_clocks_that_differ_by_less_than_a_minute_make_no_loop(
    skew: int, client: FlaskClient, fake_sso: FakeSSO
) -> None:
    fake_sso.skew(skew)
    fake_sso.sign_in(client, auth_time=ago(3600))
    assert fake_sso.visit(client, "/vault/ring").text == "ring of alice"


@pytest.mark.parametrize("age", [310, 355])
def test_a_stricter_guard_of_the_sites_own_makes_no_loop(age: int, client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, auth_time=ago(age))
    page: Page = fake_sso.visit(client, "/strict")
    assert page.text == "strict"


def test_who_is_not_in_the_group_needs_no_password_to_hear_it(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, auth_time=ago(3600))
    answer = client.get("/staff-vault")
    assert answer.status_code == 403
    assert "group_required" in answer.text


def test_a_link_can_only_ask_for_more(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client)
    assert client.get("/sso/login?next=/&max_age=-1").location == "/"
    assert client.get("/sso/login?next=/&max_age=99999999999999").location == "/"
    fake_sso.sign_in(other := client.application.test_client(), auth_time=ago(3600))  # type: ignore[attr-defined]
    assert fake_sso.visit(other, "/sso/login?next=/vault/ring&max_age=999999").location == "/vault/ring"
    assert other.get("/vault/ring").status_code == 302
