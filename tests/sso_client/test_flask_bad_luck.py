"""What goes wrong between browser, proxy and site is named, so that whoever runs the site finds it in the log."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.fake_provider import FakeProvider
from tests.support.sdk import Browser, browser, new_sid


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Proto": "https, http"},
        {"Forwarded": 'for=192.0.2.1;proto="https"'},
        {"X-Forwarded-Ssl": "on"},
        {"Front-End-Https": "on"},
        # A proxy that says nothing at all: browsers send these to https only.
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"},
        {"Referer": "https://shop.example/page"},
        {"Origin": "https://shop.example"},
    ],
    ids=" ".join,
)
def test_a_tls_proxy_that_the_site_does_not_know_is_found_out(
    headers: dict[str, str], site: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    answer = site.test_client().get("/sso/login", base_url="http://shop.example", headers=headers)
    assert answer.status_code == 500
    assert "proxy_headers_missing" in answer.text
    assert "SSO_BASE_URL" in caplog.text


@pytest.mark.parametrize("headers", [{}, {"Referer": "https://other.example/"}, {"X-Forwarded-Proto": "http"}])
def test_plain_http_is_called_plain_http(headers: dict[str, str], site: Flask) -> None:
    answer = site.test_client().get("/sso/login", base_url="http://shop.example", headers=headers)
    assert "cookie_insecure" in answer.text


def test_on_loopback_a_browser_is_believed(site: Flask) -> None:
    answer = site.test_client().get("/sso/login", headers={"Sec-Fetch-Mode": "navigate"})
    assert answer.status_code == 302


def without_cookie(alice: Browser, centre: FakeProvider, base_url: str, headers: dict[str, str]) -> str:
    """The browser comes back without the cookie of its sign-in, for the second time."""
    start = alice.http.get("/sso/login?next=/&again=1", base_url="https://shop.example").location
    back = centre.callback_url(start, sid=new_sid()).partition("/sso/")[2]
    alice.http._cookies.clear()
    if theme := headers.get("X-Theme"):
        alice.http.set_cookie("theme", theme, domain="shop.example")
    page = alice.http.get(f"/sso/{back}", base_url=base_url, headers=headers)
    assert page.status_code == 400
    assert "cookie_missing" in page.text
    return page.text


@pytest.mark.parametrize(
    ("base_url", "headers", "why"),
    [
        ("http://shop.example", {}, "the cookie is Secure, and this request came over plain http"),
        ("http://shop.example", {"Sec-Fetch-Mode": "navigate"}, "sends no cookie at all"),
        ("https://www.shop.example", {}, "the cookie was set at shop.example, and this request came to"),
        ("https://shop.example", {"Sec-Fetch-Dest": "iframe"}, "SameSite=Lax, and this request came from a frame"),
        ("https://shop.example", {}, "sends no cookie at all"),
        ("https://shop.example", {"X-Theme": "dark"}, "sends other cookies, but none of a sign-in"),
    ],
)
def test_a_missing_cookie_is_explained(
    base_url: str,
    headers: dict[str, str],
    why: str,
    make_site: Callable[..., Flask],
    centre: FakeProvider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alice = browser(make_site(base_url="https://shop.example"), centre)
    without_cookie(alice, centre, base_url, headers)
    assert why in caplog.text


def test_an_answer_to_another_sign_in_is_a_clear_page_after_one_new_start(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    again = alice.get("/sso/callback?code=code-x&state=unknown").location
    assert again == "/sso/login?next=/&again=1"
    ours = centre.callback_url(alice.get(again).location, sid=new_sid())
    alice.start("/")  # another sign-in under way: the browser does keep cookies
    state = ours.partition("state=")[2].partition("&")[0]
    page = alice.get(f"/sso/callback?code=code-x&state={state}x")
    assert page.status_code == 400
    assert "state_unknown" in page.text


def test_an_unknown_answer_just_goes_on_for_who_is_signed_in(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    alice.sign_in()
    assert alice.get("/sso/callback?code=code-x&state=unknown").location == "/"


def test_a_loop_between_stores_that_are_not_shared_is_cut(make_site, centre: FakeProvider) -> None:
    """Two hosts behind one address: one signs people in, the other doesn't know them."""
    one, two = make_site(), make_site()
    alice, sid = browser(one, centre), new_sid()
    for turn in range(10):  # noqa: B007 - asserted below
        alice.http.application = two
        start = alice.get(alice.get("/").location)
        if start.status_code != 302:
            break
        alice.http.application = one
        assert alice.get(centre.callback_url(start.location, sid=sid)).location == "/"
    assert "login_loop" in start.text
    assert turn == 3
