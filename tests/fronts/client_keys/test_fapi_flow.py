"""The modules of the FAPI 2.0 plan about requests, codes and answers: a client that does all that the profile asks."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fronts.conftest import Later
from tests.support.oidc_site import ISSUER, VERIFIER, OidcSite, built_of, path_of, query_of, sign_in
from tests.support.signing_client import Signing, private_key, proof

DPOP = private_key("ES256", "dpop of the flow")


@dataclass(frozen=True)
class FapiSite:
    """One client and its key."""

    site: OidcSite
    signing: Signing

    def push(self, **more: str | None) -> TestResponse:
        """POST /par."""
        return self.site.post("/par", headers={}, **(self.site.params(**more) | self.signing.form()))

    def visit(self, browser: FlaskClient, **more: str | None) -> TestResponse:
        """The browser, with what was pushed just now."""
        pushed = self.push(**more)
        assert pushed.status_code == 201, pushed.text
        return self.bring(browser, pushed.get_json()["request_uri"])

    def bring(self, browser: FlaskClient, uri: str, **beside: str) -> TestResponse:
        """The browser, with a reference."""
        query = {"client_id": self.site.client_id, "request_uri": uri, **beside}
        return browser.get("/authorize?" + urlencode(query))

    def code(self, browser: FlaskClient, **more: str | None) -> str:
        """Of somebody who is signed in."""
        return query_of(self.visit(browser, **more))["code"]

    def redeem(self, code: str, **more: str | None) -> TestResponse:
        """With assertion, verifier and proof."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.site.redirect_uri,
            "code_verifier": VERIFIER,
        }
        headers = {"DPoP": proof(DPOP, "POST", f"{ISSUER}/token")}
        return self.site.post("/token", headers=headers, **(form | self.signing.form() | more))


@pytest.fixture
def one(app: Flask, fapi: Signing) -> FapiSite:
    return FapiSite(OidcSite(app, fapi.client_id), fapi)


@pytest.fixture
def browser(browser: FlaskClient) -> FlaskClient:
    """Alice's, signed in."""
    sign_in(browser)
    return browser


def refusal(answer: TestResponse) -> str:
    assert answer.status_code == 400, answer.text
    error: str = answer.get_json()["error"]
    return error


@pytest.mark.covers("happy-flow")
def test_happy_flow(browser: FlaskClient, one: FapiSite) -> None:
    answer = one.visit(browser)
    assert set(query_of(answer)) == {"code", "state", "iss"}
    tokens = one.redeem(query_of(answer)["code"]).get_json()
    assert tokens["token_type"] == "DPoP"
    assert jwt.get_unverified_header(tokens["id_token"])["alg"] in ("PS256", "ES256", "EdDSA")
    assert one.site.claims(tokens["id_token"])["nonce"] == "the-nonce"


@pytest.mark.covers("attempt-reuse-authorization-code-after-one-second", "line-8", "line-34")
def test_attempt_reuse_authorization_code_after_one_second(browser: FlaskClient, one: FapiSite, later: Later) -> None:
    code = one.code(browser)
    tokens = one.redeem(code).get_json()
    with later(1):
        assert refusal(one.redeem(code)) == "invalid_grant"
        bound = {"Authorization": f"DPoP {tokens['access_token']}"}
        bound["DPoP"] = proof(DPOP, "GET", f"{ISSUER}/userinfo", token=tokens["access_token"])
        assert one.site.app.test_client().get("/userinfo", headers=bound).status_code == 401


@pytest.mark.covers("ensure-token-endpoint-fails-with-expired-auth-code", "line-9")
def test_ensure_token_endpoint_fails_with_expired_auth_code(browser: FlaskClient, one: FapiSite, later: Later) -> None:
    code = one.code(browser)
    with later(61):
        assert refusal(one.redeem(code)) == "invalid_grant"


def test_a_code_lives_a_minute_however_long_those_of_others_do(
    make_app: Callable[..., Flask], app: Flask, browser: FlaskClient, one: FapiSite, shop: OidcSite
) -> None:
    longer = make_app(ticket_life=600)
    tickets = built_of(longer).services.tickets
    somebody = longer.test_client()
    sign_in(somebody)
    lives = []
    for code in (
        FapiSite(OidcSite(longer, one.site.client_id), one.signing).code(somebody),
        OidcSite(longer, "shop").code(somebody),
    ):
        ticket = tickets.find(code)
        assert ticket is not None
        lives.append(ticket.expires_at - ticket.issued_at)
    assert lives == [60_000, 600_000]


@pytest.mark.covers("ensure-authorization-code-is-bound-to-client", "line-10")
def test_ensure_authorization_code_is_bound_to_client(browser: FlaskClient, one: FapiSite, shop: OidcSite) -> None:
    code = one.code(browser)
    stolen = shop.redeem(code, redirect_uri=one.site.redirect_uri)
    assert refusal(stolen) == "invalid_grant"
    assert refusal(one.redeem(code)) == "invalid_grant"


@pytest.mark.covers("par-ensure-pkce-required", "line-32")
def test_par_ensure_pkce_required(one: FapiSite) -> None:
    assert refusal(one.push(code_challenge=None, code_challenge_method=None)) == "invalid_request"


@pytest.mark.covers("par-plain-pkce-rejected", "line-25")
@pytest.mark.parametrize("method", ["plain", None])
def test_par_plain_pkce_rejected(one: FapiSite, method: str | None) -> None:
    assert refusal(one.push(code_challenge=VERIFIER[:43], code_challenge_method=method)) == "invalid_request"


@pytest.mark.covers("ensure-pkce-code-verifier-required", "line-28")
def test_ensure_pkce_code_verifier_required(browser: FlaskClient, one: FapiSite) -> None:
    assert refusal(one.redeem(one.code(browser), code_verifier=None)) == "invalid_grant"


@pytest.mark.covers("incorrect-pkce-code-verifier-rejected", "line-26")
def test_incorrect_pkce_code_verifier_rejected(browser: FlaskClient, one: FapiSite) -> None:
    code = one.code(browser)
    assert refusal(one.redeem(code, code_verifier="x" * 43)) == "invalid_grant"
    assert refusal(one.redeem(code)) == "invalid_grant"


@pytest.mark.covers("ensure-response-type-token-fails", "line-36")
def test_ensure_response_type_token_fails(one: FapiSite) -> None:
    assert refusal(one.push(response_type="token")) == "unsupported_response_type"


@pytest.mark.covers("ensure-response-type-code-idtoken-fails")
def test_ensure_response_type_code_idtoken_fails(one: FapiSite) -> None:
    assert refusal(one.push(response_type="code id_token")) == "unsupported_response_type"


@pytest.mark.covers("user-rejects-authentication", "line-54")
def test_user_rejects_authentication(one: FapiSite, app: Flask) -> None:
    browser = app.test_client()
    page = one.visit(browser)
    assert path_of(page) == "/sign-in"
    sealed = dict(parse_qsl(urlsplit(page.headers["Location"]).query))["request"]
    answer = browser.get("/authorize/continue?" + urlencode({"request": sealed, "cancel": "1"}))
    assert path_of(answer) == one.site.redirect_uri
    query = query_of(answer)
    assert (query["error"], query["state"], query["iss"]) == ("access_denied", "the-state", ISSUER)
    # That was the answer: the same request signs nobody in afterwards.
    way_back = sign_in(browser, page.headers["Location"])
    assert browser.get(way_back.headers["Location"]).status_code == 400


@pytest.mark.covers("ensure-unsigned-authorization-request-without-using-par-fails", "line-56")
def test_ensure_unsigned_authorization_request_without_using_par_fails(browser: FlaskClient, one: FapiSite) -> None:
    answer = one.site.ask(browser)
    assert path_of(answer) == one.site.redirect_uri
    assert query_of(answer)["error"] == "invalid_request"


@pytest.mark.covers("ensure-registered-redirect-uri", "line-1")
@pytest.mark.parametrize("uri", ["https://fapi.example.com/cb/", "https://evil.example/cb", None])
def test_ensure_registered_redirect_uri(browser: FlaskClient, one: FapiSite, uri: str | None) -> None:
    assert refusal(one.push(redirect_uri=uri)) == "invalid_request"


@pytest.mark.covers("ensure-scope-order-does-not-matter")
@pytest.mark.parametrize("scope", ["openid profile email", "email profile openid"])
def test_ensure_scope_order_does_not_matter(browser: FlaskClient, one: FapiSite, scope: str) -> None:
    tokens = one.redeem(one.code(browser, scope=scope)).get_json()
    assert set(tokens["scope"].split()) == {"openid", "profile", "email"}


@pytest.mark.covers("ensure-different-nonce-inside-and-outside-request-object", "line-55")
def test_ensure_different_nonce_inside_and_outside_request_object(browser: FlaskClient, one: FapiSite) -> None:
    uri = one.push().get_json()["request_uri"]
    code = query_of(one.bring(browser, uri, nonce="another", state="another"))["code"]
    assert one.site.claims(one.redeem(code).get_json()["id_token"])["nonce"] == "the-nonce"


@pytest.mark.covers("ensure-request-with-64-characters-nonce-succeeds", "ensure-request-with-long-nonce")
@pytest.mark.parametrize("length", [64, 384])
def test_a_long_nonce_comes_back_whole(browser: FlaskClient, one: FapiSite, length: int) -> None:
    nonce = ("0123456789abcdef" * 24)[:length]
    tokens = one.redeem(one.code(browser, nonce=nonce)).get_json()
    assert one.site.claims(tokens["id_token"])["nonce"] == nonce


@pytest.mark.covers("ensure-request-with-long-state")
@pytest.mark.parametrize("length", [128, 1024, 4000])
def test_ensure_request_with_long_state(browser: FlaskClient, one: FapiSite, length: int) -> None:
    assert query_of(one.visit(browser, state="s" * length))["state"] == "s" * length


@pytest.mark.covers("ensure-authorization-request-without-state-success")
def test_ensure_authorization_request_without_state_success(browser: FlaskClient, one: FapiSite) -> None:
    assert set(query_of(one.visit(browser, state=None))) == {"code", "iss"}


@pytest.mark.covers("discovery-end-point-verification")
def test_discovery_end_point_verification(app: Flask) -> None:
    said = app.test_client().get("/.well-known/openid-configuration").get_json()
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["authorization_response_iss_parameter_supported"] is True
    assert said["pushed_authorization_request_endpoint"].startswith(ISSUER)
    assert "private_key_jwt" in said["token_endpoint_auth_methods_supported"]
    assert {"PS256", "ES256", "EdDSA"} & set(said["token_endpoint_auth_signing_alg_values_supported"])
    assert {"PS256", "ES256", "EdDSA"} & set(said["id_token_signing_alg_values_supported"])
    assert "ES256" in said["dpop_signing_alg_values_supported"]
    assert {"authorization_code", "refresh_token"} <= set(said["grant_types_supported"])


@pytest.mark.covers("refresh-token", "line-17")
def test_refresh_token(browser: FlaskClient, one: FapiSite, shop: OidcSite) -> None:
    tokens = one.redeem(one.code(browser)).get_json()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    headers = {"DPoP": proof(DPOP, "POST", f"{ISSUER}/token")}
    unproven = one.site.post("/token", headers=headers, client_id="fapi", **form)
    assert (unproven.status_code, unproven.get_json()["error"]) == (401, "invalid_client")
    headers = {"DPoP": proof(DPOP, "POST", f"{ISSUER}/token")}
    fresh = one.site.post("/token", headers=headers, **form, **one.signing.form())
    assert (fresh.status_code, fresh.get_json()["token_type"]) == (200, "DPoP")
    assert refusal(shop.refresh(fresh.get_json()["refresh_token"])) == "invalid_grant"
