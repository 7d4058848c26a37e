"""The demo's pages in a real Chromium: what is open changes by itself, and signing out leads where it should."""

from pathlib import Path

import pytest

from tests.support.chromium import chromium

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_open_pages_change_by_themselves_and_nothing_is_wider_than_a_small_phone(start_demo, tmp_path: Path) -> None:
    demo = start_demo().ready()
    with chromium(tmp_path / "profile", viewport={"width": 320, "height": 640}) as (context, _):
        one, two, the_map = (context.new_page() for _ in range(3))
        one.goto(demo.one + "/account")
        one.locator("input[name=username]").fill("alice")
        one.locator("input[name=password]").fill(demo.passwords["alice"])
        one.locator("button[type=submit]").first.click()
        one.locator("[data-state=in]").wait_for()
        the_map.goto(demo.issuer + "/demo/map")
        two.goto(demo.two + "/account")
        two.locator("[data-state=in]").wait_for()
        the_map.locator("[data-client=site-two][data-standing=registered]").wait_for()
        for page in (one, two, the_map):
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url

        # The page watches its session: it must not run away from the sign-out it has just sent.
        two.get_by_role("button", name="Sign out everywhere").click()
        two.wait_for_url(demo.issuer + "/signed-out**")
        one.locator("[data-state=out]").wait_for()
        assert one.locator("[data-just-ended]").is_visible()
        the_map.locator(".ended [data-client=site-one][data-standing=signed_out]").wait_for()
