"""A page wants a fresh sign-in: the real centre asks for the password again and the session stays the same."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import requests

from tests.journeys.test_main_journey import sign_in, signed_in
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Site, wait_until


def me(browser: Browser, site: Site) -> dict[str, Any]:
    answer = browser.http.get(f"{site.base_url}/sso/me", headers={"Accept": "application/json"}, timeout=15)
    return dict(answer.json())


def test_the_password_is_asked_for_again_where_it_is_demanded(centre: Centre, sites: tuple[Site, Site]) -> None:
    one, two = sites
    browser = Browser()
    sign_in(browser, one)
    (before,) = centre.cli("session", "list", "--user", centre.username)
    first = me(browser, one)["auth_time"]
    # The demand is in whole seconds.
    wait_until(lambda: browser.open(f"{one.base_url}/sso/login?next=/account&max_age=1").url.startswith(centre.issuer))
    browser.sign_in(centre.username, "not the password")
    assert browser.url.startswith(centre.issuer)
    assert me(browser, one)["auth_time"] == first
    browser.sign_in(centre.username, PASSWORD)
    assert browser.url == f"{one.base_url}/account"
    assert me(browser, one)["auth_time"] > first
    (after,) = centre.cli("session", "list", "--user", centre.username)
    assert after["sid"] == before["sid"], "whoever is signed in elsewhere stays so"
    # The next site needs no question, and one sign-out still ends both.
    browser.open(f"{two.base_url}/account")
    assert browser.url == f"{two.base_url}/account"
    centre.cli("session", "end", after["sid"])
    wait_until(lambda: not signed_in(browser, one) and not signed_in(browser, two), why="both sites have ended")


def test_the_strictest_demand_is_met_by_typing_once(centre: Centre, sites: tuple[Site, Site]) -> None:
    one, _ = sites
    browser = Browser()
    sign_in(browser, one)
    browser.open(f"{one.base_url}/sso/login?next=/account&max_age=0")
    assert browser.url.startswith(centre.issuer)
    browser.sign_in(centre.username, PASSWORD)
    assert browser.url == f"{one.base_url}/account"


def test_the_way_of_signing_in_that_the_centre_names_is_met_without_asking_again(
    centre: Centre, sites: tuple[Site, Site]
) -> None:
    one, _ = sites
    browser = Browser()
    sign_in(browser, one)
    before = me(browser, one)
    found = requests.get(f"{centre.issuer}/.well-known/openid-configuration", timeout=10).json()
    (known,) = found["acr_values_supported"]
    browser.open(f"{one.base_url}/sso/login?" + urlencode({"next": "/account", "acr": f"phr {known}"}))
    assert browser.url == f"{one.base_url}/account"
    assert me(browser, one)["auth_time"] == before["auth_time"]


def test_a_way_of_signing_in_that_the_centre_does_not_know_is_a_page(centre: Centre, sites: tuple[Site, Site]) -> None:
    one, _ = sites
    browser = Browser()
    sign_in(browser, one)
    browser.open(f"{one.base_url}/sso/login?next=/account&acr=gold")
    assert browser.page.status_code == 403
    assert "acr_unmet" in browser.text
    assert signed_in(browser, one)
