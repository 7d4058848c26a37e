"""The floor (`floor_app.py`) as a `Server`, on the same web server with the same number of workers and threads."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.floor_app import RedisStore, SqliteStore
from benchmarks.keys import private_key
from benchmarks.load import Operation
from benchmarks.servers import Case, own_redis
from benchmarks.traffic import PASSWORD, SITES, CasTraffic, Person, Site, Traffic, browse
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
    return {
        "gunicorn": [*here, "gunicorn", *gunicorn, "--no-control-socket", f"{app}()"],
        "granian": [*here, "benchmarks.floor_granian", str(port), "2", str(threads)],
    }[web_server]


@dataclass(slots=True)
class FloorServer:
    """One floor, new."""

    web_server: str = "gunicorn"
    store: str = "redis"
    algorithm: str = "ES256"
    logout_uri: Callable[[Site], str] | None = None
    """Where each of the sites 1 to 20 is told of sign-outs; None: nobody is."""
    redis: OwnRedis | None = field(init=False, default=None)
    _port: int = field(init=False, default_factory=free_port)
    _process: Process = field(init=False)
    _directory: Path = field(init=False)
    _open: contextlib.ExitStack = field(init=False, default_factory=contextlib.ExitStack)

    @property
    def case(self) -> Case:
        """What it is."""
        return Case("floor", self.web_server, self.store, self.algorithm)

    @property
    def workloads(self) -> frozenset[str]:
        """A sign-out if anybody listens; what hangs is beyond a floor."""
        known = frozenset({"W0", "W1", "W2", "R", "W3u", "W3i", "W4", "W5", "hash", "C1", "C2", "CR"})
        return known | {"W6"} if self.logout_uri else known

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers."""
        return "127.0.0.1", self._port

    @property
    def openid(self) -> Traffic:
        """The same addresses as Lockstep's."""
        return Traffic(f"127.0.0.1:{self._port}", _sign_in, _sign_out)

    @property
    def cas(self) -> CasTraffic:
        """The same."""
        return CasTraffic(f"127.0.0.1:{self._port}", _sign_in)

    def start(self) -> None:
        """With a store of its own."""
        directory = self._directory = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        key_file = directory / "key.pem"
        key_file.write_bytes(private_key(self.algorithm))
        env = {**clean_env(), "FLOOR_ALGORITHM": self.algorithm, "FLOOR_KEY": str(key_file)}
        if self.logout_uri:
            env["FLOOR_SITES"] = " ".join(self.logout_uri(Site(number)) for number in range(1, SITES + 1))
        if self.store == "redis":
            self.redis = own_redis(directory / "redis")
            self._open.callback(self.redis.kill)
            env["FLOOR_REDIS"] = str(self.redis.port)
        else:
            # Before two processes make it at once: whoever turns to WAL second is refused, and would not start.
            SqliteStore(str(self._file))
            env["FLOOR_SQLITE"] = str(self._file)
        root = Path(__file__).resolve().parent.parent
        self._process = Process(argv(self.web_server, self._port), env, directory / "floor.log", cwd=root)
        self._process.start()
        self._open.callback(self._process.kill)
        wait_until_listening(self._port)

    def put(self, name: str, value: str) -> None:
        """Into its store."""
        store = RedisStore(self.redis.port) if self.redis else SqliteStore(str(self._file))
        store.write(name, value)

    def stop(self) -> None:
        """At once."""
        self._open.close()

    @property
    def _file(self) -> Path:
        return self._directory / "floor.sqlite3"

    def processes(self) -> Mapping[str, Sequence[int]]:
        """`web` and `redis`."""
        assert self._process.popen is not None
        return {"web": tree(self._process.popen.pid)} | ({"redis": [self.redis.pid]} if self.redis else {})


def _sign_out(traffic: Traffic | CasTraffic, person: Person) -> Operation[None]:
    answer = yield from browse(person, "GET", "/end-session", traffic.host)
    answer.must(answer.status == 303, "signed out")


def _sign_in(traffic: Traffic | CasTraffic, person: Person, site: Site) -> Operation[None]:
    """One request, and in it the hash."""
    form = {"username": person.username, "password": PASSWORD, "redirect_uri": site.redirect_uri}
    answer = yield from browse(person, "POST", "/sign-in", traffic.host, form)
    answer.must(answer.status == 303, "the right password")
