"""The fake provider's socket on loopback: a thread that answers, and the faults that a test asks for.

What an answer says is `endpoints`; this file is about bytes, slowness and silence.
"""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sso_client.testing.endpoints import Call, Reply, answer

if TYPE_CHECKING:
    from sso_client.testing.provider import Provider


class Listener:
    """One port of this machine, kept from the first `open()` on."""

    def __init__(self) -> None:
        self.port = 0
        self.provider: Provider | None = None
        self._server: ThreadingHTTPServer | None = None

    @property
    def is_open(self) -> bool:
        return self._server is not None

    def open(self, provider: "Provider") -> None:
        """Answer for this provider; after `close()` on the same port again."""
        self.provider = provider
        if self._server is None:
            self._server = _Server(("127.0.0.1", self.port), _handler_of(self))
            self.port = int(self._server.server_address[1])
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening: connections are refused, and kept ones are dropped at their next call."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up early is what a test asked for."""


def _handler_of(listener: Listener) -> type["_Handler"]:
    return type("_BoundHandler", (_Handler,), {"listener": listener})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out apart: no waiting for an acknowledgement between
    listener: Listener

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        provider = self.listener.provider
        if (
            provider is None or provider.silent or not self.listener.is_open
        ):  # a kept connection outlives the listening socket
            self._hang_up()
            return
        provider.peers.append(self.client_address)
        provider.requests.append((parts.path, dict(self.headers), body))
        fault = provider.take_fault(parts.path)
        if fault == "hang up":
            self._hang_up()
            return
        if isinstance(fault, float):
            time.sleep(fault)
        if isinstance(fault, int):
            reply = Reply.json({"error": "temporarily_unavailable"}, fault)
        else:
            told = Call(self.command, parts.path, parts.query, dict(self.headers), body)
            reply = answer(provider, told, fault if isinstance(fault, str) else "")
        self._send(provider, reply, fault)

    def _send(self, provider: "Provider", reply: Reply, fault: object) -> None:
        if fault == "drip headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self._drip(b"X-Slow: " + b"x" * 60)
        self.send_response_only(reply.status)
        self.send_header("Date", self.date_time_string(int(provider.now_s())))
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if 300 <= reply.status < 400 and "Location" not in reply.headers:
            self.send_header("Location", f"{provider.issuer}/elsewhere")
        self.end_headers()
        if fault == "drip body":
            self._drip(reply.body)
        else:
            self.wfile.write(reply.body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _drip(self, body: bytes) -> None:
        """A byte now and then, each within any time-out for a single read."""
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.2)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's own name
        """Say nothing: `Provider.requests` has it all."""
