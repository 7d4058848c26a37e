"""The demo's two switches: site two cut off, and the centre killed right after a sign-out. Each keeps its promise."""

import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.demo.conftest import LEASE_S, Demo, short_lease
from tests.support.browser import Browser
from tests.support.centre import is_alive, tree, wait_until

pytestmark = pytest.mark.slow


def signed_in_at_both(demo: Demo) -> Browser:
    browser = Browser()
    browser.open(demo.one + "/account").sign_in("alice", demo.passwords["alice"])
    browser.open(demo.two + "/account")
    assert 'data-state="in"' in browser.text
    return browser


def throw(demo: Demo, browser: Browser, switch: str, on: bool) -> None:
    browser.open(demo.issuer + "/demo/map").submit(f"/demo/switches/{switch}", on=str(int(on)))
    assert browser.url == demo.issuer + "/demo/map"


def the_map(demo: Demo) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(demo.issuer + "/demo/map.json", timeout=10).json()
    return found


def site_two(demo: Demo) -> dict[str, Any]:
    """How site two stands in the session that ended last."""
    (entry,) = (site for site in the_map(demo)["sessions"][0]["sites"] if site["client_id"] == "site-two")
    return dict(entry)


def test_a_site_that_is_cut_off_refuses_when_its_lease_runs_out_and_hears_when_it_is_back(start_demo) -> None:
    demo = start_demo().ready()
    short_lease(demo)
    browser = signed_in_at_both(demo)
    throw(demo, browser, "cable", on=True)
    assert the_map(demo)["site_two_is_cut_off"]
    assert 'data-state="in"' in browser.open(demo.two + "/").text, "the browser still reaches it, and its lease holds"

    browser.open(demo.one + "/").submit("/sso/logout")
    ended = time.monotonic()
    assert browser.url.startswith(demo.issuer + "/signed-out")
    wait_until(lambda: site_two(demo)["error"], why="the call to site two to fail")
    told = site_two(demo)
    assert (told["state"], told["standing"]) == ("pending", "trying")
    assert "safe in" in browser.open(demo.issuer + "/demo/map").text

    wait_until(lambda: site_two(demo)["standing"] == "safe", why="the lease to run out")
    page = browser.open(demo.two + "/").page
    assert page.status_code == 503
    assert "confirm that you are still signed in" in page.text
    assert time.monotonic() - ended < 5 * (LEASE_S + 5)
    assert site_two(demo)["state"] == "pending", "nobody has told it"

    throw(demo, browser, "cable", on=False)
    wait_until(lambda: 'data-state="out"' in browser.open(demo.two + "/").text, why="site two to hear")
    wait_until(lambda: site_two(demo)["state"] == "acknowledged", why="site two to acknowledge")


def test_the_sites_hear_of_a_sign_out_although_the_centre_was_killed_after_it(start_demo) -> None:
    demo = start_demo().ready()
    browser = signed_in_at_both(demo)
    throw(demo, browser, "kill", on=True)
    parts = centre_parts(demo)
    assert len(parts) >= 4, "gunicorn, two workers, the delivery process"

    browser.open(demo.one + "/").submit("/sso/logout")
    assert browser.url.startswith(demo.issuer + "/signed-out"), "the person has the answer"
    wait_until(lambda: not any(is_alive(pid) for pid in parts), why="all of the centre to be dead")
    wait_until(lambda: 'data-state="out"' in browser.open(demo.two + "/").text, seconds=60, why="site two to hear")

    wait_until(lambda: "sessions" in answered(demo), seconds=60, why="the centre to be back")
    wait_until(lambda: site_two(demo)["state"] == "acknowledged", why="the map to show it")
    found = the_map(demo)
    assert found["killed_at"] > found["sessions"][0]["ended_at"]
    assert not found["next_sign_out_kills"], "once"
    assert "has been started again" in browser.open(demo.issuer + "/demo/map").text
    assert not set(centre_parts(demo)) & set(parts)
    assert demo.stop() == 0


def answered(demo: Demo) -> dict[str, Any]:
    try:
        return the_map(demo)
    except (requests.RequestException, ValueError):
        return {}


def centre_parts(demo: Demo) -> list[int]:
    """The processes of the centre: its web workers and the delivery process."""
    return [
        pid
        for pid in tree(demo.process.pid)
        if any(
            words in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            for words in ("sso_server.cli.demo_app:create_app()", "deliver")
        )
    ]
