"""A ticket against tokens: the answer, and its ID token."""

import base64
import hashlib
import time

import jwt
import pytest
from flask.testing import FlaskClient

from tests.fronts.conftest import Later
from tests.support.oidc_site import ISSUER, OidcSite, built_of, change_client, query_of, sign_in

STORE = "st-" + "a" * 32


def test_the_answer_has_the_standard_members_and_two_of_ours(browser: FlaskClient, shop: OidcSite) -> None:
    answer = shop.redeem(shop.code(browser), store_id=STORE)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    body = answer.get_json()
    standard = {"access_token", "token_type", "expires_in", "refresh_token", "id_token", "scope"}
    assert set(body) == standard | {"session_expires_in", "lease_s", "auth_time_ms"}
    assert (body["token_type"], body["scope"], body["lease_s"]) == ("Bearer", "openid profile email groups", 60)
    assert 295 <= body["expires_in"] <= 300
    assert 86_390 <= body["session_expires_in"] <= 86_400


def test_the_id_token_says_who_when_and_in_which_session(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser)
    claims = shop.claims(tokens["id_token"])
    assert set(claims) == {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "amr", "acr", "at_hash"}
    assert (claims["iss"], claims["aud"], claims["nonce"], claims["amr"]) == (ISSUER, "shop", "the-nonce", ["pwd"])
    assert claims["sub"].startswith("usr-")
    assert claims["sid"].startswith("sid-")
    assert claims["auth_time"] <= claims["iat"] <= time.time() < claims["exp"]
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("=")


def test_each_client_gets_its_algorithm(browser: FlaskClient, shop: OidcSite, wiki: OidcSite) -> None:
    algs = {site.client_id: jwt.get_unverified_header(site.tokens(browser)["id_token"]) for site in (shop, wiki)}
    assert (algs["shop"]["alg"], algs["wiki"]["alg"]) == ("ES256", "RS256")
    assert all(header["typ"] == "JWT" and header["kid"] for header in algs.values())


def test_without_a_nonce_the_id_token_has_none(browser: FlaskClient, shop: OidcSite) -> None:
    assert "nonce" not in shop.claims(shop.tokens(browser, nonce=None)["id_token"])


def test_two_sites_of_one_browser_hear_the_same_sid_and_sub(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    one, two = (site.claims(site.tokens(browser)["id_token"]) for site in (shop, wiki))
    assert (one["sid"], one["sub"]) == (two["sid"], two["sub"])


def test_redeeming_registers_the_site_under_the_session(browser: FlaskClient, shop: OidcSite, wiki: OidcSite) -> None:
    sid = shop.claims(shop.tokens(browser, store_id=STORE)["id_token"])["sid"]
    wiki.tokens(browser)
    registered = built_of(shop.app).services.lists.participants(sid)
    assert [(p.client_id, p.store_id, p.logout_uri) for p in registered] == [
        ("shop", STORE, "https://shop.example.com/logout"), ("wiki", "", "https://wiki.example.com/logout")
    ]  # fmt: skip


def test_a_public_client_redeems_with_pkce_alone(browser: FlaskClient, spa: OidcSite) -> None:
    assert spa.claims(spa.tokens(browser)["id_token"])["aud"] == "spa"


@pytest.mark.covers("line-32")
def test_a_confidential_client_does_without_pkce_if_it_was_let_off(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    without = {"code_challenge": None, "code_challenge_method": None}
    assert query_of(shop.ask(browser, **without))["error"] == "invalid_request"
    change_client(shop, metadata={"require_pkce": False})
    code = shop.code(browser, code_challenge=None, code_challenge_method=None)
    assert shop.redeem(code, code_verifier=None).status_code == 200


def test_scopes_nobody_knows_are_left_out_of_the_answer(browser: FlaskClient, shop: OidcSite) -> None:
    assert shop.tokens(browser, scope="shoes openid unknown email openid")["scope"] == "openid email"


def test_the_session_ends_for_the_site_no_later_than_at_the_centre(
    browser: FlaskClient, shop: OidcSite, later: Later
) -> None:
    sign_in(browser)
    with later(3600):
        assert 86_400 - 3700 < shop.tokens(browser)["session_expires_in"] <= 86_400 - 3600


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": None},
        {"code": None},
        {"redirect_uri": None},
        {"code_verifier": "short"},
        {"code_verifier": "ü" * 43},
        {"store_id": "st-1"},
        {"store_id": "x" * 35},
    ],
)
def test_a_malformed_call_is_invalid_request_and_costs_no_ticket(
    browser: FlaskClient, shop: OidcSite, form: dict[str, str | None]
) -> None:
    code = shop.code(browser)
    answer = shop.redeem(code, **form)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert answer.headers["Cache-Control"] == "no-store"
    assert shop.redeem(code).status_code == 200


def test_a_public_client_has_no_store(browser: FlaskClient, spa: OidcSite) -> None:
    assert spa.redeem(spa.code(browser), store_id=STORE).get_json()["error"] == "invalid_request"


@pytest.mark.covers("line-19", "line-37")
@pytest.mark.parametrize("grant_type", ["password", "implicit", "urn:x"])
def test_other_grants_are_unsupported(shop: OidcSite, grant_type: str) -> None:
    answer = shop.post("/token", grant_type=grant_type, username="alice", password="x")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke", "/check-in"])
def test_only_post_is_allowed(shop: OidcSite, path: str) -> None:
    answer = shop.app.test_client().get(path)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_form_needs_its_content_type(browser: FlaskClient, shop: OidcSite) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": shop.tokens(browser)["refresh_token"]}
    for kind in ("multipart/form-data", "text/plain", "application/json"):
        answer = shop.app.test_client().post("/token", data=form, headers=shop.basic | {"Content-Type": kind})
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert shop.post("/token", **form).status_code == 200


def test_a_repeated_parameter_is_invalid_request(browser: FlaskClient, shop: OidcSite) -> None:
    code = shop.code(browser)
    form = {"grant_type": ["authorization_code"], "code": [code, code], "redirect_uri": [shop.redirect_uri]}
    answer = shop.app.test_client().post("/token", data=form, headers=shop.basic)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(("size", "status"), [(5_000, 400), (90_000, 400), (100_001, 413), (1_000_000, 413)])
def test_a_parameter_too_long_is_400_and_a_body_too_large_413(shop: OidcSite, size: int, status: int) -> None:
    for path in ("/token", "/introspect", "/revoke", "/userinfo"):
        answer = shop.post(path, grant_type="authorization_code", code="c" * size)
        assert (answer.status_code, answer.get_json()["error"]) == (status, "invalid_request")


def test_parameters_in_the_query_do_not_count(browser: FlaskClient, shop: OidcSite) -> None:
    code = shop.code(browser)
    answer = shop.app.test_client().post(
        "/token",
        query_string={"client_id": "shop", "client_secret": shop.secret, "code": code},
        data={"grant_type": "authorization_code", "code": code, "redirect_uri": shop.redirect_uri},
    )
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
