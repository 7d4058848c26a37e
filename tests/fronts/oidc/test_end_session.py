"""A site sends the browser to sign out: what ends, what is asked first, and where the browser goes."""

from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fronts.conftest import Later
from tests.support.oidc_site import OidcSite, built_of, path_of, query_of, sign_in


def end(browser: FlaskClient, **params: str) -> TestResponse:
    return browser.get("/end-session", query_string=params)


def is_signed_in(browser: FlaskClient, site: OidcSite) -> bool:
    return "code" in query_of(site.ask(browser, prompt="none"))


def sealed(app: Flask, purpose: str, answer: TestResponse, name: str) -> dict[str, Any]:
    payload = built_of(app).services.seals.open(purpose, query_of(answer)[name])
    assert payload is not None
    return payload


def reasons(app: Flask) -> list[str | None]:
    return [session.end_reason for session in built_of(app).services.ledger.list_ended(9)]


@pytest.mark.covers("line-95")
def test_a_hint_of_this_session_ends_it_at_once_and_goes_back_with_state(
    app: Flask, browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    wiki.tokens(browser)
    tokens = shop.tokens(browser)
    answer = end(browser, id_token_hint=tokens["id_token"], post_logout_redirect_uri=shop.home, state="a b&c")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "https://shop.example.com/?state=a+b%26c"
    assert reasons(app) == ["site_sign_out"]
    assert query_of(shop.ask(browser, prompt="none"))["error"] == "login_required"
    rows = built_of(app).services.ledger.of_session(shop.claims(tokens["id_token"])["sid"])
    assert {row.client_id for row in rows} == {"shop", "wiki"}


def test_without_state_none_comes_back_and_a_registered_query_stays(browser: FlaskClient, shop: OidcSite) -> None:
    hint = shop.tokens(browser)["id_token"]
    uri = "https://shop.example.com/bye?from=sso"
    assert end(browser, id_token_hint=hint, post_logout_redirect_uri=uri).headers["Location"] == uri
    again = end(browser, id_token_hint=hint, post_logout_redirect_uri=uri, state="s")
    assert again.headers["Location"] == uri + "&state=s"


@pytest.mark.covers("line-91")
def test_an_expired_hint_is_as_good(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    hint = shop.tokens(browser)["id_token"]
    with later(7200):
        assert path_of(end(browser, id_token_hint=hint)) == "/signed-out"
        assert not is_signed_in(browser, shop)


@pytest.mark.covers("line-90")
def test_a_post_from_the_site_does_the_same_and_keeps_the_token_out_of_addresses(
    browser: FlaskClient, shop: OidcSite
) -> None:
    hint = shop.tokens(browser)["id_token"]
    form = {"id_token_hint": hint, "post_logout_redirect_uri": shop.home, "state": "s"}
    posted = browser.post("/end-session", data=form, headers={"Origin": "https://shop.example.com"})
    assert path_of(posted) == "/end-session"
    assert hint not in posted.headers["Location"]
    assert is_signed_in(browser, shop)  # the post alone ends nothing
    assert browser.get(posted.headers["Location"]).headers["Location"] == shop.home + "?state=s"
    assert not is_signed_in(browser, shop)


def test_without_a_return_address_the_signed_out_page_names_the_session_and_the_way_home(
    app: Flask, browser: FlaskClient, shop: OidcSite
) -> None:
    hint = shop.tokens(browser)["id_token"]
    answer = end(browser, id_token_hint=hint, client_id="shop", state="ignored")
    assert path_of(answer) == "/signed-out"
    shown = sealed(app, "signed-out", answer, "of")
    assert shown == {"sid": shop.claims(hint)["sid"], "client_id": "shop", "back": shop.home}
    page = browser.get(answer.headers["Location"])
    assert page.status_code == 200
    assert "Shop" in page.text


@pytest.mark.covers("line-97")
def test_a_second_call_is_answered_alike_and_ends_nothing_again(
    app: Flask, browser: FlaskClient, shop: OidcSite
) -> None:
    hint = shop.tokens(browser)["id_token"]
    locations = {
        end(browser, id_token_hint=hint, post_logout_redirect_uri=shop.home, state="s").headers["Location"]
        for _ in range(3)
    }
    assert locations == {"https://shop.example.com/?state=s"}
    assert reasons(app) == ["site_sign_out"]


@pytest.mark.covers("line-93", "line-96")
@pytest.mark.parametrize(
    "params", [{}, {"state": "s"}, {"client_id": "shop"}, {"logout_hint": "alice", "ui_locales": "en"}]
)
def test_without_a_hint_the_person_is_asked_and_nothing_ends(
    app: Flask, browser: FlaskClient, shop: OidcSite, params: dict[str, str]
) -> None:
    sign_in(browser)
    answer = end(browser, **params)
    assert path_of(answer) == "/sign-out"
    assert is_signed_in(browser, shop)
    assert browser.get(answer.headers["Location"]).status_code == 200


def test_a_client_id_and_its_registered_address_are_asked_about_too(
    app: Flask, browser: FlaskClient, shop: OidcSite
) -> None:
    sign_in(browser)
    answer = end(browser, client_id="shop", post_logout_redirect_uri=shop.home, state="s")
    assert sealed(app, "sign-out", answer, "request") == {
        "client_id": "shop", "post_logout_redirect_uri": shop.home, "state": "s"
    }  # fmt: skip
    assert is_signed_in(browser, shop)


@pytest.mark.covers("line-92")
def test_the_hint_of_another_session_asks(app: Flask, browser: FlaskClient, shop: OidcSite) -> None:
    hint = shop.tokens(browser)["id_token"]
    other = app.test_client()
    sign_in(other, username="bob")
    assert path_of(end(other, id_token_hint=hint, post_logout_redirect_uri=shop.home)) == "/sign-out"
    assert is_signed_in(other, shop)
    assert is_signed_in(browser, shop)


def test_a_hint_alone_ends_no_session_in_another_browser(app: Flask, browser: FlaskClient, shop: OidcSite) -> None:
    hint = shop.tokens(browser)["id_token"]
    thief = app.test_client()
    assert path_of(end(thief, id_token_hint=hint)) == "/signed-out"
    assert end(thief, id_token_hint=hint, post_logout_redirect_uri=shop.home).headers["Location"] == shop.home
    assert is_signed_in(browser, shop)


@pytest.mark.covers("line-94")
@pytest.mark.parametrize("address", [
    "https://evil.example/", "https://shop.example.com", "https://shop.example.com/?foo=bar", "https://shop.example.com/bye",
    "https://wiki.example.com/", "https://shop.example.com/cb", "//shop.example.com/", "javascript:alert(1)", "/", "https://shop.example.com/#",
])  # fmt: skip
def test_an_address_that_is_not_registered_is_dropped_and_the_sign_out_goes_on(
    browser: FlaskClient, shop: OidcSite, logged: list[dict[str, object]], address: str
) -> None:
    hint = shop.tokens(browser)["id_token"]
    answer = end(browser, id_token_hint=hint, post_logout_redirect_uri=address, state="s")
    assert path_of(answer) == "/signed-out"
    assert not is_signed_in(browser, shop)
    # Its query may hold anything, and is left out.
    assert address.partition("?")[0] in [line.get("received") for line in logged]


@pytest.mark.covers("line-94")
def test_an_address_without_hint_and_client_is_never_followed(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    assert path_of(end(browser, post_logout_redirect_uri=shop.home)) == "/sign-out"
    assert path_of(end(shop.app.test_client(), post_logout_redirect_uri=shop.home)) == "/signed-out"


@pytest.mark.covers("line-91")
def test_a_hint_that_is_not_ours_proves_nothing_and_makes_the_rest_doubtful(
    app: Flask, browser: FlaskClient, shop: OidcSite
) -> None:
    hint = shop.tokens(browser)["id_token"]
    claims = jwt.decode(hint, options={"verify_signature": False})
    head, body, _ = hint.split(".")
    foreign_issuer = built_of(app).services.signer.sign(claims | {"iss": "https://x"}, alg="ES256", typ="JWT")
    logout = built_of(app).services.signer.sign(claims, alg="ES256", typ="logout+jwt")
    for bad in (jwt.encode(claims, None, algorithm="none"), f"{head}.{body}.{'A' * 86}", "x", foreign_issuer, logout):
        answer = end(browser, id_token_hint=bad, client_id="shop", post_logout_redirect_uri=shop.home)
        assert path_of(answer) == "/sign-out"
        assert sealed(app, "sign-out", answer, "request")["post_logout_redirect_uri"] == ""
        assert path_of(end(app.test_client(), id_token_hint=bad, post_logout_redirect_uri=shop.home)) == "/signed-out"
    assert is_signed_in(browser, shop)


@pytest.mark.covers("line-91")
def test_a_hint_of_another_client_than_client_id_is_a_page(browser: FlaskClient, shop: OidcSite) -> None:
    answer = end(browser, id_token_hint=shop.tokens(browser)["id_token"], client_id="wiki")
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert is_signed_in(browser, shop)


def test_a_repeated_parameter_is_a_page(browser: FlaskClient, shop: OidcSite) -> None:
    answer = browser.get("/end-session?state=a&state=b")
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


def test_the_browser_forgets_its_cookie(browser: FlaskClient, shop: OidcSite) -> None:
    hint = shop.tokens(browser)["id_token"]
    assert browser.get_cookie("lockstep_session") is not None
    end(browser, id_token_hint=hint)
    assert browser.get_cookie("lockstep_session") is None


def test_a_sign_out_that_the_site_has_already_reported_leads_to_its_report(
    app: Flask, browser: FlaskClient, shop: OidcSite
) -> None:
    store = "st-" + "a" * 32
    tokens = shop.tokens(browser, store_id=store)
    sid = shop.claims(tokens["id_token"])["sid"]
    assert shop.check_in(store, ended=[sid]).status_code == 200
    answer = end(browser, client_id="shop", id_token_hint=tokens["id_token"])
    assert path_of(answer) == "/signed-out"
    assert sealed(app, "signed-out", answer, "of")["sid"] == sid
