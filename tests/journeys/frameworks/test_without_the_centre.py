"""The centre is away: a site starts without it, running ones stop within N, and all of them go on by themselves."""

from __future__ import annotations

import time

from tests.journeys.frameworks.conftest import N_S, World, registered
from tests.journeys.frameworks.test_journey import statuses
from tests.support.browser import Browser
from tests.support.centre import wait_until


def test_a_site_stops_within_n_another_starts_and_both_go_on_when_the_centre_is_back(world: World) -> None:
    one = world.one
    browser = world.sign_in()

    def status() -> int:
        answer = browser.http.get(one.url + "/account", timeout=20, allow_redirects=False)
        assert answer.status_code in (200, 503), "nobody is sent to sign in"
        return answer.status_code

    with registered(world.centre, world.framework, "late") as late:
        with world.wire.closed():
            gone = time.monotonic()
            late.site.process.start()
            wait_until(lambda: status() == 503, seconds=N_S + 10, why="the lease to run out")
            # The promise itself; a busy machine gets less than another N.
            assert time.monotonic() - gone < 2 * N_S
            for answer in one.ask_each(browser, "/account"):
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) > 0
                assert "confirm that you are still signed in" in answer.text

            late.wait_until_it_answers()
            stranger = Browser()
            assert "Nobody is signed in" in stranger.open(late.url + "/").text
            assert stranger.open(late.url + "/account").page.status_code == 503
            assert "discovery_unreachable" in stranger.text

        wait_until(lambda: status() == 200, why="site one to go on")
        assert statuses(one.ask_each(browser, "/account")) == [200] * 4
        wait_until(lambda: browser.open(late.url + "/account").page.ok, why="the late site to let people in")
        assert browser.url == late.url + "/account", "no question is asked"
        assert statuses(late.ask_each(browser, "/account")) == [200] * 4
