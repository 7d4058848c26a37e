"""kill -9 of the very worker that is in the middle of it: nothing is lost, nobody comes back, the site serves on."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.journeys.frameworks.conftest import N_S, World
from tests.journeys.frameworks.test_journey import call, is_in, statuses
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Site, wait_until
from tests.support.workers import holder, who_serves


@contextlib.contextmanager
def unanswered(act: Callable[[], object]) -> Iterator[list[str]]:
    """A request beside the block, which ends with no answer to it; the list then holds its address."""
    url: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(act)
        yield url
        error = asked.exception(timeout=30)
    assert isinstance(error, requests.ConnectionError), error
    url.append(str(error.request.url))


@contextlib.contextmanager
def busy_store(site: Site) -> Iterator[None]:
    """Another process is writing to the site's local sessions, and takes its time."""
    file = sqlite3.connect(site.centre.directory / site.client_id / "site.sqlite3", timeout=20, isolation_level=None)
    try:
        file.execute("BEGIN IMMEDIATE")
        yield
        file.execute("ROLLBACK")
    finally:
        file.close()


def live_sid(world: World) -> str:
    """The centre's only session of this person."""
    (session,) = world.centre.cli("session", "list", "--user", world.centre.username)
    return str(session["sid"])


def all_have_heard(world: World, sid: str) -> bool:
    """Whether every site of the session has acknowledged its end."""
    shown = world.centre.cli("signout", "show", sid)["notifications"]
    return {row["state"] for row in shown} == {"acknowledged"}


def test_in_a_callback_the_person_gets_in_by_loading_the_page_again(world: World) -> None:
    one = world.one
    browser = Browser().open(one.url + "/account")
    with (
        world.wire.hold("POST /token") as held,
        unanswered(lambda: browser.sign_in(world.centre.username, PASSWORD)) as callback,
    ):
        one.kill(holder(one.pid, held.port()))
    assert callback[0].startswith(one.url + "/sso/callback?")

    browser.open(callback[0])  # the ticket is spent, and its answer is lost
    assert browser.url == one.url + "/account", browser.text
    assert statuses(one.ask_each(browser, "/account")) == [200] * 4
    sid = live_sid(world)
    browser.submit("/sso/logout")
    assert {answer.status_code for answer in one.ask_each(browser, "/account")} == {302}
    wait_until(lambda: all_have_heard(world, sid), why="everybody to have heard")


def test_in_a_logout_call_the_session_ends_at_every_worker_all_the_same(world: World) -> None:
    one, two = world.one, world.two
    browser = world.sign_in()
    sid = live_sid(world)
    browser.open(two.url + "/account")
    assert world.centre.process.popen is not None
    centre = world.centre.process.popen.pid
    with busy_store(one.site):
        browser.submit("/sso/logout")
        caught = wait_until(lambda: who_serves(one.pid, one.site.port, centre), why="the centre's call")
        one.kill(caught)
        assert not all_have_heard(world, sid)
    wait_until(lambda: not is_in(browser, one), why="site one to be told")
    assert {answer.status_code for answer in one.ask_each(browser, "/account")} == {302}
    wait_until(lambda: all_have_heard(world, sid), why="everybody to have heard")


def test_in_a_check_in_another_worker_renews_the_lease(world: World) -> None:
    one = world.one
    browser = world.sign_in()

    def visit() -> int:
        answer = browser.http.get(one.url + "/account", timeout=20, allow_redirects=False)
        return answer.status_code

    with world.wire.hold("POST /check-in") as held, ThreadPoolExecutor(1) as pool:
        while not held.is_there:  # from half of the lease on, one request asks the centre
            asked = pool.submit(visit)
            wait_until(lambda asked=asked: asked.done() or held.is_there, why="an answer")
            time.sleep(0.1)
        one.kill(holder(one.pid, held.port()))
        assert isinstance(asked.exception(timeout=30), requests.ConnectionError)
    begun, seen = time.monotonic(), set()
    while time.monotonic() < begun + N_S + 1:
        seen.add(visit())
        time.sleep(0.2)
    assert visit() == 200
    assert seen <= {200, 503}, "nobody is sent to sign in"
    assert statuses(one.ask_each(browser, "/account")) == [200] * 4


def test_in_a_renewal_of_an_access_token_another_worker_renews_it(world: World) -> None:
    one, two = world.one, world.two
    browser = world.sign_in()

    def ask() -> requests.Response:
        return browser.http.get(one.url + "/token", headers={"Accept": "application/json"}, timeout=20)

    first = ask().json()["access_token"]
    assert call(two, first).status_code == 200
    with world.wire.hold("POST /token") as held, ThreadPoolExecutor(1) as pool:
        while not held.is_there:  # when the token has a third of its ten seconds left, one request renews it
            asked = pool.submit(ask)
            wait_until(lambda asked=asked: asked.done() or held.is_there, why="an answer")
            time.sleep(0.2)
        one.kill(holder(one.pid, held.port()))
        assert isinstance(asked.exception(timeout=30), requests.ConnectionError)

    def renewed() -> bool:
        answer = ask()
        assert answer.status_code in (200, 503), "nobody is signed out"
        return answer.status_code == 200 and answer.json()["access_token"] != first

    wait_until(renewed, why="another worker to renew")
    assert call(two, ask().json()["access_token"]).status_code == 200
    assert {answer.status_code for answer in one.ask_each(browser, "/token")} == {200}
    browser.open(one.url + "/account").submit("/sso/logout")
    assert not is_in(browser, one)
