"""A client speaks for itself (RFC 6749 section 4.4, RFC 9068 section 2.2)."""

from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient

from sso_server.core.client_metadata import CLIENT_CREDENTIALS
from tests.fronts.conftest import Later
from tests.fronts.grants.conftest import EVERYWHERE, PRICES, STOCK, denied, described
from tests.support.oidc_site import ISSUER, OidcSite, change_client

DEAD = {"active": False}


def own_token(site: OidcSite, **more: str | None) -> Any:
    return site.post("/token", grant_type="client_credentials", **more)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@EVERYWHERE
@pytest.mark.covers("line-18")
def test_a_client_gets_an_access_token_of_its_own_and_nothing_else(shop: OidcSite, kind: str) -> None:
    answer = own_token(shop, scope="stock.read")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    body = answer.get_json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["scope"]) == ("Bearer", "stock.read")
    assert 290 <= body["expires_in"] <= 300
    found = described(shop, body["access_token"])
    assert {name: found.get(name) for name in ("active", "sub", "client_id", "scope", "iss", "aud")} == {
        "active": True, "sub": "shop", "client_id": "shop", "scope": "stock.read", "iss": ISSUER, "aud": ["wiki"]
    }  # fmt: skip
    assert {"sid", "auth_time", "amr", "acr", "username"} & set(found) == set()


def test_the_api_that_it_is_for_may_ask_about_it(shop: OidcSite, wiki: OidcSite, kind: str) -> None:
    token = own_token(shop, scope="stock.read").get_json()["access_token"]
    assert described(wiki, token) == described(shop, token)


def test_a_jwt_says_that_the_client_is_its_own_subject(shop: OidcSite) -> None:
    change_client(shop, access_token="jwt")
    claims = claims_of(own_token(shop, scope="stock.read stock.write").get_json()["access_token"])
    assert set(claims) == {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"}
    assert (claims["sub"], claims["client_id"], claims["aud"]) == ("shop", "shop", ["wiki"])
    assert claims["scope"] == "stock.read stock.write"


def test_a_long_token_is_taken_where_tokens_are_shown(shop: OidcSite, wiki: OidcSite) -> None:
    resources = tuple(f"https://api.example.com/{n}/{'x' * 160}" for n in range(20))
    change_client(wiki, metadata={"resources": resources})
    change_client(shop, access_token="jwt")
    token = own_token(shop, resource=" ".join(resources)).get_json()["access_token"]
    assert len(token) > 4096
    assert described(wiki, token)["active"] is True
    assert shop.post("/revoke", token=token).status_code == 200
    assert described(wiki, token) == DEAD


def test_without_a_scope_it_has_none(shop: OidcSite, kind: str) -> None:
    body = own_token(shop).get_json()
    assert "scope" not in body
    assert "scope" not in described(shop, body["access_token"])


@pytest.mark.covers("line-16")
@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("stock.read openid", "stock.read"),
        ("stock.read stock.read", "stock.read"),
        ("groups stock.write", "stock.write"),
    ],
)
def test_what_it_may_not_have_is_left_out_and_the_answer_says_so(shop: OidcSite, asked: str, granted: str) -> None:
    assert own_token(shop, scope=asked).get_json()["scope"] == granted


@pytest.mark.parametrize("asked", ["openid", "profile groups", "nobody.knows", "offline_access"])
def test_a_scope_of_which_nothing_is_left_is_refused(shop: OidcSite, asked: str) -> None:
    answer = own_token(shop, scope=asked)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_scope")


@pytest.mark.covers("line-21")
def test_it_opens_nobodys_userinfo(shop: OidcSite, kind: str) -> None:
    answer = shop.userinfo(own_token(shop, scope="stock.read").get_json()["access_token"])
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_it_is_for_the_resource_that_was_asked_for(shop: OidcSite, kind: str) -> None:
    token = own_token(shop, resource=STOCK).get_json()["access_token"]
    assert described(shop, token)["aud"] == [STOCK]


def test_it_expires(shop: OidcSite, kind: str, later: Later) -> None:
    token = own_token(shop).get_json()["access_token"]
    with later(301):
        assert described(shop, token) == DEAD


@EVERYWHERE
def test_it_can_be_revoked_and_apis_hear_of_it(shop: OidcSite, wiki: OidcSite, kind: str) -> None:
    token = own_token(shop).get_json()["access_token"]
    assert wiki.post("/revoke", token=token).status_code == 200
    assert described(shop, token)["active"] is True, "it is not the wiki's to revoke"
    assert shop.post("/revoke", token=token).status_code == 200
    assert described(shop, token) == DEAD
    if kind == "jwt":
        assert denied(wiki) == {claims_of(token)["jti"]}


@pytest.mark.parametrize("more", [{"resource": PRICES + "/"}, {"resource": "https://elsewhere.example.com/"}])
def test_a_resource_that_is_not_for_it_is_refused(shop: OidcSite, more: dict[str, str]) -> None:
    answer = own_token(shop, **more)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_target")


def test_only_who_is_registered_for_it_may(wiki: OidcSite, spa: OidcSite) -> None:
    answer = own_token(wiki)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "unauthorized_client")
    change_client(spa, metadata={"grant_types": (CLIENT_CREDENTIALS,)})
    answer = own_token(spa)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "unauthorized_client"), "a public one never"


def test_it_must_prove_who_it_is(shop: OidcSite) -> None:
    answer = shop.post("/token", headers={}, grant_type="client_credentials", client_id="shop")
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")


def test_it_is_no_session_of_anybody(shop: OidcSite, browser: FlaskClient, kind: str) -> None:
    token = own_token(shop).get_json()["access_token"]
    exchanged = shop.post(
        "/token",
        grant_type="refresh_token",
        refresh_token=token,
    )
    assert exchanged.get_json()["error"] == "invalid_grant"
