"""Tokens and codes that are bound to a key (RFC 9449): who may use them, what they say, and what takes the bond off."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.clients import ClientSecret
from sso_server.core.identifiers import digest
from tests.fronts.client_keys.conftest import AddClient
from tests.fronts.conftest import SECRETS, Later
from tests.support.oidc_site import ISSUER, VERIFIER, OidcSite, built_of, path_of, query_of, sign_in
from tests.support.signing_client import Signing, key_set, private_key, proof, public_jwk, thumbprint

KEY, OTHER = private_key("ES256", "dpop"), private_key("ES256", "other")
TOKEN, USERINFO, PAR = f"{ISSUER}/token", f"{ISSUER}/userinfo", f"{ISSUER}/par"


def redeemed(site: OidcSite, code: str, key: Any = KEY, **form: str) -> TestResponse:
    """The code, with a proof of this key; None: with none."""
    headers = {**(site.basic if site.secret else {}), **({"DPoP": proof(key, "POST", TOKEN)} if key else {})}
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": site.redirect_uri}
    named = {} if site.secret else {"client_id": site.client_id}
    return site.post("/token", headers=headers, **(grant | {"code_verifier": VERIFIER} | named | form))


def refreshed(site: OidcSite, token: str, key: Any = KEY, **form: str) -> TestResponse:
    headers = {**(site.basic if site.secret else {}), **({"DPoP": proof(key, "POST", TOKEN)} if key else {})}
    named = {} if site.secret else {"client_id": site.client_id}
    return site.post("/token", headers=headers, grant_type="refresh_token", refresh_token=token, **(named | form))


def shown(app: Flask, token: str, key: Any = KEY) -> TestResponse:
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof(key, "GET", USERINFO, token=token)}
    return app.test_client(use_cookies=False).get("/userinfo", headers=headers)


def error_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]


@pytest.mark.covers("line-58")
def test_a_bound_token_names_its_key_in_every_form(
    app: Flask, browser: FlaskClient, shop: OidcSite, add_client: AddClient
) -> None:
    opaque = redeemed(shop, shop.code(browser)).get_json()
    assert opaque["token_type"] == "DPoP"
    said = shop.post("/introspect", token=opaque["access_token"]).get_json()
    assert (said["token_type"], said["cnf"]) == ("DPoP", {"jkt": thumbprint(KEY)})
    add_client("jwts", public=True, jwts=True, audience=("shop",))
    site = OidcSite(app, "jwts")
    signed = redeemed(site, site.code(browser)).get_json()
    assert signed["token_type"] == "DPoP"
    claims = jwt.decode(signed["access_token"], options={"verify_signature": False})
    assert claims["cnf"] == {"jkt": thumbprint(KEY)}
    said = shop.post("/introspect", token=signed["access_token"]).get_json()
    assert (said["token_type"], said["cnf"]) == ("DPoP", {"jkt": thumbprint(KEY)})
    assert shown(app, signed["access_token"]).status_code == 200
    assert shown(app, signed["access_token"], OTHER).status_code == 401


@pytest.mark.covers("line-58")
def test_without_a_proof_tokens_are_bearer_tokens(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = redeemed(shop, shop.code(browser), None).get_json()
    assert tokens["token_type"] == "Bearer"
    said = shop.post("/introspect", token=tokens["access_token"]).get_json()
    assert (said["token_type"], "cnf" in said) == ("Bearer", False)


@pytest.mark.covers("line-61", "ensure-holder-of-key-required")
def test_a_bound_token_is_refused_as_a_bearer_token(app: Flask, browser: FlaskClient, spa: OidcSite) -> None:
    token = redeemed(spa, spa.code(browser)).get_json()["access_token"]
    calls = app.test_client(use_cookies=False)
    with_proof = {"Authorization": f"Bearer {token}", "DPoP": proof(KEY, "GET", USERINFO, token=token)}
    for answer in (
        spa.userinfo(token),
        calls.get("/userinfo", headers=with_proof),
        calls.post("/userinfo", data={"access_token": token}),
    ):
        assert error_of(answer) == (401, "invalid_token")
        bearer, dpop = answer.headers.getlist("WWW-Authenticate")
        assert bearer.startswith('Bearer realm="lockstep", error="invalid_token"')
        assert dpop == 'DPoP realm="lockstep", algs="ES256 PS256 EdDSA"'
    assert shown(app, token).status_code == 200


@pytest.mark.covers("line-61")
def test_a_bearer_token_is_no_bound_one(app: Flask, browser: FlaskClient, spa: OidcSite) -> None:
    token = spa.tokens(browser)["access_token"]
    answer = shown(app, token)
    assert error_of(answer) == (401, "invalid_token")
    assert re.match('DPoP realm="lockstep", error="invalid_token"', answer.headers["WWW-Authenticate"])
    assert spa.userinfo(token).status_code == 200


def test_a_token_that_is_gone_is_refused_whatever_is_proven(app: Flask, browser: FlaskClient, spa: OidcSite) -> None:
    token = redeemed(spa, spa.code(browser)).get_json()["access_token"]
    spa.post("/revoke", token=token)
    answer = shown(app, token)
    assert error_of(answer) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("DPoP ")


def test_who_shows_nothing_is_told_both_ways(app: Flask) -> None:
    answer = app.test_client().get("/userinfo")
    assert (answer.status_code, "error" in answer.get_json()) == (401, False)
    assert answer.headers.getlist("WWW-Authenticate") == [
        'Bearer realm="lockstep"',
        'DPoP realm="lockstep", algs="ES256 PS256 EdDSA"',
    ]


@pytest.mark.covers("line-62")
def test_a_public_clients_refresh_token_is_for_its_key_alone(app: Flask, browser: FlaskClient, spa: OidcSite) -> None:
    tokens = redeemed(spa, spa.code(browser)).get_json()
    for key in (OTHER, None):
        answer = refreshed(spa, tokens["refresh_token"], key)
        assert error_of(answer) == (400, "invalid_grant")
        assert answer.get_json()["error_description"] == "key_mismatch"
    renewed = refreshed(spa, tokens["refresh_token"])
    assert renewed.status_code == 200, "a thief without the key can't even spend it"
    assert renewed.get_json()["token_type"] == "DPoP"
    assert shown(app, renewed.get_json()["access_token"]).status_code == 200
    assert error_of(refreshed(spa, renewed.get_json()["refresh_token"], OTHER)) == (400, "invalid_grant")
    assert refreshed(spa, renewed.get_json()["refresh_token"]).status_code == 200


@pytest.mark.covers("line-62")
def test_a_public_client_may_begin_with_a_key_later_and_never_go_back(browser: FlaskClient, spa: OidcSite) -> None:
    tokens = spa.tokens(browser)
    renewed = refreshed(spa, tokens["refresh_token"]).get_json()
    assert renewed["token_type"] == "DPoP"
    assert error_of(refreshed(spa, renewed["refresh_token"], None)) == (400, "invalid_grant")


def test_a_confidential_client_may_change_its_key(app: Flask, browser: FlaskClient, shop: OidcSite) -> None:
    """RFC 9449 section 5: it proves who it is at each refresh; only its access tokens are bound."""
    tokens = redeemed(shop, shop.code(browser)).get_json()
    renewed = refreshed(shop, tokens["refresh_token"], OTHER).get_json()
    assert shown(app, renewed["access_token"], OTHER).status_code == 200
    assert shown(app, renewed["access_token"], KEY).status_code == 401


@pytest.mark.covers("ensure-dpop-auth-code-binding-success", "ensure-dpop-auth-code-binding-fails-with-wrong-key")
def test_a_code_is_for_the_key_that_the_request_named(browser: FlaskClient, spa: OidcSite, shop: OidcSite) -> None:
    for site in (spa, shop):
        assert redeemed(site, site.code(browser, dpop_jkt=thumbprint(KEY))).status_code == 200
        for key in (OTHER, None):
            code = site.code(browser, dpop_jkt=thumbprint(KEY))
            assert error_of(redeemed(site, code, key)) == (400, "invalid_grant")
            assert error_of(redeemed(site, code, KEY)) == (400, "invalid_grant"), "and burnt, as by a wrong verifier"


def test_a_code_of_a_request_without_pkce_is_bound_too(app: Flask, browser: FlaskClient, add_client: AddClient) -> None:
    site = OidcSite(app, "relaxed", SECRETS["shop"])
    _confidential(app, add_client, "relaxed", require_pkce=False)
    bare = {"code_challenge": None, "code_challenge_method": None}
    code = site.code(browser, **bare, dpop_jkt=thumbprint(KEY))
    assert error_of(redeemed(site, code, OTHER, code_verifier="")) == (400, "invalid_grant")
    code = site.code(browser, **bare, dpop_jkt=thumbprint(KEY))
    assert redeemed(site, code, KEY, code_verifier="").status_code == 200


def _confidential(app: Flask, add_client: AddClient, client_id: str, **metadata: Any) -> None:
    client = add_client(client_id, **metadata)
    with_secret = replace(client, secrets=(ClientSecret(digest(SECRETS["shop"])),))
    assert built_of(app).sql.clients.update(with_secret, client)


def pushed(site: OidcSite, signing: Signing, key: Any = None, **params: str | None) -> TestResponse:
    headers = {"DPoP": proof(key, "POST", PAR)} if key else {}
    return site.post("/par", headers=headers, **(site.params(**params) | signing.form()))


def code_of_pushed(site: OidcSite, browser: FlaskClient, request_uri: str) -> str:
    answer = browser.get("/authorize", query_string={"client_id": site.client_id, "request_uri": request_uri})
    if path_of(answer) == "/sign-in":
        answer = browser.get(sign_in(browser, answer.headers["Location"]).headers["Location"])
    return query_of(answer)["code"]


@pytest.mark.covers(
    "happy-flow",
    "refresh-token",
    "ensure-dpop-auth-code-binding-success",
    "ensure-dpop-auth-code-binding-fails-with-wrong-key",
    "ensure-holder-of-key-required",
)
def test_the_whole_way_of_fapi(app: Flask, browser: FlaskClient, fapi: Signing) -> None:
    site = OidcSite(app, "fapi")
    answers = [pushed(site, fapi, KEY), pushed(site, fapi, dpop_jkt=thumbprint(KEY)), pushed(site, fapi)]
    assert [answer.status_code for answer in answers] == [201] * 3, [answer.text for answer in answers]
    for number, answer in enumerate(answers):
        code = code_of_pushed(site, browser, answer.get_json()["request_uri"])
        done = redeemed(site, code, **fapi.form())
        assert done.status_code == 200, done.text
        tokens = done.get_json()
        assert tokens["token_type"] == "DPoP", number
        assert jwt.get_unverified_header(tokens["id_token"])["alg"] == "ES256"
        assert shown(app, tokens["access_token"]).get_json()["sub"] == site.claims(tokens["id_token"])["sub"]
    bound = code_of_pushed(site, browser, pushed(site, fapi, KEY).get_json()["request_uri"])
    assert error_of(redeemed(site, bound, OTHER, **fapi.form())) == (400, "invalid_grant")
    free = code_of_pushed(site, browser, pushed(site, fapi).get_json()["request_uri"])
    assert error_of(redeemed(site, free, None, **fapi.form())) == (400, "invalid_dpop_proof")
    assert error_of(refreshed(site, tokens["refresh_token"], None, **fapi.form())) == (400, "invalid_dpop_proof")
    assert error_of(refreshed(site, tokens["refresh_token"])) == (401, "invalid_client")
    # FAPI 2.0 Security Profile section 5.3.2.1: not rotated, so that a lost answer costs nobody the session.
    for _ in range(2):
        renewed = refreshed(site, tokens["refresh_token"], **fapi.form())
        assert renewed.get_json()["refresh_token"] == tokens["refresh_token"]
        assert shown(app, renewed.get_json()["access_token"]).status_code == 200


@pytest.mark.covers("ensure-mismatched-dpop-jkt-fails")
def test_ensure_mismatched_dpop_jkt_fails(app: Flask, fapi: Signing) -> None:
    site = OidcSite(app, "fapi")
    assert error_of(pushed(site, fapi, KEY, dpop_jkt=thumbprint(OTHER))) == (400, "invalid_dpop_proof")
    assert pushed(site, fapi, KEY, dpop_jkt=thumbprint(KEY)).status_code == 201


def test_a_pushed_request_is_proven_for_its_own_address(app: Flask, fapi: Signing) -> None:
    site = OidcSite(app, "fapi")
    headers = {"DPoP": proof(KEY, "POST", TOKEN)}
    answer = site.post("/par", headers=headers, **(site.params() | fapi.form()))
    assert error_of(answer) == (400, "invalid_dpop_proof")


@pytest.mark.covers("ensure-holder-of-key-required")
def test_who_registered_for_bound_tokens_gets_no_others(
    app: Flask, browser: FlaskClient, add_client: AddClient
) -> None:
    add_client("bound", public=True, dpop_bound_access_tokens=True)
    site = OidcSite(app, "bound")
    code = site.code(browser)
    assert error_of(redeemed(site, code, None)) == (400, "invalid_dpop_proof")
    assert redeemed(site, code).get_json()["token_type"] == "DPoP", "nothing was spent by the refusal"


def test_our_address_is_the_issuers_whatever_a_proxy_calls_us(app: Flask, spa: OidcSite) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "spa"}
    inside = app.test_client(use_cookies=False)
    strange = {"X-Forwarded-Host": "sso.evil.example", "X-Forwarded-Proto": "https"}
    for url, error in ((TOKEN, "invalid_grant"), ("http://inner:8000/token", "invalid_dpop_proof")):
        headers = {"DPoP": proof(KEY, "POST", url), **strange}
        answer = inside.post("/token", base_url="http://inner:8000", data=form, headers=headers)
        assert error_of(answer) == (400, error)


@pytest.mark.covers("line-60")
def test_a_nonce_may_be_asked_for(make_app: Callable[..., Flask], browser: FlaskClient, later: Later) -> None:
    app = make_app(dpop_nonce=True)
    spa = OidcSite(app, "spa")
    code = spa.code(app.test_client())

    def tried(nonce: str | None, **claims: Any) -> TestResponse:
        headers = {"DPoP": proof(KEY, "POST", TOKEN, nonce=nonce, **claims)}
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": spa.redirect_uri, "client_id": "spa"}
        return app.test_client().post("/token", data=form | {"code_verifier": VERIFIER}, headers=headers)

    first = tried(None)
    assert error_of(first) == (400, "use_dpop_nonce")
    nonce = first.headers["DPoP-Nonce"]
    assert re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", nonce)
    for wrong in ("", nonce + "x", "made-up", 7):
        assert error_of(tried(wrong)) == (400, "use_dpop_nonce")  # type: ignore[arg-type]
    with later(301):
        assert error_of(tried(nonce)) == (400, "use_dpop_nonce"), "too old"
    # Section 4.3, item 11: our nonce says when the proof was made, and its maker's clock nothing.
    answer = tried(nonce, iat=1)
    assert answer.status_code == 200, answer.text
    token, fresh = answer.get_json()["access_token"], answer.headers["DPoP-Nonce"]
    assert app.test_client().get("/userinfo").headers.get("DPoP-Nonce") is None

    def asked(nonce: str | None) -> TestResponse:
        shown = proof(KEY, "GET", USERINFO, token=token, nonce=nonce)
        return app.test_client().get("/userinfo", headers={"Authorization": f"DPoP {token}", "DPoP": shown})

    refused = asked(None)
    assert error_of(refused) == (401, "use_dpop_nonce")
    assert 'DPoP realm="lockstep", error="use_dpop_nonce"' in refused.headers["WWW-Authenticate"]
    assert asked(refused.headers["DPoP-Nonce"]).status_code == 200
    assert asked(fresh).status_code == 200

    def pushed_with(nonce: str | None) -> TestResponse:
        headers = {"DPoP": proof(KEY, "POST", PAR, nonce=nonce)}
        return app.test_client().post("/par", data=spa.params(), headers=headers)

    refused = pushed_with(None)
    assert error_of(refused) == (400, "use_dpop_nonce")
    assert pushed_with(refused.headers["DPoP-Nonce"]).status_code == 201
    # Without the setting nobody needs one, and none is given.
    plain = make_app().test_client()
    answer = plain.get("/userinfo", headers={"Authorization": f"DPoP {token}",
                                             "DPoP": proof(KEY, "GET", USERINFO, token=token)})  # fmt: skip
    assert (answer.status_code, "DPoP-Nonce" in answer.headers) == (200, False)


@pytest.mark.covers("line-58")
def test_a_clients_own_token_is_bound_like_a_persons(app: Flask, add_client: AddClient, signer: Signing) -> None:
    key = private_key("ES256", "own")
    add_client(
        "own",
        token_endpoint_auth_method="private_key_jwt",
        jwks=key_set(public_jwk(key, kid="one")),
        grant_types=("client_credentials",),
        dpop_bound_access_tokens=True,
    )
    site, signing = OidcSite(app, "own"), Signing("own", key)
    bare = site.post("/token", headers={}, grant_type="client_credentials", **signing.form())
    assert error_of(bare) == (400, "invalid_dpop_proof")
    headers = {"DPoP": proof(KEY, "POST", TOKEN)}
    answer = site.post("/token", headers=headers, grant_type="client_credentials", **signing.form())
    assert answer.get_json()["token_type"] == "DPoP", answer.text
    said = site.post("/introspect", headers={}, token=answer.get_json()["access_token"], **signing.form()).get_json()
    assert (said["token_type"], said["cnf"]) == ("DPoP", {"jkt": thumbprint(KEY)})
