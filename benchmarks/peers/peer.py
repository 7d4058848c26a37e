"""One of the others as a `Server`: a directory, a key and a Redis of its own, the same people and sites as everywhere,
one process tree. What differs from one to the next is its `Recipe`.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from benchmarks.keys import private_key
from benchmarks.lockstep_server import NOWHERE
from benchmarks.servers import Case, own_redis
from benchmarks.traffic import PASSWORD, PEOPLE, SITES, CasTraffic, Site, Traffic
from sso_server.crypto.passwords import Argon2Hasher
from tests.support.centre import Process, clean_env, tree, wait_until
from tests.support.ports import free_port
from tests.support.services import OwnRedis

HERE = Path(__file__).parent
INSTALLED = HERE / "installed"
PROGRAMS = HERE / "programs"
WORKERS = 2
#: As for gunicorn in every row: two processes with four threads, kept connections.
GUNICORN = ("--workers", str(WORKERS), "--worker-class", "gthread", "--threads", "4", "--no-control-socket")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one of them runs now."""

    directory: Path
    port: int
    settings: Mapping[str, Any]
    """What its program is told (`peer.json`)."""
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one of them needs."""

    case: Case
    workloads: frozenset[str]
    program: str
    """It is there if this exists: below `installed`, or a command."""
    command: Callable[[Place], Sequence[str]]
    cwd: Path
    openid: Callable[[str], Traffic] | None = None
    """From the `Host` header to its traffic."""
    cas: Callable[[str], CasTraffic] | None = None
    uses_redis: bool = True
    answers_at: str = "/.well-known/openid-configuration"
    fill: Callable[[Place], None] = lambda _: None
    """Before it starts."""
    configure: Callable[[Place], None] = lambda _: None
    """Once it answers, and before it is measured."""

    @property
    def is_installed(self) -> bool:
        """scripts/bench-peers has brought it."""
        return (INSTALLED / self.program).exists() or shutil.which(self.program) is not None


@dataclass(slots=True)
class Peer:
    """A running one; a new one for each round."""

    recipe: Recipe
    logout_uri: Callable[[Site], str] = lambda _: NOWHERE
    """Where each of the sites 1 to 20 is told of sign-outs."""
    port: int = field(default_factory=free_port)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _process: Process | None = None
    _redis: OwnRedis | None = None

    @property
    def case(self) -> Case:
        """What it is."""
        return self.recipe.case

    @property
    def workloads(self) -> frozenset[str]:
        """What it can be asked."""
        return self.recipe.workloads

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers."""
        return "127.0.0.1", self.port

    @property
    def host(self) -> str:
        """As in the header `Host`."""
        return f"127.0.0.1:{self.port}"

    @property
    def openid(self) -> Traffic | None:
        """How its OpenID Connect is asked."""
        return self.recipe.openid(self.host) if self.recipe.openid else None

    @property
    def cas(self) -> CasTraffic | None:
        """How its CAS is asked."""
        return self.recipe.cas(self.host) if self.recipe.cas else None

    def start(self) -> None:
        """Filled anew; returns when it answers. Raises RuntimeError if it isn't installed."""
        if not self.recipe.is_installed:
            raise RuntimeError(f"{self.case.product} is not installed: scripts/bench-peers")
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-peer-")))
        if self.recipe.uses_redis:
            self._redis = own_redis(directory / "redis")
            self._stack.callback(self._redis.kill)
        settings = self._settings(directory)
        (directory / "peer.json").write_text(json.dumps(settings), encoding="utf-8")
        env = {**clean_env(), "PEER_SETTINGS": str(directory / "peer.json"), "NODE_ENV": "production"}
        place = Place(directory, self.port, settings, env)
        self.recipe.fill(place)
        self._process = Process(
            [str(word) for word in self.recipe.command(place)], env, directory / "peer.log", cwd=self.recipe.cwd
        )
        self._stack.callback(self._process.stop)
        self._process.start()
        try:
            wait_until(self._answers, why=f"{self.case.product} to answer")
            self.recipe.configure(place)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()}") from None

    def stop(self) -> None:
        """All of its processes are gone, and its data."""
        self._stack.close()
        self._process = self._redis = None

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Pids by what they do."""
        assert self._process is not None
        assert self._process.popen is not None
        found = {"web": tree(self._process.popen.pid)}
        return {**found, "redis": [self._redis.pid]} if self._redis else found

    def said(self) -> str:
        """The end of its log."""
        return self._process.log.read_text(encoding="utf-8", errors="replace")[-3000:] if self._process else ""

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.popen is not None
        assert self._process.popen.poll() is None, self.said()
        return requests.get(f"http://{self.host}{self.recipe.answers_at}", timeout=5).status_code == 200

    def _settings(self, directory: Path) -> dict[str, Any]:
        key_file = directory / "signing.pem"
        key_file.write_bytes(private_key(self.case.algorithm))
        hashed = Argon2Hasher().hash(PASSWORD)
        return {
            "directory": str(directory),
            "port": self.port,
            "issuer": f"http://{self.host}",
            "workers": WORKERS,
            "redis": self._redis.url if self._redis else "",
            "alg": self.case.algorithm,
            "key_file": str(key_file),
            "password": PASSWORD,
            "people": [{"name": f"user{number}", "hash": hashed} for number in range(PEOPLE)],
            "clients": [self._client(Site(number)) for number in range(SITES + 1)],
        }

    def _client(self, site: Site) -> dict[str, Any]:
        return {
            "id": site.client_id,
            "secret": site.secret,
            "redirect_uri": site.redirect_uri,
            "service": site.service,
            "logout_uri": self.logout_uri(site) if site.number else None,
            "refreshes": site.number == 0,
        }
