"""Asking about tokens, and taking them back."""

import pytest
from flask.testing import FlaskClient

from sso_server.core.sessions import EndReason
from tests.fronts.conftest import Later
from tests.support.oidc_site import ISSUER, OidcSite, built_of

DEAD = {"active": False}


def described(site: OidcSite, token: str) -> dict[str, object]:
    answer = site.post("/introspect", token=token)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.get_json()
    return found


@pytest.mark.covers("line-47")
def test_a_client_hears_all_about_its_own_tokens(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser)
    claims = shop.claims(tokens["id_token"])
    access, refresh = described(shop, tokens["access_token"]), described(shop, tokens["refresh_token"])
    for found in (access, refresh):
        assert (found["active"], found["iss"], found["client_id"]) == (True, ISSUER, "shop")
        assert (found["sub"], found["sid"], found["scope"]) == (claims["sub"], claims["sid"], tokens["scope"])
    assert (access["aud"], refresh["aud"]) == ([ISSUER], "shop")
    assert access["token_type"] == "Bearer"
    assert "token_type" not in refresh
    assert int(str(access["exp"])) - int(str(access["iat"])) == 300


@pytest.mark.covers("line-47")
def test_what_is_not_the_callers_or_not_valid_is_just_not_active(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, later: Later
) -> None:
    tokens = shop.tokens(browser)
    assert described(wiki, tokens["access_token"]) == DEAD
    assert described(wiki, tokens["refresh_token"]) == DEAD
    for odd in ("x", "at-07-" + "a" * 32, tokens["id_token"], shop.code(browser)):
        assert described(shop, odd) == DEAD
    with later(301):
        assert described(shop, tokens["access_token"]) == DEAD


@pytest.mark.covers("line-48")
def test_the_end_of_the_session_is_seen_at_once(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser)
    sid = shop.claims(tokens["id_token"])["sid"]
    built_of(shop.app).services.sign_out.end(sid, EndReason.SIGN_OUT, actor="user")
    assert described(shop, tokens["access_token"]) == DEAD
    assert described(shop, tokens["refresh_token"]) == DEAD


@pytest.mark.covers("line-47")
def test_a_public_client_may_not_ask(browser: FlaskClient, spa: OidcSite) -> None:
    answer = spa.post("/introspect", token=spa.tokens(browser)["access_token"])
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_the_token_is_required(shop: OidcSite, path: str) -> None:
    answer = shop.post(path, token_type_hint="access_token")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("site_name", ["shop", "spa"])
@pytest.mark.covers("line-46")
def test_revoking_a_refresh_token_takes_its_access_tokens_along(
    request: pytest.FixtureRequest, browser: FlaskClient, site_name: str
) -> None:
    site: OidcSite = request.getfixturevalue(site_name)
    tokens = site.tokens(browser)
    answer = site.post("/revoke", token=tokens["refresh_token"], token_type_hint="access_token")
    assert (answer.status_code, answer.data) == (200, b"")
    assert site.userinfo(tokens["access_token"]).status_code == 401
    assert site.refresh(tokens["refresh_token"]).status_code == 400


def test_revoking_an_access_token_leaves_the_grant(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser)
    assert shop.post("/revoke", token=tokens["access_token"]).status_code == 200
    assert shop.userinfo(tokens["access_token"]).status_code == 401
    assert shop.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.covers("line-45")
def test_anothers_or_an_unknown_token_is_answered_alike_and_lives_on(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    tokens = shop.tokens(browser)
    for token in (tokens["access_token"], tokens["refresh_token"], "unknown", "rt-07-" + "a" * 32):
        answer = wiki.post("/revoke", token=token)
        assert (answer.status_code, answer.data) == (200, b"")
    assert shop.userinfo(tokens["access_token"]).status_code == 200
    assert shop.refresh(tokens["refresh_token"]).status_code == 200
