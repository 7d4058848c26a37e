"""Around a WSGI application: which path asks for what, and that nobody but the SDK says who is there."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import Client

from sso_client import SSOError
from sso_client.site import Demand
from sso_client.testing import WsgiClient
from sso_client.testing.tokens import Grant
from sso_client.wsgi import SSOMiddleware
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid

Make = Callable[..., WsgiClient]
WHO = ("REMOTE_", "FORWARDED_", "AUTH_TYPE")


def say_who(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application that believes its environ, whatever is in it."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    told = [f"{name}={value}" for name, value in sorted(environ.items()) if any(part in name for part in WHO)]
    return ["|".join(line for line in told if not line.startswith("REMOTE_ADDR")).encode("latin-1")]


@pytest.fixture
def make(centre: FakeProvider, clock: MovedClock, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:

        def made(app: Any = say_who, **options: Any) -> WsgiClient:
            given = {"issuer": centre.issuer, "client_id": "shop", "client_secret": centre.client_secret}
            site = SSOMiddleware(app, folder=tmp_path, clock=clock, **(given | options))
            stack.callback(site.client.close)
            return WsgiClient(site)

        yield made


def sign_in(browser: WsgiClient, centre: FakeProvider, sub: str = "usr-alice") -> None:
    start = browser.get("/sso/login").location
    assert browser.get(centre.callback_url(str(start), sid=new_sid(), sub=sub)).status == 302


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin/",
        "/admin/x",
        "////admin",
        "/static/../admin",
        "/static/%2e%2e/admin",
        "/static//..//admin/x",
        "/./admin",
        "/static/..%5cadmin",
        "\\admin",
        "admin",
    ],
)
def test_no_spelling_of_a_guarded_path_goes_past_the_guard(path: str, make: Make) -> None:
    assert make(protect=["/admin"]).get(path).status == 302


@pytest.mark.parametrize(
    "path", ["/admin", "/static/../admin", "/staticx", "/", "*", "", "/static%00/../admin", "admin", "api/x", "?x=1"]
)
def test_where_everything_is_guarded_only_what_is_public_is_not(path: str, make: Make) -> None:
    browser = make(protect=["/"], public=["/static/", "/healthz"])
    assert browser.get(path).status == 302
    for free in ("/static/a.css", "/static", "/healthz"):
        assert browser.get(free).status == 200


def test_the_longest_path_decides_whatever_list_it_is_in(make: Make, centre: FakeProvider) -> None:
    rules = {"/": Demand(), "/api/admin": Demand(groups=("staff",))}
    browser = make(protect=rules, bearer={"/api": "profile"}, public=["/api/health"])
    session = centre.open_session("usr-bob", {})
    token = centre.new_access_token(Grant(session.sid, "usr-bob", "openid profile", session.auth_time))
    bearer = {"Authorization": f"Bearer {token}"}
    assert browser.get("/api/health").status == 200
    assert browser.get("/api/x").status == 401
    assert browser.get("/api/x", bearer).status == 200
    assert browser.get("/api/admin/x", bearer).status == 401, "a token is no member of staff"
    assert browser.get("/api/../account", bearer).status == 401, "read as one path or the other, each is guarded"
    assert browser.get("/api/../api/health", bearer).status == 200


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"protect": ["admin"]}, "slash"),
        ({"public": ["static"]}, "slash"),
        ({"bearer": {"api": "profile"}}, "slash"),
        ({"protect": ["/x"], "public": ["/x/"]}, "/x"),
        ({"protect": ["/"], "bearer": {"/": "profile"}}, "/"),
    ],
)
def test_rules_that_make_no_sense_stop_the_start(options: dict[str, Any], word: str, make: Make) -> None:
    with pytest.raises(ValueError, match=word):
        make(**options)


def test_what_a_visitor_says_about_himself_is_removed(make: Make) -> None:
    forged = ("Remote-User", "Remote_User", "Remote-Name", "Remote-Email", "Remote-Groups", "X-Remote-User")
    forged += tuple(f"X-Forwarded-{name}" for name in ("User", "Email", "Groups", "Preferred-Username"))
    forged += tuple(f"X-Remote-{name}" for name in ("Name", "Email", "Groups"))
    browser = make(protect=["/admin"])
    assert browser.get("/", dict.fromkeys(forged, "mallory")).text == ""
    around = make(say_who, protect=["/admin"])
    environ = {"REMOTE_USER": "mallory", "AUTH_TYPE": "Basic", "sso.user": "mallory"}
    given = around._environ("GET", "/", b"") | environ
    assert b"".join(around.wsgi_app(given, lambda *_: lambda _data: None)) == b""
    assert given["REMOTE_USER"] == "mallory", "the server's own environ is left alone"


def test_the_application_is_told_who_is_there_in_bytes_and_in_one_line(make: Make, centre: FakeProvider) -> None:
    centre.profile = {"name": "Zoë\r\nX: 1", "preferred_username": "zoë", "email": "z@x.example", "groups": ["a", "b"]}
    browser = make(protect=["/admin"])
    sign_in(browser, centre)
    assert browser.get("/").text == (
        "AUTH_TYPE=sso|HTTP_REMOTE_EMAIL=z@x.example|HTTP_REMOTE_GROUPS=a,b|HTTP_REMOTE_NAME=Zoë X: 1"
        "|HTTP_REMOTE_USER=zoë|REMOTE_USER=zoë"
    )
    named = make(remote_user=lambda user: user.email or "", protect=["/admin"])
    named.cookies = browser.cookies
    assert "REMOTE_USER=z@x.example" in named.get("/").text


def test_a_public_page_stays_up_while_nobody_can_tell_who_is_there(
    make: Make, centre: FakeProvider, clock: MovedClock
) -> None:
    browser = make(protect=["/admin"])
    sign_in(browser, centre)
    centre.down()
    clock.go(61)
    assert browser.get("/admin").status == 503
    assert (browser.get("/").status, browser.get("/").text) == (200, "")


def test_what_only_asks_for_headers_is_sent_no_body(make: Make) -> None:
    page = make().request("HEAD", "/sso/logout")
    assert (page.status, page.text) == (200, "")
    assert int(page.header("Content-Length") or 0) > 0


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_one_name_serves_cookies_and_tokens_of_both_kinds(kind: str, make: Make, centre: FakeProvider) -> None:
    centre.access_token = kind
    session = centre.open_session("usr-bob", {"preferred_username": "bob"})
    token = centre.new_access_token(Grant(session.sid, "usr-bob", "openid profile", session.auth_time))
    bearer = {"Authorization": f"Bearer {token}"}
    usual = make(bearer={"/api": "profile"}).get("/api/x", bearer).text
    assert usual.endswith("|REMOTE_USER=" + {"opaque": "bob", "jwt": "usr-bob"}[kind]), "a JWT carries no user name"
    by_sub = make(protect=["/admin"], bearer={"/api": "profile"}, remote_user=lambda user: user.sub)
    sign_in(by_sub, centre, "usr-bob")
    for page in (by_sub.get("/"), by_sub.get("/api/x", bearer)):
        assert page.text.endswith("|REMOTE_USER=usr-bob")


def test_a_body_is_read_as_far_as_it_is_announced_and_no_further(make: Make, centre: FakeProvider) -> None:
    site = make().wsgi_app
    told: list[str] = []
    form = centre.logout_form(sid=new_sid())

    def call(length: str | None, body: bytes) -> str:
        environ = make()._environ("POST", "/sso/backchannel-logout", body)
        environ |= {"CONTENT_TYPE": "application/x-www-form-urlencoded", "wsgi.input": io.BytesIO(body)}
        environ.pop("CONTENT_LENGTH")
        environ |= {} if length is None else {"CONTENT_LENGTH": length}
        list(site(environ, lambda status, *_: told.append(status) or (lambda _data: None)))
        return told[-1][:3]

    assert call(str(len(form)), form + b"&logout_token=another") == "200"
    assert [call(length, form) for length in (None, "", "-1", "many", "10")] == ["400"] * 5
    assert call("9" * 12, b"logout_token=" + b"x" * 200_000) == "400"


def test_an_application_that_fails_halfway_is_answered_by_a_page(make: Make) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        raise SSOError("account_refused", environ["PATH_INFO"])

    began: list[Any] = []
    browser = make(app, protect=["/admin"])
    body = browser.wsgi_app(
        browser._environ("GET", "/", b""), lambda *given: began.append(given) or (lambda _data: None)
    )
    assert b"account_refused" in b"".join(body)
    assert [status[:3] for status, *_ in began] == ["200", "403"]
    assert isinstance(began[1][2][1], SSOError), "PEP 3333: only with what went wrong may an answer begin again"


def test_an_error_before_the_application_began_is_an_answer_like_any_other(make: Make) -> None:
    site = make(protect=[], bearer={"/api": "profile"}).wsgi_app
    assert Client(site).get("/api/x").status_code == 401, "Werkzeug's test client raises what comes as `exc_info`"


def test_try_again_leads_to_this_site_whatever_the_path_looks_like(make: Make) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise SSOError("provider_unreachable", environ["PATH_INFO"])

    browser = make(app, protect=["/admin"])
    assert 'href="/evil.example/x"' in browser.get("/evil.example/x").text
    for path in ("//evil.example/x", "/\\evil.example/x"):
        environ = browser._environ("GET", "/", b"") | {"PATH_INFO": path}
        shown = b"".join(browser.wsgi_app(environ, lambda *_: lambda _data: None)).decode()
        assert re.findall('href="(.*?)"', shown) == ["/"]


def test_below_a_mount_point_everything_stays_below_it(make: Make) -> None:
    browser = make(protect=["/"])
    for mounted, shown in (("/shop", "/shop"), ("/鞋".encode().decode("latin-1"), "/%E9%9E%8B")):
        environ = browser._environ("GET", "/orders", b"") | {"SCRIPT_NAME": mounted}
        told: list[Any] = []
        list(browser.wsgi_app(environ, lambda *given, told=told: told.append(given) or (lambda _data: None)))
        assert dict(told[0][1])["Location"] == f"{shown}/sso/login?next={quote(shown)}/orders"
