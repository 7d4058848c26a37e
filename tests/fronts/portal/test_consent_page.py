"""What a site shows of itself on our pages: its name in the page's language, its logo, policy and terms; all of it may
be a stranger's.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from sso_server.core.claims import CLAIMS
from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client
from sso_server.core.consents import Wish
from sso_server.web.agreed import to_agree
from tests.fronts.portal.pages import Browser, Centre

LOGO = "https://cdn.photos.example:8443/logo.png?a=1&b=2"
FACE = {
    "logo_uri": LOGO,
    "policy_uri": "https://photos.example/privacy#people",
    "tos_uri": "https://photos.example/terms?of=use",
    "client_uri": "https://photos.example/about",
}
LOCALIZED = (
    ("client_name#zh-Hans", "相册"),
    ("client_name#de", "Fotos"),
    ("policy_uri#zh-CN", "https://photos.example/zh/privacy"),
)


def add_photos(centre: Centre, name: str = "Photos", **metadata: Any) -> Client:
    return centre.add_site("photos", name, metadata=ClientMetadata(third_party=True, **metadata))


def question(centre: Centre, client: Client, *, wish: Wish | None = None) -> str:
    """The address of the consent page for alice, who is signed in."""
    (session,) = centre.sessions(centre.services.accounts.get("alice"))
    sealed = parse_qs(urlsplit(centre.asking(client)).query)["request"][0]
    payload = centre.services.seals.open("sign-in", sealed) or {}
    asked = to_agree(wish or Wish(("openid", "email"), ()), session, {}, client.redirect_uris[0])
    return "/consent?" + urlencode({"request": centre.services.seals.seal("sign-in", payload | asked)})


def both_pages(centre: Centre, browser: Browser, client: Client) -> list[Any]:
    centre.add_user()
    before = browser.get(centre.asking(client))
    browser.sign_in("alice")
    return [before, browser.get(question(centre, client))]


def shows_pages_or_logo(page: Any) -> bool:
    return 'class="logo"' in page.text or 'rel="noopener' in page.text


@pytest.mark.covers("oidcc-registration-logo-uri")
def test_oidcc_registration_logo_uri(centre: Centre, browser: Browser) -> None:
    """The browser may load it, from its own origin only; the server never does."""
    for page in both_pages(centre, browser, add_photos(centre, **FACE)):
        assert f'<img class="logo" src="{LOGO.replace("&", "&amp;")}" alt=""' in page.text
        policy = page.response.headers["Content-Security-Policy"]
        assert "img-src 'self' data: https://cdn.photos.example:8443; connect-src" in policy
    assert "photos.example" not in browser.get("/sessions").response.headers["Content-Security-Policy"]


@pytest.mark.covers("oidcc-registration-policy-uri")
def test_oidcc_registration_policy_uri(centre: Centre, browser: Browser) -> None:
    for page in both_pages(centre, browser, add_photos(centre, **FACE)):
        assert '<a href="https://photos.example/privacy#people" target="_blank" rel="noopener noreferrer' in page.text
        assert "Privacy policy of Photos" in page.text


@pytest.mark.covers("oidcc-registration-tos-uri")
def test_oidcc_registration_tos_uri(centre: Centre, browser: Browser) -> None:
    for page in both_pages(centre, browser, add_photos(centre, **FACE)):
        assert '<a href="https://photos.example/terms?of=use" target="_blank" rel="noopener noreferrer' in page.text
        assert "Terms of Photos" in page.text


def test_who_says_nothing_of_itself_shows_nothing(centre: Centre, browser: Browser) -> None:
    for page in both_pages(centre, browser, add_photos(centre)):
        assert not shows_pages_or_logo(page)
        assert "img-src 'self' data:;" in page.response.headers["Content-Security-Policy"]
        assert "belongs to others than the people who run this service" in page.text


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)//https://photos.example/",
        "data:image/svg+xml,<svg/onload=alert(1)>",
        "http://photos.example/logo.png",
        'https://photos.example/"onerror=alert(1) x="',
        "https://user@photos.example/logo.png",
        "//photos.example/logo.png",
        'https://photos.example/#"><script>alert(1)</script>',
        "/static/favicon.svg",
        "https://",
    ],
)
def test_an_address_that_no_browser_should_be_sent_to_is_left_out(centre: Centre, browser: Browser, uri: str) -> None:
    hostile = dict.fromkeys(("logo_uri", "policy_uri", "tos_uri", "client_uri"), uri)
    for page in both_pages(centre, browser, add_photos(centre, **hostile)):
        assert not shows_pages_or_logo(page)
        assert "alert(1)" not in page.text


@pytest.mark.parametrize("host", ["a.example;script-src", "a.example,b.example", "a.example'"])
def test_no_host_says_more_in_our_policy_than_its_name(centre: Centre, browser: Browser, host: str) -> None:
    for page in both_pages(centre, browser, add_photos(centre, logo_uri=f"https://{host}/logo.png")):
        assert "img-src 'self' data:; connect-src" in page.response.headers["Content-Security-Policy"]
        assert page.response.headers["Content-Security-Policy"].count("script-src") == 1


def test_a_name_with_markup_is_text_and_one_with_signs_that_turn_text_loses_them(
    centre: Centre, browser: Browser
) -> None:
    name = '<script>alert(1)</script> \u202eefas\u2066 & "Photos"\n\0 ' + "x" * 200
    for page in both_pages(centre, browser, add_photos(centre, name)):
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; efas &amp; &#34;Photos&#34; xxx" in page.text
        assert "\u202e" not in page.text
        assert "x" * 80 not in page.text


def test_a_name_of_nothing_but_what_cannot_be_seen_is_the_clients_id(centre: Centre, browser: Browser) -> None:
    for page in both_pages(centre, browser, add_photos(centre, "\u200b\u202e ")):
        assert "photos" in re.sub(r"https?://\S+", "", page.text)


@pytest.mark.parametrize(
    ("language", "name", "policy"),
    [
        ("en", "Photos", "https://photos.example/privacy#people"),
        ("zh-CN", "相册", "https://photos.example/zh/privacy"),
        ("de", "Photos", "https://photos.example/privacy#people"),
    ],
)
def test_names_and_pages_in_the_language_of_the_page(centre: Centre, language: str, name: str, policy: str) -> None:
    browser = centre.browser(language=language)
    for page in both_pages(centre, browser, add_photos(centre, **FACE, localized=LOCALIZED)):
        assert name in page.title or f"{name} " in page.text
        assert policy in page.text


def test_another_variety_of_the_language_is_better_than_another_language(centre: Centre) -> None:
    browser = centre.browser(language="zh-CN")
    photos = add_photos(centre, localized=(("client_name#zh-Hant-TW", "相簿"),))
    assert "相簿" in browser.get(centre.asking(photos)).text


def test_the_page_says_where_one_goes_on_to_and_who_else_may_answer(centre: Centre, browser: Browser) -> None:
    page = both_pages(centre, browser, add_photos(centre))[1]
    assert "Either way you go on to photos.example." in page.text
    assert 'href="/sign-in?request=' in page.text
    assert "You are signed in as Alice Liddell." in page.text
    assert "form-action 'self' https:;" in page.response.headers["Content-Security-Policy"]


def test_a_number_of_ones_own_is_called_so(centre: Centre, browser: Browser) -> None:
    page = both_pages(centre, browser, add_photos(centre, subject_type="pairwise"))[1]
    assert "by a number that no other app knows" in page.text


def test_a_long_list_names_every_claim(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    photos = add_photos(centre)
    browser.sign_in("alice")
    wish = Wish(("openid", "offline_access", "albums.print"), (*CLAIMS[1:], "shoe_size"))
    page = browser.get(question(centre, photos, wish=wish))
    assert page.text.count("<li>See ") == len(wish.claims)
    assert "See what is called shoe_size" in page.text
    assert "Use what is called albums.print" in page.text
    assert page.text.index("See your full name") < page.text.index("Go on with all of this")


def test_the_page_speaks_chinese_and_the_switch_comes_back_to_it(centre: Centre) -> None:
    browser = centre.browser(language="zh-CN")
    page = both_pages(centre, browser, add_photos(centre))[1]
    assert "允许 Photos 吗？" in page.text
    assert "查看您的邮箱地址" in page.text
    switch = re.findall(r'href="(/language\?to=en&amp;back=[^"]*)"', page.text)[0].replace("&amp;", "&")
    assert browser.get(switch).location.startswith("/consent?request=")
