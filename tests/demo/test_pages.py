"""The demo's pages in a real Chromium: what is open changes by itself, and signing out leads where it should."""

from pathlib import Path
from typing import Any

import pytest

from tests.demo.conftest import Demo, short_lease
from tests.support.chromium import chromium

#: How many lines a pill on the map takes for these words; 99 if it leaves its card.
LINES_OF_A_CHIP = """(words) => {
  const chip = document.querySelector("[data-standing=signed_out] .chip");
  chip.textContent = words;
  const text = document.createRange();
  text.selectNodeContents(chip);
  const inside = chip.getBoundingClientRect().right <= chip.closest(".session").getBoundingClientRect().right;
  return inside ? text.getClientRects().length : 99;
}"""
#: Whether a line would be drawn through the words "no site yet".
A_LINE_THROUGH_WORDS = """() => {
  const sites = document.querySelector(".sites");
  sites.innerHTML = '<li class="none soft">No site has been opened in this session.</li>';
  return getComputedStyle(sites.firstElementChild, "::before").display !== "none";
}"""
pytestmark = [pytest.mark.slow, pytest.mark.browser]


def sign_in(demo: Demo, page: Any) -> None:
    page.goto(demo.one + "/account")
    page.locator("input[name=username]").fill("alice")
    page.locator("input[name=password]").fill(demo.passwords["alice"])
    page.locator("button[type=submit]").first.click()
    page.locator("[data-state=in]").wait_for()


def test_open_pages_change_by_themselves_and_nothing_is_wider_than_a_small_phone(demo: Demo, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile", viewport={"width": 320, "height": 640}) as (context, _):
        one, two, three, the_map = (context.new_page() for _ in range(4))
        sign_in(demo, one)
        the_map.goto(demo.issuer + "/demo/map")
        for page, site in ((two, demo.two), (three, demo.three)):
            page.goto(site + "/account")
            page.locator("[data-state=in]").wait_for()
        the_map.locator("[data-client=site-three][data-standing=registered]").get_by_text("CAS", exact=True).wait_for()
        for page in (one, two, three, the_map):
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url

        assert two.get_by_text("here and at every site in this browser", exact=True).is_visible()
        two.get_by_role("button", name="Sign out", exact=True).click()
        two.wait_for_url(demo.issuer + "/signed-out**")
        for page in (one, three):
            page.locator("[data-state=out]").wait_for()
            assert page.locator("[data-just-ended]").is_visible()
        the_map.locator(".ended [data-client=site-one][data-standing=signed_out]").wait_for()
        assert the_map.evaluate(LINES_OF_A_CHIP, "signed out after 1234 ms") == 1
        assert the_map.evaluate("document.documentElement.scrollWidth") <= 320
        assert not the_map.evaluate(A_LINE_THROUGH_WORDS)
        assert the_map.locator("link[rel=icon]").count() == 1


def test_a_page_that_is_signing_out_does_not_run_away_from_the_answer(demo: Demo, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as (context, _):
        one, two = context.new_page(), context.new_page()
        sign_in(demo, one)
        two.goto(demo.two + "/account")
        two.locator("[data-state=in]").wait_for()
        # The button is pressed, no answer comes; meanwhile the page's own watch hears that the session is over.
        two.evaluate("addEventListener('submit', event => event.preventDefault())")
        two.get_by_role("button", name="Sign out").click()
        one.get_by_role("button", name="Sign out").click()
        for _ in range(2):
            with two.expect_response(lambda answer: "/sso/me" in answer.url and not answer.json()["signed_in"]):
                pass
        assert two.url == demo.two + "/account"


def test_a_switch_thrown_on_one_page_is_seen_on_another_and_an_open_page_of_site_two_says_what_it_knows(
    start_demo, tmp_path: Path
) -> None:
    demo = start_demo().ready()
    short_lease(demo)
    with chromium(tmp_path / "profile", viewport={"width": 320, "height": 640}) as (context, _):
        one, two, the_map, other = (context.new_page() for _ in range(4))
        sign_in(demo, one)
        two.goto(demo.two + "/account")
        two.locator("[data-state=in]").wait_for()
        for page in (the_map, other):
            page.goto(demo.issuer + "/demo/map")
        the_map.get_by_role("button", name="Cut it off").click()
        other.locator("[data-switch=cable][data-on='1']").wait_for()
        assert other.evaluate("document.documentElement.scrollWidth") <= 320
        # The lease runs out under the open page, and nobody presses anything.
        two.get_by_role("heading", name="We can't confirm that you are still signed in").wait_for(timeout=60_000)
        other.get_by_role("button", name="Connect it again").click()
        two.locator("[data-state=in]").wait_for()
        the_map.locator("[data-switch=cable][data-on='0']").wait_for()
