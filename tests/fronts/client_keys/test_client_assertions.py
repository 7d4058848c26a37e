"""private_key_jwt: a client that signs who it is, at every endpoint that asks, and each assertion once."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.client_metadata import PRIVATE_KEY_JWT, ClientMetadata
from tests.fronts.client_keys.conftest import AddClient
from tests.fronts.conftest import Later
from tests.support.oidc_site import ISSUER, OidcSite, built_of
from tests.support.signing_client import Signing, form_of, fresh, key_set, part, private_key, public_jwk, sign


def refused(answer: TestResponse) -> bool:
    """As whoever isn't known, and no other way."""
    if answer.status_code == 401:
        assert answer.get_json()["error"] == "invalid_client"
        assert answer.get_json()["error_description"] == "Client authentication failed."
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert answer.headers["Cache-Control"] == "no-store"
        return True
    assert answer.status_code == 200, answer.text
    return False


def asked(site: OidcSite, form: dict[str, str]) -> TestResponse:
    return site.post("/revoke", headers={}, token="x", **form)


@pytest.mark.covers("line-38", "oidcc-ensure-client-assertion-with-iss-aud-succeeds")
def test_oidcc_ensure_client_assertion_with_iss_aud_succeeds(
    signing_site: OidcSite, signer: Signing, browser: FlaskClient
) -> None:
    answer = signing_site.redeem(signing_site.code(browser), **signer.form(aud=ISSUER))
    assert answer.status_code == 200, answer.text
    assert signing_site.claims(answer.get_json()["id_token"])["aud"] == "signer"


def test_the_audience_is_the_issuer_or_an_endpoint_of_it(signing_site: OidcSite, signer: Signing) -> None:
    several = ["https://elsewhere.example", f"{ISSUER}/token"]
    for aud in (ISSUER, f"{ISSUER}/token", f"{ISSUER}/revoke", [ISSUER], several):
        assert not refused(asked(signing_site, signer.form(aud=aud))), aud


def test_every_endpoint_takes_it_alike(signing_site: OidcSite, signer: Signing) -> None:
    for path in ("/token", "/introspect", "/revoke", "/par", "/device-authorization"):
        form = signing_site.params() if path == "/par" else {"token": "x", "grant_type": "authorization_code"}
        good = signing_site.post(path, headers={}, **(form | signer.form(aud=f"{ISSUER}{path}")))
        assert good.status_code in (200, 201, 400), (path, good.text)
        assert good.get_json(silent=True) is None or good.get_json().get("error") != "invalid_client", path
        assert refused(signing_site.post(path, headers={}, **(form | signer.form(aud="https://elsewhere.example"))))


def test_client_id_need_not_be_sent(signing_site: OidcSite, signer: Signing) -> None:
    assert not refused(asked(signing_site, signer.form()))
    assert not refused(asked(signing_site, {"client_id": "signer"} | signer.form()))


NOW = time.time
WRONG: dict[str, Callable[[], dict[str, Any]]] = {
    "no-iss": lambda: {"iss": None},
    "other-iss": lambda: {"iss": "wiki"},
    "other-sub": lambda: {"sub": "wiki"},
    "no-sub": lambda: {"sub": None},
    "no-aud": lambda: {"aud": None},
    "other-aud": lambda: {"aud": "https://elsewhere.example"},
    "aud-with-slash": lambda: {"aud": f"{ISSUER}/"},
    "aud-of-another-endpoint": lambda: {"aud": f"{ISSUER}/introspect"},
    "aud-is-us-as-client": lambda: {"aud": "signer"},
    "aud-object": lambda: {"aud": {ISSUER: 1}},
    "aud-nested": lambda: {"aud": [[ISSUER]]},
    "no-exp": lambda: {"exp": None},
    "old": lambda: {"exp": int(NOW()) - 300},
    "just-over": lambda: {"exp": int(NOW()) - 11},
    "for-ever": lambda: {"exp": int(NOW()) + 2 * 86_400},
    "exp-text": lambda: {"exp": "4102444800"},
    "exp-true": lambda: {"exp": True},
    "exp-infinite": lambda: {"exp": float("inf")},
    "not-yet": lambda: {"nbf": int(NOW()) + 61},
    "nbf-text": lambda: {"nbf": "now"},
    "issued-in-the-future": lambda: {"iat": int(NOW()) + 61},
    "iat-list": lambda: {"iat": [1]},
    "no-jti": lambda: {"jti": None},
    "empty-jti": lambda: {"jti": ""},
    "jti-number": lambda: {"jti": 7},
    "typ-of-an-access-token": lambda: {"header": {"typ": "at+jwt"}},
    "typ-of-a-logout-token": lambda: {"header": {"typ": "logout+jwt"}},
    "typ-of-a-request": lambda: {"header": {"typ": "oauth-authz-req+jwt"}},
    "typ-of-a-proof": lambda: {"header": {"typ": "dpop+jwt"}},
    "typ-number": lambda: {"header": {"typ": 7}},
    "unknown-kid": lambda: {"header": {"kid": "nobody's"}},
    "crit": lambda: {"header": {"crit": ["exp"], "exp": 1}},
}


@pytest.mark.covers("line-38")
def test_what_says_anything_else_is_refused(signing_site: OidcSite, signer: Signing) -> None:
    for name, changes in WRONG.items():
        assert refused(asked(signing_site, {"client_id": "signer"} | signer.form(**changes()))), name
    assert not refused(asked(signing_site, signer.form()))


def test_its_type_may_be_named(signing_site: OidcSite, signer: Signing) -> None:
    for typ in ("client-authentication+jwt", "application/client-authentication+jwt", "JWT", "jwt", None):
        assert not refused(asked(signing_site, signer.form(header={"typ": typ}))), typ


def test_a_clock_may_be_some_seconds_off(signing_site: OidcSite, signer: Signing) -> None:
    now = int(NOW())
    assert not refused(asked(signing_site, signer.form(nbf=now + 8, iat=now + 8, exp=now + 60)))
    assert not refused(asked(signing_site, signer.form(exp=now - 5)))


@pytest.mark.covers("advisory-22")
def test_each_is_good_once(signing_site: OidcSite, signer: Signing, later: Later) -> None:
    """Hydra CVE-2020-5300, Fosite CVE-2020-15222."""
    form = signer.form()
    assert not refused(asked(signing_site, form))
    assert refused(asked(signing_site, form))
    assert refused(signing_site.post("/introspect", headers={}, token="x", **form))
    with later(65):
        # As long as its `exp` counts, and that is some seconds longer for clocks that are behind.
        assert refused(asked(signing_site, form))


def test_a_jti_is_the_clients_own(signing_site: OidcSite, signer: Signing, add_client: AddClient) -> None:
    other = Signing("other", private_key("ES256", "other"))
    jwks = key_set(public_jwk(other.key, kid="one"))
    add_client("other", token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks=jwks)
    jti = fresh()
    assert not refused(asked(signing_site, signer.form(jti=jti)))
    assert not refused(asked(signing_site, other.form(jti=jti)))


def test_anothers_assertion_opens_nothing(signing_site: OidcSite, signer: Signing) -> None:
    for client_id in ("wiki", "spa", "nobody"):
        assert refused(asked(signing_site, {"client_id": client_id} | signer.form()))
    forged = Signing("wiki", signer.key)
    assert refused(asked(signing_site, forged.form()))


@pytest.mark.covers("ensure-client-assertion-in-token-endpoint")
def test_its_type_parameter_is_the_one_there_is(signing_site: OidcSite, signer: Signing) -> None:
    for kind in ("", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "jwt-bearer"):
        assert refused(asked(signing_site, signer.form() | {"client_assertion_type": kind})), kind


def test_half_an_assertion_is_none(signing_site: OidcSite, signer: Signing) -> None:
    form = signer.form()
    for name in form:
        assert refused(asked(signing_site, {"client_id": "signer", name: form[name]}))
    assert refused(asked(signing_site, {"client_id": "signer"})), "its id alone proves nothing"


@pytest.mark.covers("line-13")
def test_a_secret_beside_it_is_invalid_request(signing_site: OidcSite, signer: Signing, shop: OidcSite) -> None:
    by_form = asked(signing_site, signer.form() | {"client_id": "signer", "client_secret": "x"})
    by_header = signing_site.post("/revoke", headers=shop.basic, token="x", **signer.form())
    for answer in (by_form, by_header):
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.covers("line-38")
def test_every_algorithm_that_discovery_names_is_taken(app: Flask, add_client: AddClient) -> None:
    algs = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
    jwks = key_set(*(public_jwk(private_key(alg, alg), kid=alg) for alg in algs))
    add_client("all", token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks=jwks)
    site = OidcSite(app, "all")
    for alg in algs:
        signing = Signing("all", private_key(alg, alg), alg, kid=alg)
        assert not refused(asked(site, signing.form())), alg
        without_kid = form_of(sign(signing.claims(), signing.key, alg))
        assert not refused(asked(site, without_kid)), f"{alg}: without a kid, each key of the kind is tried"
    named = app.test_client().get("/.well-known/openid-configuration").get_json()
    for member in ("token", "revocation", "introspection"):
        assert PRIVATE_KEY_JWT in named[f"{member}_endpoint_auth_methods_supported"]
        assert {"RS256", "PS256", "ES256", "EdDSA"} <= set(
            named[f"{member}_endpoint_auth_signing_alg_values_supported"]
        )


def test_only_the_registered_algorithm_is_taken(app: Flask, add_client: AddClient) -> None:
    key = private_key("PS256", "one-alg")
    add_client(
        "one-alg",
        token_endpoint_auth_method=PRIVATE_KEY_JWT,
        token_endpoint_auth_signing_alg="PS256",
        jwks=key_set(public_jwk(key, kid="one")),
    )
    site = OidcSite(app, "one-alg")
    assert not refused(asked(site, Signing("one-alg", key, "PS256").form()))
    assert refused(asked(site, Signing("one-alg", key, "RS256").form()))


def test_only_who_registered_for_it_may_come_so(app: Flask, add_client: AddClient) -> None:
    key = private_key("ES256", "not-so")
    jwks = key_set(public_jwk(key, kid="one"))
    for method in ("", "client_secret_basic", "client_secret_post", "none"):
        client_id = f"not-so-{method}"
        add_client(client_id, token_endpoint_auth_method=method, public=method == "none", jwks=jwks)
        assert refused(asked(OidcSite(app, client_id), Signing(client_id, key).form())), method


def test_whoever_registered_a_method_comes_by_no_other(shop: OidcSite) -> None:
    """RFC 7591 section 2: else the weakest way would count."""
    by_form = {"client_id": "shop", "client_secret": shop.secret}
    for method, by_header_ok, by_form_ok in (
        ("client_secret_basic", True, False),
        ("client_secret_post", False, True),
        (PRIVATE_KEY_JWT, False, False),
        ("", True, True),
    ):
        _register(shop, method)
        assert refused(shop.post("/revoke", token="x")) is not by_header_ok, method
        assert refused(shop.post("/revoke", headers={}, token="x", **by_form)) is not by_form_ok, method


def _register(site: OidcSite, method: str) -> None:
    built = built_of(site.app)
    known = next(client for client in built.sql.clients.list_clients() if client.client_id == site.client_id)
    changed = replace(known, metadata=ClientMetadata(token_endpoint_auth_method=method))
    assert built.sql.clients.update(changed, known)
    # The directory looks once a second.
    built.services.clients._checked_at = 0


def test_a_secret_is_no_key(app: Flask, signer: Signing, signing_site: OidcSite, shop: OidcSite) -> None:
    """client_secret_jwt: of a secret there is only a digest here."""
    claims = Signing("shop", None).claims()
    by_secret = sign(claims, shop.secret, "HS256", {"kid": "one"})
    assert refused(asked(shop, form_of(by_secret)))
    unsigned = f"{part({'alg': 'none', 'kid': 'one'})}.{part(signer.claims())}."
    assert refused(asked(signing_site, form_of(unsigned)))


def test_why_is_for_the_log_alone(signing_site: OidcSite, signer: Signing, logged: list[dict[str, object]]) -> None:
    assert refused(asked(signing_site, signer.form(aud="https://elsewhere.example")))
    assert any("aud is not us" in str(line) for line in logged)


def test_calls_in_json_bring_it_among_their_members(signing_site: OidcSite, signer: Signing, shop: OidcSite) -> None:
    calls = signing_site.app.test_client(use_cookies=False)
    bodies: dict[str, dict[str, Any]] = {
        "/check-in": {"store": "st-" + "a" * 32, "mark": None},
        "/poll": {"returnImmediately": True},
        "/client-test": {"call": False},
    }
    for path, body in bodies.items():
        proven = signer.form(aud=f"{ISSUER}{path}")
        assert calls.post(path, json=body | proven).status_code == 200, path
        assert refused(calls.post(path, json=body | proven)), f"{path}: once"
        assert refused(calls.post(path, json=body | {"client_id": "signer"})), path
        assert refused(calls.post(path, json=body | signer.form(aud="https://elsewhere.example"))), path
        assert refused(calls.post(path, json=body | {"client_id": ["signer"], "client_assertion": 7})), path
        by_secret = {"client_id": "shop", "client_secret": shop.secret}
        assert calls.post(path, json=body | by_secret).status_code == 200, path
        assert refused(calls.post(path, json=body | by_secret | {"client_secret": "wrong"})), path
        assert refused(calls.post(path, data="no json", content_type="text/plain")), path
