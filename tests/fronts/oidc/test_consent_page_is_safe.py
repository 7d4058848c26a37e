"""Nobody agrees for somebody else, to something else, or without meaning to."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.consenting import asked, consent_of, press, third_party
from tests.support.oidc_site import OidcSite, built_of, change_client, path_of, sign_in

ALL = ("openid", "profile", "email", "groups", "offline_access")


@pytest.fixture
def other(wiki: OidcSite) -> OidcSite:
    """The wiki belongs to others now."""
    return third_party(wiki)


def test_nobody_answers_for_somebody_else(browser: FlaskClient, other: OidcSite) -> None:
    """The page that alice had open is pressed after bob signed in with the same browser."""
    sign_in(browser)
    page = asked(browser, other)
    sign_in(browser, "/sign-in?request=" + re.findall(r'name="request" value="([^"]*)"', page.text)[0], "bob")
    answer = press(browser, page)
    assert path_of(answer) == "/authorize/continue"
    assert (consent_of(other), consent_of(other, "bob")) == (None, None)
    assert path_of(browser.get(answer.headers["Location"])) == "/consent"


def test_a_seal_made_in_another_session_agrees_to_nothing(app: Flask, browser: FlaskClient, other: OidcSite) -> None:
    stranger = app.test_client()
    sign_in(stranger)
    theirs = press(stranger, asked(stranger, other, prompt="consent")).headers["Location"]
    built_of(app).services.consents.remove(
        built_of(app).services.accounts.get("alice").user_id, other.client_id, actor="test"
    )
    sign_in(browser)
    assert path_of(browser.get(theirs)) == "/consent"


def test_without_its_token_the_form_does_nothing_and_comes_again(browser: FlaskClient, other: OidcSite) -> None:
    sign_in(browser)
    page = asked(browser, other)
    again = press(browser, page, csrf_token="another")
    assert again.status_code == 400
    assert "press the button once more" in again.text
    assert consent_of(other) is None
    assert path_of(browser.get(press(browser, again).headers["Location"])) == other.redirect_uri


@pytest.mark.covers("line-39", "line-40", "line-41")
def test_the_page_cannot_be_framed_leaks_no_address_and_is_left_by_303(browser: FlaskClient, other: OidcSite) -> None:
    sign_in(browser)
    page = asked(browser, other)
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert press(browser, page).status_code == 303


def test_the_page_leads_home_without_a_request_and_on_without_a_person(browser: FlaskClient, other: OidcSite) -> None:
    assert path_of(browser.get("/consent")) == "/"
    assert path_of(browser.get("/consent?request=broken")) == "/"
    sign_in(browser)
    location = other.ask(browser).headers["Location"]
    browser.delete_cookie("lockstep_session")
    assert path_of(browser.get(location)) == "/authorize/continue"


def test_what_was_shown_is_what_was_agreed_to_although_the_registration_grew_meanwhile(
    browser: FlaskClient, other: OidcSite
) -> None:
    change_client(other, scopes=("openid",))
    sign_in(browser)
    page = asked(browser, other)
    change_client(other, scopes=ALL)
    answer = browser.get(press(browser, page).headers["Location"])
    assert path_of(answer) == "/consent"
    known = consent_of(other)
    assert known is not None
    assert known.scope == ("openid",)
