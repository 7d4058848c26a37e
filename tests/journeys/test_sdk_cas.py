"""A site with our SDK that signs people in by CAS: one session with sites that speak OpenID Connect, and the same N."""

from __future__ import annotations

import time

import pytest

from tests.journeys.conftest import StartSite
from tests.journeys.test_hard_times import signed_in_page
from tests.journeys.test_main_journey import sign_in, signed_in
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Site, wait_until

# What the stores do with service tickets is said of each of them in tests/contracts.
pytestmark = pytest.mark.parametrize("running_centre", ["sqlite"], indirect=True)


def test_a_session_spans_both_protocols_and_a_sign_out_at_either_ends_it_at_both(
    centre: Centre, sites: tuple[Site, Site], start_site: StartSite
) -> None:
    shop, wiki = sites[0], start_site(centre, f"wiki-{centre.username}", host="wiki.localhost", kind="cas")
    for first, second in ((shop, wiki), (wiki, shop)):
        browser = Browser()
        sign_in(browser, first)
        browser.open(f"{second.base_url}/sso/login?next=/")  # no question
        assert signed_in(browser, second)
        me = browser.http.get(f"{wiki.base_url}/sso/me", timeout=15).json()
        assert (me["username"], me["name"], me["groups"]) == (centre.username, "Alice Liddell", ["staff"])
        assert me["sub"] == browser.http.get(f"{shop.base_url}/sso/me", timeout=15).json()["sub"]
        browser.open(f"{wiki.base_url}/sso/login?next=/&max_age=0")  # a stronger question than the session answers
        assert 'name="password"' in browser.text
        browser.sign_in(centre.username, PASSWORD)
        assert signed_in(browser, wiki)
        (session,) = centre.cli("session", "list", "--user", centre.username)
        browser.open(f"{second.base_url}/sso/logout").submit("/sso/logout")
        assert not signed_in(browser, second)
        assert "/signed-out" in browser.page.url, browser.page.url
        wait_until(lambda f=first, b=browser: not signed_in(b, f), seconds=15, why="the other site to be told")
        told = centre.cli("signout", "show", session["sid"])["notifications"]
        assert sorted(each["client_id"] for each in told) == sorted(site.client_id for site in (shop, wiki))
        browser.open(f"{wiki.base_url}/sso/login?next=/")
        assert 'name="password"' in browser.text


def test_a_cas_site_that_nobody_can_call_signs_people_out_within_the_lease_after_a_restart_too(
    centre: Centre, start_site: StartSite
) -> None:
    lease_s = 5
    back = {"SSO_AFTER_LOGOUT": "redirect"}
    wiki = start_site(centre, f"far-{centre.username}", lease_s=lease_s, reachable=False, kind="cas", settings=back)
    browser = Browser()
    sign_in(browser, wiki)
    wiki.process.kill()
    wiki.start()
    assert signed_in_page(browser, wiki.base_url), "its local session outlived the site"
    (session,) = centre.cli("session", "list", "--user", centre.username)
    centre.cli("session", "end", session["sid"])
    ended = time.monotonic()
    while signed_in_page(browser, wiki.base_url):
        # The promise is one N; a machine that is busy needs room.
        assert time.monotonic() - ended < 5 * lease_s, "the local session outlived the lease"
        time.sleep(0.1)
    wait_until(
        lambda: (
            {n["state"] for n in centre.cli("signout", "show", session["sid"])["notifications"]} == {"acknowledged"}
        ),
        seconds=20,
        why="the store to acknowledge at a check-in",
    )
    sign_in(browser, wiki)
    browser.open(f"{wiki.base_url}/sso/logout").submit("/sso/logout")
    assert browser.page.url == f"{wiki.base_url}/", "straight back, by way of /cas/logout"
    assert any("/cas/logout?service=" in page.url for page in browser.page.history)


def test_a_site_that_takes_the_centre_for_any_cas_server_is_told_by_logout_request(
    centre: Centre, sites: tuple[Site, Site], start_site: StartSite
) -> None:
    name = f"plain-{centre.username}"
    elsewhere = {"SSO_CAS_URL": f"{centre.issuer}/cas", "SSO_ISSUER": "", "SSO_CLIENT_SECRET": ""}
    wiki = start_site(centre, name, kind="cas", settings=elsewhere, register=False)
    centre.cli("client", "add", name, "--cas-service", f"{wiki.base_url}/sso/")
    browser = Browser()
    sign_in(browser, sites[0])
    browser.open(f"{wiki.base_url}/sso/login?next=/")  # no question
    assert signed_in(browser, wiki)
    me = browser.http.get(f"{wiki.base_url}/sso/me", timeout=15).json()
    assert (me["sub"], me["name"], me["groups"]) == (centre.username, "Alice Liddell", ["staff"])
    (session,) = centre.cli("session", "list", "--user", centre.username)
    browser.open(f"{sites[0].base_url}/sso/logout").submit("/sso/logout")
    wait_until(lambda: not signed_in(browser, wiki), seconds=15, why="the logout request to come")

    def states() -> dict[str, str]:
        return {n["client_id"]: n["state"] for n in centre.cli("signout", "show", session["sid"])["notifications"]}

    wait_until(lambda: states()[name] == "acknowledged", why="the centre to note that it was told")
