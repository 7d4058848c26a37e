"""The floor (`floor_app.py`) as a `Server`, on the same web server with the same number of workers and threads."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import Operation
from benchmarks.servers import Case, own_redis
from benchmarks.traffic import PASSWORD, CasTraffic, Person, Site, Traffic, browse
from sso_server.web.waiting import WEB_THREADS
from tests.support.centre import Process, clean_env, tree
from tests.support.ports import free_port, wait_until_listening
from tests.support.services import OwnRedis


def argv(web_server: str, port: int, threads: int = WEB_THREADS) -> list[str]:
    """What starts the floor: as many processes and threads as `sso serve` has. Raises KeyError for another server."""
    app, here = "benchmarks.floor_app:create_app", [sys.executable, "-m"]
    # The worker that `sso serve` has: its own saving is none of Lockstep's views.
    worker = "sso_server.cli.gunicorn_worker.LeavingWorker"
    gunicorn = ["-b", f"127.0.0.1:{port}", "-w", "2", "-k", worker, "--threads", str(threads), "--keep-alive", "5"]
    granian = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "2", "--loop", "asyncio"]
    granian += ["--blocking-threads", str(threads), "--no-ws", "--http", "1", "--log-level", "warning"]
    return {
        "gunicorn": [*here, "gunicorn", *gunicorn, "--no-control-socket", f"{app}()"],
        "granian": [*here, "granian", *granian, "--factory", app],
    }[web_server]


@dataclass(slots=True)
class FloorServer:
    """One floor, new."""

    web_server: str = "gunicorn"
    store: str = "redis"
    algorithm: str = "ES256"
    redis: OwnRedis | None = field(init=False, default=None)
    _port: int = field(init=False, default_factory=free_port)
    _process: Process = field(init=False)
    _open: contextlib.ExitStack = field(init=False, default_factory=contextlib.ExitStack)

    @property
    def case(self) -> Case:
        """What it is."""
        return Case("floor", self.web_server, self.store, self.algorithm)

    @property
    def workloads(self) -> frozenset[str]:
        """All that isn't a sign-out."""
        return frozenset({"W0", "W1", "W2", "R", "W3u", "W3i", "W4", "W5", "C1", "C2", "CR"})

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers."""
        return "127.0.0.1", self._port

    @property
    def openid(self) -> Traffic:
        """The same addresses as Lockstep's."""
        return Traffic(f"127.0.0.1:{self._port}", _sign_in)

    @property
    def cas(self) -> CasTraffic:
        """The same."""
        return CasTraffic(f"127.0.0.1:{self._port}", _sign_in)

    def start(self) -> None:
        """With a store of its own."""
        directory = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        env = {**clean_env(), "FLOOR_ALGORITHM": self.algorithm}
        if self.store == "redis":
            self.redis = own_redis(directory / "redis")
            self._open.callback(self.redis.kill)
            env["FLOOR_REDIS"] = str(self.redis.port)
        else:
            env["FLOOR_SQLITE"] = str(directory / "floor.sqlite3")
        root = Path(__file__).resolve().parent.parent
        self._process = Process(argv(self.web_server, self._port), env, directory / "floor.log", cwd=root)
        self._process.start()
        self._open.callback(self._process.kill)
        wait_until_listening(self._port)

    def stop(self) -> None:
        """At once."""
        self._open.close()

    def processes(self) -> Mapping[str, Sequence[int]]:
        """`web` and `redis`."""
        assert self._process.popen is not None
        return {"web": tree(self._process.popen.pid)} | ({"redis": [self.redis.pid]} if self.redis else {})


def _sign_in(traffic: Traffic | CasTraffic, person: Person, site: Site) -> Operation[None]:
    """One request, and in it the hash."""
    form = {"username": person.username, "password": PASSWORD, "redirect_uri": site.redirect_uri}
    answer = yield from browse(person, "POST", "/sign-in", traffic.host, form)
    answer.must(answer.status == 303, "the right password")
