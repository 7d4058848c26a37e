import shlex
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_server.core.clients import Client
from sso_server.fronts.oidc.errors import AuthorizationRefused, RedirectUriMismatch, ReturnAddress, with_query
from sso_server.web.json_errors import printable

ISSUER = "https://sso.example.com"


@settings(deadline=None)
@given(st.text(min_size=1, max_size=2000).filter(lambda text: text.isprintable()))
def test_any_state_comes_back_exactly(state: str) -> None:
    back = ReturnAddress("https://shop.example.com/cb", state, ISSUER, "Shop")
    uri = with_query(back.redirect_uri, back.fields(code="c"))
    assert uri.isascii()
    assert parse_qs(urlsplit(uri).query, strict_parsing=True, keep_blank_values=True) == {
        "code": ["c"], "state": [state], "iss": [ISSUER]
    }  # fmt: skip


def test_no_state_sent_means_none_returned() -> None:
    assert "state" not in ReturnAddress("https://shop.example.com/cb", "", ISSUER, "Shop").fields(code="c")


@pytest.mark.parametrize(
    ("uri", "answered"),
    [
        ("https://a.example/cb", "https://a.example/cb?x=1"),
        ("https://a.example/cb?", "https://a.example/cb?x=1"),
        ("https://a.example/cb?a=%2F&b", "https://a.example/cb?a=%2F&b&x=1"),
        ("https://a.example/cb?a=1&", "https://a.example/cb?a=1&x=1"),
    ],
)
def test_a_registered_query_is_kept_byte_for_byte(uri: str, answered: str) -> None:
    assert with_query(uri, {"x": "1"}) == answered


def test_an_error_answer_carries_error_state_and_issuer_and_no_code() -> None:
    back = ReturnAddress("https://shop.example.com/cb", "s", ISSUER, "Shop")
    fields = AuthorizationRefused("invalid_scope", 'a "b" ü', back).fields
    assert fields == {"error": "invalid_scope", "error_description": "a 'b' '", "state": "s", "iss": ISSUER}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_a_description_holds_only_what_the_rfc_allows(text: str) -> None:
    assert all(0x20 <= ord(c) <= 0x7E and c not in '"\\' for c in printable(text))


def test_the_command_that_mends_a_mismatch_keeps_what_is_registered_and_is_safe_to_paste() -> None:
    client = Client(client_id="shop", name="Shop", created_at=1, redirect_uris=("https://shop.example.com/cb",))
    received = "https://shop.example.com/other?a=1&b=$(id);'"
    words = shlex.split(str(RedirectUriMismatch(client, received).mismatch["command"]))
    assert words == [
        "sso", "client", "update", "shop", "--redirect-uri", "https://shop.example.com/cb", "--redirect-uri", received
    ]  # fmt: skip


@pytest.mark.parametrize("received", ["", "javascript:alert(1)", "https://u@evil.example/", "http://evil.example/"])
def test_a_reason_and_no_command_is_given_for_what_nobody_may_register(received: str) -> None:
    client = Client(client_id="shop", name="Shop", created_at=1, redirect_uris=("https://shop.example.com/cb",))
    mismatch = RedirectUriMismatch(client, received).mismatch
    assert mismatch["command"] == ""
    assert "redirect_uri" in mismatch["reason"]
