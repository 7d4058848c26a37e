"""A small site without the SDK that takes logout calls as the standard says, or with one fault.

    with Receiver(jwks) as receiver:                          # a correct one
    with Receiver(jwks, before=lambda call: (401, "")) ...    # answers by itself what it likes to

It reads real tokens with PyJWT, under a real HTTP server on 127.0.0.1.
"""

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

import jwt

Reply = tuple[int, str]


@dataclass(frozen=True)
class Posted:
    """One call as it came."""

    content_type: str
    body: bytes
    claims: dict[str, Any] | None
    """None: the site refuses the token."""
    count: int
    """How many came before."""


@dataclass
class Receiver:
    """`jwks()` gives the keys that it trusts. `before` answers instead of the receiver, `after` changes its answer."""

    jwks: Callable[[], list[dict[str, str]]]
    before: Callable[[Posted], Reply | None] = lambda call: None
    after: Callable[[Posted, Reply], Reply] = lambda call, reply: reply
    headers: dict[str, str] = field(default_factory=dict)
    clock_off_s: int = 0
    checks: dict[str, bool] = field(default_factory=dict)
    """PyJWT's options, for receivers that check less than they must."""
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    tls: ssl.SSLContext | None = None
    calls: list[Posted] = field(default_factory=list)

    def __enter__(self) -> Self:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                status, text = site.answer(self)
                self.send_response_only(status)
                date = formatdate(time.time() + site.clock_off_s, usegmt=True)
                body = text.encode()
                for name, value in {"Date": date, **site.headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/logout"

    def answer(self, handler: BaseHTTPRequestHandler) -> Reply:
        """What the site says."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        call = Posted(handler.headers["Content-Type"], body, self._read(body), len(self.calls))
        self.calls.append(call)
        reply = self.before(call) or ((400, '{"error":"invalid_request"}') if call.claims is None else (200, ""))
        return self.after(call, reply)

    def _read(self, body: bytes) -> dict[str, Any] | None:
        """The claims of a form's token, by a clock that may be off."""
        try:
            token = parse_qs(body.decode())["logout_token"][0]
            options: dict[str, Any] = {"verify_exp": False, "verify_iat": False, **self.checks}
            keys = {key["kid"]: jwt.PyJWK(key) for key in self.jwks()}
            key = keys.get(jwt.get_unverified_header(token).get("kid", ""), next(iter(keys.values())))
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=list(self.algorithms), audience="shop", options=options
            )
        except (KeyError, ValueError, jwt.PyJWTError):
            return None
        now = time.time() + self.clock_off_s
        in_time = claims["iat"] <= now + 10 and (claims["exp"] > now or self.checks.get("verify_exp") is False)
        return claims if in_time and "events" in claims else None
