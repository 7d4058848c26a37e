"""Somebody comes from a CAS site, and goes back with a ticket (CAS 3.0.3 sections 2.1, 2.2.4, 3.1, 3.6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fronts.cas.cas_site import NOTES, CasSite, fill_in, login_path, ticket_of
from tests.fronts.cas.conftest import add_service
from tests.support.oidc_site import OidcSite, built_of, sign_in

# Line 52: all that a ticket or the cookie may be made of.
ALLOWED = re.compile(r"[A-Za-z0-9-]{32,64}")
SEALED = re.compile(r"[?&]request=[^&]+")


# --- lines 2, 15: nobody asks ---


def test_without_a_service_and_a_session_the_password_is_asked_for(browser: FlaskClient, notes: CasSite) -> None:
    page = browser.get(browser.get("/cas/login").headers["Location"])
    assert page.status_code == 200
    assert 'name="username"' in page.text
    assert "asks you to sign in" not in page.text


@pytest.mark.parametrize("path", ["/cas", "/cas/"])
def test_the_folder_itself_leads_to_the_sign_in_with_its_query(browser: FlaskClient, path: str) -> None:
    answer = browser.get(f"{path}?service=https%3A%2F%2Fa.example%2F%3Fb%3Dc%2520d&renew=true")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/cas/login?service=https%3A%2F%2Fa.example%2F%3Fb%3Dc%2520d&renew=true"
    assert browser.get(path).headers["Location"] == "/cas/login"


def test_whoever_signs_in_without_a_service_sees_that_it_worked(browser: FlaskClient, notes: CasSite) -> None:
    page = fill_in(browser, browser.get("/cas/login"))
    assert page.status_code == 200
    assert "You are signed in as Alice" in page.text


def test_without_a_service_a_signed_in_person_is_told_so(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    answer = browser.get("/cas/login")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "You are signed in as Alice" in browser.get("/").text


def test_an_empty_service_is_none(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    assert browser.get("/cas/login?service=").headers["Location"] == "/"


# --- lines 1, 14: a ticket for the service ---


def test_a_person_signs_in_once_and_every_site_gets_a_ticket(
    browser: FlaskClient, notes: CasSite, lists: CasSite, shop: OidcSite
) -> None:
    first = fill_in(browser, notes.login(browser))
    assert first.headers["Location"].startswith(f"{NOTES}?ticket=ST-")
    assert notes.validated(first).fresh
    second = lists.login(browser)
    assert second.headers["Location"].startswith(f"{lists.service}?ticket=ST-")
    assert not lists.validated(second).fresh
    assert "code" in dict(parse_qsl(urlsplit(shop.ask(browser).headers["Location"]).query))


def test_whoever_signed_in_at_an_openid_site_is_signed_in_at_a_cas_site(
    browser: FlaskClient, notes: CasSite, shop: OidcSite
) -> None:
    sign_in(browser, shop.ask(browser).headers["Location"])
    validated = notes.validated(notes.login(browser))
    assert (validated.fresh, validated.ticket.client_id) == (False, "notes")


def test_the_sign_in_page_names_the_site_and_lets_the_form_lead_to_it(browser: FlaskClient, notes: CasSite) -> None:
    page = browser.get(notes.login(browser).headers["Location"])
    assert "Notes asks you to sign in." in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "form-action 'self' https:;" in policy
    assert page.headers["Cache-Control"] == "no-store"


def test_no_answer_on_the_way_is_kept_by_a_cache(browser: FlaskClient, notes: CasSite) -> None:
    asked = notes.login(browser)
    answer = fill_in(browser, asked)
    assert [r.headers["Cache-Control"] for r in (asked, answer, notes.login(browser))] == ["no-store"] * 3


# --- lines 3, 4: only registered services ---


UNREGISTERED = (
    "https://evil.example/",
    "http://notes.example.com/",
    "https://notes.example.com:8443/",
    "https://notes.example.com.evil.example/",
    "https://notes.example.com@evil.example/",
    "https://user@notes.example.com/",
    "//notes.example.com/",
    "javascript:alert(1)",
    "https://notes.example.com/../x",
    "https://notes.example.com\\@evil.example/",
    "nonsense",
    "https://[/",
)


@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "signed out"])
def test_an_unregistered_service_gets_neither_a_ticket_nor_the_browser(
    browser: FlaskClient, notes: CasSite, signed_in: bool
) -> None:
    if signed_in:
        sign_in(browser)
    for more in ({}, {"gateway": "true"}, {"renew": "true"}, {"method": "POST"}):
        for service in UNREGISTERED:
            answer = browser.get(login_path(service=service, **more))
            assert (answer.status_code, "Location" in answer.headers) == (400, False), service
            assert "The site isn't registered" in answer.text, service
            assert "ST-" not in answer.text, service


def test_on_this_machine_the_page_has_the_command_that_registers_the_service(
    browser: FlaskClient, notes: CasSite
) -> None:
    page = browser.get(login_path(service="https://mail.example.com/in?box=1")).text
    assert "<code>https://mail.example.com/in?box=1</code>" in page
    assert "sso client add mail --cas-service https://mail.example.com/</code>" in page


def test_a_known_host_gets_the_command_that_adds_to_its_client(app: Flask, browser: FlaskClient) -> None:
    add_service(app, "board", "https://board.example.com/app/")
    page = browser.get(login_path(service="https://board.example.com/other")).text
    command = "sso client update board --cas-service https://board.example.com/app/ --cas-service"
    assert f"{command} https://board.example.com/</code>" in page
    # It is copied into a shell.
    add_service(app, "paths", "https://paths.example.com/a;$(id)&b/")
    page = unescape(browser.get(login_path(service="https://paths.example.com/other")).text)
    assert "sso client update paths --cas-service 'https://paths.example.com/a;$(id)&b/' --cas-service" in page


@pytest.mark.parametrize(
    ("service", "client_id"),
    [
        ("http://127.0.0.1:8089/x", "site-8089"),
        ("http://localhost/x", "site-80"),
        ("https://notes.example.org/", "notes-2"),
        ("http://[::1]:81/", "site-81"),
    ],
)
def test_the_command_proposes_a_name_that_nobody_has(
    browser: FlaskClient, notes: CasSite, service: str, client_id: str
) -> None:
    assert f"sso client add {client_id} --cas-service " in browser.get(login_path(service=service)).text


def test_the_page_says_why_nobody_can_register_a_service(browser: FlaskClient, notes: CasSite) -> None:
    page = browser.get(login_path(service="http://mail.example.com/")).text
    assert "Nobody can register it" in page
    assert "must be https outside loopback" in page


def test_elsewhere_the_page_tells_strangers_nothing_of_registrations(make_app: Callable[..., Flask]) -> None:
    app = make_app(issuer="https://sso.example.com")
    add_service(app, "notes", NOTES)
    page = app.test_client().get(login_path(service=NOTES + "../x"), base_url="https://sso.example.com")
    assert page.status_code == 400
    assert "sso client" not in page.text
    assert f"<code>{NOTES}" not in page.text


def test_a_service_on_this_machine_may_be_http(browser: FlaskClient, lists: CasSite) -> None:
    assert lists.validated(fill_in(browser, lists.login(browser))).ticket.client_id == "lists"


def test_a_site_that_was_removed_while_the_page_was_open_gets_nothing(
    app: Flask, browser: FlaskClient, notes: CasSite
) -> None:
    page = notes.login(browser).headers["Location"]
    built = built_of(app)
    assert built.sql.clients.remove("notes")
    built.services.clients._checked_at = -1000
    answer = sign_in(browser, page)
    answer = browser.get(answer.headers["Location"])
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


@pytest.mark.parametrize("sealed", ["", "x", "%00"])
def test_the_way_back_takes_nothing_but_what_we_sealed(browser: FlaskClient, notes: CasSite, sealed: str) -> None:
    sign_in(browser)
    answer = browser.get(f"/cas/login/continue?request={sealed}")
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_a_request_of_another_front_is_none_of_ours(browser: FlaskClient, notes: CasSite, shop: OidcSite) -> None:
    sealed = SEALED.search(shop.ask(browser).headers["Location"])
    assert sealed is not None
    assert browser.get("/cas/login/continue" + sealed.group()).status_code == 400


# --- names in their own case, each once ---


def test_a_service_under_another_name_is_none(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    for name in ("Service", "SERVICE", "service ", "services"):
        assert browser.get(login_path(**{name: NOTES})).headers["Location"] == "/", name


def test_a_repeated_parameter_is_refused(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    for name in ("service", "renew", "gateway", "method", "anything"):
        answer = browser.get(login_path(service=NOTES) + f"&{name}={NOTES}&{name}={NOTES}")
        assert (answer.status_code, "Location" in answer.headers) == (400, False), name


def test_an_oversized_request_is_refused(browser: FlaskClient, notes: CasSite) -> None:
    assert browser.get(login_path(service=NOTES + "a" * 5000)).status_code == 400
    assert browser.get(login_path(service=NOTES + "a" * 2100)).status_code == 400


# --- lines 18, 19: how the ticket is put in ---


SPELLINGS = (
    (f"{NOTES}a?b=1", f"{NOTES}a?b=1&ticket=", ""),
    (f"{NOTES}a?b", f"{NOTES}a?b&ticket=", ""),
    (f"{NOTES}a?", f"{NOTES}a?ticket=", ""),
    (f"{NOTES}a#top", f"{NOTES}a?ticket=", "#top"),
    (f"{NOTES}a?b=%2f%20+%E4%B8%AD#x?y=1", f"{NOTES}a?b=%2f%20+%E4%B8%AD&ticket=", "#x?y=1"),
    (f"{NOTES}a?ticket=ST-0-old&b=1", f"{NOTES}a?b=1&ticket=", ""),
    (f"{NOTES}a?b=1&%74icket=ST-0-old", f"{NOTES}a?b=1&ticket=", ""),
    (f"{NOTES}a?tickets=2&aticket=3", f"{NOTES}a?tickets=2&aticket=3&ticket=", ""),
    # What stands before the path is the same in lower case, and is sent so.
    ("https://NOTES.example.com", "https://notes.example.com?ticket=", ""),
    ("HTTPS://notes.example.com:443/%7Ealice/", "https://notes.example.com:443/%7Ealice/?ticket=", ""),
)


def test_the_service_stays_as_it_was_sent_and_gets_one_ticket(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    for service, before, after in SPELLINGS:
        answer = notes.login(browser, service=service)
        location, ticket = answer.headers["Location"], ticket_of(answer)
        assert location == before + ticket + after
        assert notes.refuses(ticket, service=service) == ""


def test_brackets_that_were_encoded_on_the_way_are_still_the_tickets_service(
    browser: FlaskClient, notes: CasSite
) -> None:
    sign_in(browser)
    for sent, arrived in ((f"{NOTES}?list[]=1", f"{NOTES}?list%5B%5D=1"), (f"{NOTES}?a=%7bx%7d", f"{NOTES}?a={{x}}")):
        assert notes.refuses(ticket_of(notes.login(browser, service=sent)), service=arrived) == ""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.lists(
        st.text("abct=%+;/?:@!$'()*,-._~", max_size=6).filter(lambda t: "ticket" not in t.lower()), max_size=4
    ),
    fragment=st.text("ab/?=&", max_size=6),
)
def test_whatever_the_service_has_in_its_query_stays_byte_for_byte(
    browser: FlaskClient, notes: CasSite, query: list[str], fragment: str
) -> None:
    if browser.get_cookie("lockstep_session") is None:
        sign_in(browser)
    own = "&".join(query)
    service = f"{NOTES}page?{own}" + (f"#{fragment}" if fragment else "")
    location = notes.login(browser, service=service).headers["Location"]
    found = re.fullmatch(re.escape(f"{NOTES}page?{own}") + r"&?ticket=(ST-[A-Za-z0-9-]+)(#.*)?", location)
    assert found is not None, location
    assert (found.group(2) or "") == (f"#{fragment}" if fragment else "")
    assert notes.refuses(found.group(1), service=service) == ""


# --- lines 51, 52, 55, 61: tickets and the cookie ---


def test_a_service_ticket_begins_with_st_and_has_only_letters_digits_and_dashes(
    browser: FlaskClient, notes: CasSite
) -> None:
    sign_in(browser)
    tickets = {ticket_of(notes.login(browser)) for _ in range(20)}
    assert len(tickets) == 20
    assert [t for t in tickets if not t.startswith("ST-") or not ALLOWED.fullmatch(t)] == []


def test_a_ticket_is_good_for_its_own_service_only(browser: FlaskClient, notes: CasSite, lists: CasSite) -> None:
    sign_in(browser)
    ticket = ticket_of(notes.login(browser, service=NOTES + "a"))
    assert notes.refuses(ticket, service=NOTES + "b") != ""
    assert notes.refuses(ticket, service=NOTES + "a") != ""


def test_the_sessions_cookie_is_unguessable_narrow_and_gone_with_the_browser(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(issuer="https://sso.example.com")
    notes = add_service(app, "notes", NOTES)
    browser = app.test_client()
    base = {"base_url": "https://sso.example.com"}
    page = browser.get(browser.get(login_path(service=notes.service), **base).headers["Location"], **base)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    answer = browser.post(
        "/sign-in",
        data=hidden | {"username": "alice", "password": "correct horse battery staple"},
        headers={"Referer": "https://sso.example.com/sign-in"},
        **base,
    )
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if "lockstep_session" in c)
    name, _, value = cookie.partition(";")[0].partition("=")
    # `__Host-` needs Path=/, and holds the cookie to this very host instead (docs/endpoints.md).
    assert name == "__Host-lockstep_session"
    assert ALLOWED.fullmatch(value)
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert [flag in cookie for flag in ("Secure", "HttpOnly", "SameSite=Lax")] == [True] * 3
    assert "Max-Age" not in cookie
    assert "Expires" not in cookie
