"""Introspection (RFC 7662) and revocation (RFC 7009), whole: who may, of which tokens, and what is answered."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from tests.fronts.conftest import Later
from tests.fronts.grants.conftest import EVERYWHERE, ON_BOTH_STORES, denied, described, end, exchange
from tests.support.oidc_site import ISSUER, OidcSite, built_of, change_client

DEAD = {"active": False}


@pytest.mark.covers("line-47")
@EVERYWHERE
def test_an_active_token_says_whose_and_what_it_is(browser: FlaskClient, shop: OidcSite, kind: str) -> None:
    tokens = shop.tokens(browser, scope="openid profile")
    found = described(shop, tokens["access_token"])
    claims = shop.claims(tokens["id_token"])
    assert found["active"] is True
    expected = {
        "iss": ISSUER, "sub": claims["sub"], "client_id": "shop", "aud": [ISSUER, "wiki"], "scope": "openid profile",
        "token_type": "Bearer", "username": "alice", "sid": claims["sid"], "auth_time": claims["auth_time"],
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert found["exp"] - found["iat"] == 300
    assert ("jti" in found) == (kind == "jwt")


@pytest.mark.covers("line-47")
@ON_BOTH_STORES
def test_whatever_is_not_for_the_caller_is_exactly_not_active(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, vault: OidcSite, later: Later
) -> None:
    tokens = shop.tokens(browser)
    code = shop.code(browser)
    assert described(vault, tokens["access_token"]) == DEAD, "neither its owner nor in its audience"
    for token in (tokens["refresh_token"], tokens["id_token"], code, "x", "rt-07-" + "a" * 32, "é"):
        assert described(wiki, token) == DEAD
    shop.post("/revoke", token=tokens["access_token"])
    assert described(shop, tokens["access_token"]) == DEAD
    fresh = shop.refresh(tokens["refresh_token"]).get_json()
    with later(301):
        assert described(shop, fresh["access_token"]) == DEAD


def test_the_hint_is_only_a_hint(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser)
    for hint in ("refresh_token", "access_token", "pct", "urn:x"):
        for path, token in (("/introspect", tokens["access_token"]), ("/introspect", tokens["refresh_token"])):
            assert shop.post(path, token=token, token_type_hint=hint).get_json()["active"] is True
    # RFC 7009 section 2.2.1: `unsupported_token_type` is for a kind that can't be revoked; both of ours can.
    assert shop.post("/revoke", token=tokens["access_token"], token_type_hint="urn:x").status_code == 200
    assert described(shop, tokens["access_token"]) == DEAD


@pytest.mark.covers("line-45", "line-47")
@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_only_a_client_that_proves_itself_may(browser: FlaskClient, shop: OidcSite, path: str) -> None:
    token = shop.tokens(browser)["access_token"]
    for headers, form in (({}, {}), ({}, {"client_id": "shop"}), ({"Authorization": "Basic c2hvcDp4"}, {})):
        answer = shop.post(path, headers=headers, token=token, **form)
        assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
    as_bearer = {"Authorization": f"Bearer {token}"}
    assert shop.post(path, headers=as_bearer, token=token).status_code == 401, "a token is no client"
    assert described(shop, token)["active"] is True


@pytest.mark.covers("line-45")
@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_a_get_is_refused_and_a_repeated_token_too(shop: OidcSite, path: str) -> None:
    calls = shop.app.test_client()
    answer = calls.get(path + "?token=x", headers=shop.basic)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")
    answer = calls.post(path, data={"token": ["x", "y"]}, headers=shop.basic)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.covers("line-46")
@EVERYWHERE
def test_a_refresh_token_takes_all_its_access_tokens_along_and_apis_hear_of_them(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, kind: str
) -> None:
    first = shop.tokens(browser)
    second = shop.refresh(first["refresh_token"]).get_json()
    names = {described(shop, one["access_token"]).get("jti") for one in (first, second)}
    assert shop.post("/revoke", token=second["refresh_token"]).status_code == 200
    for one in (first, second):
        assert described(wiki, one["access_token"]) == DEAD
        assert shop.refresh(one["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert denied(wiki) == (names if kind == "jwt" else set())


@pytest.mark.covers("line-46")
@ON_BOTH_STORES
def test_a_spent_refresh_token_still_takes_its_family_along(browser: FlaskClient, shop: OidcSite) -> None:
    first = shop.tokens(browser)
    second = shop.refresh(first["refresh_token"]).get_json()
    assert shop.post("/revoke", token=first["refresh_token"]).status_code == 200
    assert described(shop, second["access_token"]) == DEAD


@pytest.mark.covers("line-45")
@ON_BOTH_STORES
def test_anothers_token_is_not_revoked_and_the_answer_is_the_same(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, spa: OidcSite
) -> None:
    tokens = shop.tokens(browser)
    for stranger in (wiki, spa):
        for token in (tokens["access_token"], tokens["refresh_token"], "unknown", ""):
            answer = stranger.post("/revoke", token=token or "-")
            assert (answer.status_code, answer.data) == (200, b"")
    assert described(shop, tokens["access_token"])["active"] is True
    assert described(shop, tokens["refresh_token"])["active"] is True


@pytest.mark.covers("line-48")
@EVERYWHERE
def test_the_end_of_a_session_is_seen_by_the_next_question(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, kind: str
) -> None:
    tokens = shop.tokens(browser)
    end(shop, described(shop, tokens["access_token"])["sid"])
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert described(shop, token) == DEAD


@ON_BOTH_STORES
def test_of_a_client_that_is_gone_no_token_is_active(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, vault: OidcSite, later: Later
) -> None:
    """Of a session in which it takes no part, too, and of none at all."""
    change_client(wiki, metadata={"grant_types": ("client_credentials", *_grants_of(wiki))})
    came = shop.tokens(browser, scope="openid stock.read")["access_token"]
    exchanged = exchange(wiki, came).get_json()["access_token"]
    change_client(wiki, audience=("vault",))
    own = wiki.post("/token", grant_type="client_credentials").get_json()["access_token"]
    assert described(vault, exchanged)["active"] is described(vault, own)["active"] is True
    built = built_of(shop.app)
    before = built.services.clients.find("wiki")
    assert before is not None
    assert built.sql.clients.remove("wiki")
    with later(2):
        assert described(vault, exchanged) == described(vault, own) == DEAD
        again = replace(before, created_at=built.services.clock.now())
        assert built.sql.clients.add(again)
    with later(4):
        assert described(vault, exchanged) == described(vault, own) == DEAD, "another one of that id"


def _grants_of(site: OidcSite) -> tuple[str, ...]:
    client = built_of(site.app).services.clients.find(site.client_id)
    assert client is not None
    return client.metadata.grant_types
