"""Where a sign-in may lead back to: this very origin, whatever a browser makes of the characters."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_client.addresses import MAX_NEXT, is_loopback, origin_of, page_address, safe_next

EVIL = [
    "",
    None,
    "//evil.example",
    "///evil.example",
    "////evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "\\/evil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0D%0A/evil.example",
    "/%5cevil.example",
    "/%2fevil.example",
    "/%2F%2Fevil.example",
    "/%252fevil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "http://evil.example",
    "https://evil.example/",
    "https:evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "@evil.example",
    "//user@evil.example",
    "https://shop.example@evil.example",
    "evil.example",
    "?next=//evil.example",
    "#//evil.example",
    "/\x00/evil.example",
    "/\x7f",
    "/" + "x" * MAX_NEXT,
    "/ok\r\nSet-Cookie: a=b",
]


@pytest.mark.parametrize("value", EVIL)
def test_a_foreign_or_odd_next_becomes_the_start_page(value: str | None) -> None:
    assert safe_next(value) == "/"


@pytest.mark.parametrize(
    "value",
    ["/", "/a", "/a/b?c=d&e=%2F%2Ff", "/a//b", "/?u=https://x.example", "/a%20b", "/a:b@c", "/.", "/a#b"],
)
def test_a_page_of_this_site_is_kept_whole(value: str) -> None:
    assert safe_next(value) == value


def test_a_page_in_any_script_is_kept_as_a_header_carries_it_and_measured_so() -> None:
    assert safe_next("/鞋?尺=é") == "/%E9%9E%8B?%E5%B0%BA=%C3%A9"
    assert safe_next("/a\u2028b\ud800") == "/a%E2%80%A8b%3F"
    assert safe_next("/" + "鞋" * 113) != "/"
    assert safe_next("/" + "鞋" * 114) == "/", "1027 bytes of a cookie, in 115 characters"


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("/\\:@?#%0259afF.\t\n\r evil"), max_size=20))
def test_whatever_is_let_through_stays_on_this_origin_for_a_browser(value: str) -> None:
    allowed = safe_next(value)
    # What a WHATWG parser does before it looks for a host.
    seen = allowed.replace("\t", "").replace("\n", "").replace("\r", "").replace("\\", "/").strip()
    joined = urlsplit(urljoin("https://shop.example/sso/callback", seen))
    assert (joined.scheme, joined.netloc) == ("https", "shop.example")


def test_a_deep_link_keeps_its_query_as_it_was() -> None:
    assert page_address("/deep/a b/鞋", b"x=1&y=%2F%20&z=a+b") == "/deep/a%20b/%E9%9E%8B?x=1&y=%2F%20&z=a+b"


def test_origins_are_compared_without_default_ports_and_case() -> None:
    assert origin_of("HTTPS://Shop.Example:443/x") == "https://shop.example"
    assert origin_of("http://[::1]:9000/x") == "http://[::1]:9000"
    for odd in ("https://user@shop.example", "javascript:x", "//shop.example", "https://", "http://x:99999"):
        assert origin_of(odd) is None


def test_loopback_is_known_by_name_and_number() -> None:
    assert all(is_loopback(host) for host in ("localhost:1", "site-one.localhost:9001", "127.9.9.9", "[::1]:1", "::1"))
    assert not any(
        is_loopback(host)
        for host in ("notlocalhost", "localhost.example", "128.0.0.1", "10.0.0.1", "", "fe80::1", "[x")
    )
