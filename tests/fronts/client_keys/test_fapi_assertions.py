"""The modules of the FAPI 2.0 plan about client authentication: at /par, and at /token with everything else right."""

import time
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from sso_server.core.client_metadata import FAPI2, ClientMetadata
from tests.support.oidc_site import ISSUER, VERIFIER, OidcSite, built_of
from tests.support.signing_client import Signing, private_key, proof


@pytest.fixture
def site(app: Flask, fapi: Signing) -> OidcSite:
    return OidcSite(app, fapi.client_id)


def pushed(site: OidcSite, form: dict[str, str]) -> TestResponse:
    return site.post("/par", headers={}, **(site.params() | form))


def accepted(answer: TestResponse) -> bool:
    if answer.status_code == 201:
        return True
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client"), answer.text
    return False


def at_token(site: OidcSite, form: dict[str, str]) -> str:
    """The error: authentication comes before everything else, so that a code that never was is what is left."""
    grant = {"grant_type": "authorization_code", "code": "x", "redirect_uri": site.redirect_uri}
    headers = {"DPoP": proof(private_key("ES256", "dpop"), "POST", f"{ISSUER}/token")}
    answer = site.post("/token", headers=headers, **(grant | {"code_verifier": VERIFIER} | form))
    error: str = answer.get_json()["error"]
    return error


@pytest.mark.covers("ensure-authorization-request-without-client-assertion-fails")
def test_ensure_authorization_request_without_client_assertion_fails(site: OidcSite, fapi: Signing) -> None:
    assert not accepted(pushed(site, {"client_id": "fapi"}))
    assert accepted(pushed(site, fapi.form()))


@pytest.mark.covers("ensure-client-assertion-in-token-endpoint")
def test_ensure_client_assertion_in_token_endpoint(site: OidcSite, fapi: Signing) -> None:
    assert at_token(site, {"client_id": "fapi"}) == "invalid_client"
    assert at_token(site, fapi.form()) == "invalid_grant"


@pytest.mark.covers("ensure-client-assertion-with-exp-is-5-minutes-in-past-fails")
def test_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(site: OidcSite, fapi: Signing) -> None:
    old: dict[str, Any] = {"iat": int(time.time()) - 360, "exp": int(time.time()) - 300}
    assert at_token(site, fapi.form(**old)) == "invalid_client"
    assert not accepted(pushed(site, fapi.form(**old)))


@pytest.mark.covers("ensure-client-assertion-with-no-sub-fails")
def test_ensure_client_assertion_with_no_sub_fails(site: OidcSite, fapi: Signing) -> None:
    assert at_token(site, {"client_id": "fapi"} | fapi.form(sub=None)) == "invalid_client"


@pytest.mark.covers("ensure-client-assertion-with-wrong-aud-fails")
def test_ensure_client_assertion_with_wrong_aud_fails(site: OidcSite, fapi: Signing) -> None:
    assert at_token(site, fapi.form(aud="https://elsewhere.example")) == "invalid_client"
    assert not accepted(pushed(site, fapi.form(aud="https://elsewhere.example")))


@pytest.mark.covers("ensure-signed-client-assertion-with-RS256-fails")
def test_ensure_signed_client_assertion_with_RS256_fails(site: OidcSite, fapi: Signing) -> None:  # noqa: N802  (the module's name)
    assert at_token(site, Signing("fapi", fapi.key, "RS256").form()) == "invalid_client"
    assert at_token(site, Signing("fapi", private_key("ES256", "fapi"), "ES256", kid="two").form()) == "invalid_grant"


@pytest.mark.covers("par-test-array-as-audience-fails")
def test_par_test_array_as_audience_fails(site: OidcSite, fapi: Signing) -> None:
    assert not accepted(pushed(site, fapi.form(aud=[ISSUER])))
    assert not accepted(pushed(site, fapi.form(aud=[ISSUER, f"{ISSUER}/par"])))


@pytest.mark.covers("par-test-par-endpoint-url-as-audience-fails")
def test_par_test_par_endpoint_url_as_audience_fails(site: OidcSite, fapi: Signing) -> None:
    assert not accepted(pushed(site, fapi.form(aud=f"{ISSUER}/par")))


@pytest.mark.covers("par-test-token-endpoint-url-as-audience-fails")
def test_par_test_token_endpoint_url_as_audience_fails(site: OidcSite, fapi: Signing) -> None:
    assert not accepted(pushed(site, fapi.form(aud=f"{ISSUER}/token")))


@pytest.mark.covers("ensure-client-assertion-with-nbf-8-seconds-ahead-succeeds")
def test_ensure_client_assertion_with_nbf_8_seconds_ahead_succeeds(site: OidcSite, fapi: Signing) -> None:
    ahead = int(time.time()) + 8
    assert accepted(pushed(site, fapi.form(nbf=ahead, iat=ahead, exp=ahead + 60)))
    assert at_token(site, fapi.form(nbf=ahead)) == "invalid_grant"


@pytest.mark.covers("ensure-client-assertion-with-nbf-over-60-seconds-ahead-fails")
def test_ensure_client_assertion_with_nbf_over_60_seconds_ahead_fails(site: OidcSite, fapi: Signing) -> None:
    ahead = int(time.time()) + 61
    assert not accepted(pushed(site, fapi.form(nbf=ahead, exp=ahead + 60)))
    assert not accepted(pushed(site, fapi.form(iat=ahead, exp=ahead + 60)))


@pytest.mark.covers("ensure-client-id-in-token-endpoint")
def test_ensure_client_id_in_token_endpoint(site: OidcSite, fapi: Signing) -> None:
    assert at_token(site, {"client_id": "wiki"} | fapi.form()) == "invalid_client"
    assert at_token(site, {"client_id": "fapi"} | fapi.form()) == "invalid_grant"


def test_no_other_method_will_do_whatever_is_registered(shop: OidcSite, app: Flask) -> None:
    """Its own secret, if it has one from before, opens nothing."""
    clients = built_of(app).sql.clients
    known = next(client for client in clients.list_clients() if client.client_id == "shop")
    assert clients.update(replace(known, metadata=ClientMetadata(profile=FAPI2)), known)
    assert shop.post("/revoke", token="x").status_code == 401
