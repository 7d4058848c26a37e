"""The person's claims for a bearer token."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from sso_server.core.sessions import EndReason
from tests.fronts.conftest import Later
from tests.support.oidc_site import OidcSite, built_of


def test_each_scope_opens_its_claims(browser: FlaskClient, shop: OidcSite) -> None:
    sub = shop.claims(shop.tokens(browser)["id_token"])["sub"]
    made = built_of(shop.app).services.accounts.get("alice").created_at // 1000
    opened = {
        "openid": {"sub": sub},
        "openid profile": {"sub": sub, "name": "Alice", "preferred_username": "alice", "updated_at": made},
        "openid email": {"sub": sub, "email": "alice@example.com", "email_verified": False},
        "openid groups": {"sub": sub, "groups": ["staff"]},
    }
    for scope, claims in opened.items():
        answer = shop.userinfo(shop.tokens(browser, scope=scope)["access_token"])
        assert (answer.status_code, answer.mimetype, answer.get_json()) == (200, "application/json", claims)
        assert answer.headers["Cache-Control"] == "no-store"


def test_the_token_comes_by_get_by_post_or_in_the_form(browser: FlaskClient, shop: OidcSite) -> None:
    token = shop.tokens(browser)["access_token"]
    calls = shop.app.test_client(use_cookies=False)
    bearer = {"Authorization": f"bearer {token}"}
    answers = [
        calls.get("/userinfo", headers=bearer),
        calls.post("/userinfo", headers=bearer),
        calls.post("/userinfo", data={"access_token": token}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 3


def test_a_token_in_the_query_counts_as_none(browser: FlaskClient, shop: OidcSite) -> None:
    token = shop.tokens(browser)["access_token"]
    for call in (shop.app.test_client().get, shop.app.test_client().post):
        assert call("/userinfo", query_string={"access_token": token}).status_code == 401


def test_without_a_token_there_is_a_challenge_and_no_error_code(shop: OidcSite) -> None:
    answer = shop.app.test_client().get("/userinfo", headers=shop.basic)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="lockstep"'
    assert "error" not in answer.get_json()


def test_two_tokens_are_invalid_request(browser: FlaskClient, shop: OidcSite) -> None:
    token = shop.tokens(browser)["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = shop.app.test_client().post("/userinfo", headers=headers, data={"access_token": token})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("odd", ["x", "at-07-" + "a" * 32, "at-99-" + "a" * 32, 'x" y', "é"])
def test_a_bad_token_is_invalid_token(shop: OidcSite, odd: str) -> None:
    answer = shop.app.test_client().post("/userinfo", data={"access_token": odd})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_tickets_refresh_tokens_and_id_tokens_are_no_access_tokens(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser)
    for other in (tokens["refresh_token"], tokens["id_token"], shop.code(browser)):
        assert shop.userinfo(other).status_code == 401


def test_an_access_token_dies_of_age_and_with_its_session(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    tokens = shop.tokens(browser)
    with later(301):
        assert shop.userinfo(tokens["access_token"]).status_code == 401
    assert shop.userinfo(tokens["access_token"]).status_code == 200
    sid = shop.claims(tokens["id_token"])["sid"]
    built_of(shop.app).services.sign_out.end(sid, EndReason.SIGN_OUT, actor="user")
    assert shop.userinfo(tokens["access_token"]).status_code == 401


def test_a_disabled_person_has_no_claims_even_before_the_order_to_end_everything_has_run(
    browser: FlaskClient, shop: OidcSite
) -> None:
    token = shop.tokens(browser, scope="openid offline_access")["access_token"]
    users = built_of(shop.app).services.users
    alice = users.find_by_username("alice")
    assert alice is not None
    assert users.update(replace(alice, disabled_at=1))
    built_of(shop.app).services.people.changed()
    assert shop.userinfo(token).status_code == 401


def test_only_get_and_post_are_allowed(shop: OidcSite) -> None:
    answer = shop.app.test_client().delete("/userinfo")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
