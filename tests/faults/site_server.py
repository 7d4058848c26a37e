"""What both kinds of site processes share: a small HTTP server, and how it misbehaves when it is told to.

A site is told by a file in its directory, so that one that was killed goes on misbehaving when it is back.
"""

import base64
import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs

Answer = tuple[int, dict[str, str], bytes]
LOGOUT_PATH = "/sso/backchannel-logout"
#: Longer than the centre waits for an answer.
_TOO_LONG_S = 6.5


@dataclass(frozen=True)
class SiteConfig:
    """One host of one site, as its process is told. `kind`: `sdk` or `plain`. `slow`: by how much its clocks lag."""

    name: str
    client_id: str
    secret: str
    kind: str
    issuer: str
    port: int
    directory: str
    run: str
    route: tuple[int, int] | None = None
    """Connections to the first port go to the second: the way to the centre."""
    clock_off_ms: int = 0
    clock_slow: float = 0.0
    polls: bool = False
    """It asks instead of being called."""
    part: str = ""
    """A faulty part, if the run names one for this site."""

    def save(self) -> Path:
        """Write it where the process will look."""
        path = Path(self.directory) / "site.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.__dict__))
        return path

    @classmethod
    def load(cls, path: str) -> "SiteConfig":
        found = json.loads(Path(path).read_text())
        found["route"] = tuple(found["route"]) if found["route"] else None
        return cls(**found)


class SiteApp(Protocol):
    """One site: JSON in, JSON out, and the logout call."""

    def seed(self, sessions: list[dict[str, Any]]) -> Any:
        """Open local sessions."""

    def probe(self, requests: list[dict[str, Any]]) -> list[int]:
        """One request with each cookie: 200, 401 or 503."""

    def logout(self, body: bytes, content_type: str) -> Answer:
        """The centre calls."""

    def more(self, path: str, document: Any) -> Any:
        """What only one kind of site has; None: no such thing."""


def behave(directory: Path, **how: Any) -> None:
    """Tell a site how to take logout calls from now on: `do` names it, `share` (percent of the sids, 100) bounds it."""
    fresh = directory / "behaviour.new"
    fresh.write_text(json.dumps(how))
    fresh.replace(directory / "behaviour.json")


class _Behaviour:
    """What the file says now."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "behaviour.json"
        self._seen: tuple[int, int] | None = None
        self._how: dict[str, Any] = {}

    def towards(self, body: bytes) -> str:
        """How to take this call."""
        with contextlib.suppress(OSError):
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._seen:
                self._how = json.loads(self._path.read_text())
                self._seen = stamp
        do = str(self._how.get("do", "ok"))
        if do == "ok" or not _in_share(body, int(self._how.get("share", 100))):
            return "ok"
        return do


def _in_share(body: bytes, share: int) -> bool:
    """The same sids always: by the last letters of the sid in the (unverified) token."""
    if share >= 100:
        return True
    with contextlib.suppress(ValueError, KeyError, IndexError):
        payload = parse_qs(body.decode())["logout_token"][0].split(".")[1]
        sid = json.loads(base64.urlsafe_b64decode(payload + "=="))["sid"]
        return sum(sid.encode()) % 100 < share
    return False


class SiteServer(ThreadingHTTPServer):
    """On 127.0.0.1. `serve_forever` in the main thread."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, config: SiteConfig, app: SiteApp) -> None:
        self.app = app
        self.behaviour = _Behaviour(Path(config.directory))
        super().__init__(("127.0.0.1", config.port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: SiteServer

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        self._answer(200, {}, b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == LOGOUT_PATH:
            self._logout(body)
            return
        document = json.loads(body or b"null")
        app = self.server.app
        if self.path == "/seed":
            found = app.seed(document)
        elif self.path == "/probe":
            found = app.probe(document)
        else:
            found = app.more(self.path, document)
        self._answer(404 if found is None else 200, {}, json.dumps(found).encode())

    def _logout(self, body: bytes) -> None:
        do = self.server.behaviour.towards(body)
        if do == "hang":
            time.sleep(_TOO_LONG_S)
            self.close_connection = True
        elif do == "drip":
            self._drip()
        elif do == "drop":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif do == "late":
            # The work is done; the answer comes when nobody waits for it any more.
            answer = self.server.app.logout(body, self.headers.get("Content-Type", ""))
            time.sleep(_TOO_LONG_S)
            self._answer(*answer)
        elif do.isdigit():
            headers = {"429": {"Retry-After": "2"}, "302": {"Location": "/elsewhere"}}.get(do, {})
            self._answer(int(do), headers, b"")
        else:
            self._answer(*self.server.app.logout(body, self.headers.get("Content-Type", "")))

    def _drip(self) -> None:
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":
                self.wfile.write(bytes([byte]))
                time.sleep(0.2)
        self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


class AdmittedLog:
    """Append-only: which cookie was admitted when. A killed process loses at most the batch under way."""

    def __init__(self, directory: Path) -> None:
        self._file = os.open(directory / "admitted.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lock = threading.Lock()

    def note(self, lines: list[tuple[int, str]]) -> None:
        if lines:
            with self._lock:
                os.write(self._file, "".join(f"{at} {cookie}\n" for at, cookie in lines).encode())


def read_admitted(directory: Path) -> Iterator[tuple[int, str]]:
    """(ms, cookie) of every admitted request."""
    path = directory / "admitted.log"
    if path.exists():
        for line in path.read_text().splitlines():
            at, _, cookie = line.partition(" ")
            if cookie and at.isdigit():
                yield int(at), cookie


def reroute(from_port: int, to_port: int) -> None:
    """This process reaches one port of 127.0.0.1 through another: the wire that the suite can cut."""
    import urllib3.util.connection

    connect = urllib3.util.connection.create_connection

    def through(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        host, port = address
        return connect((host, to_port if port == from_port else port), *args, **kwargs)

    urllib3.util.connection.create_connection = through  # type: ignore[assignment]
