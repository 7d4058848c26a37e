"""POST /par, and /authorize with what comes of it (RFC 9126)."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.errors import Unavailable
from sso_server.core.tickets import Tickets
from sso_server.fronts.oidc import pushed_request
from tests.fronts.conftest import Later
from tests.support.client_keys import client_key
from tests.support.oidc_site import (
    ISSUER,
    PASSWORD,
    OidcSite,
    built_of,
    change_client,
    path_of,
    query_of,
    sign_in,
)

URN = "urn:ietf:params:oauth:request_uri:"


def push(site: OidcSite, **more: str | None) -> TestResponse:
    """The good request, pushed, and what a test changes in it."""
    return site.post("/par", **site.params(**more))


def pushed(site: OidcSite, **more: str | None) -> str:
    answer = push(site, **more)
    assert answer.status_code == 201, answer.text
    uri: str = answer.get_json()["request_uri"]
    return uri


def visit(browser: FlaskClient, site: OidcSite, uri: str, **beside: str) -> TestResponse:
    return browser.get("/authorize?" + urlencode({"client_id": site.client_id, "request_uri": uri, **beside}))


def refused(answer: TestResponse) -> str:
    """A page that leads nowhere."""
    assert (answer.status_code, answer.headers.get("Location")) == (400, None), answer.headers
    return answer.text


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


@pytest.mark.covers("par-without-duplicate-parameters", "line-54")
def test_the_browser_brings_only_client_and_reference(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    answer = visit(browser, shop, pushed(shop))
    assert path_of(answer) == shop.redirect_uri
    query = query_of(answer)
    assert (query["state"], query["iss"]) == ("the-state", ISSUER)
    tokens = shop.redeem(query["code"]).get_json()
    assert shop.claims(tokens["id_token"])["nonce"] == "the-nonce"


@pytest.mark.covers("line-55", "ensure-different-nonce-inside-and-outside-request-object")
def test_what_stands_beside_the_reference_does_not_count(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    beside = {
        "state": "other",
        "nonce": "other",
        "redirect_uri": "https://shop.example.com/cb?a=%2F&b",
        "prompt": "login",
        "response_type": "token",
        "scope": "openid",
    }
    answer = visit(browser, shop, pushed(shop), **beside)
    assert (path_of(answer), query_of(answer)["state"]) == (shop.redirect_uri, "the-state")
    tokens = shop.redeem(query_of(answer)["code"]).get_json()
    assert (shop.claims(tokens["id_token"])["nonce"], tokens["scope"]) == ("the-nonce", "openid profile email groups")


@pytest.mark.covers("par-attempt-reuse-request_uri", "line-54")
def test_one_reference_gives_one_authorization(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    uri = pushed(shop)
    assert "code" in query_of(visit(browser, shop, uri))
    assert "used already" in refused(visit(browser, shop, uri))


def test_one_reference_gives_one_authorization_in_two_browsers(browser: FlaskClient, shop: OidcSite) -> None:
    uri = pushed(shop)
    other = shop.app.test_client()
    pages = [visit(each, shop, uri) for each in (browser, other)]
    ways_back = [sign_in(each, page.headers["Location"]) for each, page in zip((browser, other), pages, strict=True)]
    assert "code" in query_of(browser.get(ways_back[0].headers["Location"]))
    refused(other.get(ways_back[1].headers["Location"]))


@pytest.mark.covers("par-attempt-reuse-request_uri", "line-54")
def test_of_many_at_once_one_gets_the_answer(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in browser._cookies.values())

    def come(query: str) -> bool:
        answer = shop.app.test_client(use_cookies=False).get(f"/authorize?{query}", headers={"Cookie": cookies})
        return answer.status_code == 303 and "code=" in answer.headers["Location"]

    for _ in range(5):
        query = urlencode({"client_id": "shop", "request_uri": pushed(shop)})
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(come, [query] * 8)) == 1


def test_the_way_back_out_of_the_history_gives_no_second_code(browser: FlaskClient, shop: OidcSite) -> None:
    way_back = sign_in(browser, visit(browser, shop, pushed(shop)).headers["Location"]).headers["Location"]
    assert "code" in query_of(browser.get(way_back))
    refused(browser.get(way_back))


def test_an_error_is_an_answer_too(browser: FlaskClient, shop: OidcSite) -> None:
    uri = pushed(shop, prompt="none")
    assert query_of(visit(browser, shop, uri))["error"] == "login_required"
    sign_in(browser)
    refused(visit(browser, shop, uri))


@pytest.mark.covers("par-ensure-reused-request-uri-prior-to-auth-completion-succeeds")
def test_the_page_may_be_opened_as_often_as_one_likes_before(browser: FlaskClient, shop: OidcSite) -> None:
    uri = pushed(shop)
    for _ in range(3):
        page = visit(browser, shop, uri)
        assert path_of(page) == "/sign-in"
        assert browser.get(page.headers["Location"]).status_code == 200
    way_back = sign_in(browser, page.headers["Location"])
    assert "code" in query_of(browser.get(way_back.headers["Location"]))


@pytest.mark.covers("par-attempt-to-use-expired-request_uri")
def test_the_browser_has_to_come_within_a_minute(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    sign_in(browser)
    uri = pushed(shop)
    with later(61):
        assert "expired" in refused(visit(browser, shop, uri))


def test_somebody_who_came_in_time_may_take_longer_to_sign_in(
    browser: FlaskClient, shop: OidcSite, later: Later
) -> None:
    page = visit(browser, shop, pushed(shop))
    with later(1800):
        way_back = sign_in(browser, page.headers["Location"])
        assert "code" in query_of(browser.get(way_back.headers["Location"]))


def test_after_an_hour_the_page_leads_to_no_code_any_more(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    page = visit(browser, shop, pushed(shop))
    with later(3700):
        way_back = sign_in(browser, page.headers["Location"])
        refused(browser.get(way_back.headers["Location"]))


@pytest.mark.covers("par-attempt-to-use-request_uri-for-different-client", "line-54")
def test_another_client_cannot_use_it_and_takes_it_from_nobody(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    sign_in(browser)
    uri = pushed(shop)
    refused(visit(browser, wiki, uri))
    refused(browser.get("/authorize?" + urlencode({"request_uri": uri})))
    assert "code" in query_of(visit(browser, shop, uri))


@pytest.mark.parametrize("uri", [URN, f"{URN}x", f"{URN}par-{'a' * 32}", f"{URN}par-{'a' * 32}\0"])
def test_a_reference_that_nobody_made_is_a_page_or_told_to_a_registered_address(
    browser: FlaskClient, shop: OidcSite, uri: str
) -> None:
    sign_in(browser)
    refused(visit(browser, shop, uri))
    told = visit(browser, shop, uri, redirect_uri=shop.redirect_uri, state="s")
    assert path_of(told) == shop.redirect_uri
    assert {"error": "invalid_request_uri", "state": "s", "iss": ISSUER}.items() <= query_of(told).items()
    refused(visit(browser, shop, uri, redirect_uri="https://evil.example/cb"))


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
]


@pytest.mark.covers("par-ensure-pkce-required", "par-plain-pkce-rejected")
@pytest.mark.parametrize(("change", "error"), REFUSED, ids=str)
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


def test_what_is_pushed_may_be_larger_than_any_address(browser: FlaskClient, shop: OidcSite) -> None:
    wishes = ",".join(f'"claim-{number}-{"x" * 60}":null' for number in range(90))
    uri = pushed(shop, claims='{"userinfo":{' + wishes + "}}", state="s" * 4000, nonce="n" * 4000)
    page = visit(browser, shop, uri)
    assert len(page.headers["Location"]) < 1500
    way_back = sign_in(browser, page.headers["Location"])
    query = query_of(browser.get(way_back.headers["Location"]))
    assert query["state"] == "s" * 4000
    assert shop.claims(shop.redeem(query["code"]).get_json()["id_token"])["nonce"] == "n" * 4000


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


def test_what_the_site_wished_is_known_to_the_sign_in_page(browser: FlaskClient, shop: OidcSite) -> None:
    page = browser.get(visit(browser, shop, pushed(shop, login_hint="al&ice")).headers["Location"])
    assert 'value="al&amp;ice"' in page.text
    assert PASSWORD not in page.text


def test_the_browser_never_learns_what_was_pushed(browser: FlaskClient, shop: OidcSite) -> None:
    location = visit(browser, shop, pushed(shop, nonce="of-the-site-alone")).headers["Location"]
    sealed = built_of(shop.app).services.seals.open("sign-in", location.split("request=")[1])
    assert "of-the-site-alone" not in str(sealed)


def test_the_sign_in_page_is_in_the_language_that_was_pushed(browser: FlaskClient, shop: OidcSite) -> None:
    page = browser.get(visit(browser, shop, pushed(shop, ui_locales="zh-CN")).headers["Location"])
    assert 'lang="zh' in page.text


def test_a_store_that_is_away_for_the_ticket_costs_nobody_the_request(
    browser: FlaskClient, shop: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(browser)
    uri = pushed(shop)

    def away(*_: object, **__: object) -> str:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(Tickets, "issue", away)
        assert visit(browser, shop, uri).status_code == 503
    assert "code" in query_of(visit(browser, shop, uri))


@pytest.mark.redis
@pytest.mark.covers("par-attempt-reuse-request_uri", "line-54")
def test_another_node_knows_what_was_pushed_and_answered_where_a_redis_keeps_it(
    make_app: Any, empty_redis_url: str, later: Later
) -> None:
    here, there = (OidcSite(make_app(redis_url=empty_redis_url), "spa") for _ in range(2))
    browser = there.app.test_client()
    sign_in(browser)
    uri = pushed(here)
    assert "code" in query_of(visit(browser, there, uri))
    refused(visit(here.app.test_client(), here, uri))
    late = pushed(here)
    with later(61):
        refused(visit(browser, there, late))


def test_a_posted_reference_works_too(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    redirect = browser.post("/authorize", data={"client_id": "shop", "request_uri": pushed(shop)})
    assert "code" in query_of(browser.get(redirect.headers["Location"]))


def test_the_code_is_bound_to_the_key_that_was_named(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    code = query_of(visit(browser, shop, pushed(shop, dpop_jkt="k" * 43)))["code"]
    ticket = built_of(shop.app).services.tickets.find(code)
    assert ticket is not None
    assert ticket.code_challenge.endswith("/" + "k" * 43)
