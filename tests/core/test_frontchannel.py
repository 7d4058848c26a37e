"""Origins as browsers write them, and none that could break out of a page's policy."""

from dataclasses import replace

import pytest

from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client
from sso_server.core.frontchannel import frame_address, origin_of

SHOP = Client("shop", "Shop", 1, redirect_uris=("https://shop.example/cb", "com.example.shop:/cb"))


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://shop.example/cb?a=1", "https://shop.example"),
        ("https://SHOP.example:443/", "https://shop.example"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("http://[::1]:5000/cb", "http://[::1]:5000"),
        ("com.example.shop:/cb", ""),
        ("https://a;script-src/", ""),
        ("https://a,b/", ""),
        ("https://a'b/", ""),
        ("", ""),
    ],
)
def test_an_origin_is_plain_or_none(uri: str, origin: str) -> None:
    assert origin_of(uri) == origin


@pytest.mark.covers("line-127")
@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("https://shop.example/out", "https://shop.example/out?iss=https%3A%2F%2Fsso.example&sid=s%261"),
        ("https://shop.example/out?a=1", "https://shop.example/out?a=1&iss=https%3A%2F%2Fsso.example&sid=s%261"),
        ("https://shop.example:444/out", ""),
        ("http://shop.example/out", ""),
        ("https://evil.example/out", ""),
        ("https://a;b/out", ""),
        ("", ""),
    ],
)
def test_only_a_page_at_an_origin_of_the_redirect_uris_is_loaded(uri: str, address: str) -> None:
    client = replace(SHOP, metadata=ClientMetadata(frontchannel_logout_uri=uri))
    assert frame_address(client, "https://sso.example", "s&1") == address
