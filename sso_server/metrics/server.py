"""`/metrics` of a delivery process that runs without web workers beside it: one page, for those who may read it."""

from __future__ import annotations

import contextlib
import ipaddress
import threading
from collections.abc import Iterable, Iterator, Sequence
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from sso_server.metrics.numbers import Numbers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_READ_S = 5.0
_AT_ONCE = 8


class _Server(ThreadingMixIn, WSGIServer):
    """Strangers get no thread, and those who may read only a few at once."""

    daemon_threads = True
    networks: Sequence[Network] = ()
    room = threading.BoundedSemaphore(_AT_ONCE)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whoever is turned away is hung up on."""
        return _may_read(str(client_address[0]), self.networks) and self.room.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In a thread of its own."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hung up, or said nothing for too long, is nobody's affair."""


class _Handler(WSGIRequestHandler):
    timeout = _READ_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name for it)
        """One line every few seconds that nobody reads."""

    def address_string(self) -> str:
        """Never asks a name server."""
        return str(self.client_address[0])


@contextlib.contextmanager
def serving(numbers: Numbers, host: str, port: int, networks: Sequence[Network]) -> Iterator[None]:
    """Answer GET /metrics there, to this machine and these networks, while the block runs. Raises OSError."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET" or environ["PATH_INFO"] != "/metrics":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"Not found\n"]
        start_response("200 OK", [("Content-Type", numbers.content_type)])
        return [numbers.text()]

    with make_server(host, port, application, _Server, _Handler) as server:
        server.networks = networks
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="metrics")
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _may_read(address: str, networks: Sequence[Network]) -> bool:
    caller = ipaddress.ip_address(address)
    return caller.is_loopback or any(caller in network for network in networks)
