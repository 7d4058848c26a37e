"""The main job: sign in once, sign out everywhere."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from tests.journeys.conftest import StartCentre, StartSite
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Site, wait_until


def signed_in(browser: Browser, site: Site) -> bool:
    """Whether the site says so, without asking the centre."""
    answer = browser.http.get(f"{site.base_url}/sso/me", headers={"Accept": "application/json"}, timeout=15)
    assert answer.status_code in (200, 503), answer.text
    return answer.status_code == 200 and answer.json()["signed_in"] is True


def sign_in(browser: Browser, site: Site) -> None:
    """Through the site to the centre's page and back."""
    browser.open(f"{site.base_url}/sso/login?next=/").sign_in(site.centre.username, PASSWORD)
    assert signed_in(browser, site), browser.text


def test_one_sign_in_opens_both_sites_and_one_sign_out_closes_both(centre: Centre, sites: tuple[Site, Site]) -> None:
    one, two = sites
    browser = Browser()
    sign_in(browser, one)
    # No question at the second site: the browser goes to the centre and comes back by itself.
    browser.open(f"{two.base_url}/sso/login?next=/")
    assert f"127.0.0.1:{centre.port}" in browser.hosts
    assert signed_in(browser, two)

    browser.open(f"{two.base_url}/sso/logout").submit("/sso/logout")
    assert not signed_in(browser, two)
    wait_until(lambda: not signed_in(browser, one), why="the other site to be told")
    # And the centre asks again.
    browser.open(f"{one.base_url}/sso/login?next=/")
    assert 'name="password"' in browser.text


def test_signing_out_in_one_browser_leaves_the_other_browser_signed_in(sites: tuple[Site, Site]) -> None:
    one, _ = sites
    laptop, phone = Browser(), Browser()
    sign_in(laptop, one)
    sign_in(phone, one)
    laptop.open(f"{one.base_url}/sso/logout").submit("/sso/logout")
    assert not signed_in(laptop, one)
    assert signed_in(phone, one)


def test_a_password_change_ends_the_other_sessions_at_every_site(centre: Centre, sites: tuple[Site, Site]) -> None:
    one, two = sites
    laptop, phone = Browser(), Browser()
    sign_in(laptop, one)
    sign_in(phone, one)
    sign_in_silently = phone.open(f"{two.base_url}/sso/login?next=/")
    assert signed_in(sign_in_silently, two)
    new = "another good password"
    laptop.open(f"{centre.issuer}/password")
    fields = {
        name: (PASSWORD if "current" in name else new)
        for form in laptop.forms()
        for name in form["fields"]
        if "password" in name or name in ("new", "repeat", "current")
    }
    laptop.submit("/password", **fields)
    wait_until(lambda: not signed_in(phone, one) and not signed_in(phone, two), why="the other device to be out")
    assert signed_in(laptop, one)


def test_the_map_shows_the_sites_of_a_session_and_how_each_was_told(centre: Centre, sites: tuple[Site, Site]) -> None:
    one, two = sites
    browser = Browser()
    sign_in(browser, one)
    browser.open(f"{two.base_url}/sso/login?next=/")
    (session,) = centre.cli("session", "list", "--user", centre.username)
    shown = centre.cli("session", "show", session["sid"])
    assert {site["client_id"] for site in shown["sites"]} == {"one", "two"}
    assert all(f"http://127.0.0.1:{s.port}/sso/backchannel-logout" in str(shown) for s in (one, two))
    centre.cli("session", "end", session["sid"])
    wait_until(
        lambda: (
            {n["state"] for n in centre.cli("signout", "show", session["sid"])["notifications"]} == {"acknowledged"}
        ),
        why="both sites to acknowledge",
    )
    assert not signed_in(browser, one)
    assert not signed_in(browser, two)


def test_an_idle_session_ends_at_the_sites_too(start_centre: StartCentre, start_site: StartSite) -> None:
    centre = start_centre(session_idle=2, lease=1)
    one = start_site(centre, "one", lease_s=5)
    browser = Browser()
    sign_in(browser, one)
    (ended,) = wait_until(lambda: centre.cli("signout", "list"), seconds=60, why="the sweeper to end it")
    assert centre.cli("signout", "show", ended["sid"])["reason"] == "idle"
    wait_until(lambda: not signed_in(browser, one), seconds=30, why="the site to be told")


def test_somebody_who_clicks_at_one_site_for_twice_the_idle_time_stays_signed_in(
    start_centre: StartCentre, start_site: StartSite
) -> None:
    import time

    idle = 6
    centre = start_centre(session_idle=idle, lease=2)
    one = start_site(centre, "one", lease_s=5)
    browser = Browser()
    sign_in(browser, one)
    until = time.monotonic() + 2 * idle + 4
    listed: Future[list[object]] | None = None
    with ThreadPoolExecutor(1) as pool:
        # The clicks go on while the command starts: on a busy machine that takes longer than the idle time.
        while listed is None or not listed.done():
            browser.open(f"{one.base_url}/")
            assert signed_in(browser, one)
            time.sleep(0.3)
            if listed is None and time.monotonic() >= until:
                listed = pool.submit(centre.cli, "session", "list")
    assert len(listed.result()) == 1
