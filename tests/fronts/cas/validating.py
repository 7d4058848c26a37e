"""A CAS service that validates: tickets out of a real session, questions over HTTP, answers taken apart."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from flask import Flask
from werkzeug.test import TestResponse

from sso_server.app import create_app
from sso_server.core.clients import CAS, Client, ClientSecret
from sso_server.core.identifiers import digest
from sso_server.core.service_urls import normal_form
from sso_server.core.sessions import Session
from tests.fronts.conftest import settings_in
from tests.support.builders import opened
from tests.support.oidc_site import built_of
from tests.support.saved_work import small_hashes

CAS_NS = "{http://www.yale.edu/tp/cas}"
ENDPOINTS = ("/cas/serviceValidate", "/cas/proxyValidate", "/cas/p3/serviceValidate", "/cas/p3/proxyValidate")
NO_SUCH_TICKET = "ST-07-" + "a" * 32


@contextmanager
def running(prepared: Path, directory: Path, **settings: object) -> Iterator[Flask]:
    """An app for all tests of a module: each registers services of its own and opens sessions of its own."""
    shutil.copy(prepared / "lockstep.sqlite3", directory)
    with small_hashes():
        app = create_app(settings_in(directory, **settings))
    try:
        yield app
    finally:
        built_of(app).close()


@dataclass(frozen=True)
class Answer:
    """What an endpoint said. Empty where it said nothing."""

    code: str = ""
    text: str = ""
    user: str = ""
    attributes: dict[str, list[str]] | None = None
    iou: str = ""
    proxies: list[str] = field(default_factory=list)
    ticket: str = ""


@dataclass(frozen=True)
class Service:
    """One registered service. `calls` never carry a cookie: sites call, not browsers."""

    app: Flask
    client_id: str
    service: str

    @property
    def client(self) -> Client:
        found = built_of(self.app).services.clients.find(self.client_id)
        assert found is not None
        return found

    def session(self, username: str = "alice", **changes: object) -> Session:
        """A session that is open now."""
        built = built_of(self.app)
        user = built.sql.users.find_by_username(username)
        now = built.services.clock.now()
        return opened(built.session_stores, now, user_id=user.user_id, user_version=user.version, **changes)

    def ticket(self, session: Session | None = None, *, fresh: bool = True, service: str = "") -> str:
        """A service ticket for this service, as the sign-in would give it."""
        issue = built_of(self.app).services.service_tickets.issue
        return issue(session or self.session(), self.client, service=normal_form(service or self.service), fresh=fresh)

    def ask(
        self, path: str, *, post: bool = False, headers: dict[str, str] | None = None, **params: str
    ) -> TestResponse:
        """A call with these parameters and no others."""
        calls = self.app.test_client(use_cookies=False)
        if post:
            return calls.post(path, data=params, headers=headers)
        return calls.get(path, query_string=params, headers=headers)

    def validate(self, ticket: str, path: str = "/cas/serviceValidate", **more: str) -> Answer:
        """Is the ticket good?"""
        headers = {"Authorization": more.pop("authorization")} if "authorization" in more else None
        params = {"service": self.service, "ticket": ticket} | more
        return read(self.ask(path, headers=headers, **params))

    def proxy_ticket(self, pgt: str, target: str) -> str:
        """A proxy ticket for another service."""
        answer = read(self.ask("/cas/proxy", pgt=pgt, targetService=target))
        assert answer.ticket.startswith("PT-"), answer
        return answer.ticket


def read(response: TestResponse) -> Answer:
    """An XML answer, status 200, never kept by anybody."""
    assert (response.status_code, response.mimetype) == (200, "application/xml"), response.text
    assert response.headers["Cache-Control"] == "no-store"
    root = ET.fromstring(response.get_data())
    assert root.tag == f"{CAS_NS}serviceResponse"
    (answer,) = root
    kind = answer.tag.removeprefix(CAS_NS)
    if kind.endswith("Failure"):
        return Answer(answer.attrib["code"], (answer.text or "").strip())
    attributes = answer.find(f"{CAS_NS}attributes")
    found: dict[str, list[str]] | None = None if attributes is None else {}
    for one in attributes if attributes is not None else ():
        assert found is not None
        found.setdefault(one.tag.removeprefix(CAS_NS), []).append(one.text or "")
    return Answer(
        user=answer.findtext(f"{CAS_NS}user") or "",
        attributes=found,
        iou=answer.findtext(f"{CAS_NS}proxyGrantingTicket") or "",
        proxies=[one.text or "" for one in answer.iterfind(f"{CAS_NS}proxies/{CAS_NS}proxy")],
        ticket=answer.findtext(f"{CAS_NS}proxyTicket") or "",
    )


def add(app: Flask, client_id: str, *services: str, secret: str = "", **more: object) -> Service:
    """Register a service; with a secret it is a site with our SDK."""
    if secret:
        more = {"secrets": (ClientSecret(digest(secret)),), "base_url": services[0]} | more
    client = Client(client_id=client_id, name=client_id.title(), created_at=1, kind=CAS, cas_services=services, **more)
    built = built_of(app)
    assert built.sql.clients.add(client)
    built.services.clients._checked_at = -1000  # looked at once a second
    return Service(app, client_id, services[0])
