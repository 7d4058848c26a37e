"""The report goes on asking while a site that lets nobody in has yet to hear, though nobody has to wait for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from sso_server.core.check_in import CheckIn
from sso_server.core.clients import Client
from sso_server.core.notifications import Answer, after_answer
from tests.fronts.portal.pages import STORE, Browser, Centre
from tests.fronts.portal.shown import Shown


def safe_report(centre: Centre) -> tuple[Client, Browser, str]:
    """A site with the SDK whose store never checked in, the person who signed out of it, and the report's address."""
    site = centre.add_site("vault", "Vault")
    browser = centre.browser()
    browser.sign_in("alice")
    alice = centre.services.accounts.get("alice")
    newest = max(centre.sessions(alice), key=lambda session: session.created_at)
    centre.visit(newest, site, STORE)
    return site, browser, browser.submit(browser.get("/sign-out"), "/sign-out").location


def asked(browser: Browser, report: str) -> tuple[bool, bool, list[str]]:
    """What the page's script hears."""
    heard: Any = browser.http.get(report.replace("?", ".json?")).json
    return heard["finished"], heard["waiting"], [line["standing"] for line in heard["lines"]]


def answer(centre: Centre, status: int) -> None:
    now = centre.services.clock.now()
    rows = centre.built.sql.outbox.claim("test", now, 100, 30_000)
    centre.built.sql.outbox.record([after_answer(row, Answer(status), now, lambda: 0.5) for row in rows], now)


def test_a_site_that_lets_nobody_in_is_asked_after_until_it_has_heard(centre: Centre) -> None:
    centre.add_user()
    site, browser, report = safe_report(centre)
    assert asked(browser, report) == (True, True, ["safe"])
    page = browser.get(report).text
    assert "/static/status.js" in page
    assert "data-status=" in page
    assert 'http-equiv="refresh"' not in page, "without the script nobody's page reloads for that"
    check_in(centre, site)
    assert asked(browser, report) == (True, False, ["signed_out"])
    page = browser.get(report).text
    assert "/static/status.js" not in page
    assert "data-status=" not in page


def test_a_site_that_lets_nobody_in_and_was_given_up_is_not_asked_after(centre: Centre) -> None:
    centre.add_user()
    _, browser, report = safe_report(centre)
    answer(centre, 418)
    assert asked(browser, report) == (True, False, ["safe"])
    page = browser.get(report)
    assert "/static/status.js" not in page.text
    pressed = browser.submit(page, "/signed-out/again")
    assert asked(browser, pressed.location) == (True, True, ["safe"])


def check_in(centre: Centre, site: Client) -> None:
    """The site's store hears, and says so."""
    heard = centre.services.check_ins.check_in(site, CheckIn(STORE, None, (), (), (), None))
    acks = tuple(end.sid for end in heard.ends)
    centre.services.check_ins.check_in(site, CheckIn(STORE, heard.mark, acks, (), (), None))


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(locale="en")
    yield context.new_page()
    context.close()


@pytest.mark.browser
@pytest.mark.slow
def test_the_open_page_says_by_itself_that_the_site_has_heard(shown: Shown, page: Any) -> None:
    site, _, report = safe_report(shown.centre)
    page.goto(shown.base + report)
    with page.expect_response("**/signed-out.json?*"):
        pass
    assert page.locator("[data-client=vault]").get_attribute("data-standing") == "safe"
    check_in(shown.centre, site)
    page.locator("[data-client=vault][data-standing=signed_out]").wait_for()
    assert page.inner_text("#summary") == "The one site you used is signed out."
