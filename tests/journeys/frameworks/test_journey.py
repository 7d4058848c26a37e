"""One suite for the example sites of every framework, each with four workers that share nothing but a store."""

from __future__ import annotations

import secrets
import sqlite3
import time

import requests

from tests.journeys.frameworks.conftest import N_S, Workers, World
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, wait_until


def statuses(answers: list[requests.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def is_in(browser: Browser, site: Workers) -> bool:
    """Whether one of the workers serves the guarded page."""
    answer = browser.http.get(site.url + "/account", timeout=20, allow_redirects=False)
    assert answer.status_code in (200, 302, 303), answer.text
    return answer.status_code == 200


def call(site: Workers, token: str | None) -> requests.Response:
    """The site's API, called by a program."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return requests.get(
        f"http://127.0.0.1:{site.site.port}/api/time", headers=headers, timeout=20, allow_redirects=False
    )


def typed_an_hour_ago(world: World) -> None:
    """Nobody waits for an hour: the centre's only live session of this person is from an hour ago."""
    (session,) = world.centre.cli("session", "list", "--user", world.centre.username)
    with sqlite3.connect(world.centre.directory / "centre/lockstep.sqlite3", timeout=20) as file:
        changed = file.execute("UPDATE sessions SET auth_time = auth_time - 3600000 WHERE sid = ?", [session["sid"]])
        assert changed.rowcount == 1
    file.close()


def test_one_sign_in_opens_both_sites_at_every_worker_and_one_sign_out_closes_all_of_them(world: World) -> None:
    one, two = world.one, world.two
    browser = Browser()
    assert "Nobody is signed in" in browser.open(one.url + "/").text
    browser = world.sign_in()
    assert "Signed in as Alice Liddell" in browser.text
    assert browser.page.headers["Cache-Control"] == "no-store"
    browser.open(two.url + "/account")
    assert browser.url == two.url + "/account", "no question is asked at the second site"
    for site in (one, two):
        answers = site.ask_each(browser, "/account")
        assert statuses(answers) == [200] * 4
        assert all("Alice Liddell" in answer.text for answer in answers)

    browser.submit("/sso/logout")
    assert browser.url.startswith(world.centre.issuer + "/signed-out")
    wait_until(lambda: not is_in(browser, one), why="site one to be told")
    for site in (two, one):
        for answer in site.ask_each(browser, "/account"):
            assert answer.status_code == 302
            assert answer.headers["Location"] == "/sso/login?next=/account"
    assert 'name="password"' in browser.open(one.url + "/account").text, "the centre asks again"


def test_a_page_for_a_group_opens_to_its_members_alone(world: World) -> None:
    member, other = world.sign_in(), f"bob-{secrets.token_hex(4)}"
    assert member.open(world.one.url + "/staff").page.status_code == 200
    world.centre.add_user(other, name="Bob Dodgson", groups=())
    stranger = world.sign_in(other)
    assert "Bob Dodgson" in stranger.text
    answer = stranger.open(world.one.url + "/staff").page
    assert (answer.status_code, answer.history) == (403, [])
    assert "group_required" in answer.text


def test_a_page_that_wants_a_fresh_password_asks_for_it_once(world: World) -> None:
    browser = world.sign_in()
    assert browser.open(world.one.url + "/fresh").url == world.one.url + "/fresh", "a moment ago is fresh"
    typed_an_hour_ago(world)
    browser.open(world.two.url + "/account")
    assert browser.url == world.two.url + "/account"
    browser.open(world.two.url + "/fresh")
    assert browser.url.startswith(world.centre.issuer)
    assert 'name="password"' in browser.text
    browser.sign_in(world.centre.username, PASSWORD)
    assert browser.url == world.two.url + "/fresh"
    assert statuses(world.two.ask_each(browser, "/fresh")) == [200] * 4


def test_an_api_answers_to_its_scope_until_the_person_signs_out(world: World) -> None:
    one, two, stranger = world.one, world.two, world.stranger
    answer = call(two, None)
    assert (answer.status_code, answer.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    browser = world.sign_in()
    jwt = one.ask_each(browser, "/token")[0].json()["access_token"]
    stranger.sign_in_silently(browser)
    opaque = stranger.tokens["access_token"]
    stranger.sign_in_silently(browser, scope="openid")
    narrow = stranger.tokens["access_token"]
    assert (jwt.count("."), opaque.count(".")) == (2, 0)
    called = [call(two, token) for token in (jwt, opaque)]
    assert statuses(called) == [200, 200], [answer.text for answer in called]
    assert called[0].json()["sub"] == called[1].json()["sub"]
    refused = call(two, narrow)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]

    browser.open(one.url + "/account").submit("/sso/logout")
    ended = time.monotonic()
    for token in (opaque, jwt):
        wait_until(lambda token=token: call(two, token).status_code == 401, why="the token to be refused")
    # The promise itself; a busy machine gets less than another N.
    assert time.monotonic() - ended < 2 * N_S
    with_token = Browser()
    with_token.http.headers["Authorization"] = f"Bearer {jwt}"
    for answer in two.ask_each(with_token, "/api/time"):
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
