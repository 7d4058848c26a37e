"""A CAS service as the front tests play it: over Flask's test client, against the whole app on a real SQLite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.errors import InvalidGrant
from sso_server.core.service_tickets import Validated
from sso_server.core.service_urls import normal_form
from tests.support.oidc_site import PASSWORD, built_of

NOTES = "https://notes.example.com/"
LISTS = "http://127.0.0.1:8081/app/"


@dataclass(frozen=True)
class CasSite:
    """One registered service."""

    app: Flask
    client_id: str
    service: str

    def login(self, browser: FlaskClient, **params: str) -> TestResponse:
        """The site sends the browser to the centre; an empty `service` leaves it out."""
        return browser.get(login_path(**{"service": self.service} | params))

    def validated(self, answer: TestResponse, *, renew: bool = False, service: str = "") -> Validated:
        """What the ticket in a redirect is worth; the core decides, the wire is another test's."""
        return self.validate(ticket_of(answer), renew=renew, service=service)

    def validate(self, ticket: str, *, renew: bool = False, service: str = "") -> Validated:
        here = built_of(self.app).services
        url = service or self.service
        client = here.clients.find_by_service(url)
        return here.service_tickets.validate(ticket, client, service=normal_form(url), address=url, renew=renew)

    def refuses(self, ticket: str, **more: object) -> str:
        """The reason why the ticket is worth nothing; empty if it is good."""
        try:
            self.validate(ticket, **more)  # type: ignore[arg-type]
        except InvalidGrant as error:
            return error.description
        return ""


def login_path(**params: str) -> str:
    query = urlencode({name: value for name, value in params.items() if value or name != "service"})
    return f"/cas/login?{query}" if query else "/cas/login"


def ticket_of(answer: TestResponse) -> str:
    """The ticket in a redirect to the service."""
    assert answer.status_code == 303, (answer.status_code, answer.text[:800])
    tickets = parse_qs(urlsplit(answer.headers["Location"]).query).get("ticket", [])
    assert len(tickets) == 1, answer.headers["Location"]
    return tickets[0]


def hidden_fields(page: str) -> dict[str, str]:
    """Names and values of the page's hidden fields."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


def fill_in(browser: FlaskClient, asked: TestResponse, username: str = "alice", **fields: str) -> TestResponse:
    """Follow the redirect to the sign-in page, fill it in, and go where its answer leads, up to the site."""
    assert asked.status_code == 303, (asked.status_code, asked.text[:800])
    page = browser.get(asked.headers["Location"])
    assert page.status_code == 200, page.text[:800]
    typed = {"username": username, "password": PASSWORD}
    return go_on(browser, browser.post("/sign-in", data=hidden_fields(page.text) | typed | fields))


def go_on(browser: FlaskClient, answer: TestResponse) -> TestResponse:
    """Follow the centre's own redirects."""
    while answer.status_code == 303 and answer.headers["Location"].startswith("/"):
        answer = browser.get(answer.headers["Location"])
    return answer
