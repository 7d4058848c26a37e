"""Signing out by CAS (CAS 3.0.3 section 2.3): at once where a person went there, and back only to registered sites."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fronts.cas.cas_site import NOTES, CasSite, fill_in, hidden_fields, ticket_of
from tests.support.oidc_site import OidcSite, built_of, path_of, sign_in


def logout(browser: FlaskClient, *, headers: dict[str, str] | None = None, **params: str) -> TestResponse:
    return browser.get("/cas/logout?" + urlencode(params), headers=headers)


def is_signed_in(browser: FlaskClient, notes: CasSite) -> bool:
    return "ticket=" in notes.login(browser).headers["Location"]


def ends(app: Flask) -> list[tuple[str, str]]:
    """Reason and actor of every session that is over."""
    built = built_of(app)
    events = built.services.audit.list_events(10)
    return [(str(e.data["reason"]), e.actor) for e in events if e.kind == "session_ended"]


# --- lines 20, 60: it is over ---


def test_after_the_sign_out_there_is_no_ticket_without_the_password(
    app: Flask, browser: FlaskClient, notes: CasSite
) -> None:
    fill_in(browser, notes.login(browser))
    answer = logout(browser)
    assert answer.status_code == 303
    assert browser.get_cookie("lockstep_session") is None
    assert notes.login(browser).headers["Location"].startswith("/sign-in?")
    assert notes.login(browser, gateway="true").headers["Location"] == NOTES
    assert ends(app) == [("sign_out", "user")]


def test_a_cookie_that_was_kept_opens_nothing_any_more(app: Flask, browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    kept = browser.get_cookie("lockstep_session")
    logout(browser)
    assert kept is not None
    browser.set_cookie("lockstep_session", kept.value, domain="localhost")
    assert not is_signed_in(browser, notes)


def test_a_ticket_that_was_not_validated_yet_dies_with_the_session(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    ticket = ticket_of(notes.login(browser))
    logout(browser)
    assert notes.refuses(ticket) != ""


def test_one_sign_out_ends_it_at_the_sites_of_both_protocols(
    app: Flask, browser: FlaskClient, notes: CasSite, shop: OidcSite
) -> None:
    tokens = shop.tokens(browser)
    validated = notes.validated(notes.login(browser))
    logout(browser, service=NOTES)
    assert shop.userinfo(tokens["access_token"]).status_code == 401
    rows = built_of(app).services.ledger.of_session(validated.session.sid)
    assert sorted((row.client_id, row.kind) for row in rows) == [("notes", "cas"), ("shop", "oidc")]


def test_signing_out_twice_is_no_error_and_keeps_the_first_reason(
    app: Flask, browser: FlaskClient, notes: CasSite
) -> None:
    sign_in(browser)
    kept = browser.get_cookie("lockstep_session")
    logout(browser, service=NOTES)
    assert kept is not None
    browser.set_cookie("lockstep_session", kept.value, domain="localhost")
    assert logout(browser, service=NOTES).headers["Location"] == NOTES
    assert ends(app) == [("site_sign_out", "client:notes")]


# --- line 21: the page ---


def test_without_a_service_a_page_says_that_the_person_is_signed_out(browser: FlaskClient, notes: CasSite) -> None:
    notes.validated(fill_in(browser, notes.login(browser)))
    answer = logout(browser)
    assert answer.headers["Location"].startswith("/signed-out?of=")
    page = browser.get(answer.headers["Location"])
    assert "You are signed out" in page.text
    assert "Notes" in page.text
    # The ticket is what the site's sign-out names: nobody needs it on a page.
    assert "ST-" not in page.text


def test_without_a_session_a_page_says_so(browser: FlaskClient) -> None:
    page = browser.get(logout(browser).headers["Location"])
    assert "This browser has no session here." in page.text


# --- line 22: where it leads ---


@pytest.mark.parametrize("service", [NOTES, f"{NOTES}bye?from=sso#x", "https://NOTES.example.com/"])
def test_a_registered_service_gets_its_visitor_back(
    app: Flask, browser: FlaskClient, notes: CasSite, service: str
) -> None:
    sign_in(browser)
    answer = logout(browser, service=service)
    assert answer.status_code == 303
    assert answer.headers["Location"].lower() == service.lower()
    assert ends(app) == [("site_sign_out", "client:notes")]


def test_a_registered_service_gets_its_visitor_back_without_a_session_too(browser: FlaskClient, notes: CasSite) -> None:
    assert logout(browser, service=NOTES).headers["Location"] == NOTES


@pytest.mark.parametrize("service", ["https://evil.example/", "//evil.example", "javascript:alert(1)", NOTES + "../x"])
def test_an_unregistered_service_is_never_followed_and_the_person_is_out(
    app: Flask, browser: FlaskClient, notes: CasSite, service: str
) -> None:
    sign_in(browser)
    answer = logout(browser, service=service)
    assert answer.headers["Location"].startswith("/signed-out?of=")
    assert "evil" not in browser.get(answer.headers["Location"]).text
    assert not is_signed_in(browser, notes)
    assert ends(app) == [("sign_out", "user")]


# --- line 23 and names ---


def test_url_and_other_names_are_ignored(browser: FlaskClient, notes: CasSite) -> None:
    for name in ("url", "Service", "SERVICE", "next"):
        sign_in(browser)
        answer = logout(browser, **{name: NOTES})
        assert answer.headers["Location"].startswith("/signed-out?of="), name
        assert NOTES not in browser.get(answer.headers["Location"]).text


def test_a_repeated_service_is_refused_and_ends_nothing(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    assert browser.get(f"/cas/logout?service={NOTES}&service={NOTES}").status_code == 400
    assert is_signed_in(browser, notes)


# --- who may end it at once ---


ELSEWHERE = [
    {"Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;prerender"},
    {"Purpose": "prefetch"},
    {"Purpose": "preview"},
    {"X-Purpose": "preview"},
    {"X-Moz": "prefetch"},
]


def test_a_picture_a_frame_or_a_page_fetched_ahead_signs_nobody_out(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    for headers in ELSEWHERE:
        assert path_of(logout(browser, headers=headers)) == "/sign-out", headers
        assert is_signed_in(browser, notes), headers


def test_a_program_that_only_looks_signs_nobody_out(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    assert path_of(browser.head("/cas/logout")) == "/sign-out"
    assert is_signed_in(browser, notes)


def test_a_person_who_goes_there_is_signed_out(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    headers = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}
    assert logout(browser, headers=headers, service=NOTES).headers["Location"] == NOTES
    assert not is_signed_in(browser, notes)


def test_the_question_names_the_site_and_its_answer_leads_back_there(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    service = f"{NOTES}bye?x=1"
    asked = logout(browser, headers={"Sec-Fetch-Dest": "iframe"}, service=service)
    page = browser.get(asked.headers["Location"])
    assert "Notes asks to sign you out. You are signed in as Alice." in page.text
    assert "form-action 'self' https:;" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
    answer = browser.post("/sign-out", data=hidden_fields(page.text) | {"scope": "here"})
    assert answer.headers["Location"] == service
    assert not is_signed_in(browser, notes)


def test_a_posted_form_leads_to_the_same_address_by_get(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    answer = browser.post("/cas/logout", data={"service": NOTES, "url": "https://evil.example/"})
    assert answer.headers["Location"] == "/cas/logout?service=https%3A%2F%2Fnotes.example.com%2F"
    assert is_signed_in(browser, notes)
    assert browser.post("/cas/logout").headers["Location"] == "/cas/logout"
