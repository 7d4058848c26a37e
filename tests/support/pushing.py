"""A site that pushes its authorization requests (RFC 9126), and the browser that comes with the reference."""

from __future__ import annotations

from urllib.parse import urlencode

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.oidc_site import OidcSite

URN = "urn:ietf:params:oauth:request_uri:"


def push(site: OidcSite, **more: str | None) -> TestResponse:
    """The good request, pushed, and what a test changes in it."""
    return site.post("/par", **site.params(**more))


def pushed(site: OidcSite, **more: str | None) -> str:
    answer = push(site, **more)
    assert answer.status_code == 201, answer.text
    uri: str = answer.get_json()["request_uri"]
    return uri


def visit(browser: FlaskClient, site: OidcSite, uri: str, **beside: str) -> TestResponse:
    return browser.get("/authorize?" + urlencode({"client_id": site.client_id, "request_uri": uri, **beside}))


def refused(answer: TestResponse) -> str:
    """A page that leads nowhere."""
    assert (answer.status_code, answer.headers.get("Location")) == (400, None), answer.headers
    return answer.text
