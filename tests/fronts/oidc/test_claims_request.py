"""The `claims` parameter (OpenID Connect Core 1.0 section 5.5), from the request to the tokens and user info."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_server.core.accounts import Changes
from sso_server.core.acr import PASSWORD
from tests.fronts.conftest import Later
from tests.support.oidc_site import OidcSite, built_of, path_of, query_of, sign_in


def wish(**places: Mapping[str, object]) -> str:
    return json.dumps(places)


@pytest.fixture(autouse=True)
def known(app: Flask) -> None:
    """More is known of alice than her name. The app isn't asked anything yet: it keeps clients for a second."""
    claims = {"given_name": "Alice", "nickname": "Al", "phone_number": "+1 425 555 1212"}
    built_of(app).services.accounts.update("alice", Changes(locale="en", claims=claims), actor="test")


def test_each_place_gets_what_was_asked_for_there_and_no_more(browser: FlaskClient, shop: OidcSite) -> None:
    asked = wish(
        userinfo={"given_name": {"essential": True}, "email": None, "phone_number": {"purpose": "to call you"}},
        id_token={"nickname": None, "groups": {"essential": False}, "auth_time": {"essential": True}},
        elsewhere={"name": None},
    )
    tokens = shop.tokens(browser, scope="openid", claims=asked)
    identity = shop.claims(tokens["id_token"])
    assert (identity["nickname"], identity["groups"]) == ("Al", ["staff"])
    told = shop.userinfo(tokens["access_token"]).get_json()
    assert told == {
        "sub": identity["sub"], "given_name": "Alice", "email": "alice@example.com", "phone_number": "+1 425 555 1212"
    }  # fmt: skip
    assert not {"given_name", "email", "name"} & set(identity)


def test_what_is_not_known_or_not_so_is_left_out_and_nothing_fails(browser: FlaskClient, shop: OidcSite) -> None:
    asked = wish(
        userinfo={
            "birthdate": {"essential": True},
            "shoe_size": {"essential": True},
            "nickname#ja": None,
            "locale": {"value": "fr"},
            "given_name": {"values": ["Bob", "Alice"]},
            "email_verified": {"value": 0},
        }
    )
    tokens = shop.tokens(browser, scope="openid", claims=asked)
    assert set(shop.userinfo(tokens["access_token"]).get_json()) == {"sub", "given_name"}


def test_nobody_gets_by_asking_what_its_scopes_could_not_open(browser: FlaskClient, shop: OidcSite) -> None:
    clients = built_of(shop.app).sql.clients
    (client,) = (one for one in clients.list_clients() if one.client_id == "shop")
    assert clients.update(replace(client, scopes=("openid", "profile")), client)
    names = ("email", "groups", "phone_number", "nickname")
    asked = wish(userinfo=dict.fromkeys(names), id_token=dict.fromkeys(names))
    tokens = shop.tokens(browser, scope="openid", claims=asked)
    assert set(shop.userinfo(tokens["access_token"]).get_json()) == {"sub", "nickname"}
    assert not {"email", "groups", "phone_number"} & set(shop.claims(tokens["id_token"]))


def test_no_claim_takes_the_place_of_what_the_token_itself_says(browser: FlaskClient, shop: OidcSite) -> None:
    plain = shop.claims(shop.tokens(browser)["id_token"])
    names = ("iss", "aud", "exp", "nonce", "sid", "amr", "at_hash", "act", "cnf")
    asked = wish(userinfo=dict.fromkeys(names), id_token={name: {"value": "mine"} for name in names})
    tokens = shop.tokens(browser, scope="openid", claims=asked)
    identity = shop.claims(tokens["id_token"])
    assert set(identity) == set(plain)
    assert [identity[name] for name in ("iss", "aud", "nonce", "sid")] == [
        plain[name] for name in ("iss", "aud", "nonce", "sid")
    ]
    assert set(shop.userinfo(tokens["access_token"]).get_json()) == {"sub"}


def test_a_refreshed_token_says_the_same_as_things_are_by_then(browser: FlaskClient, shop: OidcSite) -> None:
    asked = wish(userinfo={"nickname": None}, id_token={"nickname": None})
    tokens = shop.tokens(browser, scope="openid", claims=asked)
    built_of(shop.app).services.accounts.update("alice", Changes(claims={"nickname": "Ali"}), actor="test")
    again = shop.refresh(tokens["refresh_token"]).get_json()
    assert shop.claims(again["id_token"])["nickname"] == "Ali"
    assert shop.userinfo(again["access_token"]).get_json()["nickname"] == "Ali"


def test_a_token_that_was_narrowed_opens_only_its_scope(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser, scope="openid email", claims=wish(userinfo={"nickname": None}))
    narrow = shop.refresh(tokens["refresh_token"], scope="openid").get_json()
    assert set(shop.userinfo(narrow["access_token"]).get_json()) == {"sub"}


@pytest.mark.covers("line-21")
def test_a_token_without_openid_names_nobody(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser, scope="openid email")
    narrow = shop.refresh(tokens["refresh_token"], scope="email").get_json()
    answer = shop.userinfo(narrow["access_token"])
    assert (answer.status_code, answer.get_json()["error"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert 'scope="openid"' in answer.headers["WWW-Authenticate"]
    assert "alice" not in answer.text


@pytest.mark.covers("line-75")
@pytest.mark.parametrize(
    "malformed",
    [
        "{", "[]", "1", '"name"', "null", '{"userinfo": []}', '{"id_token": null}', '{"userinfo": {"name": true}}',
        '{"userinfo": {"name": {"essential": "yes"}}}', '{"userinfo": {"name": {"values": "a"}}}',
        '{"userinfo": {"name": {"value": "a", "values": ["b"]}}}', '{"userinfo": {"name": null, "name": null}}',
        '{"userinfo": {"age": {"value": NaN}}}', "[" * 3000,
        json.dumps({"userinfo": dict.fromkeys(map(str, range(101)))}),
    ],
)  # fmt: skip
def test_malformed_claims_are_an_invalid_request(browser: FlaskClient, shop: OidcSite, malformed: str) -> None:
    told = query_of(shop.ask(browser, claims=malformed))
    assert (told["error"], told["state"]) == ("invalid_request", "the-state")
    assert "code" not in told


def test_the_person_who_is_meant_is_the_one_who_signs_in(browser: FlaskClient, shop: OidcSite) -> None:
    sub = shop.claims(shop.tokens(browser)["id_token"])["sub"]
    for place in ("id_token", "userinfo"):
        hers = wish(**{place: {"sub": {"value": sub}}})
        assert "code" in query_of(shop.ask(browser, claims=hers, prompt="none"))
        another = wish(**{place: {"sub": {"value": "usr-somebody-else"}}})
        assert query_of(shop.ask(browser, claims=another, prompt="none"))["error"] == "login_required"
        several = wish(**{place: {"sub": {"values": ["usr-somebody-else", sub]}}})
        assert "code" in query_of(shop.ask(browser, claims=several, prompt="none"))
    assert path_of(shop.ask(browser, claims=another)) == "/sign-in", "the other one may sign in"


def test_a_sign_in_of_somebody_else_than_was_meant_is_no_sign_in(browser: FlaskClient, shop: OidcSite) -> None:
    asked = wish(id_token={"sub": {"value": "usr-somebody-else"}})
    page = shop.ask(browser, claims=asked).headers["Location"]
    told = query_of(browser.get(sign_in(browser, page).headers["Location"]))
    assert told["error"] == "login_required"
    assert "code" not in told


@pytest.mark.covers("oidcc-ensure-request-with-acr-values-succeeds")
def test_the_class_of_a_sign_in_is_told_asked_for_or_not(browser: FlaskClient, shop: OidcSite) -> None:
    for asked in ({}, {"acr_values": f"phr {PASSWORD}"}, {"acr_values": "phr"}):
        assert shop.claims(shop.tokens(browser, **asked)["id_token"])["acr"] == PASSWORD
    essential = wish(id_token={"acr": {"essential": True, "values": ["phr", PASSWORD]}})
    assert shop.claims(shop.tokens(browser, claims=essential)["id_token"])["acr"] == PASSWORD


def test_a_class_that_must_be_and_is_not_met_is_a_failed_sign_in(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    for how in ({"value": "phr"}, {"values": ["phr", "phrh"]}):
        asked = wish(id_token={"acr": {"essential": True} | how})
        told = query_of(shop.ask(browser, claims=asked))
        assert (told["error"], "code" in told) == ("unmet_authentication_requirements", False)


@pytest.mark.covers("line-69")
def test_an_id_token_has_all_that_it_must_have(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    identity = shop.claims(shop.tokens(browser, claims=wish(id_token={"auth_time": {"essential": True}}))["id_token"])
    assert {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce"} <= set(identity)
    assert identity["nonce"] == "the-nonce"
    assert "azp" not in identity, "there is one audience"
    with later(90):
        again = shop.claims(shop.tokens(browser, max_age="3600")["id_token"])
    assert again["auth_time"] == identity["auth_time"]
    assert again["iat"] >= identity["iat"] + 90


@pytest.mark.covers("oidcc-claims-locales")
def test_claims_locales_are_understood(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser, claims_locales="ja-JP en")
    assert shop.userinfo(tokens["access_token"]).get_json()["given_name"] == "Alice"
