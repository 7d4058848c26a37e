"""Signing out of one site, of one browser, of all devices: begun at a site, seen at every other."""

from __future__ import annotations

from tests.journeys.test_main_journey import sign_in, signed_in
from tests.support.browser import Browser
from tests.support.centre import Centre, Site, wait_until


def test_leaving_one_site_leaves_the_others_and_can_be_made_whole_afterwards(sites: tuple[Site, Site]) -> None:
    one, two = sites
    browser = Browser()
    sign_in(browser, one)
    browser.open(f"{two.base_url}/sso/login?next=/")
    browser.open(f"{two.base_url}/sso/logout").submit("/sso/logout", scope="site")
    assert "Signed out of this site only" in browser.text
    assert (signed_in(browser, one), signed_in(browser, two)) == (True, False)
    left_page = browser.page
    # As the page says: the site opened again asks nothing.
    browser.open(f"{two.base_url}/sso/login?next=/")
    assert signed_in(browser, two)
    browser.page = left_page
    browser.submit("/sso/logout", scope="browser")
    assert browser.url.startswith(two.centre.issuer + "/signed-out"), "the centre's report, without another question"
    assert not signed_in(browser, two)
    wait_until(lambda: not signed_in(browser, one), why="the other site to be told")


def test_all_devices_are_signed_out_once_the_centre_has_asked(centre: Centre, sites: tuple[Site, Site]) -> None:
    one, two = sites
    laptop, phone = Browser(), Browser()
    sign_in(laptop, one)
    sign_in(phone, two)
    laptop.open(f"{one.base_url}/sso/logout").submit("/sso/logout", scope="everywhere")
    assert laptop.url.startswith(centre.issuer + "/sign-out")
    assert (signed_in(laptop, one), signed_in(phone, two)) == (True, True), "nothing ends before the answer"
    laptop.submit("/sign-out", scope="everywhere")
    wait_until(lambda: not signed_in(laptop, one), why="the site where it began")
    wait_until(lambda: not signed_in(phone, two), why="the other device")
