"""`sso demo` as a real process on four free ports in a row."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sso_server.cli import main
from tests.support.centre import clean_env, is_alive, tree, wait_until
from tests.support.ports import free_port

LEASE_S = 5
COMMAND = [sys.executable, "-m", "sso_server.cli", "demo"]


def four_ports() -> int:
    """A port that is free together with the next three."""
    for _ in range(50):
        port = free_port()
        if port < 65_000 and all(is_free(port + i) for i in range(4)):
            return port
    raise AssertionError("no four free ports in a row")


def is_free(port: int) -> bool:
    """Whether somebody could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def short_lease(demo: Demo) -> None:
    """As an operator would, beside the running centre. What is true of 60 seconds is true of five, and sooner seen."""
    argv = [sys.executable, "-m", "sso_server.cli", "client", "update", "site-two", "--lease", str(LEASE_S)]
    env = {**clean_env(), "SSO_ISSUER": demo.issuer, "SSO_DATA_DIR": str(demo.data / "centre")}
    subprocess.run(argv, env=env, check=True, capture_output=True, timeout=60)
    # Each web worker reads its clients once a second; which of them site two will ask, nobody knows.
    time.sleep(1.2)


class Demo:
    """A running demo."""

    def __init__(self, directory: Path, *options: str, **env: str) -> None:
        self.port = four_ports()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.one = f"http://site-one.localhost:{self.port + 1}"
        self.two = f"http://site-two.localhost:{self.port + 2}"
        self.three = f"http://site-three.localhost:{self.port + 3}"
        self.sites = (self.one, self.two, self.three)
        self.log = directory / f"demo-{self.port}.log"
        self.data = directory / "data"
        argv = [*COMMAND, "--port", str(self.port), "--data", str(self.data), *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                argv,
                env={**clean_env(), "SSO_HASH_MEMORY_KIB": "8192", **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """Everything it printed so far."""
        return self.log.read_text(encoding="utf-8")

    def ready(self) -> Demo:
        """Waits for the steps."""

        def printed() -> bool:
            assert self.process.poll() is None, self.output
            return "Ctrl-C" in self.output

        wait_until(printed, seconds=60, why="the steps to be printed")
        return self

    @property
    def passwords(self) -> dict[str, str]:
        """As a person reads them off the terminal."""
        return dict(re.findall(r"\b(alice|bob) +(\S{4}-\S{4}-\S{4})", self.output))

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C, and the exit code; every process it had is gone."""
        pids = tree(self.process.pid)
        self.process.send_signal(number)
        code = self.process.wait(30)
        wait_until(lambda: all(is_free(self.port + i) for i in range(4)), seconds=10, why="the ports to be free")
        wait_until(lambda: not any(is_alive(pid) for pid in pids), seconds=10, why="every process to be gone")
        return code

    def kill(self) -> None:
        """Leaves nothing behind, whatever the test did."""
        if self.process.poll() is None:
            for pid in tree(self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(10)


def refused(port: int, data: Path, *options: str, **env: str) -> Result:
    """A demo that says why it doesn't start, and ends. In this process: starting another takes longer than the word."""
    argv = ["demo", "--port", str(port), "--data", str(data), *options]
    unset = dict.fromkeys(("LC_ALL", "LC_MESSAGES", "LANG"))
    done = CliRunner().invoke(main, argv, env={**unset, "SSO_HASH_MEMORY_KIB": "8192", **env})
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 1, done.output
    return done


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all of a file's tests; only the last of them may stop it. The shell it was started from has settings of
    its own."""
    foreign = {"SSO_ISSUER": "https://sso.example.com", "SSO_CLIENT_ID": "other", "SSO_BASE_URL": "https://x.example"}
    running = Demo(tmp_path_factory.mktemp("demo"), **foreign)
    try:
        yield running.ready()
    finally:
        running.kill()


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Starts `sso demo OPTIONS`, on the data of `after` if it is given; whatever still runs at the end is killed."""
    started: list[Demo] = []

    def start(*options: str, after: Demo | None = None, **env: str) -> Demo:
        demo = Demo(after.data.parent if after else tmp_path, *options, **env)
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.kill()
