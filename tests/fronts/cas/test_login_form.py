"""The sign-in form of CAS, and forms that are posted to /cas/login (CAS 3.0.3 sections 2.1.4, 2.2 and 4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fronts.cas.cas_site import NOTES, CasSite, fill_in, go_on, hidden_fields, ticket_of
from tests.fronts.cas.conftest import add_service
from tests.support.oidc_site import PASSWORD, OidcSite

ALICE = {"username": "alice", "password": PASSWORD}


def form_of(browser: FlaskClient, notes: CasSite, **params: str) -> dict[str, str]:
    """The hidden fields of the sign-in page, as a program reads them out."""
    return hidden_fields(browser.get(notes.login(browser, **params).headers["Location"]).text)


def post(browser: FlaskClient, path: str = "/cas/login", **fields: str) -> TestResponse:
    """Post to /cas/login and follow its 307 as browsers do: the same form once more."""
    answer = browser.post(path, data=fields)
    assert answer.status_code == 307, (answer.status_code, answer.headers.get("Location"), answer.text[:300])
    return browser.post(answer.headers["Location"], data=fields)


def session_cookie(answer: TestResponse) -> str:
    return next((c for c in answer.headers.getlist("Set-Cookie") if c.startswith("lockstep_session=")), "")


# --- line 11: the form ---


def test_the_form_has_user_name_password_and_our_form_token_and_keeps_the_service(
    browser: FlaskClient, notes: CasSite
) -> None:
    service = f"{NOTES}a?b=%2f&c#d"
    page = browser.get(notes.login(browser, service=service).headers["Location"])
    assert [f'name="{name}"' in page.text for name in ("username", "password", "csrf_token", "warn")] == [True] * 4
    assert '<form method="post"' in page.text
    answer = fill_in(browser, notes.login(browser, service=service))
    assert answer.headers["Location"] == f"{NOTES}a?b=%2f&c&ticket={ticket_of(answer)}#d"


def test_warn_is_offered_to_people_who_come_by_cas_only(browser: FlaskClient, notes: CasSite) -> None:
    assert 'name="warn"' not in browser.get("/sign-in").text
    page = browser.get(notes.login(browser).headers["Location"]).text
    tick = re.search(r'<input type="checkbox" name="warn"[^>]*>', page)
    assert tick is not None
    assert "checked" not in tick.group()


def test_whoever_comes_by_openid_connect_sets_no_such_tick(browser: FlaskClient, shop: OidcSite) -> None:
    page = browser.get(shop.ask(browser).headers["Location"]).text
    assert 'name="warn"' not in page
    browser.post("/sign-in", data=hidden_fields(page) | ALICE | {"warn": "1"})
    assert browser.get_cookie("lockstep_session")
    assert not browser.get_cookie("lockstep_warn")


# --- lines 12, 14: credentials ---


def test_a_form_posted_to_cas_login_signs_in_and_ends_with_a_get_at_the_service(
    browser: FlaskClient, notes: CasSite
) -> None:
    answer = post(browser, **form_of(browser, notes), service=NOTES, **ALICE)
    # Line 14: 303 whatever was posted; with 307 or 308 the password would go on to the site.
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/cas/login/continue?")
    answer = browser.get(answer.headers["Location"])
    assert answer.status_code == 303
    assert PASSWORD not in answer.headers["Location"]
    assert notes.validated(answer).fresh


def test_the_307_leads_to_our_own_page_and_to_no_other_host(browser: FlaskClient, notes: CasSite) -> None:
    answer = browser.post("/cas/login", data={"service": NOTES, **ALICE})
    assert (answer.status_code, answer.headers["Location"].startswith("/sign-in?request=")) == (307, True)
    assert PASSWORD not in answer.headers["Location"]


def test_the_service_may_stand_in_the_forms_address(browser: FlaskClient, notes: CasSite) -> None:
    fields = {k: v for k, v in form_of(browser, notes).items() if k == "csrf_token"}
    answer = go_on(browser, post(browser, f"/cas/login?service={NOTES}a", **fields, **ALICE))
    assert answer.headers["Location"].startswith(f"{NOTES}a?ticket=")


def test_two_different_services_in_address_and_form_are_refused(browser: FlaskClient, notes: CasSite) -> None:
    answer = browser.post(f"/cas/login?service={NOTES}a", data={"service": NOTES + "b", **ALICE})
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_without_a_service_the_person_sees_that_it_worked(browser: FlaskClient, notes: CasSite) -> None:
    token = form_of(browser, notes)["csrf_token"]
    page = go_on(browser, post(browser, csrf_token=token, **ALICE))
    assert "You are signed in as Alice" in page.text


def test_a_post_of_an_unregistered_service_checks_no_password(browser: FlaskClient, notes: CasSite) -> None:
    answer = browser.post("/cas/login", data={"service": "https://evil.example/", **ALICE})
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert session_cookie(answer) == ""


def test_a_post_with_renew_asks_and_is_satisfied_by_the_password(browser: FlaskClient, notes: CasSite) -> None:
    fill_in(browser, notes.login(browser))
    answer = go_on(browser, post(browser, csrf_token=form_of(browser, notes, renew="true")["csrf_token"],
                                 service=NOTES, renew="true", **ALICE))  # fmt: skip
    assert notes.validated(answer, renew=True).fresh


def test_a_post_with_method_post_ends_with_a_form_to_the_service(browser: FlaskClient, notes: CasSite) -> None:
    token = form_of(browser, notes)["csrf_token"]
    page = go_on(browser, post(browser, csrf_token=token, service=NOTES, method="POST", **ALICE))
    assert page.status_code == 200
    assert f'<form method="post" action="{NOTES}"' in page.text
    assert PASSWORD not in page.text


@pytest.mark.parametrize("missing", ["username", "password"])
def test_a_post_without_credentials_is_the_same_request_by_get(
    browser: FlaskClient, notes: CasSite, missing: str
) -> None:
    fields = {"service": f"{NOTES}a?b=1", "renew": "true", **ALICE}
    del fields[missing]
    answer = browser.post("/cas/login", data=fields)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/cas/login?service=https%3A%2F%2Fnotes.example.com%2Fa%3Fb%3D1&renew=true"


@pytest.mark.parametrize("name", ["Username", "PASSWORD"])
def test_credentials_under_another_name_are_none(browser: FlaskClient, notes: CasSite, name: str) -> None:
    fields = {k: v for k, v in ALICE.items() if k != name.lower()} | {name: "x"}
    assert browser.post("/cas/login", data={"service": NOTES, **fields}).status_code == 303


def test_a_password_in_an_address_is_no_credential(browser: FlaskClient, notes: CasSite) -> None:
    answer = notes.login(browser, **ALICE)
    assert answer.headers["Location"].startswith("/sign-in?")
    page = browser.post(f"/cas/login?username=alice&password={PASSWORD}", data={"service": NOTES})
    assert page.status_code == 303
    assert PASSWORD not in page.headers["Location"]


# --- lines 16, 17: what goes wrong ---


@pytest.mark.parametrize("typed", [{"username": "alice", "password": "wrong"}, {"username": "nobody", "password": "x"}])
def test_a_failure_leads_back_to_the_form_with_one_reason_for_all(
    browser: FlaskClient, notes: CasSite, typed: dict[str, str]
) -> None:
    page = post(browser, **form_of(browser, notes), service=NOTES, **typed)
    assert (page.status_code, session_cookie(page)) == (400, "")
    assert "The user name or the password is wrong." in page.text
    assert "Notes asks you to sign in." in page.text
    # ... and the form still knows where to go on.
    answer = go_on(browser, browser.post("/sign-in", data=hidden_fields(page.text) | ALICE))
    assert notes.validated(answer).fresh


def test_a_form_that_is_not_ours_is_shown_ours_and_signs_nobody_in(browser: FlaskClient, notes: CasSite) -> None:
    page = post(browser, service=NOTES, lt="LT-1-made-up", execution="e1s1", **ALICE)
    assert (page.status_code, session_cookie(page)) == (400, "")
    assert 'value="alice"' in page.text
    assert PASSWORD not in page.text
    answer = go_on(browser, browser.post("/sign-in", data=hidden_fields(page.text) | ALICE))
    assert notes.validated(answer).fresh


def test_a_form_token_of_another_browser_signs_nobody_in(app: Flask, browser: FlaskClient, notes: CasSite) -> None:
    strangers = form_of(app.test_client(), notes)
    form_of(browser, notes)
    page = post(browser, **strangers, service=NOTES, **ALICE)
    assert (page.status_code, session_cookie(page)) == (400, "")


def test_no_login_ticket_is_handed_out(browser: FlaskClient, notes: CasSite) -> None:
    # Line 17: what there is not can't be used twice; form tokens and counted guesses do its work.
    page = browser.get(notes.login(browser).headers["Location"]).text
    assert "LT-" not in page
    assert 'name="lt"' not in page


# --- line 62: remember me ---


@pytest.mark.parametrize("tick", [{"remember": "1"}, {"rememberMe": "true"}])
def test_remember_me_keeps_the_cookie_as_long_as_the_session_may_live(
    make_app: Callable[..., Flask], tick: dict[str, str]
) -> None:
    app = make_app(offer_remember=True)
    notes, browser = add_service(app, "notes", NOTES), app.test_client()
    page = browser.get(notes.login(browser).headers["Location"]).text
    box = re.search(r'<input type="checkbox" name="remember"[^>]*>', page)
    assert box is not None
    assert "checked" not in box.group()
    answer = post(browser, **hidden_fields(page), service=NOTES, **ALICE, **tick, warn="1")
    assert "Max-Age=2592000" in session_cookie(answer)
    warn = browser.get_cookie("lockstep_warn")
    assert warn is not None
    assert warn.max_age == 2592000, "whoever is kept signed in is asked for as long"
    assert notes.validated(go_on(browser, answer)).session.remembered


@pytest.mark.parametrize("tick", [{}, {"RememberMe": "true"}])
def test_without_the_tick_the_cookie_goes_with_the_browser(
    make_app: Callable[..., Flask], tick: dict[str, str]
) -> None:
    app = make_app(offer_remember=True)
    notes, browser = add_service(app, "notes", NOTES), app.test_client()
    answer = post(browser, **form_of(browser, notes), service=NOTES, **ALICE, **tick)
    assert "Max-Age" not in session_cookie(answer)
    assert not notes.validated(go_on(browser, answer)).session.remembered
