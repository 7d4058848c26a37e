"""Token exchange (RFC 8693): the wiki's API got the shop's token, and asks for one for the vault's."""

from dataclasses import replace
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient

from sso_server.core.client_metadata import TOKEN_EXCHANGE
from sso_server.core.direct_grants import MOST_ACTORS
from tests.fronts.conftest import Later
from tests.fronts.grants.conftest import ACCESS_TOKEN, EVERYWHERE, denied, described, end, exchange
from tests.support.oidc_site import ISSUER, OidcSite, built_of, change_client

DEAD = {"active": False}


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.fixture
def came(browser: FlaskClient, shop: OidcSite, kind: str) -> str:
    """The token with which the shop called the wiki's API, for alice."""
    token: str = shop.tokens(browser, scope="openid groups stock.read")["access_token"]
    return token


@EVERYWHERE
def test_an_api_gets_a_token_for_the_next_one_for_the_same_person(came: str, wiki: OidcSite, vault: OidcSite) -> None:
    answer = exchange(wiki, came)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    body = answer.get_json()
    assert set(body) == {"access_token", "issued_token_type", "token_type", "expires_in", "scope"}
    assert (body["issued_token_type"], body["token_type"], body["scope"]) == (
        ACCESS_TOKEN, "Bearer", "groups stock.read"
    )  # fmt: skip
    before, found = described(wiki, came), described(vault, body["access_token"])
    assert {name: found[name] for name in ("sub", "sid", "auth_time", "amr", "groups")} == {
        name: before[name] for name in ("sub", "sid", "auth_time", "amr", "groups")
    }
    assert (found["client_id"], found["aud"], found["act"]) == ("wiki", ["vault"], {"sub": "wiki"})
    assert "act" not in before


@pytest.mark.parametrize("kind", ["jwt"], indirect=True)
def test_a_jwt_says_who_acts(came: str, wiki: OidcSite, vault: OidcSite) -> None:
    claims = claims_of(exchange(wiki, came).get_json()["access_token"])
    assert (claims["act"], claims["client_id"], claims["aud"]) == ({"sub": "wiki"}, "wiki", ["vault"])
    assert claims["sid"] == claims_of(came)["sid"]


@pytest.mark.parametrize("kind", ["opaque", "jwt"], indirect=True)
def test_who_acted_before_is_named_behind(came: str, shop: OidcSite, wiki: OidcSite, vault: OidcSite) -> None:
    change_client(shop, metadata={"grant_types": (TOKEN_EXCHANGE,), "exchange_audience": ("vault",)})
    first = exchange(wiki, came).get_json()["access_token"]
    second = exchange(vault, first, audience="shop").get_json()["access_token"]
    found = described(shop, second)
    assert found["act"] == {"sub": "vault", "act": {"sub": "wiki"}}
    assert found["aud"] == ["shop"]
    if second.count(".") == 2:
        assert claims_of(second)["act"] == found["act"]


@pytest.mark.parametrize("kind", ["opaque", "jwt"], indirect=True)
def test_a_token_is_exchanged_ten_times_and_no_more(came: str, wiki: OidcSite, vault: OidcSite) -> None:
    token = came
    for _ in range(MOST_ACTORS):
        token = exchange(wiki, token).get_json()["access_token"]
    answer = exchange(wiki, token)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert str(described(vault, token)["act"]).count("wiki") == MOST_ACTORS == 10


def test_it_lives_no_longer_than_the_token_it_was_exchanged_for(
    came: str, wiki: OidcSite, vault: OidcSite, later: Later
) -> None:
    with later(200):
        body = exchange(wiki, came).get_json()
        assert 95 <= body["expires_in"] <= 100
        assert described(vault, body["access_token"])["exp"] <= described(wiki, came)["exp"]
    with later(301):
        assert described(vault, body["access_token"]) == DEAD


@EVERYWHERE
def test_it_dies_with_the_session_and_apis_hear_of_it(came: str, wiki: OidcSite, vault: OidcSite, kind: str) -> None:
    token = exchange(wiki, came).get_json()["access_token"]
    sid = described(wiki, came)["sid"]
    end(wiki, sid)
    assert described(vault, token) == described(wiki, token) == DEAD
    if kind == "jwt":
        assert denied(vault) == {sid}
    assert exchange(wiki, came).get_json()["error"] == "invalid_request"


@EVERYWHERE
def test_it_can_be_revoked_by_the_one_who_got_it(came: str, shop: OidcSite, wiki: OidcSite, vault: OidcSite) -> None:
    token = exchange(wiki, came).get_json()["access_token"]
    for stranger in (shop, vault):
        stranger.post("/revoke", token=token)
    assert described(vault, token)["active"] is True
    wiki.post("/revoke", token=token)
    assert described(vault, token) == DEAD
    if token.count(".") == 2:
        assert denied(vault) == {claims_of(token)["jti"]}


def test_userinfo_is_opened_only_if_that_was_asked_for(came: str, wiki: OidcSite, vault: OidcSite) -> None:
    assert wiki.userinfo(exchange(wiki, came).get_json()["access_token"]).status_code == 403
    asked = exchange(wiki, came, scope="openid groups").get_json()
    assert asked["scope"] == "openid groups"
    assert described(vault, asked["access_token"])["aud"] == [ISSUER, "vault"]
    assert wiki.userinfo(asked["access_token"]).status_code == 200


def test_the_scope_never_grows(came: str, wiki: OidcSite, vault: OidcSite) -> None:
    answer = exchange(wiki, came, scope="groups email")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_scope")
    assert exchange(wiki, came, scope="groups").get_json()["scope"] == "groups"


def test_a_narrow_token_gives_no_more_than_it_has(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, vault: OidcSite
) -> None:
    tokens = shop.tokens(browser, scope="openid groups stock.read")
    narrow = shop.refresh(tokens["refresh_token"], scope="stock.read").get_json()["access_token"]
    assert exchange(wiki, narrow).get_json()["scope"] == "stock.read"
    assert exchange(wiki, narrow, scope="groups").get_json()["error"] == "invalid_scope"


def test_targets_are_named_by_client_or_by_resource(came: str, wiki: OidcSite, vault: OidcSite) -> None:
    for more, audience in (
        ({"audience": "vault"}, ["vault"]),
        ({"audience": None, "resource": "https://vault.example.com/"}, ["https://vault.example.com/"]),
        ({"audience": None}, ["vault"]),
    ):
        token = exchange(wiki, came, **more).get_json()["access_token"]
        assert described(vault, token)["aud"] == audience


@pytest.mark.parametrize(
    "more", [{"audience": "shop"}, {"audience": "nobody"}, {"resource": "https://elsewhere.example.com/"}]
)
def test_a_target_beyond_the_policy_is_refused(
    came: str, wiki: OidcSite, vault: OidcSite, more: dict[str, str]
) -> None:
    answer = exchange(wiki, came, **more)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_target")


def test_without_a_policy_there_is_no_target(came: str, wiki: OidcSite, vault: OidcSite) -> None:
    change_client(wiki, metadata={"exchange_audience": ()})
    for more in ({}, {"audience": None}):
        assert exchange(wiki, came, **more).get_json()["error"] == "invalid_target"


def test_only_who_is_registered_for_it_may(came: str, shop: OidcSite, spa: OidcSite) -> None:
    assert exchange(shop, came).get_json()["error"] == "unauthorized_client"
    change_client(spa, metadata={"grant_types": (TOKEN_EXCHANGE,), "exchange_audience": ("wiki",)})
    assert exchange(spa, came).get_json()["error"] == "unauthorized_client", "a public one never"


def test_a_token_that_did_not_come_to_it_is_refused(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, vault: OidcSite, kind: str
) -> None:
    tokens = shop.tokens(browser)
    own = wiki.tokens(browser)
    change_client(shop, metadata={"grant_types": ("client_credentials",)})
    of_nobody = shop.post("/token", grant_type="client_credentials").get_json()["access_token"]
    refused = [
        *(tokens["refresh_token"], tokens["id_token"], "unknown", "at-07-" + "a" * 32),
        *(own["refresh_token"], of_nobody),
    ]
    for token in refused:
        answer = exchange(wiki, token)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request"), token
    for token in (tokens["access_token"], own["access_token"]):
        answer = exchange(vault, token, audience="shop")
        assert answer.get_json()["error"] == "invalid_request", "it was not for the vault"
    assert exchange(wiki, own["access_token"]).status_code == 200, "its own is for it"


def test_of_a_disabled_account_nothing_is_exchanged(came: str, wiki: OidcSite, vault: OidcSite) -> None:
    users = built_of(wiki.app).sql.users
    (alice,) = (user for user in users.list_users(10) if user.username == "alice")
    assert users.update(replace(alice, disabled_at=1))
    assert exchange(wiki, came).get_json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    "more",
    [
        {"subject_token": None},
        {"subject_token_type": None},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"actor_token": "x", "actor_token_type": ACCESS_TOKEN},
    ],
)
def test_what_is_not_done_is_said(came: str, wiki: OidcSite, vault: OidcSite, more: dict[str, str | None]) -> None:
    answer = exchange(wiki, came, **more)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@EVERYWHERE
def test_after_its_session_an_offline_grants_token_is_exchanged_for_one_without_a_session(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, vault: OidcSite, kind: str
) -> None:
    tokens = shop.tokens(browser, scope="openid stock.read offline_access")
    end(shop, described(shop, tokens["refresh_token"])["sid"])
    token = shop.refresh(tokens["refresh_token"]).get_json()["access_token"]
    body = exchange(wiki, token).get_json()
    assert body["scope"] == "stock.read"
    assert "sid" not in described(vault, body["access_token"])
    assert exchange(wiki, token, scope="stock.read offline_access").get_json()["scope"] == "stock.read"
