"""One site on two hosts behind a load balancer: with a file on each host, and with a Redis that both share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
import requests

from sso_server.core.clients import site_client
from tests.support.balancer import Balancer
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Process, clean_env, wait_until
from tests.support.ports import free_port

StartHosts = Callable[..., "Hosts"]


class Hosts:
    """Two sets of processes with separate directories; the clocks of each are another machine's."""

    def __init__(self, centre: Centre, client_id: str, directory: Path, lease_s: int, store: str = "") -> None:
        self.ports = (free_port(), free_port())
        self.name = f"{client_id}.localhost"
        self.balancer = Balancer(free_port(), self.ports)
        self.base_url = f"http://{self.name}:{self.balancer.port}"
        secret = f"secret-of-{client_id}-0123456789abcdef0123456789"
        logout_base = f"http://127.0.0.1:{self.balancer.port}"
        client = site_client(client_id, "Two hosts", self.base_url, 1, logout_base=logout_base)
        centre.add_client(replace(client, lease_s=lease_s), secret)
        self.processes = []
        for number, port in enumerate(self.ports):
            here = directory / f"host-{number}"
            here.mkdir()
            env = {
                "SSO_ISSUER": centre.issuer,
                "SSO_CLIENT_ID": client_id,
                "SSO_CLIENT_SECRET": secret,
                "SSO_BASE_URL": self.base_url,
                "SSO_STORE": store or f"sqlite:///{here / 'site.sqlite3'}",
                "BOOT_ID": f"boot-of-host-{number}",
                "BOOT_AHEAD_MS": str(number * 86_400_000),
            }
            argv = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-k", "gthread", "--threads", "2"]
            argv += ["--no-control-socket", "-b", f"127.0.0.1:{port}", "tests.support.host_site:create_app()"]
            self.processes.append(Process(argv, {**clean_env(), **env}, here / "site.log"))
        for process in self.processes:
            process.start()
        for port in self.ports:
            wait_until(lambda port=port: requests.get(f"http://127.0.0.1:{port}/sso/me", timeout=2), why="the host")

    def stop(self) -> None:
        self.balancer.close()
        for process in self.processes:
            process.stop()

    def pin(self, host: int) -> None:
        """From now on the balancer sends everything to this host."""
        self.balancer.pinned = {"/": self.ports[host]}

    def admits(self, host: int, cookie: str) -> bool:
        """Whether this host, asked past the balancer, takes this cookie for somebody who is signed in."""
        headers = {"Host": f"{self.name}:{self.balancer.port}", "Cookie": cookie, "Accept": "application/json"}
        answer = requests.get(f"http://127.0.0.1:{self.ports[host]}/sso/me", headers=headers, timeout=15)
        assert answer.status_code == 200, answer.text
        return answer.json()["signed_in"] is True


def cookie_of(browser: Browser, hosts: Hosts) -> str:
    """What the browser would send to the site."""
    found = requests.Request("GET", f"{hosts.base_url}/", cookies=browser.http.cookies).prepare()
    return found.headers["Cookie"]


@pytest.fixture
def start_hosts(centre: Centre, tmp_path: Path) -> Iterator[StartHosts]:
    started: list[Hosts] = []

    def start(client_id: str, **options: object) -> Hosts:
        started.append(Hosts(centre, client_id, tmp_path, **options))
        return started[-1]

    yield start
    for hosts in started:
        hosts.stop()


def test_with_a_file_on_each_host_a_sign_out_ends_both_within_n(centre: Centre, start_hosts: StartHosts) -> None:
    hosts, browser = start_hosts("hosts-with-files", lease_s=4), Browser()
    hosts.pin(0)
    browser.open(f"{hosts.base_url}/sso/login?next=/").sign_in(centre.username, PASSWORD)
    at_first = cookie_of(browser, hosts)
    assert [hosts.admits(host, at_first) for host in (0, 1)] == [True, False], "each host has a store of its own"
    hosts.pin(1)
    browser.open(f"{hosts.base_url}/sso/login?next=/")
    at_second = cookie_of(browser, hosts)
    assert hosts.admits(1, at_second), "without another question"
    assert hosts.admits(0, at_first)
    # The sign-out begins at the second host, and the centre's call reaches that one, too.
    browser.open(f"{hosts.base_url}/sso/logout").submit("/sso/logout", scope="browser")
    assert not hosts.admits(1, at_second)
    wait_until(lambda: not hosts.admits(0, at_first), why="the host that nobody called to hear at its check-in")
    assert {port for path, port, _ in hosts.balancer.answered if path == "/sso/backchannel-logout"} <= {hosts.ports[1]}


@pytest.mark.covers("line-124")
@pytest.mark.redis
def test_with_a_shared_redis_a_logout_call_to_one_host_is_an_end_at_the_other_at_once(
    centre: Centre, start_hosts: StartHosts, empty_redis_url: str
) -> None:
    hosts, browser = start_hosts("hosts-with-redis", lease_s=3600, store=empty_redis_url), Browser()
    browser.open(f"{hosts.base_url}/sso/login?next=/").sign_in(centre.username, PASSWORD)
    cookie = cookie_of(browser, hosts)
    assert [hosts.admits(host, cookie) for host in (0, 1, 0, 1)] == [True] * 4, "any request may reach any host"
    with redis.Redis.from_url(empty_redis_url, decode_responses=True) as raw:
        leases = [raw.hgetall(key) for key in raw.scan_iter("{sso:hosts-with-redis:*}:host:*", count=1000)]
    assert sorted(lease["boot_id"] for lease in leases) == ["boot-of-host-0", "boot-of-host-1"]
    ahead = sorted(int(lease["boot_ms"]) for lease in leases)
    assert ahead[1] - ahead[0] > 80_000_000, "each judges by its own clock"
    hosts.balancer.pinned = {"/sso/backchannel-logout": hosts.ports[0]}
    (listed,) = centre.cli("session", "list", "--user", centre.username)
    centre.cli("session", "end", listed["sid"])
    wait_until(
        lambda: ("/sso/backchannel-logout", hosts.ports[0], 200) in hosts.balancer.answered, why="the centre's call"
    )
    assert [hosts.admits(host, cookie) for host in (1, 0, 1)] == [False] * 3, "with an hour of lease left"
