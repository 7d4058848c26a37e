"""Every page in a real Chromium: both languages, light and dark, a small telephone and a desktop. The pictures are kept
in tests/artifacts/ for people to look at; what a program can object to fails here.
"""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from sso_server.core import setup
from sso_server.core.consents import Wish
from sso_server.core.notifications import Answer, after_answer
from sso_server.core.sessions import EndReason
from sso_server.core.tickets import s256
from tests.fronts.portal.pages import PASSWORD, SAFARI, VERIFIER
from tests.fronts.portal.shown import LANGUAGES, Eye, Shown
from tests.support.centre import wait_until

LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="96" height="64"><rect width="96" height="64" fill="#b3541e"/></svg>'
)
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_on_any_page_offends_the_eye(shown: Shown, chromium: Any, language: str) -> None:
    eye = Eye(chromium, shown.base, language)
    page, look, press = eye.page, eye.look, eye.press
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
    eye.sign_in("alice", PASSWORD)
    shown.sign_in(SAFARI)
    look("sessions", "/sessions")
    look("sign-in-other", asking)
    look_at_apps(shown, eye)
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
    tell_again(page)
    look("signed-out-again")
    look("signed-out-everywhere", shown.report(finished=False, scope="everywhere"))
    look("signed-out", shown.report(finished=True))
    look("setup", "/setup?token=" + setup.issue(here.one_time, here.randomness, here.clock, first_only=False))
    look_at_cas(eye)
    look("error", "/nothing-here")
    query = "client_id=shop&response_type=code&scope=openid&redirect_uri=https://shop.example/a/quite/long/callback"
    look("error-mismatch", "/authorize?" + query)
    eye.context.close()
    assert eye.objections == []


def look_at_apps(shown: Shown, eye: Eye) -> None:
    """A third party asks, asks for more, with its logo and its pages, and is removed."""
    eye.page.route("**/logo.svg", lambda route: route.fulfill(body=LOGO, content_type="image/svg+xml"))
    asking = {"client_id": "photos", "redirect_uri": shown.others.redirect_uris[0], "response_type": "code"}
    asking |= {"code_challenge": s256(VERIFIER), "code_challenge_method": "S256"}
    here = shown.centre.services
    for client in shown.alike:
        here.consents.give(here.accounts.get("alice").user_id, client, Wish(("openid", "email")))
    eye.look("sign-in-others", shown.centre.asking(shown.others))
    eye.page.goto(eye.base + "/authorize?" + urlencode(asking | {"scope": "openid email"}))
    assert eye.page.evaluate("document.querySelector('.logo').naturalWidth") > 0
    eye.page.route("https://photos.example/**", lambda route: route.fulfill(body="Photos", content_type="text/plain"))
    eye.press()
    eye.page.wait_for_url("https://photos.example/**")
    wanted = {"id_token": dict.fromkeys(("birthdate", "gender", "phone_number", "address", "zoneinfo", "website"))}
    more = {"scope": "openid profile email groups offline_access", "claims": json.dumps(wanted)}
    eye.look("consent-more", "/authorize?" + urlencode(asking | more))
    eye.press()
    eye.page.wait_for_url("https://photos.example/**")
    (cookie,) = [one["value"] for one in eye.context.cookies() if one["name"] == "lockstep_session"]
    session = here.sign_in.find_any_session(cookie)
    assert session is not None
    shown.centre.visit(session, shown.others)
    eye.look("apps", "/apps")
    eye.press()
    eye.page.wait_for_url("**/apps?of=*")
    eye.look("apps-removed")
    eye.page.locator(".note a").click()
    eye.look("signed-out-app")


def look_at_cas(eye: Eye) -> None:
    """The pages on the way to a CAS site; the one that posts the ticket is kept from doing it."""
    service = "https://library.example/catalogue/search?words=lockstep"
    eye.look("sign-in-cas", f"/cas/login?renew=true&service={service}")
    eye.page.goto(eye.base + "/cas/login?renew=true")
    eye.page.fill("#username", "alice")
    eye.page.fill("#password", PASSWORD)
    eye.page.locator("input[name=warn]").check()
    eye.press()
    eye.page.wait_for_url(eye.base + "/")
    eye.look("go-on", f"/cas/login?service={service}")
    eye.context.clear_cookies(name="lockstep_warn")
    eye.page.route("**/static/submit.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    eye.look("post-ticket", f"/cas/login?method=POST&service={service}")
    eye.look("error-service", "/cas/login?service=https://a-site-that-nobody-registered.example/with/a/long/path")


def tell_again(page: Any) -> None:
    """Press until it counts: the tests before may have told the same person's sites a moment ago."""

    def pressed() -> bool:
        with page.expect_navigation():
            page.locator("#again button").click()
        return "again=told" in page.url

    wait_until(pressed, seconds=30, why="the sites are told again")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_the_report_fills_in_while_the_page_is_open(shown: Shown, chromium: Any, script: bool) -> None:
    page = chromium.new_context(locale="en", java_script_enabled=script).new_page()
    page.goto(shown.base + shown.report(finished=False))
    wiki = page.locator("[data-client=wiki]")
    assert wiki.get_attribute("data-standing") == "trying_no_bound"
    tell_again(page)
    page.locator(".note", has_text="told again now").wait_for()
    outbox = shown.centre.built.sql.outbox
    soon = shown.centre.services.clock.now() + 10_000
    results = [after_answer(row, Answer(200), soon, lambda: 0.5) for row in outbox.claim("test", soon, 100, 30_000)]
    outbox.record(results, soon)
    page.locator("[data-client=wiki][data-standing=signed_out]").wait_for(timeout=15_000)
    assert "Signed out" in wiki.inner_text()
    page.context.close()
