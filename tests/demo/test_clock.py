"""Site one calls site two's API: a short token, renewed without a question, and worth nothing after the sign-out."""

import re

import pytest

from tests.demo.conftest import Demo
from tests.support.browser import Browser
from tests.support.centre import wait_until

pytestmark = pytest.mark.slow


def token_of(browser: Browser) -> str:
    """The end of the token that the page speaks of."""
    found = re.search(r"…(\S{6})", browser.text)
    assert found, browser.text
    return found[1]


def status_of(browser: Browser) -> int:
    """What the API answered."""
    return int(re.search(r'data-status="(\d+)"', browser.text)[1])


def test_the_clock_is_asked_with_a_token_that_is_renewed_until_the_person_signs_out(demo: Demo) -> None:
    browser = Browser()
    assert "/clock" not in browser.open(demo.one + "/").text
    browser.open(demo.one + "/clock").sign_in("alice", demo.passwords["alice"])
    assert browser.url == demo.one + "/clock"
    assert status_of(browser) == 200
    left_s = int(re.search(r"good for (\d+) more seconds", browser.text)[1])
    assert 5 <= left_s <= 15
    first = token_of(browser)
    assert "/clock" in browser.open(demo.one + "/account").text

    wait_until(lambda: token_of(browser.open(demo.one + "/clock")) != first, why="a renewal")
    assert status_of(browser) == 200
    assert "access token renewed, nobody was asked" in browser.text
    browser.http.headers["Accept-Language"] = "zh-CN"
    assert "访问令牌已续期" in browser.open(demo.one + "/clock").text
    browser.http.headers["Accept-Language"] = "en"
    last = token_of(browser)

    browser.open(demo.one + "/account").submit("/sso/logout")
    browser.open(demo.one + "/")
    assert "Ask once more with the token of before" in browser.text
    wait_until(lambda: status_of(browser.open(demo.one + "/clock/again")) == 401, why="site two to refuse the token")
    assert token_of(browser) == last
    assert "opens nothing any more" in browser.text
    assert "invalid_token" in browser.text
    assert 'data-state="out"' in browser.text


def test_who_was_never_here_has_no_token_to_ask_with(demo: Demo) -> None:
    assert Browser().open(demo.one + "/clock/again").url == demo.one + "/"
    assert "Ask once more" not in Browser().open(demo.one + "/").text
    assert Browser().open(demo.two + "/clock/again").url == demo.two + "/"
