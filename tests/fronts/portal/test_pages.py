"""What holds on every page: language, headings, policy, errors in words, the switch of languages."""

import re
from collections.abc import Callable

import pytest

from sso_server.core.errors import Unavailable
from tests.fronts.portal.pages import PASSWORD, Browser, Centre

PATHS = ("/sign-in", "/signed-out", "/nothing-here", "/", "/sessions", "/password", "/sign-out")


@pytest.mark.parametrize(("wish", "lang"), [("en-GB", "en"), ("zh-CN", "zh-Hans"), ("fr", "en")])
@pytest.mark.parametrize("path", PATHS)
def test_every_page_says_its_language_and_has_one_heading_a_title_and_a_skip_link(
    centre: Centre, path: str, wish: str, lang: str
) -> None:
    centre.add_user()
    browser = centre.browser(language=wish)
    if path not in PATHS[:3]:
        browser.sign_in("alice")
    page = browser.get(path)
    assert f'<html lang="{lang}">' in page.text
    assert page.text.count("<h1") == 1
    assert page.title.endswith("· Lockstep")
    assert 'href="#main"' in page.text
    assert 'id="main"' in page.text


@pytest.mark.parametrize("path", PATHS)
def test_no_page_has_inline_script_or_style(centre: Centre, browser: Browser, path: str) -> None:
    centre.add_user()
    browser.sign_in("alice")
    page = browser.get(path)
    assert not re.search(r"<style|<script(?![^>]*src=)|\sstyle=|\son[a-z]+=|javascript:", page.text)
    policy = page.response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.response.headers["Cache-Control"] == "no-store" or page.status == 303


def test_the_sign_in_page_weighs_less_than_thirty_kilobytes_in_all(browser: Browser) -> None:
    page = browser.get("/sign-in")
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert files
    assert len(page.text.encode()) + sum(_weight(browser, file) for file in files) < 30_000


def _weight(browser: Browser, file: str) -> int:
    with browser.http.get(file) as response:
        return len(response.data)


def test_switching_the_language_keeps_the_page_and_what_the_site_asked(centre: Centre, browser: Browser) -> None:
    path = centre.asking(centre.add_site())
    page = browser.get(path + "&ui_locales=en")
    switch = re.search(r'href="(/language[^"]+)"', page.text)
    assert switch
    switched = browser.get(switch.group(1).replace("&amp;", "&"))
    assert switched.location == path
    assert "Shop 请您登录。" in browser.get(switched.location).text


def test_after_an_error_the_switch_still_keeps_what_the_site_asked(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    path = centre.asking(centre.add_site())
    page = browser.sign_in("alice", "wrong password", path=path)
    switch = re.search(r'href="(/language[^"]+)"', page.text)
    assert switch
    switched = browser.get(switch.group(1).replace("&amp;", "&"))
    assert switched.location == path
    assert PASSWORD not in switched.location


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example/sign-in", "/\\evil.example", "/token", "sign-in", ""]
)
def test_the_switch_leads_to_pages_of_ours_only(browser: Browser, back: str) -> None:
    assert browser.get(f"/language?to=en&back={back}").location == "/"


@pytest.mark.parametrize(
    "path", ["/nothing-here?a=1&a=2&ui_locales=en", "/authorize?client_id=x", "//evil.example/%2e%2e"]
)
def test_an_error_at_an_address_of_no_page_can_be_read_in_the_other_language(browser: Browser, path: str) -> None:
    english = browser.get(path)
    links = re.findall(r'<a href="([^"]+)" lang="zh-Hans"', english.text)
    assert len(links) == 1
    assert links[0].startswith("?"), "it stays at the address, whatever that is"
    assert links[0].count("ui_locales") == 1
    assert links[0].count("a=") == path.count("a=")
    again = browser.get(path.partition("?")[0] + links[0].replace("&amp;", "&"))
    assert (again.status, '<html lang="zh-Hans">' in again.text) == (english.status, True)


def test_no_switch_where_a_reload_would_post_again(browser: Browser) -> None:
    page = browser.post("/authorize", client_id="x" * 5000)
    assert page.status == 400
    assert "ui_locales" not in page.text


BAD_REQUESTS = {
    "/authorize?client_id=nobody": "No site is registered under this client_id.",
    "/authorize/continue?request=cut": "This sign-in link is damaged.",
    "/authorize?client_id=a&client_id=b": "A parameter is repeated.",
    "/end-session?state=" + "x" * 5000: "The request is too large.",
}


@pytest.mark.parametrize(("path", "detail"), BAD_REQUESTS.items(), ids=BAD_REQUESTS.values())
def test_what_is_wrong_is_told_in_ones_language_and_in_english_to_the_developer_alone(
    centre: Centre, open_with: Callable[..., Centre], path: str, detail: str
) -> None:
    page = centre.browser(language="zh-CN").get(path)
    assert page.status == 400
    assert f'供开发人员参考： <span lang="en">{detail}' in page.text
    public = open_with(issuer="https://sso.example.com").browser(language="zh-CN").get(path)
    assert public.status == 400
    assert "供开发人员参考" not in public.text
    assert detail not in public.text


def test_a_site_that_nobody_registered_is_no_damaged_request(browser: Browser) -> None:
    page = browser.get("/authorize?client_id=nobody&response_type=code")
    assert (page.status, "The site isn't known here" in page.text) == (400, True)


def test_an_unknown_language_is_no_page(browser: Browser) -> None:
    assert browser.get("/language?to=tlh").status == 404


def test_an_error_page_says_what_happened_and_a_number_to_quote(browser: Browser) -> None:
    page = browser.get("/nothing-here")
    assert page.status == 404
    assert page.title.startswith("Error: This page doesn't exist")
    assert page.response.headers["X-Request-Id"] in page.text


def test_a_mismatch_shows_what_came_what_is_registered_and_the_command(centre: Centre, browser: Browser) -> None:
    centre.add_site()
    page = browser.get(
        "/authorize?client_id=shop&response_type=code&scope=openid&redirect_uri=https://shop.example/%3Cb%3E"
    )
    assert page.status == 400
    assert "https://shop.example/&lt;b&gt;" in page.text
    assert "https://shop.example/sso/callback" in page.text
    good = browser.get("/authorize?client_id=shop&response_type=code&scope=openid&redirect_uri=https://shop.example/x")
    assert "sso client update shop --redirect-uri" in good.text
    assert "The return address isn&#39;t registered" in good.text or "The return address isn't registered" in good.text


def test_a_store_that_is_away_gets_a_page_not_a_stack(
    centre: Centre, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.add_user()
    browser.sign_in("alice")

    def away(*_: object) -> None:
        raise Unavailable(retry_after_s=130)

    for method in ("find_session", "find_any_session"):
        monkeypatch.setattr(type(centre.services.sign_in), method, away)
    for path in ("/", "/sessions", "/password", "/sign-in", "/sign-out"):
        page = browser.get(path)
        assert (page.status, page.response.headers["Retry-After"]) == (503, "130")
        assert "Try again in 3 minutes." in page.text
    # A form whose cookie is cut meets the same outage: still a page.
    assert browser.post("/sign-in", username="alice", password=PASSWORD).status == 400
    assert browser.post("/sessions/end", others="1").location == "/sign-in"


def test_repeated_fields_are_refused(browser: Browser) -> None:
    token = browser.get("/sign-in").form("/sign-in")["csrf_token"]
    body = f"csrf_token={token}&username=a&username=b&password=x"
    page = browser.http.post(
        "/sign-in", data=body, content_type="application/x-www-form-urlencoded", headers={"Accept": "text/html"}
    )
    assert page.status_code == 400
    assert "missing, repeated or damaged" in page.get_data(as_text=True)
