"""A small CAS server on a real socket, for sites that sign people in at another one than ours; and a hostile one.

>>> with FakeCas() as cas: back = cas.sign_in("http://.../cas/login?service=...", "alice")   # doctest: +SKIP
"""

import html
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlencode, urlsplit

NAMESPACE = "http://www.yale.edu/tp/cas"
#: What a validation answers instead: a status, a body, or both (with headers) as a function of the query.
Odd = int | bytes | Callable[[dict[str, str]], tuple[int, dict[str, str], bytes]]


@dataclass
class Ticket:
    """One service ticket as it was given."""

    user: str
    service: str
    fresh: bool


@dataclass
class FakeCas:
    """`attributes`: each with all its values. `skew_s`: its clock against ours. `odd`: what it answers instead."""

    attributes: dict[str, list[str]] = field(default_factory=dict)
    skew_s: float = 0
    odd: Odd | None = None
    version: int = 3
    tickets: dict[str, Ticket] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """The paths that were asked for, each with its query."""
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        cas = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(self.path)

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._answer(f"{self.path}?{form}")

            def _answer(self, path: str) -> None:
                status, headers, body = cas.answer(path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's own name
                """`calls` has it all."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self.origin}/cas"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def down(self) -> None:
        """Connections are refused from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    # ------------------------------------------------------------ what browsers do

    def sign_in(self, login_url: str, user: str | None = "alice", *, fresh: bool = True) -> str:
        """Where /cas/login sends a browser whose person is `user`; `fresh`: they type a password."""
        parts, asked = urlsplit(login_url), _one_each(urlsplit(login_url).query)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/login"
        service = asked["service"]
        if user is None:
            assert asked.get("gateway") == "true", "the form would be shown"
            return service
        return f"{service}{'&' if '?' in service else '?'}ticket={self.issue(user, service, fresh=fresh)}"

    def issue(self, user: str, service: str, *, fresh: bool = True) -> str:
        """A ticket for a service."""
        ticket = f"ST-{len(self.tickets) + 1}-{secrets.token_hex(16)}-cas.example.org"
        self.tickets[ticket] = Ticket(user, service, fresh)
        return ticket

    # ------------------------------------------------------------ what servers say

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """One validation."""
        self.calls.append(path)
        parts = urlsplit(path)
        if parts.path not in ("/cas/serviceValidate", *(["/cas/p3/serviceValidate"] if self.version > 2 else [])):
            return 404, {}, b"nothing here"
        asked = _one_each(parts.query)
        if isinstance(self.odd, int):
            return self.odd, {"Location": f"{self.origin}/elsewhere"} if 300 <= self.odd < 400 else {}, b""
        if isinstance(self.odd, bytes):
            return 200, {"Content-Type": "application/xml"}, self.odd
        if self.odd is not None:
            return self.odd(asked)
        return 200, {"Content-Type": "application/xml"}, self._validate(asked, parts.path.startswith("/cas/p3"))

    def _validate(self, asked: dict[str, str], attributes: bool) -> bytes:
        ticket = self.tickets.pop(asked["ticket"], None)
        if ticket is None:
            return failure("INVALID_TICKET")
        if ticket.service != asked["service"]:
            return failure("INVALID_SERVICE")
        if asked.get("renew") == "true" and not ticket.fresh:
            return failure("INVALID_TICKET")
        told = self.attributes
        if self.version > 2 and "authenticationDate" not in told:
            moment = datetime.fromtimestamp(time.time() + self.skew_s - (0 if ticket.fresh else 7200), UTC)
            told = told | {
                "authenticationDate": [moment.isoformat()],
                "longTermAuthenticationRequestTokenUsed": ["false"],
                "isFromNewLogin": ["true" if ticket.fresh else "false"],
            }
        return success(ticket.user, told if attributes else {})

    def logout_form(self, ticket: str) -> bytes:
        """The body of the call that ends a session (CAS 3.0.3 section 2.3.3)."""
        return urlencode({"logoutRequest": logout_request(ticket)}).encode()


def success(user: str, attributes: dict[str, list[str]] | None = None, more: str = "") -> bytes:
    """An answer of a server that found the ticket good."""
    listed = "".join(
        f"<cas:{name}>{html.escape(value)}</cas:{name}>"
        for name, values in (attributes or {}).items()
        for value in values
    )
    told = f"<cas:attributes>{listed}</cas:attributes>" if listed else ""
    return _response(
        f"<cas:authenticationSuccess><cas:user>{html.escape(user)}</cas:user>{told}{more}</cas:authenticationSuccess>"
    )


def failure(code: str) -> bytes:
    """An answer of a server that refused."""
    return _response(f'<cas:authenticationFailure code="{code}">\n  no &amp; no\n</cas:authenticationFailure>')


def logout_request(*tickets: str) -> str:
    """The SAML document."""
    indexes = "".join(f"<samlp:SessionIndex>{html.escape(ticket)}</samlp:SessionIndex>" for ticket in tickets)
    return (
        '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="LR-1" Version="2.0"'
        ' IssueInstant="2026-11-22T09:00:00Z"><saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">'
        f"@NOT_USED@</saml:NameID>{indexes}</samlp:LogoutRequest>"
    )


def login_url(cas_url: str, service: str, **more: str) -> str:
    """As a site asks."""
    return f"{cas_url}/login?service={quote(service, safe='')}" + "".join(f"&{n}={v}" for n, v in more.items())


def _response(inside: str) -> bytes:
    return f'<cas:serviceResponse xmlns:cas="{NAMESPACE}">{inside}</cas:serviceResponse>'.encode()


def _one_each(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
