"""The button under the report: when it is there, what it does, and what nobody can do with it."""

from urllib.parse import parse_qs, urlsplit

import pytest

from sso_server.core.notifications import Answer, State, after_answer
from tests.fronts.portal.pages import Browser, Centre

AGAIN = "/signed-out/again"
HIDDEN = 'id="again" hidden'


@pytest.fixture
def report(centre: Centre, browser: Browser) -> str:
    """Alice opened shop and signed out; shop was not told yet."""
    centre.add_user()
    browser.sign_in("alice")
    (session,) = centre.sessions(centre.services.accounts.get("alice"))
    centre.visit(session, centre.add_site(), "")
    return browser.submit(browser.get("/sign-out"), "/sign-out").location


def answer(centre: Centre, status: int, *, times: int = 1) -> None:
    """Shop answers this, so many times in a row."""
    for n in range(times):
        now = centre.services.clock.now() + n * 3_600_000
        rows = centre.built.sql.outbox.claim("test", now, 100, 30_000)
        centre.built.sql.outbox.record([after_answer(row, Answer(status), now, lambda: 0.5) for row in rows], now)


def row(centre: Centre, report: str) -> tuple[State, bool]:
    """Its state, and whether it is due."""
    sealed = parse_qs(urlsplit(report).query)["of"][0]
    sid = str((centre.services.seals.open("signed-out", sealed) or {})["sid"])
    (found,) = centre.services.ledger.of_session(sid)
    return found.state, found.next_attempt_at is not None and found.next_attempt_at <= centre.services.clock.now()


def test_before_anything_went_wrong_there_is_no_button(centre: Centre, browser: Browser, report: str) -> None:
    assert HIDDEN in browser.get(report).text
    assert browser.http.get(report.replace("?", ".json?")).json["can_retry"] is False


def test_a_site_that_failed_is_told_again_now_and_the_page_says_so(
    centre: Centre, browser: Browser, report: str
) -> None:
    answer(centre, 503)
    assert row(centre, report) == (State.PENDING, False)
    page = browser.get(report)
    assert HIDDEN not in page.text
    pressed = browser.submit(page, AGAIN)
    assert row(centre, report) == (State.PENDING, True)
    assert "are being told again now" in browser.get(pressed.location).text


def test_a_site_that_was_given_up_is_told_again_too(centre: Centre, browser: Browser, report: str) -> None:
    answer(centre, 404, times=3)
    page = browser.get(report)
    assert "Couldn&#39;t be told" in page.text
    assert "status.js" not in page.text
    pressed = browser.submit(page, AGAIN)
    assert row(centre, report) == (State.PENDING, True)
    assert "status.js" in browser.get(pressed.location).text
    answer(centre, 200)
    assert "The one site you used is signed out." in browser.get(report).text


def test_pressing_again_and_again_does_not_hammer_the_site(centre: Centre, browser: Browser, report: str) -> None:
    answer(centre, 503)
    page = browser.get(report)
    assert browser.submit(page, AGAIN).location.endswith("again=told")
    answer(centre, 503)
    for _ in range(3):
        pressed = browser.submit(page, AGAIN)
        assert row(centre, report) == (State.PENDING, False)
    assert "Please wait a few seconds." in browser.get(pressed.location).text


def test_what_is_being_told_this_moment_is_left_alone(centre: Centre, browser: Browser, report: str) -> None:
    answer(centre, 503)
    page = browser.get(report)
    centre.built.sql.outbox.claim("test", centre.services.clock.now() + 10_000, 100, 30_000)
    browser.submit(page, AGAIN)
    assert row(centre, report)[0] is State.CLAIMED
    assert HIDDEN in browser.get(report).text


def test_another_site_cannot_press_it(centre: Centre, browser: Browser, report: str) -> None:
    answer(centre, 503)
    sealed = parse_qs(urlsplit(report).query)["of"][0]
    page = browser.post(AGAIN, of=sealed, csrf_token="forged")
    assert page.status == 400
    assert "please press the button once more" in page.text
    assert row(centre, report) == (State.PENDING, False)
    assert browser.submit(page, AGAIN).location.endswith("again=told")


@pytest.mark.parametrize("sealed", ["", "forged"])
def test_without_the_address_of_a_report_nothing_is_told(
    centre: Centre, browser: Browser, report: str, sealed: str
) -> None:
    answer(centre, 503)
    page = browser.get(report)
    assert browser.submit(page, AGAIN, of=sealed).location == "/signed-out"
    assert row(centre, report) == (State.PENDING, False)


def test_a_seal_of_another_purpose_is_no_report(centre: Centre, browser: Browser, report: str) -> None:
    answer(centre, 503)
    payload = centre.services.seals.open("signed-out", parse_qs(urlsplit(report).query)["of"][0]) or {}
    other = centre.services.seals.seal("sign-out", payload)
    browser.submit(browser.get(report), AGAIN, of=other)
    assert row(centre, report) == (State.PENDING, False)


def test_without_script_the_page_reloads_without_the_words_of_the_button(
    centre: Centre, browser: Browser, report: str
) -> None:
    answer(centre, 503)
    page = browser.get(report + "&again=told")
    refresh = page.text.split('http-equiv="refresh" content="2; url=', 1)[1].split('"')[0]
    assert refresh == report
