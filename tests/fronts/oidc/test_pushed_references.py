"""/authorize with what /par answered: the reference is good for one answer, for one client, for a while (RFC 9126)."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import pytest
import redis
import sqlalchemy as sa
from flask.testing import FlaskClient

from sso_server.core.errors import Unavailable
from sso_server.core.identifiers import digest
from sso_server.core.tickets import Tickets
from sso_server.fronts.oidc.received_request import PushedRequests
from sso_server.stores.sql.tables import slips
from tests.fronts.conftest import Later
from tests.support.in_between import before
from tests.support.oidc_site import (
    ISSUER,
    PASSWORD,
    OidcSite,
    built_of,
    path_of,
    query_of,
    sign_in,
)
from tests.support.pushing import URN, pushed, refused, visit


@pytest.mark.covers("par-without-duplicate-parameters", "line-54")
def test_the_browser_brings_only_client_and_reference(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    answer = visit(browser, shop, pushed(shop))
    assert path_of(answer) == shop.redirect_uri
    query = query_of(answer)
    assert (query["state"], query["iss"]) == ("the-state", ISSUER)
    tokens = shop.redeem(query["code"]).get_json()
    assert shop.claims(tokens["id_token"])["nonce"] == "the-nonce"


@pytest.mark.covers("line-55", "ensure-different-nonce-inside-and-outside-request-object")
def test_what_stands_beside_the_reference_does_not_count(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    beside = {
        "state": "other",
        "nonce": "other",
        "redirect_uri": "https://shop.example.com/cb?a=%2F&b",
        "prompt": "login",
        "response_type": "token",
        "scope": "openid",
    }
    answer = visit(browser, shop, pushed(shop), **beside)
    assert (path_of(answer), query_of(answer)["state"]) == (shop.redirect_uri, "the-state")
    tokens = shop.redeem(query_of(answer)["code"]).get_json()
    assert (shop.claims(tokens["id_token"])["nonce"], tokens["scope"]) == ("the-nonce", "openid profile email groups")


@pytest.mark.covers("par-attempt-reuse-request_uri", "line-54")
def test_one_reference_gives_one_authorization(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    uri = pushed(shop)
    assert "code" in query_of(visit(browser, shop, uri))
    assert "used already" in refused(visit(browser, shop, uri))


def test_one_reference_gives_one_authorization_in_two_browsers(browser: FlaskClient, shop: OidcSite) -> None:
    uri = pushed(shop)
    other = shop.app.test_client()
    pages = [visit(each, shop, uri) for each in (browser, other)]
    ways_back = [sign_in(each, page.headers["Location"]) for each, page in zip((browser, other), pages, strict=True)]
    assert "code" in query_of(browser.get(ways_back[0].headers["Location"]))
    refused(other.get(ways_back[1].headers["Location"]))


@pytest.mark.covers("par-attempt-reuse-request_uri", "line-54")
def test_of_many_at_once_one_gets_the_answer(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in browser._cookies.values())

    def come(query: str) -> bool:
        answer = shop.app.test_client(use_cookies=False).get(f"/authorize?{query}", headers={"Cookie": cookies})
        return answer.status_code == 303 and "code=" in answer.headers["Location"]

    for _ in range(5):
        query = urlencode({"client_id": "shop", "request_uri": pushed(shop)})
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(come, [query] * 8)) == 1


def test_the_way_back_out_of_the_history_gives_no_second_code(browser: FlaskClient, shop: OidcSite) -> None:
    way_back = sign_in(browser, visit(browser, shop, pushed(shop)).headers["Location"]).headers["Location"]
    assert "code" in query_of(browser.get(way_back))
    refused(browser.get(way_back))


def test_an_error_is_an_answer_too(browser: FlaskClient, shop: OidcSite) -> None:
    uri = pushed(shop, prompt="none")
    assert query_of(visit(browser, shop, uri))["error"] == "login_required"
    sign_in(browser)
    refused(visit(browser, shop, uri))


@pytest.mark.covers("par-ensure-reused-request-uri-prior-to-auth-completion-succeeds")
def test_the_page_may_be_opened_as_often_as_one_likes_before(browser: FlaskClient, shop: OidcSite) -> None:
    uri = pushed(shop)
    for _ in range(3):
        page = visit(browser, shop, uri)
        assert path_of(page) == "/sign-in"
        assert browser.get(page.headers["Location"]).status_code == 200
    way_back = sign_in(browser, page.headers["Location"])
    assert "code" in query_of(browser.get(way_back.headers["Location"]))


@pytest.mark.covers("par-attempt-to-use-expired-request_uri")
def test_the_browser_has_to_come_within_a_minute(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    sign_in(browser)
    uri = pushed(shop)
    with later(61):
        assert "expired" in refused(visit(browser, shop, uri))


def test_somebody_who_came_in_time_may_take_longer_to_sign_in(
    browser: FlaskClient, shop: OidcSite, later: Later
) -> None:
    page = visit(browser, shop, pushed(shop))
    with later(1800):
        way_back = sign_in(browser, page.headers["Location"])
        assert "code" in query_of(browser.get(way_back.headers["Location"]))


def test_after_an_hour_the_page_leads_to_no_code_any_more(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    page = visit(browser, shop, pushed(shop))
    with later(3700):
        way_back = sign_in(browser, page.headers["Location"])
        refused(browser.get(way_back.headers["Location"]))


def test_a_page_that_is_shown_again_gives_no_new_hour(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    page = visit(browser, shop, pushed(shop))
    with later(3000):
        again = browser.get(page.headers["Location"].replace("/sign-in", "/authorize/continue"))
        assert path_of(again) == "/sign-in"
    with later(3700):
        way_back = sign_in(browser, again.headers["Location"])
        refused(browser.get(way_back.headers["Location"]))


@pytest.mark.parametrize("signed_in", [False, True], ids=["for a page", "for the answer"])
def test_who_comes_at_the_last_moment_loses_nothing_to_the_time_that_we_take(
    browser: FlaskClient, shop: OidcSite, later: Later, monkeypatch: pytest.MonkeyPatch, signed_in: bool
) -> None:
    if signed_in:
        sign_in(browser)
    uri = pushed(shop)
    with later(58), ExitStack() as stack:
        owner, step = (Tickets, "issue") if signed_in else (PushedRequests, "wait_for_person")
        before(monkeypatch, owner, step, lambda: stack.enter_context(later(5)))
        answer = visit(browser, shop, uri)
        if not signed_in:
            assert path_of(answer) == "/sign-in"
            answer = browser.get(sign_in(browser, answer.headers["Location"]).headers["Location"])
        assert "code" in query_of(answer)


def test_nobody_gets_a_page_for_what_was_answered_in_another_tab_at_this_moment(
    browser: FlaskClient, shop: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, uri = shop.app.test_client(), pushed(shop)
    sign_in(other)
    answers: list[dict[str, str]] = []
    before(monkeypatch, PushedRequests, "wait_for_person", lambda: answers.append(query_of(visit(other, shop, uri))))
    assert "answered already" in refused(visit(browser, shop, uri))
    assert "code" in answers[0]


def test_what_nobody_comes_for_is_soon_dropped(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    page = visit(browser, shop, pushed(shop))
    for _ in range(10):
        pushed(shop)
    built = built_of(shop.app)
    with later(121):
        built.sql.sweeps.purge(built.services.clock.now(), 100)
        with built.sql.database.read() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(slips)).scalar_one() == 1
        way_back = sign_in(browser, page.headers["Location"])
        assert "code" in query_of(browser.get(way_back.headers["Location"]))


@pytest.mark.redis
def test_what_nobody_comes_for_is_soon_dropped_by_a_redis(make_app: Any, empty_redis_url: str) -> None:
    site = OidcSite(make_app(redis_url=empty_redis_url), "spa")
    with redis.Redis.from_url(empty_redis_url) as server:

        def lives_s(uri: str) -> int:
            (key,) = server.scan_iter(f"*{digest(uri.removeprefix(URN))}*")
            return server.ttl(key)

        uri = pushed(site)
        assert 60 < lives_s(uri) <= 180
        assert path_of(visit(site.app.test_client(), site, uri)) == "/sign-in"
        assert 3600 < lives_s(uri) <= 3660


@pytest.mark.covers("par-attempt-to-use-request_uri-for-different-client", "line-54")
def test_another_client_cannot_use_it_and_takes_it_from_nobody(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    sign_in(browser)
    uri = pushed(shop)
    refused(visit(browser, wiki, uri))
    refused(browser.get("/authorize?" + urlencode({"request_uri": uri})))
    assert "code" in query_of(visit(browser, shop, uri))


@pytest.mark.parametrize("uri", [URN, f"{URN}x", f"{URN}par-{'a' * 32}", f"{URN}par-{'a' * 32}\x01"])
def test_a_reference_that_nobody_made_is_a_page_or_told_to_a_registered_address(
    browser: FlaskClient, shop: OidcSite, uri: str
) -> None:
    sign_in(browser)
    refused(visit(browser, shop, uri))
    told = visit(browser, shop, uri, redirect_uri=shop.redirect_uri, state="s")
    assert path_of(told) == shop.redirect_uri
    assert {"error": "invalid_request_uri", "state": "s", "iss": ISSUER}.items() <= query_of(told).items()
    refused(visit(browser, shop, uri, redirect_uri="https://evil.example/cb"))


def test_what_is_pushed_may_be_larger_than_any_address(browser: FlaskClient, shop: OidcSite) -> None:
    wishes = ",".join(f'"claim-{number}-{"x" * 60}":null' for number in range(90))
    uri = pushed(shop, claims='{"userinfo":{' + wishes + "}}", state="s" * 4000, nonce="n" * 4000)
    page = visit(browser, shop, uri)
    assert len(page.headers["Location"]) < 1500
    way_back = sign_in(browser, page.headers["Location"])
    query = query_of(browser.get(way_back.headers["Location"]))
    assert query["state"] == "s" * 4000
    assert shop.claims(shop.redeem(query["code"]).get_json()["id_token"])["nonce"] == "n" * 4000


def test_what_the_site_wished_is_known_to_the_sign_in_page(browser: FlaskClient, shop: OidcSite) -> None:
    page = browser.get(visit(browser, shop, pushed(shop, login_hint="al&ice")).headers["Location"])
    assert 'value="al&amp;ice"' in page.text
    assert PASSWORD not in page.text


def test_the_browser_never_learns_what_was_pushed(browser: FlaskClient, shop: OidcSite) -> None:
    location = visit(browser, shop, pushed(shop, nonce="of-the-site-alone")).headers["Location"]
    sealed = built_of(shop.app).services.seals.open("sign-in", location.split("request=")[1])
    assert "of-the-site-alone" not in str(sealed)


def test_the_sign_in_page_is_in_the_language_that_was_pushed(browser: FlaskClient, shop: OidcSite) -> None:
    page = browser.get(visit(browser, shop, pushed(shop, ui_locales="zh-CN")).headers["Location"])
    assert 'lang="zh' in page.text


def test_a_store_that_is_away_for_the_ticket_costs_nobody_the_request(
    browser: FlaskClient, shop: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(browser)
    uri = pushed(shop)

    def away(*_: object, **__: object) -> str:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(Tickets, "issue", away)
        assert visit(browser, shop, uri).status_code == 503
    assert "code" in query_of(visit(browser, shop, uri))


@pytest.mark.redis
@pytest.mark.covers("par-attempt-reuse-request_uri", "line-54")
def test_another_node_knows_what_was_pushed_and_answered_where_a_redis_keeps_it(
    make_app: Any, empty_redis_url: str, later: Later
) -> None:
    here, there = (OidcSite(make_app(redis_url=empty_redis_url), "spa") for _ in range(2))
    browser = there.app.test_client()
    sign_in(browser)
    uri = pushed(here)
    assert "code" in query_of(visit(browser, there, uri))
    refused(visit(here.app.test_client(), here, uri))
    late = pushed(here)
    with later(61):
        refused(visit(browser, there, late))


def test_a_posted_reference_works_too(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    redirect = browser.post("/authorize", data={"client_id": "shop", "request_uri": pushed(shop)})
    assert "code" in query_of(browser.get(redirect.headers["Location"]))
