"""A real Redis killed without its last writes, a real database file put back: nobody stays signed in."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import requests

from sso_server.core.errors import Unavailable
from sso_server.core.sessions import EndReason
from tests.journeys.conftest import StartSite
from tests.journeys.test_hard_times import signed_in_page
from tests.journeys.test_main_journey import sign_in, signed_in
from tests.support.browser import Browser
from tests.support.builders import opened
from tests.support.centre import Centre, Site, clean_env, wait_until
from tests.support.services import OwnRedis

LEASE_S = 5
StartOwn = Callable[..., tuple[Centre, OwnRedis]]


@pytest.fixture
def start_own(tmp_path: Path) -> Iterator[StartOwn]:
    """A centre on a Redis of its own, which these tests hurt."""
    started: list[tuple[Centre, OwnRedis]] = []

    def start(*options: str) -> tuple[Centre, OwnRedis]:
        server = OwnRedis(tmp_path / "redis", *options)
        server.start()
        centre = Centre(tmp_path, server.url)
        started.append((centre, server))
        centre.start()
        centre.add_user()
        return centre, server

    yield start
    for centre, server in started:
        centre.process.stop()
        server.kill()


def sign_out(browser: Browser, centre: Centre) -> None:
    browser.open(centre.issuer + "/sign-out").submit("/sign-out")
    assert browser.page.status_code == 200


def copied(browser: Browser) -> Browser:
    """Who has a copy of every cookie."""
    thief = Browser()
    thief.http.cookies = copy.deepcopy(browser.http.cookies)
    return thief


def is_signed_in(browser: Browser, centre: Centre) -> bool:
    """At the centre."""
    browser.open(centre.issuer + "/sessions")
    return browser.page.status_code == 200 and 'name="password"' not in browser.text


def came_back(browser: Browser, centre: Centre) -> bool:
    """For a moment was enough: the page of sessions was shown."""
    assert not is_signed_in(browser, centre), "a session that had ended was alive again"
    return False


def epoch(site: Site) -> str:
    """What the centre answers to a store that has never called before."""
    answer = requests.post(
        site.centre.issuer + "/check-in",
        json={"store": "st-" + "q" * 32},
        auth=(site.client_id, site.secret),
        timeout=5,
    )
    return str(answer.json()["epoch"]) if answer.ok else ""


def out_within_the_lease(browser: Browser, site: Site, since: float) -> None:
    while signed_in_page(browser, site.base_url):
        # The promise itself; a busy machine gets less than another N.
        assert time.monotonic() - since < 2 * LEASE_S, "the local session outlived the lease"
        time.sleep(0.05)


@pytest.mark.redis
@pytest.mark.parametrize("snapshot", ["holds the session", "holds nothing"])
def test_a_redis_without_its_last_writes_brings_nobody_back(
    start_own: StartOwn, start_site: StartSite, snapshot: str
) -> None:
    centre, server = start_own("--appendonly", "no")
    one = start_site(centre, "one", lease_s=LEASE_S, reachable=False)
    browser = Browser()
    sign_in(browser, one)
    assert signed_in_page(browser, one.base_url)
    before = epoch(one)
    if snapshot == "holds the session":
        with redis.Redis.from_url(server.url) as connection:
            connection.save()
    site_cookies, thief = copied(browser), copied(browser)
    sign_out(browser, centre)
    signed_out_at = time.monotonic()
    server.kill()
    server.start()
    wait_until(
        lambda: epoch(one) not in ("", before) or came_back(thief, centre), seconds=30, why="the centre to put it right"
    )
    assert not came_back(thief, centre)
    out_within_the_lease(site_cookies, one, signed_out_at)
    wait_until(lambda: not signed_in(site_cookies, one), seconds=20, why="the site to end its local session")
    if snapshot == "holds the session":
        (done,) = centre.cli("signout", "list")
        assert done["reason"] == "sign_out"
    sign_in(Browser(), one)


@pytest.mark.redis
def test_a_redis_that_keeps_everything_may_restart_and_nobody_is_signed_out(
    start_own: StartOwn, start_site: StartSite
) -> None:
    centre, server = start_own("--appendonly", "yes", "--appendfsync", "always")
    one = start_site(centre, "one", lease_s=LEASE_S)
    browser = Browser()
    sign_in(browser, one)
    before = epoch(one)
    server.stop()
    server.start()
    wait_until(lambda: epoch(one) not in ("", before), seconds=30, why="the restart to be looked into")
    wait_until(lambda: signed_in_page(browser, one.base_url), seconds=20, why="the site to go on")
    assert is_signed_in(browser, centre)
    assert centre.cli("signout", "list") == []


def test_an_old_copy_of_the_database_brings_nobody_back(tmp_path: Path, start_site: StartSite) -> None:
    centre = Centre(tmp_path).start()
    try:
        centre.add_user()
        one = start_site(centre, "one", lease_s=LEASE_S, reachable=False)
        browser = Browser()
        sign_in(browser, one)
        assert signed_in_page(browser, one.base_url)
        data, backup = Path(centre.env["SSO_DATA_DIR"]), tmp_path / "backup"
        centre.process.stop()
        shutil.copytree(data, backup)
        centre.start()
        with centre.core() as built:
            restarted_at = built.services.clock.now()

            def has_called_in() -> bool:
                (store,) = built.session_stores.check_ins.find_site_stores("one")
                return signed_in_page(browser, one.base_url) and store.last_check_in_at > restarted_at

            wait_until(has_called_in, seconds=20, why="the site to get a mark that is newer than the backup")
        site_cookies, thief = copied(browser), copied(browser)
        sign_out(browser, centre)
        signed_out_at = time.monotonic()
        centre.process.kill()
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        centre.start()
        out_within_the_lease(site_cookies, one, signed_out_at)
        wait_until(lambda: not is_signed_in(thief, centre), seconds=30, why="the centre to put it right")
        wait_until(lambda: not signed_in(site_cookies, one), seconds=20, why="the site to end its local session")
        (done,) = centre.cli("signout", "list")
        assert done["reason"] == "store_restored"
    finally:
        centre.process.stop()


KILLED_AT_THE_THIRD = """
import os, signal
from sso_server import config, wiring
from sso_server.stores.redis.sessions import RedisSessions

whole, calls = RedisSessions.end, []

def end(self, *args, **more):
    calls.append(args)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, *args, **more)

RedisSessions.end = end
wiring.build(config.load(dict(os.environ))).restorer().run_once()
"""


@pytest.mark.redis
def test_kill_nine_in_the_middle_of_a_replay_leaves_the_rest_to_the_next(start_own: StartOwn) -> None:
    centre, server = start_own("--appendonly", "no")
    with centre.core() as built:
        assert not built.restorer().run_once()
        now = built.services.clock.now()
        sessions = [opened(built.session_stores, now) for _ in range(6)]
        with redis.Redis.from_url(server.url) as connection:
            connection.save()
        for session in sessions[:5]:
            built.services.sign_out.end(session.sid, EndReason.SIGN_OUT, actor="user")
    centre.process.stop()
    server.kill()
    server.start()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_THIRD], env={**clean_env(), **centre.env}, timeout=60, check=False
    )
    assert killed.returncode == -9
    with centre.core() as built:
        with pytest.raises(Unavailable):
            built.session_stores.lists.count_live(now)
        live = built.session_stores.unfenced().lists.count_live(now)
        assert 1 < live < 6, "it was killed in the middle"
        assert built.services.restorations.is_unfinished()
        assert built.restorer().run_once()
        assert not built.services.restorations.is_unfinished()
        left = built.session_stores.unfenced().lists.list_live(now, 10)
        assert [s.sid for s in left] == [sessions[5].sid]
