"""`renew`, `gateway` and `method` (CAS 3.0.3 section 2.1.1)."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.fronts.cas.cas_site import NOTES, CasSite, fill_in, go_on, hidden_fields, ticket_of
from tests.fronts.conftest import Later
from tests.support.oidc_site import PASSWORD, sign_in

ASKS = "/sign-in?request="


# --- lines 5, 6: renew ---


def test_renew_asks_for_the_password_although_there_is_a_session(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    for value in ("", "1", "yes", "True", "true"):
        asked = notes.login(browser, renew=value)
        assert asked.headers["Location"].startswith(ASKS), value
    assert "Notes wants your password once more" in browser.get(asked.headers["Location"]).text
    assert notes.validated(fill_in(browser, asked), renew=True).fresh


@pytest.mark.parametrize("query", [{"renew": "false"}, {"renew": "FALSE"}, {"Renew": "true"}, {"RENEW": "true"}])
def test_renew_is_not_set_by_false_or_under_another_name(
    browser: FlaskClient, notes: CasSite, query: dict[str, str]
) -> None:
    sign_in(browser)
    assert not notes.validated(notes.login(browser, **query)).fresh


def test_a_ticket_of_a_session_that_was_there_is_refused_where_renew_is_wanted(
    browser: FlaskClient, notes: CasSite
) -> None:
    sign_in(browser)
    assert notes.refuses(ticket_of(notes.login(browser)), renew=True) != ""


def test_renew_wins_over_gateway(browser: FlaskClient, notes: CasSite) -> None:
    assert notes.login(browser, renew="true", gateway="true").headers["Location"].startswith(ASKS)
    sign_in(browser)
    assert notes.login(browser, renew="true", gateway="true").headers["Location"].startswith(ASKS)


def test_renew_without_a_service_asks_too(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    asked = notes.login(browser, service="", renew="true")
    assert asked.headers["Location"].startswith(ASKS)
    assert "You are signed in as Alice" in fill_in(browser, asked).text


def test_the_address_of_an_earlier_sign_in_is_no_password_typed_now(
    browser: FlaskClient, notes: CasSite, later: Later
) -> None:
    """Its request stands in the browser's history: whoever comes upon the browser could follow it again."""
    page = browser.get(notes.login(browser, renew="true").headers["Location"])
    typed = {"username": "alice", "password": PASSWORD}
    address = browser.post("/sign-in", data=hidden_fields(page.text) | typed).headers["Location"]
    assert notes.validated(browser.get(address)).fresh
    with later(301):
        assert browser.get(address).headers["Location"].startswith(ASKS)
    plain = notes.login(browser)
    assert not notes.validated(plain).fresh


# --- lines 7, 8, 9: gateway ---


def test_gateway_without_a_session_goes_back_without_a_ticket(browser: FlaskClient, notes: CasSite) -> None:
    for service, value in ((NOTES, "true"), (f"{NOTES}a?b=%2f&c#d", "1"), (f"{NOTES}a", "")):
        answer = notes.login(browser, service=service, gateway=value)
        assert (answer.status_code, answer.headers["Location"]) == (303, service)


def test_gateway_leaves_no_old_ticket_behind(browser: FlaskClient, notes: CasSite) -> None:
    answer = notes.login(browser, service=f"{NOTES}a?x=1&ticket=ST-00-old&y#z", gateway="true")
    assert answer.headers["Location"] == f"{NOTES}a?x=1&y#z"


def test_gateway_with_a_session_goes_back_with_a_ticket(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    assert not notes.validated(notes.login(browser, gateway="true")).fresh


@pytest.mark.parametrize("query", [{"gateway": "false"}, {"Gateway": "true"}, {"GATEWAY": "true"}])
def test_gateway_is_not_set_by_false_or_under_another_name(
    browser: FlaskClient, notes: CasSite, query: dict[str, str]
) -> None:
    assert notes.login(browser, **query).headers["Location"].startswith(ASKS)


def test_gateway_without_a_service_counts_for_nothing(browser: FlaskClient, notes: CasSite) -> None:
    assert notes.login(browser, service="", gateway="true").headers["Location"].startswith(ASKS)
    sign_in(browser)
    assert notes.login(browser, service="", gateway="true").headers["Location"] == "/"


# --- line 10: method ---


def test_method_post_hands_the_ticket_over_in_a_form(browser: FlaskClient, notes: CasSite) -> None:
    sign_in(browser)
    service = f'{NOTES}a?b=1&c=%22%3E<&ticket=old#"'
    assert notes.login(browser, service=service, method="POST").status_code == 400
    service = f"{NOTES}a?b='1'&c=%22%3E&ticket=old#x"
    page = notes.login(browser, service=service, method="POST")
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    form = re.search(r'<form method="post" action="([^"]*)"', page.text)
    assert form is not None
    assert form.group(1) == f"{NOTES}a?b=&#39;1&#39;&amp;c=%22%3E#x"
    assert "form-action 'self' https:;" in page.headers["Content-Security-Policy"]
    fields = hidden_fields(page.text)
    assert list(fields) == ["ticket"]
    assert notes.refuses(fields["ticket"], service=f"{NOTES}a?b='1'&c=%22%3E") == ""
    # Without script there is a button; nothing on the page is a script of its own.
    assert "Go on to Notes" in page.text
    assert re.findall(r"<script[^>]*>(.+?)</script>", page.text) == []


def test_method_post_without_a_session_asks_first(browser: FlaskClient, notes: CasSite) -> None:
    page = fill_in(browser, notes.login(browser, method="POST"))
    assert hidden_fields(page.text)["ticket"].startswith("ST-")
    assert go_on(browser, notes.login(browser, method="post", gateway="true")).status_code == 200


@pytest.mark.parametrize("query", [{"method": "GET"}, {"method": "HEADER"}, {"method": "<x>"}, {"Method": "POST"}])
def test_any_other_method_is_get(browser: FlaskClient, notes: CasSite, query: dict[str, str]) -> None:
    sign_in(browser)
    assert ticket_of(notes.login(browser, **query)).startswith("ST-")
