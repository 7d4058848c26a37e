"""The demo as a person meets it: its steps, Ctrl-C, the next start."""

import os
import signal
import socket
import stat
import time
from pathlib import Path

import pytest

from tests.demo.conftest import Demo, four_ports, refused
from tests.support.browser import Browser
from tests.support.centre import tree, wait_until

pytestmark = pytest.mark.slow


def is_in(browser: Browser, site: str) -> bool:
    """What the site's page says."""
    return 'data-state="in"' in browser.open(site + "/").text


def the_map(browser: Browser, demo: Demo) -> list[dict]:
    """The centre's map as data."""
    return browser.http.get(demo.issuer + "/demo/map.json", timeout=10).json()["sessions"]


def walk_the_six_steps(demo: Demo, first: str, *others: str) -> Browser:
    """In at the first site, then at the others; out at the last one."""
    browser = Browser()
    browser.open(first + "/account")
    opened = int(time.time())
    # Nobody types a password within the very second; the site tells typing from not being asked by whole seconds.
    wait_until(lambda: int(time.time()) > opened, why="the next second")
    browser.sign_in("alice", demo.passwords["alice"])
    assert browser.url == first + "/account"
    assert "Alice" in browser.text
    assert "You typed your password" in browser.text

    for site in others:
        browser.open(site + "/account")
        assert browser.url == site + "/account"
        assert "No question was asked" in browser.text
    for site, protocol in zip(demo.sites, ("OpenID Connect", "OpenID Connect", "CAS"), strict=True):
        assert f"speaks {protocol}" in browser.open(site + "/account").text

    (live,) = [session for session in the_map(browser, demo) if session["live"]]
    assert live["name"] == "Alice"
    assert {(site["client_id"], site["protocol"], site["logout_uri"]) for site in live["sites"]} == {
        (f"site-{name}", protocol, f"http://127.0.0.1:{demo.port + i}/sso/backchannel-logout")
        for i, name, protocol in ((1, "one", "oidc"), (2, "two", "oidc"), (3, "three", "cas"))
    }
    page = browser.open(demo.issuer + "/demo/map").text
    assert "will be called" in page

    browser.open(others[-1] + "/account").submit("/sso/logout")
    assert browser.url.startswith(demo.issuer + "/signed-out")
    wait_until(lambda: not any(is_in(browser, site) for site in (first, *others[:-1])), why="the others to be told")
    assert not is_in(browser, others[-1])
    assert "logout call received, local session ended" in browser.open(first + "/").text
    wait_until(
        lambda: {site["state"] for site in the_map(browser, demo)[0]["sites"]} == {"acknowledged"},
        why="the map to show all sites as told",
    )
    return browser


def test_one_sign_in_opens_every_site_and_one_sign_out_closes_every_site_whatever_they_speak(demo: Demo) -> None:
    assert all(f"  {n}. " in demo.output for n in range(1, 10))
    browser = walk_the_six_steps(demo, demo.one, demo.two, demo.three)
    # The very same in Chinese, for whoever's browser asks for it.
    browser.http.headers["Accept-Language"] = "zh-CN"
    assert "收到注销调用，局部会话已结束" in browser.open(demo.one + "/").text
    assert "会话图" in browser.open(demo.issuer + "/demo/map").text


@pytest.mark.redis
def test_the_same_on_redis_the_other_way_round_with_sites_named_in_the_terminals_language(
    start_demo, empty_redis_url: str
) -> None:
    demo = start_demo("--redis", empty_redis_url, "--language", "zh").ready()
    browser = walk_the_six_steps(demo, demo.three, demo.two, demo.one)
    assert {site["name"] for site in the_map(browser, demo)[0]["sites"]} == {"站点一", "站点二", "站点三"}
    assert demo.stop(signal.SIGTERM) == 0


def test_settings_of_the_shell_do_not_reach_the_demo(demo: Demo) -> None:
    assert Browser().open(demo.issuer + "/.well-known/openid-configuration").page.json()["issuer"] == demo.issuer


def test_a_part_that_dies_comes_back(demo: Demo) -> None:
    site = next(
        pid
        for pid in tree(demo.process.pid)
        if f"127.0.0.1:{demo.port + 1}" in Path(f"/proc/{pid}/cmdline").read_text()
    )
    for pid in tree(site):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: Browser().open(demo.one + "/").page.status_code == 200, why="site one to be back")
    assert "child_died" in demo.output


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    port = four_ports()
    with socket.create_server(("127.0.0.1", port + 1)):
        done = refused(port, tmp_path / "data")
    assert f"Port {port + 1} is taken (site-one needs it)" in done.stderr
    assert not (tmp_path / "data").exists()


def test_the_steps_are_chinese_where_the_terminal_is(tmp_path: Path) -> None:
    port = four_ports()
    with socket.create_server(("127.0.0.1", port)):
        done = refused(port, tmp_path / "data", LANG="zh_CN.UTF-8")
    assert f"端口 {port} 已被占用" in done.stderr


def test_the_map_belongs_to_the_demo_alone() -> None:
    from sso_server import app
    from sso_server.fronts import demo

    assert demo not in app.FRONTS


def test_ctrl_c_ends_it_and_the_same_data_starts_again_with_fresh_passwords_and_nobody_signed_in(
    demo: Demo, start_demo
) -> None:
    """The last one of all: it ends the demo that they share."""
    browser = Browser()
    browser.open(demo.one + "/account").sign_in("alice", demo.passwords["alice"])
    assert is_in(browser, demo.one)
    assert stat.S_IMODE(demo.data.stat().st_mode) == 0o700
    assert demo.stop() == 0
    assert "Traceback" not in demo.output
    assert demo.output.rstrip().endswith(f"Stopped. The data stays in {demo.data}.")

    second = start_demo(after=demo).ready()
    assert set(second.passwords) == {"alice", "bob"}
    assert not set(second.passwords.values()) & set(demo.passwords.values())
    other = Browser()
    other.open(second.one + "/account").sign_in("alice", second.passwords["alice"])
    assert is_in(other, second.one)
    live = [session["live"] for session in the_map(other, second)]
    assert live.count(True) == 1, "the session of the first start is over"
