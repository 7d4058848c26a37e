"""The centre and sites as real processes: `sso serve` with two gunicorn workers, sites under gunicorn with two
workers.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from click.testing import CliRunner

from sso_server import config, wiring
from sso_server.cli import main
from sso_server.core.clients import Client, ClientSecret, site_client
from sso_server.core.identifiers import digest
from tests.support.ports import free_port
from tests.support.survivors import end_with_us

PASSWORD = "correct horse battery"
#: TEST_WEB_SERVER=granian tells every story with that one.
WEB_SERVER = os.environ.get("TEST_WEB_SERVER", "")


def wait_until(what: Callable[[], Any], *, seconds: float = 45, why: str = "") -> Any:
    """Poll until the answer is true; fails with a sentence."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException, OSError):
            answer = what()
            if answer:
                return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {why or what}")


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                children.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


@dataclass
class Process:
    """A process tree that we started and that we alone stop."""

    argv: list[str]
    env: dict[str, str]
    log: Path
    popen: subprocess.Popen[bytes] | None = None
    cwd: Path | None = None

    def start(self) -> None:
        """Start it; output goes to the log."""
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                self.argv,
                env=self.env,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd=self.cwd,
            )
        end_with_us(self.popen.pid)

    def kill(self) -> None:
        """kill -9 of every process of the tree, at once."""
        assert self.popen is not None
        pids = tree(self.popen.pid)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait(10)
        wait_until(lambda: not any(is_alive(pid) for pid in pids), why="killed processes to be gone")

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.popen is None or self.popen.poll() is not None:
            return 0
        pids = tree(self.popen.pid)
        self.popen.terminate()
        try:
            return self.popen.wait(60)
        except subprocess.TimeoutExpired:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"did not stop on SIGTERM: {self.argv}\n{self.log.read_text()[-3000:]}") from None


def is_alive(pid: int) -> bool:
    """It runs; one that has ended and wasn't fetched by its parent doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def clean_env() -> dict[str, str]:
    """The environment without settings of ours."""
    return {k: v for k, v in os.environ.items() if not k.startswith("SSO_") and k not in ("LANG", "LC_ALL", "LANGUAGE")}


@dataclass
class Centre:
    """A running centre."""

    directory: Path
    redis_url: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    username: str = "alice"
    """Who signs in unless somebody else is named."""

    def __post_init__(self) -> None:
        """Nothing runs yet."""
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.env = {
            "SSO_ISSUER": self.issuer,
            "SSO_DATA_DIR": str(self.directory / "centre"),
            "SSO_LOG_FORMAT": "json",
            # Real hashes, small ones: the journeys aren't about argon2.
            "SSO_HASH_MEMORY_KIB": "8192",
            **({"SSO_REDIS_URL": self.redis_url} if self.redis_url else {}),
            **({"SSO_WEB_SERVER": WEB_SERVER} if WEB_SERVER else {}),
            **self.settings,
        }
        self.log = self.directory / "centre.log"
        argv = [sys.executable, "-m", "sso_server.cli", "serve", "--bind", f"127.0.0.1:{self.port}", "--workers", "2"]
        self.process = Process(argv, {**clean_env(), **self.env}, self.log)

    def start(self) -> Centre:
        """Start `sso serve` and wait until it is ready."""
        self.process.start()
        assert self.process.popen is not None

        def ready() -> bool:
            assert self.process.popen is not None
            assert self.process.popen.poll() is None, self.log.read_text()[-3000:]
            return requests.get(self.issuer + "/readyz", timeout=2).status_code == 200

        try:
            wait_until(ready, seconds=90, why="the centre to be ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text()[-3000:]}") from None
        return self

    @contextlib.contextmanager
    def core(self) -> Iterator[wiring.Built]:
        """The centre's services in this process, on the same stores."""
        built = wiring.build(config.load({**self.env}))
        try:
            yield built
        finally:
            built.close()

    def add_user(
        self, username: str = "alice", name: str = "Alice Liddell", groups: tuple[str, ...] = ("staff",)
    ) -> None:
        """An account with PASSWORD."""
        with self.core() as built:
            built.services.accounts.add(
                username, PASSWORD, name=name, email=f"{username}@example.com", groups=groups, actor="test"
            )

    def add_client(self, client: Client, secret: str = "") -> None:
        """A registered client."""
        from dataclasses import replace

        with self.core() as built:
            if secret:
                client = replace(client, secrets=(ClientSecret(digest(secret)),))
            assert built.sql.clients.add(client)

    def cli(self, *args: str) -> Any:
        """`sso ... --json`, parsed. In this process: starting another takes longer than the work (tests/cli does)."""
        done = CliRunner().invoke(main, [*args, "--json"], env=self.env)
        assert done.exit_code == 0, (done.stderr, done.exception)
        return json.loads(done.stdout) if done.stdout else None


@dataclass
class Site:
    """A demo site under gunicorn with two workers."""

    centre: Centre
    client_id: str
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    lease_s: int = 60
    grace_s: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    reachable: bool = True
    app: str = "demo_apps.site"
    kind: str = "oidc"
    register: bool = True

    def __post_init__(self) -> None:
        """Registered at the centre, unless the test does that; not running yet."""
        from dataclasses import replace

        self.base_url = f"http://{self.host}:{self.port}"
        self.secret = f"secret-of-{self.client_id}-0123456789abcdef0123456789"
        logout_base = f"http://127.0.0.1:{self.port if self.reachable else free_port()}"
        client = site_client(
            self.client_id, self.client_id.title(), self.base_url, 1, logout_base=logout_base, kind=self.kind
        )
        if self.register:
            self.centre.add_client(replace(client, lease_s=self.lease_s, grace_s=self.grace_s), self.secret)
        directory = self.centre.directory / self.client_id
        directory.mkdir()
        self.log = directory / "site.log"
        env = {
            "SSO_ISSUER": self.centre.issuer,
            "SSO_CLIENT_ID": self.client_id,
            "SSO_CLIENT_SECRET": self.secret,
            "SSO_BASE_URL": self.base_url,
            "SSO_PROTOCOL": self.kind,
            "SSO_STORE": f"sqlite:///{directory / 'site.sqlite3'}",
            "SITE_NAME": self.client_id.title(),
            **self.settings,
        }
        # Preloaded, as many do it: the program is read once, and the SDK is forked with it.
        argv = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-k", "gthread", "--threads", "4"]
        argv += ["--no-control-socket", "-b", f"127.0.0.1:{self.port}", f"{self.app}:create_app()"]
        self.process = Process(argv, {**clean_env(), **env}, self.log)

    def start(self) -> Site:
        """Start it and wait until it answers."""
        self.process.start()
        wait_until(lambda: requests.get(f"http://127.0.0.1:{self.port}/sso/me", timeout=2), why="the site to answer")
        return self
