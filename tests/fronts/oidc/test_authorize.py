"""Good authorization requests: what comes back, and when the person is asked."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from tests.fronts.conftest import Later
from tests.support.oidc_site import ISSUER, OidcSite, built_of, path_of, query_of, sign_in


def test_the_first_site_leads_to_the_sign_in_page_and_back_with_a_ticket(browser: FlaskClient, shop: OidcSite) -> None:
    asked = shop.ask(browser)
    assert path_of(asked) == "/sign-in"
    back = sign_in(browser, asked.headers["Location"])
    assert path_of(back) == "/authorize/continue"
    answer = browser.get(back.headers["Location"])
    assert path_of(answer) == shop.redirect_uri
    query = query_of(answer)
    assert (set(query), query["state"], query["iss"]) == ({"code", "state", "iss"}, "the-state", ISSUER)


def test_the_second_site_gets_a_ticket_without_a_question(browser: FlaskClient, shop: OidcSite, wiki: OidcSite) -> None:
    sign_in(browser)
    for site in (shop, wiki):
        assert path_of(site.ask(browser)) == site.redirect_uri


def test_prompt_none_with_a_session_answers_silently(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    assert "code" in query_of(shop.ask(browser, prompt="none"))


def test_a_request_by_post_works_for_a_browser_that_is_signed_in(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    answer = browser.get(browser.post("/authorize", data=shop.params()).headers["Location"])
    assert "code" in query_of(answer)


def test_a_post_from_another_site_needs_no_form_token_and_does_nothing_but_redirect(
    browser: FlaskClient, shop: OidcSite
) -> None:
    sign_in(browser)
    answer = browser.post("/authorize", data=shop.params(), headers={"Origin": "https://shop.example.com"})
    assert path_of(answer) == "/authorize"


@pytest.mark.parametrize(
    "more",
    [
        {"extra": "foobar"},
        {"display": "page"},
        {"display": "popup"},
        {"login_hint": "alice"},
        {"ui_locales": "zh-CN en"},
        {"claims_locales": "de"},
        {"acr_values": "1 2"},
        {"claims": '{"userinfo":{"name":{"essential":true}}}'},
        {"response_mode": "query"},
        {"nonce": None},
        {"nonce": "n" * 384},
        {"state": "s" * 2000},
        {"scope": "groups email profile openid"},
        {"scope": "openid phone address unknown"},
        {"redirect_uri": "https://shop.example.com/cb?a=%2F&b"},
        {"max_age": ""},
        {"request": ""},
    ],
    ids=str,
)
def test_what_a_request_may_carry(browser: FlaskClient, shop: OidcSite, more: dict[str, str | None]) -> None:
    sign_in(browser)
    location = shop.ask(browser, **more).headers["Location"]
    assert "code=" in location, location


def test_the_order_of_the_parameters_makes_no_difference(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    reversed_query = urlencode(list(reversed(shop.params().items())))
    assert "code" in query_of(browser.get("/authorize?" + reversed_query))


@pytest.mark.parametrize("state", ["a b+c&d=e%20f", "§ ü 漢字 🙂", "'\"<>\\", "x" * 2000, "{}[]|^`"])
def test_state_comes_back_exactly_through_the_sign_in_page(browser: FlaskClient, shop: OidcSite, state: str) -> None:
    signed_in = sign_in(browser, shop.ask(browser, state=state).headers["Location"])
    assert query_of(browser.get(signed_in.headers["Location"]))["state"] == state


def test_without_state_none_comes_back(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    assert set(query_of(shop.ask(browser, state=None))) == {"code", "iss"}


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
def test_prompt_login_asks_again_and_auth_time_is_newer(
    browser: FlaskClient, shop: OidcSite, later: Later, prompt: str
) -> None:
    first = shop.claims(shop.tokens(browser)["id_token"])
    with later(60):
        assert path_of(shop.ask(browser, prompt=prompt)) == "/sign-in"
        second = shop.claims(shop.tokens(browser, prompt=prompt)["id_token"])
    assert second["sid"] == first["sid"]
    assert 60 <= second["auth_time"] - first["auth_time"] < 90


@pytest.mark.parametrize(("max_age", "asked"), [("0", True), ("1", True), ("59", True), ("10000", False)])
def test_max_age_counts_from_the_password(
    browser: FlaskClient, shop: OidcSite, later: Later, max_age: str, asked: bool
) -> None:
    first = shop.claims(shop.tokens(browser)["id_token"])
    with later(60):
        assert (path_of(shop.ask(browser, max_age=max_age)) == "/sign-in") is asked
        silent = query_of(shop.ask(browser, max_age=max_age, prompt="none"))
        assert silent.get("error") == ("login_required" if asked else None)
        second = shop.claims(shop.tokens(browser, max_age=max_age)["id_token"])
    assert (second["auth_time"] > first["auth_time"]) is asked


def test_the_hint_of_the_same_person_answers_silently(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    hint = shop.tokens(browser)["id_token"]
    with later(3600):  # expired, and good as a hint all the same
        assert "code" in query_of(shop.ask(browser, prompt="none", id_token_hint=hint))


def test_the_hint_of_another_person_is_login_required_or_a_question(
    app: object, browser: FlaskClient, shop: OidcSite
) -> None:
    hint = shop.tokens(browser)["id_token"]
    other = shop.app.test_client()
    sign_in(other, username="bob")
    assert query_of(shop.ask(other, prompt="none", id_token_hint=hint))["error"] == "login_required"
    assert path_of(shop.ask(other, id_token_hint=hint)) == "/sign-in"


def test_somebody_else_than_the_hints_person_is_not_asked_in_circles(browser: FlaskClient, shop: OidcSite) -> None:
    hint = shop.tokens(browser)["id_token"]
    other = shop.app.test_client()
    signed_in = sign_in(other, shop.ask(other, id_token_hint=hint).headers["Location"], username="bob")
    answer = other.get(signed_in.headers["Location"])
    assert path_of(answer) == shop.redirect_uri
    assert query_of(answer)["error"] == "login_required"


def test_a_logout_token_is_no_hint(browser: FlaskClient, shop: OidcSite) -> None:
    claims = shop.claims(shop.tokens(browser)["id_token"])
    token = built_of(shop.app).services.signer.sign(claims, alg="ES256", typ="logout+jwt")
    assert query_of(shop.ask(browser, id_token_hint=token))["error"] == "invalid_request"


def test_the_login_hint_reaches_the_page(browser: FlaskClient, shop: OidcSite) -> None:
    page = browser.get(shop.ask(browser, login_hint='al"ice').headers["Location"]).text
    assert 'value="al&#34;ice"' in page


@pytest.mark.parametrize("sealed", ["", "x", "e30.x.y"])
@pytest.mark.covers("line-31")
def test_a_broken_seal_is_a_page(browser: FlaskClient, sealed: str) -> None:
    sign_in(browser)
    answer = browser.get("/authorize/continue", query_string={"request": sealed})
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


def test_the_way_back_checks_the_registration_again(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    signed_in = sign_in(browser, shop.ask(browser).headers["Location"])
    built = built_of(shop.app)
    client = built.services.clients.find("shop")
    assert client is not None
    built.sql.clients.update(replace(client, redirect_uris=("https://shop.example.com/new",)), client)
    with later(2):
        assert browser.get(signed_in.headers["Location"]).status_code == 400


def test_the_back_button_gives_a_fresh_ticket(browser: FlaskClient, shop: OidcSite) -> None:
    location = sign_in(browser, shop.ask(browser).headers["Location"]).headers["Location"]
    codes = {query_of(browser.get(location))["code"] for _ in range(2)}
    assert len(codes) == 2
    assert all(shop.redeem(code).status_code == 200 for code in codes)


def test_codes_have_160_random_bits_in_a_short_alphabet(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    codes = [shop.code(browser).rsplit("-", 1)[1] for _ in range(50)]
    assert len({code[i:] for code in codes for i in (0, 16)}) == 100
    assert {len(code) for code in codes} == {32}
    assert all(len({code[i] for code in codes}) > 10 for i in range(32))
