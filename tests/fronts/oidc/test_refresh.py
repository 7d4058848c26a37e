"""Refresh tokens rotate, die with their session, and raise the alarm when one comes back."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from sso_server.core.consents import Wish
from sso_server.core.sessions import EndReason
from tests.fronts.conftest import Later
from tests.support.oidc_site import OidcSite, built_of, change_client


@pytest.mark.covers("oidcc-refresh-token", "line-80")
def test_a_refresh_gives_a_new_pair_and_an_id_token_of_the_same_sign_in(
    browser: FlaskClient, shop: OidcSite, later: Later
) -> None:
    first = shop.tokens(browser)
    with later(120):
        second = shop.refresh(first["refresh_token"]).get_json()
        old, new = shop.claims(first["id_token"]), shop.claims(second["id_token"])
    assert set(second) == set(first)
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    same = ("iss", "sub", "aud", "sid", "auth_time", "amr")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert "nonce" not in new
    assert new["iat"] >= old["iat"] + 119
    assert 0 < second["session_expires_in"] <= first["session_expires_in"] - 119


def test_a_lost_answer_may_be_asked_for_again_for_a_minute(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    token = shop.tokens(browser)["refresh_token"]
    assert shop.refresh(token).status_code == 200
    with later(50):
        assert shop.refresh(token).status_code == 200


@pytest.mark.covers("line-35")
def test_a_token_that_comes_back_later_ends_the_session(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    first = shop.tokens(browser)
    second = shop.refresh(first["refresh_token"]).get_json()
    with later(62):
        answer = shop.refresh(first["refresh_token"]).get_json()
        assert (answer["error"], answer["error_description"]) == ("invalid_grant", "ticket_used")
        assert shop.refresh(second["refresh_token"]).status_code == 400
        assert shop.userinfo(second["access_token"]).status_code == 401
    (session,) = built_of(shop.app).services.ledger.list_ended(5)
    assert session.end_reason == "token_reuse"


@pytest.mark.covers("line-17", "oidcc-refresh-token")
def test_another_client_cannot_refresh(browser: FlaskClient, shop: OidcSite, wiki: OidcSite, spa: OidcSite) -> None:
    for stranger in (wiki, spa):
        answer = stranger.refresh(shop.tokens(browser)["refresh_token"])
        assert answer.get_json()["error_description"] == "ticket_other_client"


@pytest.mark.covers("line-17")
def test_the_scope_cannot_grow(browser: FlaskClient, shop: OidcSite) -> None:
    token = shop.tokens(browser, scope="openid email")["refresh_token"]
    assert shop.refresh(token, scope="openid groups").get_json()["error"] == "invalid_scope"
    assert shop.refresh(token, scope="openid").status_code == 200


def test_a_refresh_token_dies_with_the_session(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser)
    sid = shop.claims(tokens["id_token"])["sid"]
    built_of(shop.app).services.sign_out.end(sid, EndReason.SIGN_OUT, actor="user")
    assert shop.refresh(tokens["refresh_token"]).get_json()["error_description"] == "session_ended"


def test_an_offline_grant_outlives_its_session_and_then_names_none(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser, scope="openid offline_access")
    assert "offline_access" in tokens["scope"]
    sid = shop.claims(tokens["id_token"])["sid"]
    built_of(shop.app).services.sign_out.end(sid, EndReason.SIGN_OUT, actor="user")
    answer = shop.refresh(tokens["refresh_token"]).get_json()
    assert {"session_expires_in", "lease_s", "auth_time_ms"} & set(answer) == set()
    assert "sid" not in shop.claims(answer["id_token"])


@pytest.mark.parametrize("site_name", ["shop", "spa"])
@pytest.mark.covers("line-35")
def test_public_and_confidential_clients_rotate_alike(
    request: pytest.FixtureRequest, browser: FlaskClient, site_name: str
) -> None:
    site: OidcSite = request.getfixturevalue(site_name)
    token = site.tokens(browser)["refresh_token"]
    for _ in range(3):
        token = site.refresh(token).get_json()["refresh_token"]


@pytest.mark.covers("refresh-token")
def test_a_confidential_client_must_prove_itself(browser: FlaskClient, shop: OidcSite) -> None:
    token = shop.tokens(browser)["refresh_token"]
    assert shop.refresh(token, headers={}, client_id="shop").status_code == 401  # type: ignore[arg-type]


def test_a_client_without_the_refresh_grant_gets_no_refresh_token(
    browser: FlaskClient, shop: OidcSite, later: Later
) -> None:
    built = built_of(shop.app)
    client = built.services.clients.find("shop")
    assert client is not None
    built.sql.clients.update(replace(client, refresh_tokens=False), client)
    with later(2):
        tokens = shop.tokens(browser, scope="openid offline_access")
    assert "refresh_token" not in tokens
    assert tokens["scope"] == "openid"


def test_a_site_that_becomes_a_third_party_refreshes_nothing_without_consent(
    browser: FlaskClient, shop: OidcSite
) -> None:
    token = shop.tokens(browser, scope="openid offline_access")["refresh_token"]
    client, services = change_client(shop, metadata={"third_party": True}), built_of(shop.app).services
    for _ in range(2):
        refused = shop.refresh(token)
        assert (refused.status_code, refused.get_json()["error_description"]) == (400, "consent_removed")
    services.consents.give(services.accounts.get("alice").user_id, client, Wish(("openid", "offline_access")))
    assert shop.refresh(token).status_code == 200, "it was not spent"
