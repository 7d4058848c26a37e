"""What holds for every answer to a browser, whichever page it is: asked of each rule of the app, signed in and not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.config import ConfigError, load
from tests.support.oidc_site import OidcSite, sign_in

#: It has nothing to see and nothing to press, and is there to be framed (Session Management 1.0 section 3.2).
FRAME = "/check-session"


def answers_of(app: Flask, method: str) -> Iterator[tuple[str, TestResponse]]:
    """Of every rule without parts to fill in."""
    person = app.test_client()
    sign_in(person)
    paths = sorted(
        rule.rule for rule in app.url_map.iter_rules() if method in (rule.methods or ()) and not rule.arguments
    )
    assert {"/sign-in", "/sign-out", "/consent", "/device", "/end-session", "/authorize"} <= set(paths)
    # What ends the session comes last.
    for path in sorted(paths, key=lambda path: ("sign-out" in path, path)):
        for browser in (app.test_client(), person):
            yield path, browser.open(path, method=method)


@pytest.fixture
def pages(app: Flask, shop: OidcSite) -> list[tuple[str, TestResponse]]:
    """Every HTML page that a GET brings, and the one that posts a code."""
    found = [(path, answer) for path, answer in answers_of(app, "GET") if answer.mimetype == "text/html"]
    browser = app.test_client()
    sign_in(browser)
    return [*found, ("/authorize", shop.ask(browser, response_mode="form_post"))]


@pytest.mark.covers("line-41")
def test_no_page_may_be_framed(pages: list[tuple[str, TestResponse]]) -> None:
    framable = {
        path
        for path, answer in pages
        if answer.headers.get("X-Frame-Options") != "DENY"
        or "frame-ancestors 'none'" not in answer.headers["Content-Security-Policy"]
    }
    assert framable <= {FRAME}


@pytest.mark.parametrize(("language", "words"), [("en", "That can't be done here"), ("zh-CN", "此处无法这样操作")])
def test_a_wrong_method_gets_the_error_page_in_both_languages(
    app: Flask, browser: FlaskClient, language: str, words: str
) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if not rule.arguments]
    paths = {"/sign-in", "/sessions/end", "/apps/remove", "/device/answer", "/signed-out", "/authorize", "/cas/login"}
    assert paths < {rule.rule for rule in rules}
    headers = {"Accept": "text/html", "Accept-Language": language}
    for path in paths:
        taken = {method for rule in rules if rule.rule == path for method in rule.methods or ()}
        for method in {"GET", "POST", "PUT", "DELETE"} - taken:
            answer = browser.open(path, method=method, headers=headers)
            assert (answer.status_code, words in unescape(answer.text)) == (405, True), (path, method)
            assert set(answer.headers["Allow"].split(", ")) == taken
            assert 'href="/static/lockstep.css"' in answer.text


@pytest.mark.covers("line-39", "line-22")
def test_no_page_tells_where_it_was_or_loads_anything_of_strangers(pages: list[tuple[str, TestResponse]]) -> None:
    assert {path for path, answer in pages if answer.headers["Referrer-Policy"] != "no-referrer"} == set()
    loaded = re.compile(r"<(?:script|img|iframe|source)[^>]* src=\"([^\"]*)\"|<link[^>]* href=\"([^\"]*)\"")
    found = {(path, *match) for path, answer in pages for match in loaded.findall(answer.text)}
    assert found
    assert {one for one in found if not (one[1] or one[2]).startswith("/static/")} == set()


def test_only_what_sites_open_in_popups_keeps_who_opened_it(pages: list[tuple[str, TestResponse]]) -> None:
    kept = {path for path, answer in pages if answer.headers["Cross-Origin-Opener-Policy"] != "same-origin"}
    assert {"/authorize", "/sign-in", "/consent", "/sign-out", "/cas/login"} <= kept
    assert {path for path in kept if path.startswith(("/admin", "/apps", "/password", "/sessions", "/device"))} == set()


def test_no_header_is_said_twice(app: Flask) -> None:
    # Only these may come in several lines (RFC 9110 section 5.3, RFC 6265 section 3).
    several = {"set-cookie", "vary", "www-authenticate"}
    found = [(path, [name.lower() for name, _ in answer.headers]) for path, answer in answers_of(app, "GET")]
    twice = {(path, name) for path, names in found for name in names if names.count(name) > 1}
    assert {(path, name) for path, name in twice if name not in several} == set()


@pytest.mark.covers("line-40")
def test_a_posted_form_is_never_redirected_but_by_303(app: Flask) -> None:
    statuses = {answer.status_code for _, answer in answers_of(app, "POST")}
    assert 303 in statuses
    assert {status for status in statuses if 300 <= status < 400} == {303}


@pytest.mark.covers("line-43", "line-49", "line-50")
@pytest.mark.parametrize(
    "issuer",
    [
        "http://sso.example.com",
        "https://sso.example.com?a=b",
        "https://sso.example.com#a",
        "https://sso.example.com/a",
        "https://u@sso.example.com",
    ],
)
def test_no_centre_starts_under_such_an_issuer(issuer: str) -> None:
    with pytest.raises(ConfigError, match="SSO_ISSUER"):
        load({"SSO_ISSUER": issuer, "SSO_SECRET_KEY": "k" * 40})


@pytest.mark.covers("line-43", "line-39")
def test_on_https_browsers_are_told_to_stay_there(app: Flask, browser: FlaskClient, make_app: object) -> None:
    secure = make_app(issuer="https://sso.example.com").test_client()  # type: ignore[operator]
    answer = secure.get("/sign-in", base_url="https://sso.example.com")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert all("Secure" in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    assert answer.headers.getlist("Set-Cookie")
    assert "Strict-Transport-Security" not in browser.get("/sign-in").headers
