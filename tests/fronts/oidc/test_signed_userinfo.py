"""User info as a signed JWT (OpenID Connect Core 1.0 section 5.3.2), and for scripts at other origins (CORS)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_server.core.client_metadata import ClientMetadata
from tests.fronts.conftest import SECRETS
from tests.support.oidc_site import ISSUER, VERIFIER, OidcSite, built_of, query_of


def signed_site(app: Flask, alg: str) -> OidcSite:
    """The shop; its ID tokens are ES256, whatever its user info is."""
    clients = built_of(app).sql.clients
    (client,) = (one for one in clients.list_clients() if one.client_id == "shop")
    metadata = ClientMetadata(userinfo_signed_response_alg=alg)
    assert clients.update(replace(client, metadata=metadata), client)
    return OidcSite(app, "shop", SECRETS["shop"])


@pytest.mark.covers("oidcc-userinfo-rs256", "COM-09")
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_oidcc_userinfo_rs256(app: Flask, browser: FlaskClient, alg: str) -> None:
    shop = signed_site(app, alg)
    tokens = shop.tokens(browser, scope="openid email")
    answer = shop.userinfo(tokens["access_token"])
    assert (answer.status_code, answer.mimetype) == (200, "application/jwt")
    assert answer.headers["Cache-Control"] == "no-store"
    header = jwt.get_unverified_header(answer.text)
    keys = jwt.PyJWKSet.from_dict(app.test_client().get("/jwks.json").get_json())
    options: dict[str, Any] = {"algorithms": [alg], "audience": "shop", "issuer": ISSUER}
    told = jwt.decode(answer.text, keys[header["kid"]], **options)
    assert header["alg"] == alg
    sub = shop.claims(tokens["id_token"])["sub"]
    assert told == {
        "iss": ISSUER, "aud": "shop", "sub": sub, "email": "alice@example.com", "email_verified": False
    }  # fmt: skip


def test_signed_user_info_passes_for_no_id_token_and_for_no_access_token(app: Flask, browser: FlaskClient) -> None:
    shop = signed_site(app, "RS256")
    told = shop.userinfo(shop.tokens(browser)["access_token"]).text
    answer = query_of(shop.ask(browser, prompt="none", id_token_hint=told))
    assert answer["error"] == "invalid_request"
    assert shop.userinfo(told).status_code == 401
    assert shop.post("/introspect", token=told).get_json() == {"active": False}
    page = browser.get("/end-session", query_string={"id_token_hint": told})
    assert page.headers["Location"].startswith("/sign-out"), "the person is asked"


def test_errors_stay_json(app: Flask, browser: FlaskClient) -> None:
    shop = signed_site(app, "RS256")
    answer = shop.userinfo("at-07-" + "a" * 32)
    assert (answer.status_code, answer.mimetype) == (401, "application/json")


@pytest.mark.covers("line-78")
def test_scripts_of_registered_sites_may_read_user_info_and_no_others(browser: FlaskClient, spa: OidcSite) -> None:
    token = spa.tokens(browser, scope="openid")["access_token"]
    calls = spa.app.test_client(use_cookies=False)
    for origin, is_told in (
        ("https://spa.example.com", True),
        ("https://spa.example.com:8443", False),
        ("http://spa.example.com", False),
        ("https://evil.example", False),
        ("https://spa.example.com.evil.example", False),
        ("null", False),
    ):
        asked = calls.options(
            "/userinfo",
            headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
        )
        answer = calls.get("/userinfo", headers={"Origin": origin, "Authorization": f"Bearer {token}"})
        refused = calls.get("/userinfo", headers={"Origin": origin, "Authorization": "Bearer x"})
        for one in (asked, answer, refused):
            assert one.headers.get("Access-Control-Allow-Origin") == (origin if is_told else None), origin
            assert "Access-Control-Allow-Credentials" not in one.headers
            assert "Origin" in one.headers["Vary"]
        assert ("Access-Control-Allow-Headers" in asked.headers) is is_told
        assert set(answer.get_json()) == {"sub"}


def test_an_app_that_lives_in_the_browser_redeems_refreshes_and_revokes_there(
    browser: FlaskClient, spa: OidcSite
) -> None:
    here = {"Origin": "https://spa.example.com"}
    form = {"client_id": "spa", "redirect_uri": spa.redirect_uri, "code_verifier": VERIFIER, "code": spa.code(browser)}
    calls = spa.app.test_client(use_cookies=False)
    redeemed = calls.post("/token", data=form | {"grant_type": "authorization_code"}, headers=here)
    token = redeemed.get_json()["refresh_token"]
    again = {"client_id": "spa", "grant_type": "refresh_token"}
    answers = [
        redeemed,
        calls.post("/token", data=again | {"refresh_token": token}, headers=here),
        calls.post("/token", data=again | {"refresh_token": "x"}, headers=here),
        calls.post("/revoke", data={"client_id": "spa", "token": token}, headers=here),
        calls.options("/par", headers=here | {"Access-Control-Request-Method": "POST"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 200, 200]
    assert {answer.headers.get("Access-Control-Allow-Origin") for answer in answers} == {here["Origin"]}
    elsewhere = calls.post("/token", data=form, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in elsewhere.headers
    assert "Access-Control-Allow-Origin" not in calls.post("/introspect", data=form, headers=here).headers


@pytest.mark.covers("line-78")
def test_whatever_was_asked_for_the_subject_is_always_there(browser: FlaskClient, shop: OidcSite) -> None:
    for scope in ("openid", "openid email groups"):
        tokens = shop.tokens(browser, scope=scope)
        assert shop.userinfo(tokens["access_token"]).get_json()["sub"] == shop.claims(tokens["id_token"])["sub"]
