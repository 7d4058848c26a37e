"""The way into a site is the same in every framework."""

import json
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.support.all_sites import AnySite, Visitor, set_cookies
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import new_sid


def test_a_guarded_page_leads_to_the_centre_and_back(site: AnySite, alice: Visitor) -> None:
    back = alice.sign_in("/account")
    assert (back.status, back.location) == (302, "/account")
    page = alice.get("/account")
    assert page.text == "Hi Alice Example"
    assert page.header("Cache-Control") == "no-store"
    assert "Cookie" in (page.header("Vary") or "")
    assert alice.get("/open").text == "Alice Example"
    assert site.events() == ["ticket_validated", "session_opened"]


def test_a_deep_link_comes_back_whole(alice: Visitor) -> None:
    deep = "/deep/a%20b/%E9%9E%8B?x=1&y=%2F%20z&y=2"
    assert alice.sign_in(deep).location == deep
    assert alice.get(deep).text == "deep a b/鞋"


@pytest.mark.parametrize("evil", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example"])
def test_a_foreign_next_leads_to_the_start_page(evil: str, alice: Visitor) -> None:
    assert alice.sign_in("/sso/login?" + urlencode({"next": evil})).location == "/"


@pytest.mark.parametrize("page", ["/deep/鞋?尺=é", "/deep/a\u2028b", "/deep/😀"])
def test_a_page_in_any_script_is_come_back_to_in_ascii(page: str, alice: Visitor) -> None:
    back = alice.sign_in("/sso/login?" + urlencode({"next": page}))
    assert (back.status, back.location) == (302, quote(page, safe="/?="))
    assert alice.is_in()
    again = alice.get("/sso/login?" + urlencode({"next": page}))
    assert (again.status, again.location) == (302, back.location), "who is signed in just goes on"


def test_a_long_page_in_any_script_fits_into_the_browsers_cookie(alice: Visitor) -> None:
    page = "/deep/" + "鞋" * 1000
    alice.start("/sso/login?" + urlencode({"next": page}))
    assert all(len(value) < 2000 for value in alice.cookies.values())
    assert alice.get(alice.sign_in("/sso/login?" + urlencode({"next": page})).location or "").location == quote(page)


def test_a_long_page_is_come_back_to(alice: Visitor) -> None:
    long = "/deep/x?q=" + "y" * 10_000
    kept = alice.sign_in(long).location or ""
    assert len(kept) < 200
    assert alice.get(kept).location == long


def test_the_session_cookie_is_opaque_and_not_for_scripts(alice: Visitor) -> None:
    made = next(cookie for cookie in set_cookies(alice.sign_in()) if cookie.startswith("sso-shop="))
    value, *attributes = made.split("; ")
    assert len(value) == len("sso-shop=") + 43
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Lax"]
    assert [name for name in alice.cookies if "sso" in name] == ["sso-shop", "sso-shop-turn"], (
        "the attempt's cookie is gone"
    )


def test_on_https_the_cookies_are_host_bound_and_secure(make: Callable[..., AnySite]) -> None:
    site = make(base_url="https://shop.example")
    alice = site.visitor()
    start = alice.start()
    assert parse_qs(urlsplit(start).query)["redirect_uri"] == ["https://shop.example/sso/callback"]
    alice.get(site.centre.callback_url(start, sid=new_sid()))
    assert [name for name in alice.cookies if "sso" in name] == ["__Host-sso-shop", "__Host-sso-shop-turn"]
    assert alice.get("/account").text == "Hi Alice Example"


@pytest.mark.parametrize(
    "headers", [{"Accept": "application/json"}, {"X_Requested_With": "XMLHttpRequest"}, {"Authorization": "Bearer x"}]
)
def test_a_program_gets_401_json_and_no_redirect(headers: dict[str, str], alice: Visitor) -> None:
    answer = alice.get("/account", **headers)
    assert answer.status == 401
    assert json.loads(answer.text) == {"error": "login_required", "login_url": "http://localhost/sso/login?next=/"}
    assert answer.header("Cache-Control") == "no-store"


def test_an_unsafe_request_is_never_redirected(alice: Visitor) -> None:
    page = alice.post("/order", Referer="http://localhost/deep/x?y=1")
    assert page.status == 401
    assert 'href="/sso/login?next=/deep/x?y%3D1"' in page.text
    alice.sign_in()
    assert alice.post("/order").text == "ordered"


def test_a_group_that_is_missing_is_403_in_words(alice: Visitor, site: AnySite, centre: FakeProvider) -> None:
    alice.sign_in()
    page = alice.get("/staff")
    assert (page.status, "group_required" in page.text) == (403, True)
    centre.profile["groups"] = ["staff"]
    bob = site.visitor()
    bob.sign_in(sub="usr-bob")
    assert bob.get("/staff").text == "staff only"


def test_one_group_may_be_written_as_it_is_and_an_empty_demand_asks_for_nothing(
    site: AnySite, centre: FakeProvider
) -> None:
    for groups, status in ((["s", "t", "a", "f"], 403), (["staff"], 200)):
        centre.profile["groups"] = groups
        visitor = site.visitor()
        visitor.sign_in()
        page = visitor.get("/one-group")
        assert page.status == status, page.text


def test_a_fresh_password_is_asked_for_where_it_is_demanded(alice: Visitor, centre: FakeProvider) -> None:
    old = int(centre.now_s()) - 4000
    alice.get(centre.callback_url(alice.start(), sid=new_sid(), auth_time=old))
    assert alice.is_in()
    start = alice.start("/fresh")
    assert parse_qs(urlsplit(start).query)["max_age"] == ["300"]
    assert alice.get(centre.callback_url(start, sid=new_sid())).location == "/fresh"
    assert alice.get("/fresh").text == "fresh"


def test_after_signing_in_again_the_browsers_older_cookie_opens_nothing(alice: Visitor, centre: FakeProvider) -> None:
    alice.sign_in()
    older = dict(alice.cookies)
    again = alice.start("/sso/login?max_age=0&next=/account")
    assert alice.get(centre.callback_url(again, sid=new_sid())).location == "/account"
    assert alice.is_in()
    alice.cookies = older
    assert not alice.is_in()


def test_tabs_sign_in_at_once(alice: Visitor, centre: FakeProvider) -> None:
    starts = [alice.start(f"/deep/{number}") for number in range(4)]
    sid = new_sid()
    backs = [alice.get(centre.callback_url(start, sid=sid)).location for start in starts]
    assert backs == [f"/deep/{number}" for number in range(4)]


def test_a_head_request_neither_starts_nor_spends_anything(alice: Visitor, centre: FakeProvider) -> None:
    callback = centre.callback_url(alice.start(), sid=new_sid())
    for path in (callback, "/sso/login"):
        answer = alice.request("HEAD", path)
        assert (answer.status, answer.header("Allow"), answer.text) == (405, "GET", "")
    assert centre.calls("/token") == 0


def test_an_unknown_state_restarts_once_and_then_explains(alice: Visitor, centre: FakeProvider) -> None:
    again = alice.get("/sso/callback?code=code-x&state=unknown").location
    assert again == "/sso/login?next=/&again=1"
    start = alice.get(again).location or ""
    alice.cookies.clear()
    page = alice.get(centre.callback_url(start, sid=new_sid()))
    assert (page.status, "cookie_missing" in page.text) == (400, True)


def test_a_spent_ticket_restarts_once_and_is_in_the_log(site: AnySite, alice: Visitor, centre: FakeProvider) -> None:
    callback = centre.callback_url(alice.start("/deep/x"), sid=new_sid())
    next(iter(centre.tickets.values())).used = True
    assert alice.get(callback).location == "/sso/login?next=/deep/x&again=1"
    assert site.log()[0].text == "ticket refused: ticket_used"


def test_another_browser_cannot_finish_somebodys_sign_in(site: AnySite, alice: Visitor, centre: FakeProvider) -> None:
    callback = centre.callback_url(alice.start(), sid=new_sid())
    victim = site.visitor()
    assert (victim.get(callback).location or "").startswith("/sso/login")
    assert not victim.is_in()


def test_a_login_loop_is_cut(alice: Visitor) -> None:
    for _ in range(3):
        alice.sign_in()
        del alice.cookies["sso-shop"]
    page = alice.get("/sso/login?next=/account")
    assert (page.status, "login_loop" in page.text) == (400, True)
    assert alice.get("/sso/login?next=/account").status == 302
