"""A CAS service written by hand, on a real socket: it validates tickets (CAS 3), keeps a local session for each, and
takes logout requests (CAS 3.0.3 section 2.3.3) where its pages are.
"""

from __future__ import annotations

import secrets
import threading
import xml.etree.ElementTree as ET
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import requests

from tests.support.browser import Browser

_CAS = "{http://www.yale.edu/tp/cas}"
_INDEX = "{urn:oasis:names:tc:SAML:2.0:protocol}SessionIndex"


class CasService:
    """`/page` is for people who are signed in; `/again` sends anybody to the centre once more."""

    def __init__(self, issuer: str) -> None:
        self.local: dict[str, tuple[str, str]] = {}
        """Local sessions: cookie -> (person, ticket)."""
        self.tickets: list[str] = []
        """Validated ones, oldest first."""
        self.called: list[str] = []
        """Tickets that logout requests named, each time."""
        self.holds = threading.Event()
        """While it is set, calls are neither worked off nor answered."""
        self._closed = threading.Event()
        service, cas = self, issuer + "/cas"

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                here = f"{service.base_url}/page"
                ticket = parse_qs(url.query).get("ticket", [""])[0]
                if ticket:
                    cookie = service.validate(cas, ticket, here)
                    headers = {"Location": "/page", "Set-Cookie": f"wiki-{service.port}={cookie}; Path=/; HttpOnly"}
                    self.answer(302 if cookie else 403, headers if cookie else {})
                elif url.path == "/again" or not service.person(self.headers.get("Cookie", "")):
                    self.answer(302, {"Location": f"{cas}/login?service={quote(here, safe='')}"})
                else:
                    self.answer(200, {}, service.person(self.headers.get("Cookie", "")))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode("ascii")
                index = ET.fromstring(parse_qs(body)["logoutRequest"][0]).find(_INDEX)
                assert index is not None
                service.called.append(index.text or "")
                while service.holds.is_set() and not service._closed.wait(0.02):
                    pass
                # A caller that was killed meanwhile gets no answer; the work is done all the same.
                service.end(index.text or "")
                self.answer(200, {})

            def answer(self, status: int, headers: dict[str, str], text: str = "") -> None:
                self.send_response_only(status)
                for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None  # type: ignore[method-assign]
        self.port: int = self._server.server_address[1]
        self.base_url = f"http://wiki-{self.port}.localhost:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def validate(self, cas: str, ticket: str, service: str) -> str:
        """Server to server: the cookie of a new local session, empty if the ticket is worth nothing."""
        query = urlencode({"service": service, "ticket": ticket})
        answer = requests.get(f"{cas}/p3/serviceValidate?{query}", timeout=15)
        user = ET.fromstring(answer.content).find(f"{_CAS}authenticationSuccess/{_CAS}user")
        if user is None:
            return ""
        cookie = secrets.token_hex(16)
        self.local[cookie] = (user.text or "", ticket)
        self.tickets.append(ticket)
        return cookie

    def person(self, cookies: str) -> str:
        """Whose request it is; empty: nobody's."""
        pairs = dict(pair.strip().partition("=")[::2] for pair in cookies.split(";"))
        return self.local.get(pairs.get(f"wiki-{self.port}", ""), ("", ""))[0]

    def end(self, ticket: str) -> None:
        """The local session of this ticket; an unknown one is no error."""
        for cookie in [cookie for cookie, (_, of) in list(self.local.items()) if of == ticket]:
            self.local.pop(cookie, None)

    def is_signed_in(self, browser: Browser) -> bool:
        """Whether the site says so, without asking the centre."""
        return browser.http.get(f"{self.base_url}/page", timeout=15, allow_redirects=False).status_code == 200
