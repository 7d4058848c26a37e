"""One whole journey in a real Chromium: JavaScript on and off, third-party cookies blocked, one host per site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import StartSite
from tests.support.centre import PASSWORD, Centre, Site
from tests.support.chromium import chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def sign_in(page: Any, centre: Centre) -> None:
    page.get_by_label("User name").fill(centre.username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("button[type=submit]", has_text="Sign in").first.click()


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no javascript"])
def test_a_person_signs_in_once_and_signs_out_everywhere(
    centre: Centre, sites: tuple[Site, Site], tmp_path: Path, javascript: bool
) -> None:
    one, two = sites
    with chromium(tmp_path / "profile", javascript=javascript) as (context, watch):
        first, second = context.new_page(), context.new_page()
        first.goto(one.base_url + "/account")
        assert first.url.startswith(centre.issuer + "/sign-in")
        sign_in(first, centre)
        first.wait_for_url(one.base_url + "/account")
        # The second site: no question.
        second.goto(two.base_url + "/account")
        assert second.url == two.base_url + "/account"
        assert "Alice" in second.content()

        second.goto(two.base_url + "/sso/logout")
        second.locator("form[action*='logout'] button").first.click()
        second.wait_for_url(re.compile(re.escape(centre.issuer) + "/signed-out.*"))
        assert "One" in second.content()
        assert "Two" in second.content()
        # By itself: by script, or by the refresh that stands in <noscript>.
        second.locator("[data-standing=signed_out]").nth(1).wait_for()
        assert second.locator("[data-standing=signed_out]").count() == 2

        if javascript:
            # The open page of site one changed by itself when its session ended.
            first.goto(one.base_url + "/")
        first.goto(one.base_url + "/account")
        assert first.url.startswith(centre.issuer + "/sign-in")
        assert watch.sent, "the watch saw no cookie at all"
        assert watch.strays() == []


def test_an_open_page_changes_by_itself_when_its_session_ends(
    centre: Centre, sites: tuple[Site, Site], tmp_path: Path
) -> None:
    one, _ = sites
    with chromium(tmp_path / "profile") as (context, _):
        page = context.new_page()
        page.goto(one.base_url + "/account")
        sign_in(page, centre)
        page.wait_for_url(one.base_url + "/account")
        page.goto(one.base_url + "/")
        page.locator("[data-state=in]").wait_for()
        (session,) = centre.cli("session", "list", "--user", centre.username)
        centre.cli("session", "end", session["sid"])
        page.locator("[data-state=out]").wait_for()


def test_two_sites_on_one_host_and_different_ports_do_not_clash(
    centre: Centre, start_site: StartSite, tmp_path: Path
) -> None:
    one = start_site(centre, "left")
    two = start_site(centre, "right")
    with chromium(tmp_path / "profile") as (context, _):
        page = context.new_page()
        page.goto(one.base_url + "/account")
        sign_in(page, centre)
        page.wait_for_url(one.base_url + "/account")
        page.goto(two.base_url + "/account")
        assert page.url == two.base_url + "/account"
        page.goto(one.base_url + "/account")
        assert page.url == one.base_url + "/account"


def test_back_button_and_second_tab_during_sign_in_do_no_harm(
    centre: Centre, sites: tuple[Site, Site], tmp_path: Path
) -> None:
    one, _ = sites
    with chromium(tmp_path / "profile") as (context, _):
        page, tab = context.new_page(), context.new_page()
        page.goto(one.base_url + "/account?item=1")
        tab.goto(one.base_url + "/account?item=2")
        sign_in(page, centre)
        page.wait_for_url(one.base_url + "/account?item=1")
        # The other tab's page is old by now: its form still works.
        sign_in(tab, centre)
        tab.wait_for_url(one.base_url + "/account?item=2")
        page.go_back()
        page.go_back()
        page.goto(one.base_url + "/account")
        assert page.url == one.base_url + "/account"
