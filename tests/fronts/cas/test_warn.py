"""Whoever ticked "ask me" is asked before a site signs them in, whatever the site speaks (CAS 3.0.3 section 2.2.1)."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fronts.cas.cas_site import LISTS, NOTES, CasSite, fill_in, hidden_fields, ticket_of
from tests.fronts.conftest import Later
from tests.support.oidc_site import PASSWORD, OidcSite, path_of, query_of, sign_in


def sign_in_warned(browser: FlaskClient, site: CasSite, **fields: str) -> TestResponse:
    return fill_in(browser, site.login(browser), warn="1", **fields)


def press(browser: FlaskClient, asked: TestResponse, **fields: str) -> TestResponse:
    """Press the button of the page that a redirect leads to. The tick stays unless it is taken away."""
    assert path_of(asked) == "/go-on"
    page = browser.get(asked.headers["Location"])
    assert page.status_code == 200, page.text[:500]
    ticked = {"warn": "1"} | fields
    kept = {name: value for name, value in ticked.items() if value}
    return browser.post("/go-on", data=hidden_fields(page.text) | kept)


def test_who_asked_to_be_asked_gets_a_page_before_the_ticket(
    browser: FlaskClient, notes: CasSite, lists: CasSite
) -> None:
    assert ticket_of(sign_in_warned(browser, notes)).startswith("ST-")
    asked = lists.login(browser)
    page = browser.get(asked.headers["Location"])
    assert "Lists asks who you are. You are signed in as Alice." in page.text
    assert "ticket=" not in page.text
    assert "form-action 'self' https: http:;" in page.headers["Content-Security-Policy"]
    answer = browser.get(press(browser, asked).headers["Location"])
    assert not lists.validated(answer).fresh


def test_the_page_speaks_chinese(app: Flask, notes: CasSite, lists: CasSite) -> None:
    browser = app.test_client()
    sign_in_warned(browser, notes)
    page = browser.get(lists.login(browser).headers["Location"], headers={"Accept-Language": "zh-CN"}).text
    assert "要继续前往 Lists 吗？" in page
    assert "登录其他站点之前先询问我" in page


def test_sites_that_speak_openid_connect_wait_for_the_answer_too(
    browser: FlaskClient, notes: CasSite, shop: OidcSite
) -> None:
    sign_in_warned(browser, notes)
    asked = shop.ask(browser)
    page = browser.get(asked.headers["Location"]).text
    assert "Shop asks who you are." in page
    answer = browser.get(press(browser, asked).headers["Location"])
    assert path_of(answer) == shop.redirect_uri
    assert shop.redeem(query_of(answer)["code"]).status_code == 200


def test_a_site_that_allows_no_page_hears_that_one_is_needed(
    browser: FlaskClient, notes: CasSite, shop: OidcSite
) -> None:
    sign_in_warned(browser, notes)
    answer = shop.ask(browser, prompt="none")
    assert (path_of(answer), query_of(answer)["error"]) == (shop.redirect_uri, "interaction_required")


def test_gateway_doesnt_get_round_the_page(browser: FlaskClient, notes: CasSite, lists: CasSite) -> None:
    sign_in_warned(browser, notes)
    answer = browser.get(press(browser, lists.login(browser, gateway="true")).headers["Location"])
    assert ticket_of(answer).startswith("ST-")


def test_who_says_no_to_a_gateway_is_at_the_site_without_being_signed_in(
    browser: FlaskClient, notes: CasSite, lists: CasSite
) -> None:
    sign_in_warned(browser, notes)
    address = {"service": f"{LISTS}a?x=1&ticket=ST-old"}
    page = browser.get(lists.login(browser, **address, gateway="true").headers["Location"]).text
    assert f'<a href="{LISTS}a?x=1">Not now</a>' in page
    for more in ({}, {"gateway": "false"}):
        page = browser.get(lists.login(browser, **address, **more).headers["Location"]).text
        assert '<a href="/sessions">Not now</a>' in page


def test_method_post_is_kept_across_the_page(browser: FlaskClient, notes: CasSite) -> None:
    sign_in_warned(browser, notes)
    page = browser.get(press(browser, notes.login(browser, method="POST")).headers["Location"])
    assert hidden_fields(page.text)["ticket"].startswith("ST-")


def test_whoever_has_just_typed_the_password_for_a_site_is_not_asked_again(
    browser: FlaskClient, notes: CasSite, shop: OidcSite
) -> None:
    sign_in_warned(browser, notes)
    assert ticket_of(fill_in(browser, notes.login(browser, renew="true"), warn="1")).startswith("ST-")
    asked = shop.ask(browser, prompt="login")
    answer = browser.get(sign_in(browser, asked.headers["Location"]).headers["Location"])
    assert path_of(answer) == shop.redirect_uri


@pytest.mark.parametrize("fields", [{}, {"Warn": "1"}, {"WARN": "true"}])
def test_without_the_tick_nobody_is_asked(browser: FlaskClient, notes: CasSite, fields: dict[str, str]) -> None:
    fill_in(browser, notes.login(browser), **fields)
    assert ticket_of(notes.login(browser)).startswith("ST-")


def test_a_posted_form_may_carry_the_tick(browser: FlaskClient, notes: CasSite) -> None:
    token = hidden_fields(browser.get(notes.login(browser).headers["Location"]).text)["csrf_token"]
    fields = {"service": NOTES, "username": "alice", "password": PASSWORD, "warn": "true", "csrf_token": token}
    answer = browser.post("/cas/login", data=fields)
    browser.post(answer.headers["Location"], data=fields)
    assert path_of(notes.login(browser)) == "/go-on"


def test_every_site_is_asked_for_anew(browser: FlaskClient, notes: CasSite, lists: CasSite) -> None:
    sign_in_warned(browser, notes)
    browser.get(press(browser, lists.login(browser)).headers["Location"])
    assert path_of(lists.login(browser)) == "/go-on"
    assert path_of(notes.login(browser)) == "/go-on"


def test_taking_the_tick_away_ends_the_asking(browser: FlaskClient, notes: CasSite, lists: CasSite) -> None:
    sign_in_warned(browser, notes)
    answer = browser.get(press(browser, lists.login(browser), warn="").headers["Location"])
    assert ticket_of(answer).startswith("ST-")
    assert ticket_of(notes.login(browser)).startswith("ST-")


def test_the_sign_in_page_keeps_the_tick_and_takes_it_back(browser: FlaskClient, notes: CasSite) -> None:
    sign_in_warned(browser, notes)
    page = browser.get(notes.login(browser, renew="true").headers["Location"]).text
    assert 'name="warn" value="1" checked' in page
    fill_in(browser, notes.login(browser, renew="true"))
    assert ticket_of(notes.login(browser)).startswith("ST-")


def test_signing_out_ends_it(browser: FlaskClient, notes: CasSite) -> None:
    sign_in_warned(browser, notes)
    browser.get("/cas/logout")
    assert browser.get_cookie("lockstep_warn") is None
    sign_in(browser)
    assert ticket_of(notes.login(browser)).startswith("ST-")


def test_the_answer_of_somebody_else_or_of_yesterday_is_none(
    app: Flask, browser: FlaskClient, notes: CasSite, lists: CasSite, later: Later
) -> None:
    other = app.test_client()
    sign_in_warned(other, notes, username="bob")
    sign_in_warned(browser, notes)
    address = press(browser, lists.login(browser)).headers["Location"]
    assert path_of(other.get(address)) == "/go-on"
    assert ticket_of(browser.get(address)).startswith("ST-")
    with later(61):
        assert path_of(browser.get(address)) == "/go-on"


def test_only_the_button_answers(app: Flask, browser: FlaskClient, notes: CasSite, lists: CasSite) -> None:
    sign_in_warned(browser, notes)
    location = lists.login(browser).headers["Location"]
    fields = {k: v for k, v in hidden_fields(browser.get(location).text).items() if k != "csrf_token"}
    page = browser.post("/go-on", data=fields)
    assert (page.status_code, "Location" in page.headers) == (400, False)
    assert "please press the button once more" in page.text
    # Straight to the way back, without an answer: asked once more.
    assert path_of(browser.get(location.replace("/go-on", "/cas/login/continue"))) == "/go-on"


def test_the_page_of_a_session_that_is_over_leads_to_the_sign_in(
    browser: FlaskClient, notes: CasSite, lists: CasSite
) -> None:
    sign_in_warned(browser, notes)
    location = lists.login(browser).headers["Location"]
    fields = hidden_fields(browser.get(location).text)
    browser.get("/cas/logout")
    assert path_of(browser.get(browser.get(location).headers["Location"])) == "/sign-in"
    assert path_of(browser.get(browser.post("/go-on", data=fields).headers["Location"])) == "/sign-in"


@pytest.mark.parametrize("query", ["", "?request=x", "?request=a&request=b"])
def test_the_page_without_a_request_is_none(browser: FlaskClient, notes: CasSite, query: str) -> None:
    sign_in(browser)
    answer = browser.get("/go-on" + query)
    assert answer.status_code == 400 if "&" in query else answer.headers["Location"] == "/"
