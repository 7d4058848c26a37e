"""POST /par: what may be pushed, by whom, and who has to (RFC 9126)."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from sso_server.fronts.oidc import pushed_request
from tests.support.client_keys import client_key
from tests.support.oidc_site import (
    ISSUER,
    OidcSite,
    built_of,
    change_client,
    query_of,
    sign_in,
)
from tests.support.pushing import URN, push, pushed, visit


@pytest.mark.covers("line-52")
def test_a_pushed_request_gets_a_reference_that_is_good_for_a_minute(shop: OidcSite) -> None:
    answer = push(shop)
    assert answer.status_code == 201
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("application/json", "no-store")
    body = answer.get_json()
    assert set(body) == {"request_uri", "expires_in"}
    assert body["expires_in"] == 60
    assert re.fullmatch(re.escape(URN) + r"par-[a-z2-7]{32}", body["request_uri"])
    assert pushed(shop) != pushed(shop)


@pytest.mark.covers("par-attempt-invalid-http-method", "line-52")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_served(shop: OidcSite, method: str) -> None:
    answer = shop.app.test_client(use_cookies=False).open(
        "/par", method=method, query_string=shop.params(), headers=shop.basic
    )
    assert (answer.status_code, answer.get_json()["error"]) == (405, "invalid_request")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.covers("par-authorization-request-containing-request_uri-form-param", "line-53")
@pytest.mark.parametrize("uri", [f"{URN}par-{'a' * 32}", "https://shop.example.com/object"])
def test_a_reference_inside_is_refused(shop: OidcSite, uri: str) -> None:
    answer = push(shop, request_uri=uri)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.covers("par-authorization-request-containing-request_uri", "line-53")
@pytest.mark.parametrize("nested", ["request", "request_uri"])
def test_a_reference_inside_a_pushed_object_is_refused(shop: OidcSite, nested: str) -> None:
    key = client_key("ES256")
    change_client(shop, metadata={"jwks": key.jwks})
    inside = {**shop.params(), nested: f"{URN}par-{'a' * 32}", "iss": "shop", "aud": ISSUER}
    answer = shop.post("/par", request=key.sign(inside))
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request_object")


@pytest.mark.covers("ensure-authorization-request-without-client-assertion-fails", "line-52")
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Basic c2hvcDp3cm9uZw=="}, {"Authorization": "Bearer x"}], ids=str
)
def test_pushing_needs_the_authentication_of_the_token_endpoint(shop: OidcSite, headers: dict[str, str]) -> None:
    answer = shop.post("/par", headers=headers, **shop.params())
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
    assert "WWW-Authenticate" in answer.headers


def test_the_secret_may_stand_in_the_form_and_is_not_kept(browser: FlaskClient, shop: OidcSite) -> None:
    answer = shop.post("/par", headers={}, client_secret=shop.secret, **shop.params())
    assert answer.status_code == 201
    location = visit(browser, shop, answer.get_json()["request_uri"]).headers["Location"]
    sealed = built_of(shop.app).services.seals.open("sign-in", location.split("request=")[1])
    assert sealed is not None
    assert shop.secret not in str(sealed)


def test_a_public_client_pushes_with_its_id_alone(browser: FlaskClient, spa: OidcSite) -> None:
    sign_in(browser)
    assert "code" in query_of(visit(browser, spa, pushed(spa)))


REFUSED: list[tuple[dict[str, str | None], str]] = [
    ({"redirect_uri": None}, "invalid_request"),
    ({"redirect_uri": "https://evil.example/cb"}, "invalid_request"),
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_mode": "jwt"}, "invalid_request"),
    ({"scope": "email"}, "invalid_scope"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"prompt": "create"}, "invalid_request"),
    ({"claims": "{"}, "invalid_request"),
    ({"resource": "https://api.example/"}, "invalid_target"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    ({"dpop_jkt": "short"}, "invalid_request"),
    ({"state": "é" * 1000}, "invalid_request"),
]


@pytest.mark.covers("par-ensure-pkce-required", "par-plain-pkce-rejected")
@pytest.mark.parametrize(("change", "error"), REFUSED, ids=lambda given: str(given)[:60])
def test_a_bad_request_is_refused_when_it_is_pushed(shop: OidcSite, change: dict[str, str | None], error: str) -> None:
    answer = push(shop, **change)
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)
    assert answer.headers.get("Location") is None


def test_a_repeated_parameter_is_refused_and_a_repeated_resource_is_not(shop: OidcSite) -> None:
    change_client(shop, metadata={"resources": ("https://a.example/", "https://b.example/")})
    calls = shop.app.test_client(use_cookies=False)
    params: dict[str, Any] = shop.params()
    twice = {**params, "resource": ["https://a.example/", "https://b.example/"]}
    assert calls.post("/par", data=twice, headers=shop.basic).status_code == 201
    assert calls.post("/par", data={**params, "state": ["1", "2"]}, headers=shop.basic).status_code == 400


def test_no_state_is_pushed_that_would_fit_into_no_redirect(shop: OidcSite) -> None:
    answer = push(shop, state="s" * 5000)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.covers("line-52")
def test_a_body_that_is_too_large_is_413(shop: OidcSite) -> None:
    answer = push(shop, state="x" * 200_000)
    assert (answer.status_code, answer.get_json()["error"]) == (413, "invalid_request")


@pytest.mark.covers("line-52")
def test_somebody_who_only_knows_a_public_id_makes_us_keep_just_so_much(
    spa: OidcSite, shop: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushed_request, "FREE_FOR_STRANGERS", 3)
    answers = [push(spa) for _ in range(5)]
    assert {answer.status_code for answer in answers[:3]} == {201}
    assert (answers[-1].status_code, answers[-1].get_json()["error"]) == (429, "slow_down")
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert push(shop).status_code == 201
    change_client(shop, metadata={"registration_token_hash": "h" * 64})
    assert push(shop).status_code == 429, "whoever registered it may be anybody"


@pytest.mark.covers("line-56")
def test_a_client_can_be_held_to_push(browser: FlaskClient, shop: OidcSite, wiki: OidcSite) -> None:
    change_client(shop, metadata={"require_pushed_authorization_requests": True})
    sign_in(browser)
    assert query_of(shop.ask(browser))["error"] == "invalid_request"
    assert "code" in query_of(visit(browser, shop, pushed(shop)))
    assert "code" in query_of(wiki.ask(browser))


@pytest.mark.covers("line-56")
def test_the_centre_can_hold_every_client_to_push(make_app: Any) -> None:
    app = make_app(require_pushed_requests=True)
    site = OidcSite(app, "spa")
    browser = app.test_client()
    sign_in(browser)
    assert query_of(site.ask(browser))["error"] == "invalid_request"
    page = visit(browser, site, pushed(site, prompt="login"))
    way_back = sign_in(browser, page.headers["Location"])
    assert "code" in query_of(browser.get(way_back.headers["Location"]))
    metadata = browser.get("/.well-known/openid-configuration").get_json()
    assert metadata["require_pushed_authorization_requests"] is True


@pytest.mark.covers("ensure-unsigned-authorization-request-without-using-par-fails", "line-56")
def test_a_client_of_fapi_2_has_to_push(browser: FlaskClient, shop: OidcSite) -> None:
    change_client(shop, metadata={"profile": "fapi2"})
    sign_in(browser)
    assert query_of(shop.ask(browser))["error"] == "invalid_request"


def test_discovery_names_the_endpoint(browser: FlaskClient) -> None:
    metadata = browser.get("/.well-known/oauth-authorization-server").get_json()
    assert metadata["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert metadata["require_pushed_authorization_requests"] is False
    assert metadata["request_uri_parameter_supported"] is False


def test_the_code_is_bound_to_the_key_that_was_named(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    code = query_of(visit(browser, shop, pushed(shop, dpop_jkt="k" * 43)))["code"]
    ticket = built_of(shop.app).services.tickets.find(code)
    assert ticket is not None
    assert ticket.code_challenge.endswith("/" + "k" * 43)
