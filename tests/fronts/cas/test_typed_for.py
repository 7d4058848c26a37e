"""What counts as typed for a request, by CAS and by OpenID Connect: a password at our page for it, and nothing else."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fronts.cas.cas_site import CasSite, fill_in, hidden_fields, ticket_of
from tests.fronts.conftest import Later
from tests.support.oidc_site import PASSWORD, OidcSite, path_of, query_of, sign_in


def straight_back(asked: TestResponse) -> str:
    """Where the sealed request of a sign-in page goes on: what anybody can make of its address."""
    front = "/cas/login/continue" if asked.request.path == "/cas/login" else "/authorize/continue"
    return asked.headers["Location"].replace("/sign-in", front)


@pytest.fixture
def seals(app: Flask, lists: CasSite, shop: OidcSite) -> dict[str, str]:
    """Made by a stranger in a browser of their own, before anybody signs in."""
    stranger = app.test_client()
    return {
        "renew": straight_back(lists.login(stranger, renew="true")),
        "cas": straight_back(lists.login(stranger)),
        "login": straight_back(shop.ask(stranger, prompt="login")),
        "oidc": straight_back(shop.ask(stranger)),
    }


def test_a_strangers_request_is_not_one_that_the_password_was_typed_for(
    browser: FlaskClient, notes: CasSite, lists: CasSite, seals: dict[str, str]
) -> None:
    fill_in(browser, notes.login(browser))
    assert path_of(browser.get(seals["renew"])) == "/sign-in"
    assert path_of(browser.get(seals["login"])) == "/sign-in"
    # It is as good as a link to the site itself, which anybody may give.
    assert not lists.validated(browser.get(seals["cas"])).fresh
    assert "code" in query_of(browser.get(seals["oidc"]))


def test_a_strangers_request_doesnt_get_round_the_question_before_other_sites(
    browser: FlaskClient, notes: CasSite, seals: dict[str, str]
) -> None:
    fill_in(browser, notes.login(browser), warn="1")
    assert path_of(browser.get(seals["cas"])) == "/go-on"
    assert path_of(browser.get(seals["oidc"])) == "/go-on"


def test_the_button_doesnt_make_an_old_password_a_new_one(browser: FlaskClient, lists: CasSite, later: Later) -> None:
    """Whoever comes upon a browser finds addresses in its history, and may press buttons."""
    page = browser.get(lists.login(browser, renew="true").headers["Location"])
    typed = {"username": "alice", "password": PASSWORD}
    address = browser.post("/sign-in", data=hidden_fields(page.text) | typed).headers["Location"]
    with later(301):
        asked = browser.get(address.replace("/cas/login/continue", "/go-on"))
        answered = browser.post("/go-on", data=hidden_fields(asked.text) | {"warn": "1"}).headers["Location"]
        assert path_of(browser.get(answered)) == "/sign-in"


def test_a_password_typed_in_another_tab_is_asked_for_once_more_and_then_counts(
    browser: FlaskClient, shop: OidcSite, lists: CasSite, later: Later
) -> None:
    asked, renewing = shop.ask(browser, prompt="login"), lists.login(browser, renew="true")
    with later(1):
        sign_in(browser)
    with later(20_000):
        for page in (asked, renewing):
            text = browser.get(page.headers["Location"]).text
            assert "wants your password once more" in text
            assert "Go on as Alice" not in text
        # However old the page is: one password, and the site has its answer.
        assert "code" in query_of(browser.get(sign_in(browser, asked.headers["Location"]).headers["Location"]))
        assert lists.validated(fill_in(browser, renewing), renew=True).fresh


def test_a_password_counts_for_a_request_by_openid_connect_for_five_minutes(
    browser: FlaskClient, shop: OidcSite, later: Later
) -> None:
    address = sign_in(browser, shop.ask(browser, prompt="login").headers["Location"]).headers["Location"]
    assert "code" in query_of(browser.get(address))
    with later(301):
        assert path_of(browser.get(address)) == "/sign-in"


def test_what_was_done_at_a_node_that_is_ahead_counts_at_the_others(
    browser: FlaskClient, shop: OidcSite, lists: CasSite, notes: CasSite, later: Later
) -> None:
    renewing, asked = lists.login(browser, renew="true"), shop.ask(browser, prompt="login")
    typed = {"username": "alice", "password": PASSWORD, "warn": "1"}
    with later(30):
        page = browser.get(renewing.headers["Location"])
        at_lists = browser.post("/sign-in", data=hidden_fields(page.text) | typed).headers["Location"]
        at_shop = sign_in(browser, asked.headers["Location"]).headers["Location"]
        page = browser.get(notes.login(browser).headers["Location"])
        at_notes = browser.post("/go-on", data=hidden_fields(page.text) | {"warn": "1"}).headers["Location"]
    assert lists.validated(browser.get(at_lists), renew=True).fresh
    assert "code" in query_of(browser.get(at_shop))
    assert ticket_of(browser.get(at_notes)).startswith("ST-")
    # ... but a request that is made now is newer than the password, whatever that node's clock said.
    assert path_of(lists.login(browser, renew="true")) == "/sign-in"


def test_a_page_whose_cookies_are_gone_still_leads_to_the_site(browser: FlaskClient, lists: CasSite) -> None:
    asked = lists.login(browser, renew="true")
    old = hidden_fields(browser.get(asked.headers["Location"]).text)
    for cookie in ("lockstep_browser", lists.app.config["SESSION_COOKIE_NAME"]):
        browser.delete_cookie(cookie)
    typed = {"username": "alice", "password": PASSWORD}
    page = browser.post("/sign-in", data=old | typed)
    assert page.status_code == 400
    address = browser.post("/sign-in", data=hidden_fields(page.text) | typed).headers["Location"]
    assert ticket_of(browser.get(address)).startswith("ST-")
