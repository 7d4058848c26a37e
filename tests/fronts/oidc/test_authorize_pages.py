"""What is wrong with client or redirect_uri is shown on a page and never followed."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.client_keys import client_key
from tests.support.oidc_site import ISSUER, OidcSite, change_client, sign_in

GOOD = "https://shop.example.com/cb"
TRICKS = [
    "",
    "https://shop.example.com/cb/",
    "https://shop.example.com/cb/..",
    "https://shop.example.com/cb/../cb",
    "https://shop.example.com/CB",
    "HTTPS://shop.example.com/cb",
    "https://SHOP.example.com/cb",
    "http://shop.example.com/cb",
    "https://shop.example.com:443/cb",
    "https://shop.example.com./cb",
    "https://shop.example.com/cb?",
    "https://shop.example.com/cb#",
    "https://shop.example.com/cb?x=1",
    "https://shop.example.com/cb#x",
    "https://shop.example.com/c%62",
    "https://shop.example.com//cb",
    "https://shop.example.com/cb%00",
    "https://shop.example.com/cb%0d%0aX: y",
    "https://shop.example.com/cb\r\nX: y",
    "https://shop.example.com/cb ",
    " https://shop.example.com/cb",
    "https://shop.example.com/cb\t",
    "https://shop.example.com/;/cb",
    "https://shop.example.com/x/..;/cb",
    "https://shop.example.com@evil.example/cb",
    "https://evil.example@shop.example.com/cb",
    "https://a@b@shop.example.com/cb",
    "https://shop.example.com\\@evil.example/cb",
    "https://evil.example\\.shop.example.com/cb",
    "https://shop.example.com.evil.example/cb",
    "https://evil-shop.example.com/cb",
    "https://evil.example/https://shop.example.com/cb",
    "https://evil.example/?https://shop.example.com/cb",
    "https://evil.example/#https://shop.example.com/cb",
    "//shop.example.com/cb",
    "///shop.example.com/cb",
    "/\\shop.example.com/cb",
    "/cb",
    "cb",
    "https:shop.example.com/cb",
    "https:/shop.example.com/cb",
    "https:///shop.example.com/cb",
    "https://[::1]/cb",
    "https://2130706433/cb",
    "https://127.0.0.1/cb",
    "https://shоp.example.com/cb",
    "https://xn--shp-fmc.example.com/cb",
    "https://shop。example.com/cb",
    "https://*.example.com/cb",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "about:blank",
    "urn:ietf:wg:oauth:2.0:oob",
    "https://wiki.example.com/cb",
    "https://shop.example.com/cb?a=/&b",
    "https://shop.example.com/cb?b&a=%2F",
    "https://shop.example.com/cb?a=%2f&b",
    "https://shop.example.com/cb?a=%2F&b&c=1",
    "https://shop.example.com/" + "a" * 3000,
    "https://shop.example.com/%252e%252e/cb",
    "https://shop.example.com/cb\u2028",
]


@pytest.mark.covers("oidcc-ensure-registered-redirect-uri", "line-1", "line-30", "line-31")
@pytest.mark.parametrize("received", TRICKS)
def test_no_address_but_the_registered_one_is_ever_redirected_to(
    browser: FlaskClient, shop: OidcSite, received: str
) -> None:
    answer = shop.ask(browser, redirect_uri=received)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert answer.mimetype == "text/html"


@pytest.mark.covers("line-31")
def test_no_such_address_can_be_pushed_or_signed_either(browser: FlaskClient, shop: OidcSite) -> None:
    key = client_key("ES256")
    change_client(shop, metadata={"jwks": key.jwks})
    sign_in(browser)
    for received in TRICKS:
        assert shop.post("/par", **shop.params(redirect_uri=received or None)).status_code == 400, received
        signed = key.sign({**shop.params(redirect_uri=received or "x"), "iss": "shop", "aud": ISSUER})
        answer = shop.ask(browser, request=signed)
        assert (answer.status_code, answer.headers.get("Location")) == (400, None), received


def test_signed_in_people_get_the_same_page(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    assert shop.ask(browser, redirect_uri="https://evil.example/cb").status_code == 400


def test_a_missing_redirect_uri_is_a_page_even_with_prompt_none(browser: FlaskClient, shop: OidcSite) -> None:
    assert shop.ask(browser, redirect_uri=None, prompt="none").status_code == 400


@pytest.mark.covers("line-1")
@pytest.mark.parametrize("client_id", [None, "", "nobody", "SHOP", "shop ", "a" * 300, "shop\u0000"])
def test_an_unknown_client_is_a_page(browser: FlaskClient, shop: OidcSite, client_id: str | None) -> None:
    answer = shop.ask(browser, client_id=client_id)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "code_challenge", "extra"])
def test_a_repeated_parameter_is_a_page(browser: FlaskClient, shop: OidcSite, name: str) -> None:
    params = [*shop.params(extra="1").items(), (name, shop.params(extra="1")[name])]
    answer = browser.get("/authorize?" + urlencode(params))
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


def test_a_parameter_of_one_megabyte_is_a_page(browser: FlaskClient, shop: OidcSite) -> None:
    answer = browser.post("/authorize", data=shop.params(state="x" * 1_000_000))
    assert (answer.status_code, answer.headers.get("Location")) == (413, None)


def test_a_post_that_would_make_too_long_an_address_is_a_page(browser: FlaskClient, shop: OidcSite) -> None:
    answer = browser.post("/authorize", data=shop.params(state="漢" * 2000))
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


def test_on_a_loopback_issuer_the_page_shows_received_registered_and_the_command(
    browser: FlaskClient, shop: OidcSite
) -> None:
    page = shop.ask(browser, redirect_uri="https://shop.example.com/callback").text
    assert "https://shop.example.com/callback" in page
    assert f"{GOOD}" in page
    assert "sso client update shop --redirect-uri" in page
    assert "Nobody can register it" not in page


def test_it_says_why_an_address_cannot_be_registered(browser: FlaskClient, shop: OidcSite) -> None:
    page = shop.ask(browser, redirect_uri="http://evil.example/cb").text
    assert "Nobody can register it" in page
    assert "must be https outside loopback" in page
    assert "sso client update" not in page


def test_elsewhere_only_the_log_knows_the_registration(
    make_app: Callable[..., Flask], logged: list[dict[str, object]]
) -> None:
    public = make_app(issuer="https://sso.example.com")
    answer = OidcSite(public, "shop").ask(public.test_client(), redirect_uri="https://shop.example.com/callback")
    assert answer.status_code == 400
    assert GOOD not in answer.text
    assert "sso client update" not in answer.text
    assert "https://shop.example.com/callback" in str(logged)
    assert GOOD in str(logged)


def test_what_a_stranger_put_into_the_address_is_escaped(browser: FlaskClient, shop: OidcSite) -> None:
    page = shop.ask(browser, redirect_uri="https://x/<script>alert(1)</script>").text
    assert "<script>alert" not in page


def test_the_page_has_a_request_id_and_leaks_nothing(browser: FlaskClient, shop: OidcSite) -> None:
    answer = shop.ask(browser, redirect_uri="https://evil.example/")
    assert answer.headers["X-Request-Id"] in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
