"""A Flask site's API: who shows an access token is its caller; everybody else gets a status, never a redirect."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_client.flask import SSO, current_user
from sso_client.testing import FakeSSO
from tests.support.sdk import MovedClock


@pytest.fixture
def client(fake_sso: FakeSSO, clock: MovedClock) -> FlaskClient:
    app = Flask("site_with_api")
    sso = SSO(app, clock=clock)

    @app.route("/api/me", methods=["GET", "POST"])
    @sso.bearer_required()
    def me() -> dict[str, Any]:
        assert sso.bearer is not None
        return {"sub": current_user.sub, "sid": sso.bearer.user.sid}

    @app.get("/api/orders")
    @sso.bearer_required(scope="openid orders:read")
    def orders() -> str:
        return "orders"

    @app.get("/api/staff")
    @sso.bearer_required(groups=["staff", "boss"])
    def staff() -> str:
        return "staff"

    @app.get("/page")
    @sso.login_required
    def page() -> str:
        return f"{current_user.sub} {sso.bearer}"

    @app.get("/token")
    @sso.login_required
    def token() -> str:
        return sso.access_token()

    @app.get("/token-of-nobody")
    def token_of_nobody() -> str:
        return sso.access_token()

    return app.test_client()


def bearing(token: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **headers}


@pytest.fixture(params=["opaque", "jwt"])
def kind(request: pytest.FixtureRequest, fake_sso: FakeSSO) -> str:
    fake_sso.provider.access_token = request.param
    return str(request.param)


def test_the_caller_is_the_tokens_person_whoever_is_signed_in_here(
    kind: str, client: FlaskClient, fake_sso: FakeSSO
) -> None:
    fake_sso.sign_in(client, "bob")
    token = fake_sso.access_token("alice")
    answer = client.post("/api/me", headers=bearing(token))
    assert (answer.status_code, answer.get_json()["sub"]) == (200, "alice")
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/page").text == "bob None"


@pytest.mark.parametrize("accept", ["text/html", "application/json", ""])
def test_without_a_good_token_the_answer_is_401_and_says_how(accept: str, client: FlaskClient) -> None:
    nobody = client.get("/api/me", headers={"Accept": accept})
    assert (nobody.status_code, nobody.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert "error=" not in nobody.headers["WWW-Authenticate"], "RFC 6750 section 3.1: nothing was shown"
    wrong = client.get("/api/me", headers=bearing("nonsense", Accept=accept))
    assert wrong.status_code == 401
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
    assert wrong.get_json()["error"] == "bearer_invalid"
    assert nobody.location is wrong.location is None


def test_a_session_is_no_token(client: FlaskClient, fake_sso: FakeSSO) -> None:
    fake_sso.sign_in(client, "alice")
    assert client.get("/api/me").status_code == 401


def test_what_a_token_may_not_is_403(kind: str, client: FlaskClient, fake_sso: FakeSSO) -> None:
    plain = fake_sso.access_token("alice", groups=["reader"])
    refused = client.get("/api/orders", headers=bearing(plain))
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
    assert 'scope="openid orders:read"' in refused.headers["WWW-Authenticate"]
    may = fake_sso.access_token("alice", scope="openid orders:read")
    assert client.get("/api/orders", headers=bearing(may)).text == "orders"
    assert client.get("/api/staff", headers=bearing(plain)).status_code == 403
    staff = fake_sso.access_token("carol", groups=["boss"])
    assert client.get("/api/staff", headers=bearing(staff)).text == "staff"


def test_a_group_that_is_missing_is_json_for_programs(client: FlaskClient, fake_sso: FakeSSO) -> None:
    answer = client.get("/api/staff", headers=bearing(fake_sso.access_token("alice")))
    assert (answer.status_code, answer.get_json()["error"]) == (403, "bearer_group")


def test_a_token_of_this_site_works_until_its_person_signs_out(
    kind: str, client: FlaskClient, fake_sso: FakeSSO, clock: MovedClock
) -> None:
    fake_sso.sign_in(client, "alice")
    token = client.get("/token").text
    caller = client.application.test_client()  # type: ignore[attr-defined]
    assert caller.get("/api/me", headers=bearing(token)).get_json()["sub"] == "alice"
    fake_sso.sign_out("alice")
    clock.go(61)
    assert caller.get("/api/me", headers=bearing(token)).status_code == 401
    assert client.get("/token").status_code == 302


def test_nobody_has_no_token(client: FlaskClient) -> None:
    answer = client.get("/token-of-nobody", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "login_required")
    page = client.get("/token-of-nobody", headers={"Accept": "text/html"})
    assert page.location is None
