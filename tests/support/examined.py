"""What the SDK's doctor is tried on: a real centre and real sites on sockets of this process, and what stands between.

The centre is the whole application on SQLite. `Forwarder` passes connections on, in turn to several sites, or out of
TLS, as a balancer or a proxy does.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from sso_client.clock import Clock
from sso_client.doctor.examination import examine
from sso_client.doctor.findings import Finding, Level
from sso_client.doctor.report import as_text
from sso_client.doctor.site import RunningSite
from sso_client.flask import SSO
from sso_client.settings import Settings
from sso_server.app import create_app
from sso_server.config import Settings as CentreSettings
from sso_server.core.clients import ClientSecret, site_client
from sso_server.core.identifiers import digest
from sso_server.stores.sql import migrate
from tests.support.oidc_site import built_of
from tests.support.ports import free_port
from tests.support.saved_work import small_hashes
from tests.support.sdk import MovedClock

SECRET = "shop-secret-" + "s" * 32


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # the library's own name
        return


@contextlib.contextmanager
def serving(app: Any, port: int = 0) -> Iterator[int]:
    """A WSGI application on a socket of 127.0.0.1, in threads; its port."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class RealCentre:
    """The centre on a loopback address, with the one client `shop`."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        settings = CentreSettings(
            issuer=self.issuer, data_dir=directory, secret_key="k" * 40, hash_memory_kib=8192, log_format="json"
        )
        migrate.upgrade(settings.sql_url)
        with small_hashes():
            self.app = create_app(settings)
        built_of(self.app).signing_keys.ensure_keys()

    def register(self, base_url: str, **changes: Any) -> None:
        """The client `shop` as `sso client add --site` makes it, with these changes; another one goes."""
        built = built_of(self.app)
        client = replace(site_client("shop", "Shop", base_url, 1), secrets=(ClientSecret(digest(SECRET)),), **changes)
        built.sql.clients.remove("shop")
        assert built.sql.clients.add(client)
        built.session_stores.guesses.settle(("trial:shop",), ())
        built.services.clients._checked_at = 0
        built.services.clients._generation = -1

    def close(self) -> None:
        """Give back connections."""
        built_of(self.app).close()


class Forwarder:
    """Passes each connection on to the next of `ports`; with `tls` it ends TLS, and says so to nobody."""

    def __init__(self, *ports: int, tls: ssl.SSLContext | None = None) -> None:
        self._ports = ports
        self._tls = tls
        self._count = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Take no more connections."""
        # A blocked accept isn't woken by close alone; and a number that is closed is soon somebody else's.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join(30)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            port = self._ports[self._count % len(self._ports)]
            self._count += 1
            threading.Thread(target=self._pass_on, args=(caller, port), daemon=True).start()

    def _pass_on(self, caller: socket.socket, port: int) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            near = stack.enter_context(caller)
            if self._tls is not None:
                near = stack.enter_context(self._tls.wrap_socket(caller, server_side=True))
            far = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def findings_of(
    settings: Settings, url: str | None, clock: Clock | None = None, prefix: str = "/sso"
) -> dict[str, Finding]:
    """What the doctor finds, by check; several of one check: the worst."""
    worst: dict[str, Finding] = {}
    order = (Level.OK, Level.UNKNOWN, Level.WARNING, Level.PROBLEM)
    site = RunningSite(url, prefix) if url else None
    for finding in examine(settings, site, clock or MovedClock()):
        # Each can be said in both languages, and none says the secret.
        said = as_text([finding], "en") + as_text([finding], "zh")
        assert not settings.client_secret or settings.client_secret not in said, said
        known = worst.get(finding.check)
        if known is None or order.index(finding.level) > order.index(known.level):
            worst[finding.check] = finding
    return worst


def troubles(findings: dict[str, Finding]) -> dict[str, tuple[str, str]]:
    """check -> (level, code), of what has to be mended."""
    return {n: (f.level.value, f.code) for n, f in findings.items() if f.level in (Level.WARNING, Level.PROBLEM)}


class Shop:
    """Sites of the one client, and the doctor at them."""

    def __init__(self, centre: RealCentre, directory: Path, stack: contextlib.ExitStack) -> None:
        self.centre = centre
        self.directory = directory
        self._stack = stack
        self.store = f"sqlite:///{directory}/shop.sqlite3"

    def app(self, **options: Any) -> Flask:
        """A site; a test may break it before it runs."""
        app = Flask("shop", instance_path=str(self.directory))
        given: dict[str, Any] = {"issuer": self.centre.issuer, "client_id": "shop", "client_secret": SECRET}
        SSO(app, **(given | {"store": self.store} | options))
        return app

    def run(self, app: Any) -> str:
        """Serve it; its address."""
        return f"http://127.0.0.1:{self._stack.enter_context(serving(app))}"

    def forward(self, *ports: int, **options: Any) -> int:
        """Something between; its port."""
        forwarder = Forwarder(*ports, **options)
        self._stack.callback(forwarder.close)
        return forwarder.port

    def settings(self, **changes: Any) -> Settings:
        return Settings(**({"issuer": self.centre.issuer, "client_id": "shop", "client_secret": SECRET} | changes))

    def examine(self, app: Flask, **settings: Any) -> dict[str, Finding]:
        """Run it as registered, and look at it."""
        url = self.run(app)
        self.centre.register(url)
        return findings_of(self.settings(**({"base_url": url, "store": self.store} | settings)), url)
