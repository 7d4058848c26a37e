"""Every page in a real Chromium: both languages, light and dark, a small telephone and a desktop. The pictures are kept
in tests/artifacts/ for people to look at; what a program can object to fails here.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from sso_server.core import setup
from sso_server.core.check_in import CheckIn
from sso_server.core.notifications import Answer, after_answer
from sso_server.core.sessions import EndReason
from tests.fronts.portal.pages import FIREFOX, PASSWORD, SAFARI, STORE, Browser, Centre, open_centre
from tests.support.chromium import ARGUMENTS
from tests.support.services import find_chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "portal"
INSPECT = Path(__file__).with_name("inspect_page.js").read_text(encoding="utf-8")
LOOKS = [
    (language, scheme, width) for language in ("en", "zh-CN") for scheme in ("light", "dark") for width in (320, 1200)
]


class Shown:
    """A centre in use, served on a socket."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.server = make_server("127.0.0.1", 0, centre.app, threaded=True)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        centre.add_user()
        self.clients = [centre.add_site(id_, name) for id_, name in (("shop", "Shop"), ("wiki", "Team-Wiki"))]
        self.clients.append(centre.add_site("legacy", "Urlaubs- und Abwesenheitsverwaltung", backchannel_logout_uri=""))
        self.clients.append(centre.add_site("mail", "邮件"))

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.centre.built.close()

    def sign_in(self, agent: str = FIREFOX) -> Browser:
        """Alice on a device of hers, with sites opened."""
        browser = self.centre.browser(user_agent=agent, address="2001:db8:85a3:8d3:1319:8a2e:370:7348")
        browser.sign_in("alice")
        alice = self.centre.services.accounts.get("alice")
        newest = max(self.centre.sessions(alice), key=lambda session: session.created_at)
        for client, store in zip(self.clients, (STORE, "", "", STORE), strict=True):
            self.centre.visit(newest, client, store)
        return browser

    def report(self, *, finished: bool) -> str:
        """The address of a report in which every standing occurs, or of a finished one."""
        here = self.centre.services
        for client in (self.clients[0], self.clients[3]):
            here.check_ins.check_in(client, CheckIn(STORE, None, (), (), (), None))
        browser = self.sign_in()
        location = browser.submit(browser.get("/sign-out"), "/sign-out").location
        now = here.clock.now()
        rows = self.centre.built.sql.outbox.claim("test", now, 100, 30_000)
        answers = {"shop": 200, "wiki": 200 if finished else 503, "mail": 200 if finished else 503}
        told = [after_answer(row, Answer(answers[row.client_id]), now, lambda: 0.5) for row in rows]
        self.centre.built.sql.outbox.record(told, now)
        return location


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Shown]:
    site = Shown(open_centre(tmp_path_factory.mktemp("looks") / "centre", migrated))
    yield site
    site.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS)
def test_nothing_on_any_page_offends_the_eye(
    shown: Shown, chromium: Any, language: str, scheme: str, width: int
) -> None:
    context = chromium.new_context(
        locale=language,
        color_scheme=scheme,
        viewport={"width": width, "height": 640 if width < 600 else 800},
        user_agent=FIREFOX,
    )
    page = context.new_page()
    objections: list[str] = []

    def look(name: str, path: str = "") -> None:
        if path:
            page.goto(shown.base + path)
        page.screenshot(path=ARTIFACTS / f"{name}-{language}-{scheme}-{width}.png", full_page=True)
        objections.extend(f"{name}: {found}" for found in page.evaluate(INSPECT))

    def press(name: str = "") -> None:
        page.locator(f"main button{name}").first.click()

    asking = shown.centre.asking(shown.clients[0])
    here = shown.centre.services
    alice = here.accounts.get("alice")
    here.accounts.sign_out_everywhere(alice.user_id, keep_sid="", reason=EndReason.SIGN_OUT_EVERYWHERE, actor="test")
    look("sign-in", "/sign-in")
    look("sign-in-asked", asking)
    page.fill("#username", "alice")
    page.fill("#password", "a wrong password")
    press()
    look("sign-in-wrong")
    page.fill("#password", PASSWORD)
    page.goto(shown.base + "/sign-in")
    page.fill("#username", "alice")
    page.fill("#password", PASSWORD)
    press()
    page.wait_for_url(shown.base + "/")
    shown.sign_in(SAFARI)
    look("sessions", "/sessions")
    look("sign-in-other", asking)
    look("password", "/password")
    page.fill("#current", PASSWORD)
    page.fill("#new", "one new password")
    page.fill("#repeat", "another new password")
    press()
    look("password-wrong")
    look("sign-out", "/sign-out")
    page.goto(shown.base + "/sessions")
    page.locator(".devices > li:not(.this) button").first.click()
    page.wait_for_url("**/sessions?done=device*")
    look("sessions-done")
    look("signed-out-trying", shown.report(finished=False))
    look("signed-out", shown.report(finished=True))
    look("setup", "/setup?token=" + setup.issue(here.one_time, here.randomness, here.clock, first_only=False))
    look("error", "/nothing-here")
    query = "client_id=shop&response_type=code&scope=openid&redirect_uri=https://shop.example/a/quite/long/callback"
    look("error-mismatch", "/authorize?" + query)
    context.close()
    assert objections == []


def test_the_report_fills_in_while_the_page_is_open(shown: Shown, chromium: Any) -> None:
    page = chromium.new_page(locale="en")
    page.goto(shown.base + shown.report(finished=False))
    wiki = page.locator("[data-client=wiki]")
    assert wiki.get_attribute("data-standing") == "trying_no_bound"
    outbox = shown.centre.built.sql.outbox
    soon = shown.centre.services.clock.now() + 10_000
    results = [after_answer(row, Answer(200), soon, lambda: 0.5) for row in outbox.claim("test", soon, 100, 30_000)]
    outbox.record(results, soon)
    page.locator("[data-client=wiki][data-standing=signed_out]").wait_for(timeout=15_000)
    assert "Signed out" in wiki.inner_text()
    page.close()
