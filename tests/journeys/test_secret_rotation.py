"""The secret key is exchanged while people sign in at two nodes of one centre: nobody is signed out, no form fails."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.support.balancer import Balancer
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Process, clean_env, wait_until
from tests.support.ports import free_port

pytestmark = pytest.mark.engines


class Pair:
    """Two `sso serve` on one data directory behind a balancer that sends each request to the other one."""

    def __init__(self, directory: Path) -> None:
        self.centre = Centre(directory, settings={"SSO_SESSION_IDLE": "7200"})
        self.ports = (free_port(), free_port())
        self.nodes = []
        for port in self.ports:
            argv = [sys.executable, "-m", "sso_server.cli", "serve", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
            self.nodes.append(Process(argv, {**clean_env(), **self.centre.env}, directory / f"node-{port}.log"))
        self.balancer = Balancer(self.centre.port, self.ports)

    def start(self, number: int) -> None:
        self.nodes[number].start()
        url = f"http://127.0.0.1:{self.ports[number]}/readyz"
        wait_until(lambda: requests.get(url, timeout=2).status_code == 200, seconds=60, why="a node to be ready")

    def restart_one_after_the_other(self) -> None:
        for number in (0, 1):
            self.balancer.pinned[""] = self.ports[1 - number]
            self.nodes[number].stop()
            self.start(number)
            del self.balancer.pinned[""]

    def close(self) -> None:
        for node in self.nodes:
            node.stop()
        self.balancer.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    try:
        for number in (0, 1):
            made.start(number)
        made.centre.add_user()
        yield made
    finally:
        made.close()


@dataclass
class Traffic:
    """People who sign in one after the other, and one who is signed in all the time."""

    issuer: str
    stop: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    failures: list[str] = field(default_factory=list)

    def run(self, resident: Browser) -> None:
        while not self.stop.is_set():
            try:
                left = Browser().open(self.issuer + "/sessions").sign_in("alice", PASSWORD)
                if not is_in(left):
                    self.failures.append(f"a form failed: {left.text}")
                if not is_in(resident.open(self.issuer + "/sessions")):
                    self.failures.append("somebody was signed out")
            except requests.RequestException as error:
                self.failures.append(repr(error))
            self.done += 1


def is_in(browser: Browser) -> bool:
    return browser.page.status_code == 200 and 'name="password"' not in browser.text


def test_the_secret_is_exchanged_under_traffic(pair: Pair) -> None:
    centre = pair.centre
    resident = Browser().open(centre.issuer + "/sessions").sign_in("alice", PASSWORD)
    assert is_in(resident)
    traffic = Traffic(centre.issuer)
    thread = threading.Thread(target=traffic.run, args=(resident,))
    thread.start()
    very_old = Browser().open(centre.issuer + "/sessions")
    try:
        for steps in (("secret", "add"), ("secret", "promote"), ("key", "reseal"), ("secret", "drop")):
            left_open = Browser().open(centre.issuer + "/sessions")
            before = traffic.done
            centre.cli(*steps)
            if steps != ("key", "reseal"):
                pair.restart_one_after_the_other()
            left_open.sign_in("alice", PASSWORD)
            assert is_in(left_open), f"a form from before {steps} fails after it: {left_open.text}"
            wait_until(lambda before=before: traffic.done > before + 3, why="people to go on")  # type: ignore[misc]
    finally:
        traffic.stop.set()
        thread.join()
    assert traffic.failures == []
    assert {port for _, port, _ in pair.balancer.answered} == set(pair.ports)
    (only,) = centre.cli("secret", "list")
    assert only["writes"]
    # A page that was opened under a secret which is gone is shown anew, with what was typed.
    very_old.sign_in("alice", PASSWORD)
    assert 'value="alice"' in very_old.text
    assert is_in(very_old.sign_in("alice", PASSWORD))
    with requests.get(centre.issuer + "/jwks.json", timeout=5) as keys:
        assert keys.json()["keys"]
