"""The programs that tests need beside Python: where they are, and one private redis-server."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.apache import find_apache
from tests.support.ports import free_port, wait_until_listening
from tests.support.postgres import find_postgres
from tests.support.survivors import end_with_us


@cache
def find_redis_server() -> str | None:
    """The path of redis-server, or None."""
    return shutil.which("redis-server")


@cache
def find_chromium() -> str | None:
    """The path of a Chromium that starts, or None. `CHROMIUM` names one; playwright's own copy is the last resort."""
    for name in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name) if name else None
        # Ubuntu's chromium-browser may be a stub that only asks for a snap: one that can't say its version can't run.
        if path and subprocess.run([path, "--version"], capture_output=True, check=False, timeout=60).returncode == 0:
            return path
    browsers = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright")
    return max(map(str, browsers.glob("chromium-*/chrome-linux*/chrome")), default=None)


@cache
def find_node() -> str | None:
    """The path of a Node that knows `fetch` (18 or newer), or None."""
    path = shutil.which("node")
    if path is None:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    return path if int(said.lstrip("v").partition(".")[0] or 0) >= 18 else None


@cache
def find_nginx() -> str | None:
    """The path of nginx, or None. Debian has it where only root looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


@cache
def find_phpcas() -> str | None:
    """The path of a PHP that has phpCAS in its include path and what that needs, or None."""
    path = shutil.which("php")
    needs = "require 'CAS.php'; exit(function_exists('curl_init') && class_exists('DOMDocument') ? 0 : 1);"
    there = path and subprocess.run([path, "-r", needs], capture_output=True, check=False, timeout=60).returncode == 0
    return path if there else None


#: marker -> how to find its program, and what to say when it isn't there
SERVICES = {
    "redis": (find_redis_server, "redis-server is not installed (scripts/system-parts installs it as root)"),
    "node": (find_node, "Node 18 is not installed (scripts/system-parts installs it as root)"),
    "postgres": (find_postgres, "PostgreSQL is not installed (`scripts/system-parts engines` installs it as root)"),
    "nginx": (find_nginx, "nginx is not installed (`scripts/system-parts engines` installs it as root)"),
    "apache": (
        find_apache,
        "Apache with mod_auth_cas is not installed (`scripts/system-parts engines` installs it as root)",
    ),
    "php": (find_phpcas, "PHP with phpCAS is not installed (`scripts/system-parts engines` installs it as root)"),
    "browser": (find_chromium, "Chromium is not installed (scripts/system-parts installs it as root)"),
}


def patient(url: str) -> str:
    """The same Redis, waited for as long as a busy machine needs: nothing for tests in which it doesn't answer."""
    return f"{url}{'&' if '?' in url else '?'}socket_timeout=15&socket_connect_timeout=15&timeout=15"


@contextlib.contextmanager
def running_redis(directory: Path, *options: str) -> Iterator[str]:
    """A private redis-server that keeps nothing on disk; yields `redis://127.0.0.1:PORT/0` and stops it by its pid."""
    process, port = _start_redis(directory, options)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        _stop(process)


def _start_redis(directory: Path, options: tuple[str, ...]) -> tuple[subprocess.Popen[bytes], int]:
    program = find_redis_server()
    assert program is not None, SERVICES["redis"][1]
    for _ in range(5):
        port = free_port()
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory), "--save", ""]
        command += ["--appendonly", "no", "--maxmemory-policy", "noeviction", *options]
        with (directory / f"redis-{port}.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end_with_us(process.pid)
        try:
            wait_until_listening(port, timeout_s=30)
        except TimeoutError:
            _stop(process)
            continue
        if process.poll() is None:  # else another process took the port between the probe and the start
            return process, port
    raise RuntimeError("redis-server found no free port in five tries")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=10)


class OwnRedis:
    """A redis-server on one port and one directory that a test may stop, pause, kill and start again."""

    def __init__(self, directory: Path, *options: str, mode: tuple[str, ...] = ()) -> None:
        """`mode` is what comes before every option: the configuration file and `--sentinel`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._mode = mode
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now, or ran last."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Also while it is paused."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """With what its directory holds; returns when it has loaded that."""
        self.begin()
        wait_until_listening(self.port, timeout_s=20)

    def begin(self) -> None:
        """As `start`, but returns at once."""
        program = find_redis_server()
        assert program is not None, SERVICES["redis"][1]
        command = [program, *self._mode, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        if not self._mode:
            command += ["--save", ""]
        with (self.directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._options], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end_with_us(self._process.pid)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def stop(self) -> None:
        """SIGTERM: it writes what its settings say. A paused one goes on first."""
        if self._process is not None:
            self.resume()
            _stop(self._process)

    def pause(self) -> None:
        """SIGSTOP: it answers nobody, and its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self.running:
            os.kill(self.pid, signal.SIGCONT)
