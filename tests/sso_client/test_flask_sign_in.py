"""A Flask site guarded with seven lines, seen from a browser."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask

from sso_client import SSOError
from sso_client.cookies import cookie_names
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, browser, new_sid


def test_a_guarded_page_leads_to_the_centre_and_back(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    back = alice.sign_in("/")
    assert (back.status_code, back.location) == (302, "/")
    page = alice.get("/")
    assert page.text == "Hi Alice Example"
    assert page.headers["Cache-Control"] == "no-store"
    assert "Cookie" in page.headers["Vary"]


def test_a_deep_link_comes_back_whole(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    deep = "/deep/a%20b/%E9%9E%8B?x=1&y=%2F%20z&y=2"
    assert alice.sign_in(deep).location == deep
    assert alice.get(deep).text == "deep a b/鞋"


@pytest.mark.parametrize("evil", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example"])
def test_a_foreign_next_leads_to_the_start_page(evil: str, site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    assert alice.sign_in("/sso/login?" + urlencode({"next": evil})).location == "/"
    assert alice.get("/sso/login?" + urlencode({"next": evil})).location == "/"


def test_the_session_cookie_is_opaque_and_new_at_each_sign_in(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    sid = new_sid()
    cookies = []
    for _ in range(2):
        start = alice.start("/")
        header = next(
            h
            for h in alice.get(centre.callback_url(start, sid=sid)).headers.getlist("Set-Cookie")
            if h.startswith("sso-shop=")
        )
        assert "HttpOnly" in header
        assert "SameSite=Lax" in header
        assert "Path=/" in header
        assert "Secure" not in header
        cookies.append(header.split(";")[0].partition("=")[2])
        assert len(cookies[-1]) == 43
        alice.http.delete_cookie("sso-shop")
    assert cookies[0] != cookies[1]


def test_on_https_the_cookies_are_host_bound_and_secure(make_site: Callable[..., Flask], centre: FakeProvider) -> None:
    site = make_site(base_url="https://shop.example")
    http = site.test_client()
    answer = http.get("/sso/login", base_url="https://shop.example")
    assert parse_qs(urlsplit(answer.location).query)["redirect_uri"] == ["https://shop.example/sso/callback"]
    back = http.get(centre.callback_url(answer.location, sid=new_sid()), base_url="https://shop.example")
    made = [h for h in back.headers.getlist("Set-Cookie") if h.startswith("__Host-sso-shop=")]
    assert len(made) == 1
    assert "Secure" in made[0]
    assert "Domain" not in made[0]
    assert http.get("/", base_url="https://shop.example").status_code == 200


def test_plain_http_beyond_loopback_is_refused_with_its_fix(site: Flask) -> None:
    answer = site.test_client().get("/", base_url="http://shop.example", follow_redirects=True)
    assert answer.status_code == 500
    assert "cookie_insecure" in answer.text
    assert "SSO_BASE_URL" not in answer.text, "the fix is for developers, not for visitors"
    with pytest.raises(SSOError, match="SSO_BASE_URL"), site.test_request_context(base_url="http://shop.example"):
        _ = site.extensions["sso_client"].sso.session


def test_another_host_name_is_sent_home_before_the_sign_in_starts(make_site, centre: FakeProvider) -> None:
    http = make_site(base_url="http://site-one.localhost:9001").test_client()
    answer = http.get("/sso/login?next=/a%3Fb%3Dc", base_url="http://127.0.0.1:9001")
    assert answer.location == "http://site-one.localhost:9001/sso/login?next=/a?b%3Dc&moved=1"
    assert "Set-Cookie" not in answer.headers
    there = http.get(answer.location, base_url="http://site-one.localhost:9001")
    assert there.location.startswith(centre.issuer)
    # A proxy that rewrites Host must not make this a loop.
    assert http.get("/sso/login?moved=1", base_url="http://127.0.0.1:9001").location.startswith(centre.issuer)


def test_ten_tabs_sign_in_at_once(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    starts = [alice.start(f"/deep/{number}") for number in range(10)]
    sid = new_sid()
    backs = [alice.get(centre.callback_url(start, sid=sid)) for start in starts]
    assert [back.location for back in backs] == [f"/deep/{number}" for number in range(10)]
    assert not [name for name in alice.http._cookies if "-try-" in str(name)], "used attempts are forgotten"


def test_unused_attempts_never_fill_the_cookie_header(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    for number in range(30):
        last = alice.start(f"/deep/{number}/{'x' * 900}")
    sent = sum(len(f"{cookie.key}={cookie.value}; ") for cookie in alice.http._cookies.values())
    assert sent < 6000
    assert alice.get(centre.callback_url(last, sid=new_sid())).location.startswith("/deep/29/")


def test_a_long_page_is_come_back_to_and_an_endless_one_is_dropped(site: Flask, centre: FakeProvider) -> None:
    long = "/deep/x?q=" + "y" * 10_000
    alice = browser(site, centre)
    kept = alice.sign_in(long).location
    assert len(kept) < 200
    assert alice.get(kept).location == long
    assert browser(site, centre).sign_in("/deep/" + "x" * 20_000).location == "/"


def test_the_back_button_after_signing_in_just_goes_on(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    callback = centre.callback_url(alice.start("/"), sid=new_sid())
    alice.get(callback)
    again = alice.get(callback)
    assert (again.status_code, again.location) == (302, "/")
    assert alice.get("/").status_code == 200


def test_an_unknown_state_restarts_once_and_then_explains(
    site: Flask, centre: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sso_client")
    alice = browser(site, centre)
    answer = alice.get("/sso/callback?code=code-x&state=unknown")
    assert answer.location == "/sso/login?next=/&again=1"
    assert "an answer without its sign-in" in caplog.text
    start = alice.get(answer.location).location
    alice.http._cookies.clear()  # a browser that keeps no cookies
    page = alice.get(centre.callback_url(start, sid=new_sid()))
    assert page.status_code == 400
    assert "cookie_missing" in page.text
    assert "sends no cookie at all" in caplog.text


def test_a_spent_ticket_restarts_once_and_is_in_the_log(
    site: Flask, centre: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    alice = browser(site, centre)
    callback = centre.callback_url(alice.start("/deep/x"), sid=new_sid())
    next(iter(centre.tickets.values())).used = True
    again = alice.get(callback)
    assert again.location == "/sso/login?next=/deep/x&again=1"
    assert site.extensions["sso_client"].client.recent_events(1)[0].text == "ticket refused: ticket_used"
    said = [record for record in caplog.records if "ticket_used: This sign-in was already used." in record.message]
    assert [record.levelname for record in said] == ["WARNING"]
    callback = centre.callback_url(alice.get(again.location).location, sid=new_sid())
    list(centre.tickets.values())[-1].used = True
    page = alice.get(callback)
    assert page.status_code == 400
    assert "ticket_used" in page.text


def test_another_browser_cannot_finish_somebodys_sign_in(site: Flask, centre: FakeProvider) -> None:
    callback = centre.callback_url(browser(site, centre).start("/"), sid=new_sid())
    victim = browser(site, centre)
    assert victim.get(callback).location.startswith("/sso/login")
    assert victim.get("/").status_code == 302


@pytest.mark.parametrize("change", ["iss=http%3A%2F%2F127.0.0.1%3A1", "", "state=a&state=b", "code=a&code=b"])
def test_a_wrong_answer_is_a_page_with_a_code_and_no_session(change: str, site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    query = dict(
        part.split("=", 1) for part in centre.callback_url(alice.start("/"), sid=new_sid()).split("?")[1].split("&")
    )
    state, code = query["state"], query["code"]
    changed = {
        "iss=http%3A%2F%2F127.0.0.1%3A1": f"state={state}&code={code}&{change}",
        "": f"state={state}&code={code}",
        "state=a&state=b": f"state={state}&state=b&code={code}&iss={query['iss']}",
        "code=a&code=b": f"state={state}&{change}&iss={query['iss']}",
    }[change]
    page = alice.get(f"/sso/callback?{changed}")
    assert page.status_code in (400, 502)
    assert "issuer_mismatch" in page.text or "answer_invalid" in page.text
    assert centre.calls("/token") == 0
    assert alice.get("/").status_code == 302


def test_a_login_loop_is_cut(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    for _ in range(3):
        alice.sign_in("/")
        alice.http.delete_cookie("sso-shop")  # something on the way drops the session cookie
    page = alice.get("/sso/login?next=/")
    assert page.status_code == 400
    assert "login_loop" in page.text
    assert alice.get("/sso/login?next=/").status_code == 302, "a person who tries again gets another go"


def test_signing_out_and_in_quickly_is_no_loop(site: Flask, centre: FakeProvider, clock: MovedClock) -> None:
    alice = browser(site, centre)
    for _ in range(6):
        alice.sign_in("/")
        alice.http.post("/sso/logout", headers={"Sec-Fetch-Site": "same-origin"})


def test_a_head_request_neither_starts_nor_spends_anything(site: Flask, centre: FakeProvider) -> None:
    alice = browser(site, centre)
    callback = centre.callback_url(alice.start("/"), sid=new_sid())
    assert alice.http.head(callback).status_code == 405
    assert alice.http.head("/sso/login").status_code == 405
    assert centre.calls("/token") == 0


def test_two_sites_on_one_host_do_not_share_cookies(make_site: Callable[..., Flask], centre: FakeProvider) -> None:
    first = make_site()
    centre.client_id = "other"
    second = make_site(client_id="other")
    names = set()
    for site in (first, second):
        with site.test_request_context():
            names.add(cookie_names(site.extensions["sso_client"].sso.settings.client_id, "http://localhost").session)
    assert names == {"sso-shop", "sso-other"}


def test_prefix_and_blueprint_name_can_be_changed(make_site: Callable[..., Flask], centre: FakeProvider) -> None:
    site = make_site(prefix="/auth", blueprint="door")
    alice = browser(site, centre)
    start = alice.start("/")
    assert parse_qs(urlsplit(start).query)["redirect_uri"] == ["http://localhost/auth/callback"]
    alice.get(centre.callback_url(start, sid=new_sid()))
    assert alice.get("/").status_code == 200
    assert alice.get("/auth/me").json["signed_in"] is True
