"""Open pages in a real Chromium, under a policy that allows scripts of the site's own files only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, render_template_string

from sso_client.flask import SSO, current_user
from sso_client.testing import FakeSSO
from tests.support.chromium import chromium
from tests.support.examined import serving
from tests.support.sdk import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"
PAGE = "<!doctype html><title>tab</title><p id=who>{{ current_user.username or 'nobody' }}</p>{{ sso.tab_script() }}"
BOX = """document.addEventListener("sso:signed-out", function (event) {
  event.preventDefault(); document.getElementById("who").textContent = "gone: " + event.detail.sub; });"""


class Shop:
    """The site on a socket; its people sign in without a browser, which is then given their cookie."""

    def __init__(self, sso: FakeSSO) -> None:
        self._sso = sso
        self.app = Flask("shop_with_tabs")
        self.stale_pages = 0
        SSO(self.app)
        self.app.add_url_rule("/", "home", lambda: render_template_string(PAGE))
        self.app.add_url_rule("/box", "box", lambda: render_template_string("<script src='/box.js'></script>" + PAGE))
        self.app.add_url_rule("/box.js", "box_js", lambda: Response(BOX, content_type="text/javascript"))
        self.app.add_url_rule("/stale", "stale", self._stale)
        self.app.after_request(self._with_policy)

    def _stale(self) -> str:
        """What some cache keeps although its person is gone."""
        self.stale_pages += 1
        return f"stale {current_user.username}<script src='/sso/tab.js' data-sub='alice' defer></script>"

    @staticmethod
    def _with_policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    def enter(self, context: Any, url: str, sub: str) -> None:
        """A person signs in in another tab."""
        client = self.app.test_client()
        self._sso.sign_in(client, sub)
        cookie = client.get_cookie("sso-" + self._sso.settings.client_id)
        assert cookie is not None
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": url, "httpOnly": True}])


@pytest.fixture
def shop(fake_sso: FakeSSO) -> Iterator[tuple[Shop, str]]:
    made = Shop(fake_sso)
    with serving(made.app) as port:
        yield made, f"http://127.0.0.1:{port}"


def shown_again(page: Any) -> None:
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_an_open_page_shows_that_its_session_is_over(shop: tuple[Shop, str], fake_sso: FakeSSO, tmp_path: Path) -> None:
    site, url = shop
    with chromium(tmp_path / "profile") as (context, _):
        page, box = context.new_page(), context.new_page()
        broken: list[str] = []
        page.on("console", lambda message: broken.append(message.text))
        site.enter(context, url, "alice")
        page.goto(url + "/#somewhere")
        box.goto(url + "/box")
        assert page.locator("#who").text_content() == box.locator("#who").text_content() == "alice"
        fake_sso.sign_out("alice")
        # One page loads itself again; the other says so in its own words and loses nothing.
        page.get_by_text("nobody").wait_for()
        box.get_by_text("gone: null").wait_for()
        assert broken == []


def test_a_question_asked_with_the_last_sessions_cookie_is_asked_again(
    shop: tuple[Shop, str], fake_sso: FakeSSO, tmp_path: Path
) -> None:
    """While another tab signs in anew, the server ends a session that this page's question still names."""
    site, url = shop
    with chromium(tmp_path / "profile") as (context, _):
        page = context.new_page()
        site.enter(context, url, "alice")
        with page.expect_response("**/sso/events"):
            page.goto(url + "/")
        page.evaluate("window.untouched = true")
        page.route("**/sso/me", lambda asked: asked.fulfill(json={"signed_in": False}), times=1)
        with page.expect_response("**/sso/me"):
            shown_again(page)
        with page.expect_response("**/sso/me"):
            pass
        page.wait_for_timeout(300)
        assert page.evaluate("window.untouched") is True
        assert page.locator("#who").text_content() == "alice"


def test_an_open_page_notices_another_person_and_leaves_the_same_person_alone(
    shop: tuple[Shop, str], fake_sso: FakeSSO, tmp_path: Path
) -> None:
    site, url = shop
    with chromium(tmp_path / "profile") as (context, _):
        page = context.new_page()
        site.enter(context, url, "alice")
        (first,) = fake_sso.live("alice")
        with page.expect_response("**/sso/events"):
            page.goto(url + "/")
        page.evaluate("window.untouched = true")
        site.enter(context, url, "alice")  # signed in anew, as a step-up does
        with page.expect_response("**/sso/me"):  # the stream ends, the page asks
            fake_sso.end(first)
        page.wait_for_timeout(300)
        assert page.evaluate("window.untouched") is True
        site.enter(context, url, "bob")
        shown_again(page)
        page.get_by_text("bob").wait_for()
        # A page out of a cache loads itself once, not for ever.
        page.goto(url + "/stale")
        wait_until(lambda: site.stale_pages == 2)
        page.wait_for_timeout(500)
        assert site.stale_pages == 2
