"""How a ticket is put into the address of a service, and read out of it again."""

from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_server.core.errors import InvalidRequest
from sso_server.core.service_urls import normal_form, with_query, with_ticket


@pytest.mark.parametrize(
    ("service", "there"),
    [
        ("https://a.example", "https://a.example?ticket=ST-1"),
        ("https://a.example/x?", "https://a.example/x?ticket=ST-1"),
        ("https://a.example/x?a=%2f&b", "https://a.example/x?a=%2f&b&ticket=ST-1"),
        ("https://a.example/x?a=1&#top", "https://a.example/x?a=1&ticket=ST-1#top"),
        ("https://a.example/x#/route?y=1", "https://a.example/x?ticket=ST-1#/route?y=1"),
        ("https://a.example/x?ticket=ST-0&a=1&%74icket=ST-2", "https://a.example/x?a=1&ticket=ST-1"),
        ("https://A.example:443/x;jsessionid=1", "https://A.example:443/x;jsessionid=1?ticket=ST-1"),
        ("https://a.example/é", "https://a.example/%C3%A9?ticket=ST-1"),
    ],
)
def test_a_ticket_is_put_behind_the_query_and_before_the_fragment(service, there):
    assert with_ticket(service, "ST-1") == there


def test_a_callback_keeps_its_own_query():
    assert (
        with_query("https://a.example/pgt?site=1&x=%2F", [("pgtId", "PGT-1"), ("pgtIou", "PGTIOU-1")])
        == "https://a.example/pgt?site=1&x=%2F&pgtId=PGT-1&pgtIou=PGTIOU-1"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.com\\@wiki.example.org/app/",
        "https://wiki.example.org@evil.com/app/",
        "https://wiki.example.org:70000/app/",
        "https://wiki.example.org/app/../admin",
        "https://wiki.example.org/app/\r\nLocation: https://evil.com/",
        "javascript://wiki.example.org/app/",
    ],
)
def test_no_ticket_is_put_into_an_address_that_is_odd(url):
    with pytest.raises(InvalidRequest):
        with_ticket(url, "ST-1")
    with pytest.raises(InvalidRequest):
        with_query(url, [("pgtId", "PGT-1")])


@pytest.mark.parametrize("safe", ["%!$&'()*+,/:;=?@", "%!$&()*+,/:;=?@[]|^", "%&=+;"])
def test_a_service_that_came_back_from_a_browser_is_the_one_that_was_asked_for(safe):
    """Werkzeug's Location, browsers (WHATWG URL, special-query) and sites that encode it again, each in its way."""
    service = "https://wiki.example.org/app/?q={a}|'b'[c]^`,(d):@/x?&%c3%a9=%41%2f+%20100%25;~"
    path, _, query = with_ticket(service, "ST-1").partition("?")
    assert normal_form(f"{path}?{quote(query, safe=safe)}") == normal_form(service)


query_chars = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='#\\"<>')
queries = st.one_of(
    st.text(query_chars, max_size=60),
    st.lists(st.sampled_from(["a=1", "ticket=ST-0", "%74icket=x", "ticket", "b=%2F", "", "q=100%"]), max_size=6).map(
        "&".join
    ),
)


@settings(deadline=None)
@given(queries, st.sampled_from(["", "#top", "#a?ticket=1&"]))
def test_a_ticket_is_read_back_once_and_the_rest_of_the_query_is_as_it_was(query, fragment):
    service = f"https://wiki.example.org/app/?{query}{fragment}"
    there = with_ticket(service, "ST-00-abc")
    answer = urlsplit(there)
    assert [value for name, value in parse_qsl(answer.query, keep_blank_values=True) if name == "ticket"] == [
        "ST-00-abc"
    ]
    assert answer.query.endswith("ticket=ST-00-abc")
    own = answer.query.removesuffix("ticket=ST-00-abc")
    kept = [
        one
        for one in query.split("&")
        if not [name for name, _ in parse_qsl(one, keep_blank_values=True) if name == "ticket"]
    ]
    assert own.removesuffix("&") == "&".join(kept).removesuffix("&")
    assert "#" + answer.fragment == (fragment or "#")
    # What the site takes the ticket out of again is the service that it asked for.
    assert normal_form(there) == normal_form(service)
