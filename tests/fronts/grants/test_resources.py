"""Resource indicators (RFC 8707): asked for at /authorize, narrowed at /token, seen in `aud`."""

from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient

from tests.fronts.grants.conftest import EVERYWHERE, PRICES, STOCK, described
from tests.support.oidc_site import ISSUER, OidcSite, query_of


def audience(site: OidcSite, token: str) -> Any:
    if token.count(".") == 2:
        return jwt.decode(token, options={"verify_signature": False})["aud"]
    return described(site, token)["aud"]


def test_without_any_a_token_is_for_all_that_its_client_is_registered_for(
    browser: FlaskClient, shop: OidcSite, kind: str
) -> None:
    assert audience(shop, shop.tokens(browser)["access_token"]) == [ISSUER, "wiki"]


@EVERYWHERE
def test_the_token_names_the_resource_and_userinfo_as_long_as_openid_opens_it(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, kind: str
) -> None:
    tokens = shop.tokens(browser, resource=STOCK)
    assert audience(shop, tokens["access_token"]) == [ISSUER, STOCK]
    assert described(wiki, tokens["access_token"])["active"] is True, "the resource is the wiki's"
    assert shop.userinfo(tokens["access_token"]).status_code == 200
    narrow = shop.refresh(tokens["refresh_token"], scope="groups").get_json()
    assert audience(shop, narrow["access_token"]) == [STOCK]
    assert "id_token" not in narrow


@EVERYWHERE
def test_several_may_be_asked_for_and_fewer_at_the_token_endpoint(
    browser: FlaskClient, shop: OidcSite, kind: str
) -> None:
    code = shop.code(browser, resource=f"{STOCK} {PRICES}")
    tokens = shop.redeem(code, resource=PRICES).get_json()
    assert audience(shop, tokens["access_token"]) == [ISSUER, PRICES]
    # Section 2.2: the grant stays what it was.
    second = shop.refresh(tokens["refresh_token"]).get_json()
    assert audience(shop, second["access_token"]) == [ISSUER, STOCK, PRICES]
    third = shop.refresh(second["refresh_token"], resource=STOCK).get_json()
    assert audience(shop, third["access_token"]) == [ISSUER, STOCK]


def test_the_parameter_may_be_repeated(browser: FlaskClient, shop: OidcSite) -> None:
    form = {
        "grant_type": ["client_credentials"],
        "resource": [PRICES, STOCK, PRICES],
    }
    answer = shop.app.test_client().post("/token", data=form, headers=shop.basic)
    assert audience(shop, answer.get_json()["access_token"]) == [PRICES, STOCK]
    form["grant_type"] *= 2
    assert shop.app.test_client().post("/token", data=form, headers=shop.basic).status_code == 400


def test_only_our_own_userinfo_may_be_meant(browser: FlaskClient, shop: OidcSite, wiki: OidcSite, kind: str) -> None:
    tokens = shop.tokens(browser, resource=ISSUER)
    assert audience(shop, tokens["access_token"]) == [ISSUER]
    assert described(wiki, tokens["access_token"]) == {"active": False}
    assert shop.userinfo(tokens["access_token"]).status_code == 200


@pytest.mark.parametrize(
    "target", ["https://api.example.com/stock/", "https://API.example.com/stock", f"{STOCK}#part", "wiki", "/stock"]
)
def test_any_other_target_is_refused_wherever_it_is_asked_for(
    browser: FlaskClient, shop: OidcSite, target: str
) -> None:
    code = shop.code(browser)
    assert query_of(shop.ask(browser, resource=target))["error"] == "invalid_target"
    answer = shop.redeem(code, resource=target)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_target")
    tokens = shop.redeem(code).get_json()
    assert shop.refresh(tokens["refresh_token"], resource=target).get_json()["error"] == "invalid_target"
    assert shop.refresh(tokens["refresh_token"]).status_code == 200, "a refused wish spends nothing"


def test_the_token_endpoint_gives_nothing_beyond_the_grant(browser: FlaskClient, shop: OidcSite) -> None:
    answer = shop.redeem(shop.code(browser, resource=STOCK), resource=PRICES)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_target")


def test_of_anothers_code_and_token_nothing_is_told(browser: FlaskClient, shop: OidcSite, wiki: OidcSite) -> None:
    code = shop.code(browser, resource=STOCK)
    answer = wiki.redeem(code, resource="https://elsewhere.example.com/", redirect_uri=shop.redirect_uri)
    assert answer.get_json()["error"] == "invalid_grant"
