"""A private nginx in front of something: its configuration, its log and its temporary files in one directory."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.ports import wait_until_listening
from tests.support.services import SERVICES, find_nginx

_AROUND = """
{user}
worker_processes 2;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
events {{ worker_connections 1024; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{inside}
}}
"""


class Nginx:
    """Started with what belongs between the braces of `http`; may be told another configuration while it runs."""

    def __init__(self, directory: Path, inside: str, *ports: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.ports = ports
        self._file = directory / "nginx.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self.write(inside)

    def write(self, inside: str) -> None:
        """What the next start or `reload` takes."""
        user = "user root;" if os.geteuid() == 0 else ""  # as another it couldn't write into the test's directory
        self._file.write_text(_AROUND.format(user=user, directory=self.directory, inside=inside))

    def start(self) -> None:
        """Returns when it listens on all its ports. AssertionError with nginx' own words if it refuses."""
        program = find_nginx()
        assert program is not None, SERVICES["nginx"][1]
        command = [program, "-p", str(self.directory), "-c", str(self._file), "-e", str(self.directory / "error.log")]
        said = subprocess.run([*command, "-t", "-q"], capture_output=True, text=True, check=False, timeout=20)
        assert said.returncode == 0, said.stderr
        with (self.directory / "nginx.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for port in self.ports:
            wait_until_listening(port, timeout_s=20)

    def reload(self) -> None:
        """SIGHUP: requests under way are finished by the old workers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """SIGTERM: at once, whatever is under way. Its workers go with it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)

    def log(self) -> str:
        """Its error log."""
        return (self.directory / "error.log").read_text()


@contextlib.contextmanager
def running_nginx(directory: Path, inside: str, *ports: int) -> Iterator[Nginx]:
    """An nginx with `inside` as its `http` block; ready when it listens on `ports`; stopped by its pid."""
    nginx = Nginx(directory, inside, *ports)
    try:
        nginx.start()
        yield nginx
    finally:
        nginx.stop()
