"""Whose a CAS service is: every trick by which a ticket could get to somebody else, and what sites really send."""

import time

import pytest

from sso_server.core.errors import InvalidRequest
from sso_server.core.service_urls import (
    ServiceIndex,
    check_service,
    matches,
    normal_form,
)

SITE = "https://wiki.example.org/"
APP = "https://wiki.example.org/app/"
PAGE = "https://wiki.example.org/cas/callback"

#: Under none of SITE, APP and PAGE may any of these ever get a ticket.
FOREIGN = [
    # other hosts that look like it
    "https://wiki.example.org.evil.com/app/",
    "https://wiki.example.orgevil.com/app/",
    "https://evil.com/https://wiki.example.org/app/",
    "https://evil.com/?https://wiki.example.org/app/",
    "https://evil.com/#https://wiki.example.org/app/",
    "https://evil-wiki.example.org/app/",
    "https://wiki-example.org/app/",
    "https://wikiXexample.org/app/",
    "https://example.org/app/",
    "https://a.wiki.example.org/app/",
    "https://wiki.example.org,evil.com/app/",
    "https://wiki.example.org;evil.com/app/",
    "https://wiki.example.org&evil.com/app/",
    # user information
    "https://wiki.example.org@evil.com/app/",
    "https://wiki.example.org:x@evil.com/app/",
    "https://evil.com@wiki.example.org/app/",
    "https://:@wiki.example.org/app/",
    "https://@wiki.example.org/app/",
    "https://wiki.example.org%40evil.com/app/",
    "https://evil.com%2f@wiki.example.org/app/",
    # backslashes, which browsers take for slashes
    "https://evil.com\\@wiki.example.org/app/",
    "https://wiki.example.org\\.evil.com/app/",
    "https:\\\\wiki.example.org\\app\\",
    "https://wiki.example.org/app\\..\\admin",
    "https://wiki.example.org/app/\\evil.com",
    "https://wiki.example.org/app/?next=\\\\evil.com",
    # what ends a host for one reader only
    "https://evil.com#@wiki.example.org/app/",
    "https://evil.com?@wiki.example.org/app/",
    "https://evil.com/@wiki.example.org/app/",
    "https:///wiki.example.org/app/",
    "https:/wiki.example.org/app/",
    "https:wiki.example.org/app/",
    "//wiki.example.org/app/",
    "/app/",
    "wiki.example.org/app/",
    "https://",
    "https:///app/",
    "https://?x=1",
    "",
    # the host spelled otherwise
    "https://wiki.example.org./app/",
    "https://wiki..example.org/app/",
    "https://.wiki.example.org/app/",
    "https://wiki.example.or%67/app/",
    "https://wiki.example.org%00.evil.com/app/",
    "https://wiki.example.org%2eevil.com/app/",
    "https://wıki.example.org/app/",
    "https://wiki。example。org/app/",
    "https://ｗiki.example.org/app/",
    "https://wiki.example.org／app/",
    "https://wiki.example.org\u200b/app/",
    "https://wiki.example.org℀.evil.com/app/",
    "https://xn--wki-jma.example.org/app/",
    # ports
    "https://wiki.example.org:80/app/",
    "https://wiki.example.org:8443/app/",
    "https://wiki.example.org:443.evil.com/app/",
    "https://wiki.example.org:evil.com/app/",
    "https://wiki.example.org:443@evil.com/app/",
    "https://wiki.example.org:+443/app/",
    "https://wiki.example.org:-443/app/",
    "https://wiki.example.org:4 43/app/",
    "https://wiki.example.org:99999/app/",
    "https://wiki.example.org:٤٤٣/app/",
    "https://wiki.example.org:443:443/app/",
    # literals
    "https://[wiki.example.org]/app/",
    "https://[::1]wiki.example.org/app/",
    "https://[::1%25eth0]/app/",
    "https://[::ffff:1.2.3.4]/app/",
    "https://[]/app/",
    "https://[::1/app/",
    # schemes
    "http://wiki.example.org/app/",
    "http://wiki.example.org:443/app/",
    "javascript://wiki.example.org/app/%0aalert(1)",
    "data:text/html,https://wiki.example.org/app/",
    "ftp://wiki.example.org/app/",
    "view-source:https://wiki.example.org/app/",
    "httpsx://wiki.example.org/app/",
    # what browsers drop from an address before they read it
    " https://wiki.example.org/app/",
    "https://wiki.example.org/app/ ",
    "\thttps://wiki.example.org/app/",
    "ht\ntps://wiki.example.org/app/",
    "https://wiki.example.org/\tapp/",
    "https://wiki.example.org/app/\r\nLocation: https://evil.com/",
    "https://wiki.example.org/app/\n",
    "https://wiki.example.org/app/\x00",
    "https://wiki.example.org/app/\x7f",
    "\ufeffhttps://wiki.example.org/app/",
    "https://wiki.example.org/app/\ud800",
    "https://wiki.example.org/app/<script>",
    'https://wiki.example.org/app/"onload="x',
    # out of the folder, however it is spelled
    "https://wiki.example.org/app/../admin",
    "https://wiki.example.org/app/..",
    "https://wiki.example.org/app/./../admin",
    "https://wiki.example.org/app/.",
    "https://wiki.example.org/app/x/../../admin",
    "https://wiki.example.org/app/%2e%2e/admin",
    "https://wiki.example.org/app/%2E./admin",
    "https://wiki.example.org/app/.%2e/admin",
    "https://wiki.example.org/app/%252e%252e/admin",
    "https://wiki.example.org/app/%25252e%25252e/admin",
    "https://wiki.example.org/app/%25%32%65%25%32%65/admin",
    "https://wiki.example.org/app/..%2fadmin",
    "https://wiki.example.org/app/..%252fadmin",
    "https://wiki.example.org/app%2f..%2fadmin",
    "https://wiki.example.org/app/%5c..%5cadmin",
    "https://wiki.example.org/app/x%2fy",
    "https://wiki.example.org/app/x%252fy",
    "https://wiki.example.org/app/x%25252Fy",
    "https://wiki.example.org/app/x%5cy",
    "https://wiki.example.org/app/x%255cy",
    "https://wiki.example.org/app/..;/admin",
    "https://wiki.example.org/app/..;x=1/admin",
    "https://wiki.example.org/app/..;jsessionid=1",
    "https://wiki.example.org/app/%2e%2e;/admin",
    "https://wiki.example.org/app/..%3b/admin",
    "https://wiki.example.org/app/..%253b/admin",
    "https://wiki.example.org/app/.;/x",
    "https://wiki.example.org/app/%c0%ae%c0%ae/admin",
    "https://wiki.example.org/app/%c0%af",
    "https://wiki.example.org/app/%e0%80%ae./admin",
    "https://wiki.example.org/app/%f8%80%80%80%ae%f8%80%80%80%ae/admin",
    "https://wiki.example.org/app/%fc%80%80%80%80%ae%fc%80%80%80%80%ae/admin",
    "https://wiki.example.org/app/%ef%bc%8e%ef%bc%8e/admin",
    "https://wiki.example.org/app/．．/admin",
    "https://wiki.example.org/app/%e2%80%a5/admin",
    "https://wiki.example.org/app/%ef%bc%8e.;x/admin",
    "https://wiki.example.org/app/..%ef%bc%8fadmin",
    "https://wiki.example.org/app/..%ef%bc%bcadmin",
    "https://wiki.example.org/app/..%25ef%25bc%258fadmin",
    "https://wiki.example.org/app/%ef%bc%852e%ef%bc%852e/admin",
    "https://wiki.example.org/app/%u002e%u002e/admin",
    "https://wiki.example.org/app/%00",
    "https://wiki.example.org/app/%0d%0aSet-Cookie:x",
    "https://wiki.example.org/app/%2500",
    "https://wiki.example.org/app/%7f",
    "https://wiki.example.org/app/%",
    "https://wiki.example.org/app/%2",
    "https://wiki.example.org/app/%zz",
    # long
    "https://wiki.example.org/app/" + "a" * 2000,
    "https://wiki.example.org/app/#" + "a" * 1980,  # too long only with what its normal form leaves out
    "https://wiki.example.org/app/?q=" + "%" * 1000,
    "https://wiki.example.org/app/" + "é" * 700,
    "https://wiki.example.org/app/#" + "é" * 700,
    # encoded again and again: whoever decodes it to the end has much to do
    "https://wiki.example.org/app/%" + "25" * 5,
    "https://wiki.example.org/app/%" + "25" * 950,
    "https://" + "a" * 3000 + ".example.org/app/",
]
#: In the site, and not below /app/.
BESIDE = [
    "https://wiki.example.org/app",
    "https://wiki.example.org/app?x=/app/",
    "https://wiki.example.org/app#/app/",
    "https://wiki.example.org/application/",
    "https://wiki.example.org/app.evil/",
    "https://wiki.example.org/App/",
    "https://wiki.example.org//app/",
    "https://wiki.example.org/x/app/",
    "https://wiki.example.org/;/app/",
    "https://wiki.example.org/app;/",
    "https://wiki.example.org/app;jsessionid=1/",
    "https://wiki.example.org/?/app/",
    "https://wiki.example.org?/app/",
    "https://wiki.example.org",
    "https://wiki.example.org/",
]
BELOW = [
    "https://wiki.example.org/app/",
    "https://wiki.example.org/app/page?id=1&x=%2F..%2F",
    "HTTPS://Wiki.Example.ORG:443/app/",
    "https://wiki.example.org:/app/",
    "https://wiki.example.org:0443/app/page",
    "https://wiki.example.org/%61pp/page",
    "https://wiki.example.org/app/?",
    "https://wiki.example.org/app/?ticket=ST-old",
    "https://wiki.example.org/app/#top",
    "https://wiki.example.org/app/;jsessionid=0A1B",
    "https://wiki.example.org/app/page;JSESSIONID=0A1B.node1?x=1",
    "https://wiki.example.org/app//page",
    "https://wiki.example.org/app/...",
    "https://wiki.example.org/app/.well-known",
    "https://wiki.example.org/app/100%25",
    "https://wiki.example.org/app/https%25253A",
    "https://wiki.example.org/app/M%FCnchen",
    "https://wiki.example.org/app/（首页）…",
    "https://wiki.example.org/app/a%20b",
    "https://wiki.example.org/app/S%C3%A9ance",
    "https://wiki.example.org/app/S%E9ance",
    "https://wiki.example.org/app/首页?q=搜索",
    "https://wiki.example.org/app/?q=100%&r=%0A&s=a|b{c}",
    "https://wiki.example.org/app/?next=https://evil.com/../",
    "https://wiki.example.org/app/?q='(*)!$,@:~",
]


@pytest.mark.parametrize("url", FOREIGN)
def test_no_trick_opens_a_site_a_folder_or_a_page(url):
    assert not any(matches(registered, url) for registered in (SITE, APP, PAGE))
    index = ServiceIndex([(SITE, "site"), (APP, "app"), (PAGE, "page")])
    assert index.find_owner(url) is None


def test_no_address_keeps_the_process_busy():
    chain = SITE + "%" + "25" * 950
    started = time.process_time()
    for _ in range(20):
        assert not matches(SITE, chain)
    assert time.process_time() - started < 0.5, "20 times 0.2 s when everything was decoded to its end"


@pytest.mark.parametrize("url", BESIDE)
def test_what_lies_beside_a_folder_is_not_in_it(url):
    assert not matches(APP, url)
    assert matches(SITE, url)


@pytest.mark.parametrize("url", BELOW)
def test_what_sites_really_send_lies_below_their_folder(url):
    assert matches(APP, url)
    assert matches(SITE, url)


@pytest.mark.parametrize("url", [PAGE + "/", PAGE + "/x", PAGE + "2", PAGE + "?x=1", PAGE + ";v=1", PAGE[:-1], SITE])
def test_an_address_without_a_slash_at_its_end_is_that_address_only(url):
    assert matches(PAGE, PAGE)
    assert matches(PAGE, PAGE + "?ticket=ST-1#x")
    assert not matches(PAGE, url)


def test_an_address_with_a_query_is_exact_even_if_that_ends_with_a_slash():
    registered = "https://wiki.example.org/app/?next=/"
    assert matches(registered, registered)
    assert not matches(registered, "https://wiki.example.org/app/?next=/x")
    assert not matches(registered, "https://wiki.example.org/app/x")


def test_a_host_without_a_path_is_its_front_page_only():
    assert matches("https://wiki.example.org", "https://wiki.example.org/")
    assert not matches("https://wiki.example.org", "https://wiki.example.org/x")


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTP://LOCALHOST:80", "http://localhost/"),
        ("https://[::1]:443/x", "https://[::1]/x"),
        ("https://[0:0:0:0:0:0:0:1]:8443/x", "https://[::1]:8443/x"),
        ("https://a.example/%7euser/%2a%3b?q=%2b%7E", "https://a.example/~user/*%3B?q=%2B~"),
        (
            "https://a.example/{x}|'y'?n=%2fz%3F&q=a+b%20&[d]=%27",
            "https://a.example/%7Bx%7D%7C'y'?n=/z?&q=a%20b%20&%5Bd%5D='",
        ),
        ("https://a.example/?a=1%262%3D3%233", "https://a.example/?a=1%262%3D3%233"),
        ("https://a.example/x?a=1&&ticket=ST-1&b=2&", "https://a.example/x?a=1&b=2"),
        ("https://a.example/x?%74icket=ST-1", "https://a.example/x"),
        ("https://a.example/x?Ticket=1&tickets=2", "https://a.example/x?Ticket=1&tickets=2"),
        ("https://a.example/x?b=2&a=1", "https://a.example/x?b=2&a=1"),
        ("https://a.example/x?flag=&a==&=&b=1", "https://a.example/x?flag&a==&=&b=1"),
        ("https://a.example/x;jsessionid=1;v=2?y#z", "https://a.example/x?y"),
        ("https://a.example/x;%6asessionid=1", "https://a.example/x"),
        ("https://a.example/é?é=100%", "https://a.example/%C3%A9?%C3%A9=100%25"),
    ],
)
def test_a_service_is_compared_in_one_spelling(url, normal):
    assert normal_form(url) == normal


@pytest.mark.parametrize(
    "url",
    [
        "http://wiki.example.org/app/",
        "https://wiki.example.org/app/*",
        "https://*.example.org/",
        "https://wiki.example.org/app/#x",
        "https://wiki.example.org/app/../",
        "https://wiki.example.org./",
        "https://wiki.example.org/首页/",
        "https://(wiki|www).example.org/",
        "^https://wiki.example.org/.*",
    ],
)
def test_what_could_mean_more_than_it_says_is_not_registered(url):
    with pytest.raises(InvalidRequest, match="cas_service"):
        check_service(url)


@pytest.mark.parametrize(
    "url", [SITE, APP, PAGE, "https://wiki.example.org", "http://localhost:5000/", "http://[::1]/"]
)
def test_a_plain_address_is_registered_as_it_is(url):
    assert check_service(url) == url


def test_the_exact_address_counts_before_the_prefix_and_the_longest_prefix_first():
    index = ServiceIndex([(SITE, "site"), (APP + "deep/", "deep"), (APP, "app"), (PAGE, "page"), (APP, "late")])
    assert index.find_owner(APP + "deep/er") == "deep"
    assert index.find_owner(APP + "deep") == "app"
    assert index.find_owner(PAGE) == "page"
    assert index.find_owner(PAGE + "/x") == "site"
    assert index.find_owner("https://other.example/") is None
