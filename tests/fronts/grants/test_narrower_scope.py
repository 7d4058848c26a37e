"""A refresh with a narrower scope (RFC 6749 section 6): what the new access token opens is really less."""

import jwt
import pytest
from flask.testing import FlaskClient

from tests.fronts.grants.conftest import EVERYWHERE, described
from tests.support.oidc_site import ISSUER, OidcSite


@pytest.mark.covers("line-16", "line-17")
@EVERYWHERE
def test_the_narrower_scope_holds_wherever_the_token_is_shown(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, kind: str
) -> None:
    first = shop.tokens(browser, scope="openid profile email groups")
    narrow = shop.refresh(first["refresh_token"], scope="openid email").get_json()
    assert narrow["scope"] == "openid email"
    told = shop.userinfo(narrow["access_token"]).get_json()
    assert set(told) == {"sub", "email", "email_verified"}
    for site in (shop, wiki):
        found = described(site, narrow["access_token"])
        assert found["scope"] == "openid email"
        assert {"username", "groups"} & set(found) == set()
    if kind == "jwt":
        claims = jwt.decode(narrow["access_token"], options={"verify_signature": False})
        assert claims["scope"] == "openid email"
        assert "groups" not in claims
    assert "groups" in shop.userinfo(first["access_token"]).get_json(), "the token of before is as it was"


@EVERYWHERE
def test_the_grant_stays_as_wide_as_it_was(browser: FlaskClient, shop: OidcSite, kind: str) -> None:
    first = shop.tokens(browser, scope="openid profile email")
    narrow = shop.refresh(first["refresh_token"], scope="openid").get_json()
    assert described(shop, narrow["refresh_token"])["scope"] == "openid profile email"
    wide = shop.refresh(narrow["refresh_token"]).get_json()
    assert wide["scope"] == "openid profile email"
    assert "email" in shop.userinfo(wide["access_token"]).get_json()


@pytest.mark.covers("line-17", "line-80")
@pytest.mark.parametrize("asked", ["openid groups", "openid profile address", "nobody.knows"])
def test_a_scope_that_grows_is_refused_and_nothing_is_spent(browser: FlaskClient, shop: OidcSite, asked: str) -> None:
    first = shop.tokens(browser, scope="openid profile")
    answer = shop.refresh(first["refresh_token"], scope=asked)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_scope")
    assert shop.refresh(first["refresh_token"]).status_code == 200


def test_without_openid_there_is_no_id_token_and_no_userinfo(browser: FlaskClient, shop: OidcSite) -> None:
    first = shop.tokens(browser, scope="openid stock.read")
    narrow = shop.refresh(first["refresh_token"], scope="stock.read").get_json()
    assert "id_token" not in narrow
    assert shop.userinfo(narrow["access_token"]).status_code == 403
    assert described(shop, narrow["access_token"])["aud"] == ["wiki"]
    assert described(shop, first["access_token"])["aud"] == [ISSUER, "wiki"]


def test_a_scope_named_twice_is_granted_once(browser: FlaskClient, shop: OidcSite) -> None:
    first = shop.tokens(browser, scope="openid profile")
    narrow = shop.refresh(first["refresh_token"], scope="openid  openid").get_json()
    assert narrow["scope"] == "openid"
    assert described(shop, narrow["access_token"])["scope"] == "openid"
