"""A site as the front tests play it: over Flask's test client, against the whole app on a real SQLite."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.clients import Client
from sso_server.core.tickets import s256
from sso_server.wiring import Built

ISSUER = "http://127.0.0.1:9000"
PASSWORD = "correct horse battery staple"
VERIFIER = "test-verifier-of-more-than-43-characters-0123456789"


def query_of(response: TestResponse) -> dict[str, str]:
    """The query of a redirect's target, each parameter once."""
    found = parse_qs(urlsplit(response.headers["Location"]).query, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values()), found
    return {name: values[0] for name, values in found.items()}


def path_of(response: TestResponse) -> str:
    """Where a redirect leads, without its query."""
    assert response.status_code == 303, (response.status_code, response.text[:500])
    return response.headers["Location"].split("?")[0]


def sign_in(browser: FlaskClient, location: str = "/sign-in", username: str = "alice") -> TestResponse:
    """Fill in the real sign-in page. The answer to its form."""
    page = browser.get(location)
    assert page.status_code == 200, page.text[:500]
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    fields = {name: unescape(value) for name, value in hidden.items()}
    return browser.post("/sign-in", data=fields | {"username": username, "password": PASSWORD})


def agree(browser: FlaskClient, location: str) -> TestResponse:
    """Press Allow on the real consent page. What the asking front answers then."""
    page = browser.get(location)
    assert page.status_code == 200, page.text[:500]
    form = page.text.partition('<form method="post" action="/consent"')[2].partition("</form>")[0]
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    pressed = browser.post("/consent", data={name: unescape(value) for name, value in fields})
    return browser.get(pressed.headers["Location"])


@dataclass(frozen=True)
class OidcSite:
    """One registered client. Parameters set to None are left out."""

    app: Flask
    client_id: str
    secret: str = ""

    @property
    def redirect_uri(self) -> str:
        return f"https://{self.client_id}.example.com/cb"

    @property
    def home(self) -> str:
        return f"https://{self.client_id}.example.com/"

    @property
    def basic(self) -> dict[str, str]:
        """The Authorization header."""
        return {"Authorization": "Basic " + base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()}

    def params(self, **more: str | None) -> dict[str, str]:
        """A good authorization request, and what a test changes in it."""
        good = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": "openid profile email groups",
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (good | more).items() if value is not None}

    def ask(self, browser: FlaskClient, **more: str | None) -> TestResponse:
        """The browser arrives at /authorize."""
        return browser.get("/authorize?" + urlencode(self.params(**more)))

    def code(self, browser: FlaskClient, **more: str | None) -> str:
        """A ticket; signs alice in, and agrees, if the centre asks."""
        answer = self.ask(browser, **more)
        if path_of(answer) == "/sign-in":
            answer = browser.get(sign_in(browser, answer.headers["Location"]).headers["Location"])
        if path_of(answer) == "/consent":
            answer = agree(browser, answer.headers["Location"])
        assert path_of(answer) == self.redirect_uri, answer.headers["Location"]
        return query_of(answer)["code"]

    def post(self, path: str, headers: dict[str, str] | None = None, **form: str | None) -> TestResponse:
        """A server-to-server call, authenticated by Basic or, if public, by `client_id`."""
        fields = {name: value for name, value in form.items() if value is not None}
        if headers is None:
            headers = self.basic if self.secret else {}
            fields = fields if self.secret else {"client_id": self.client_id} | fields
        return self.app.test_client(use_cookies=False).post(path, data=fields, headers=headers)

    def redeem(self, code: str, /, **more: str | None) -> TestResponse:
        """The ticket against tokens."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
        }
        return self.post("/token", **(form | more))

    def refresh(self, token: str, **more: str | None) -> TestResponse:
        """A refresh token against tokens."""
        return self.post("/token", **({"grant_type": "refresh_token", "refresh_token": token} | more))

    def tokens(self, browser: FlaskClient, *, store_id: str | None = None, **more: str | None) -> dict[str, Any]:
        """Sign in and redeem."""
        answer = self.redeem(self.code(browser, **more), store_id=store_id)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def claims(self, id_token: str) -> dict[str, Any]:
        """The verified claims of an ID token."""
        keys = jwt.PyJWKSet.from_dict(self.app.test_client().get("/jwks.json").get_json())
        key = keys[jwt.get_unverified_header(id_token)["kid"]]
        found: dict[str, Any] = jwt.decode(
            id_token, key, algorithms=["ES256", "RS256"], audience=self.client_id, issuer=ISSUER
        )
        return found

    def userinfo(self, access_token: str) -> TestResponse:
        """Who the token speaks for."""
        headers = {"Authorization": f"Bearer {access_token}"}
        return self.app.test_client(use_cookies=False).get("/userinfo", headers=headers)

    def check_in(self, store: str, **members: object) -> TestResponse:
        """One store of this site reports."""
        calls = self.app.test_client(use_cookies=False)
        return calls.post("/check-in", json={"store": store, **members}, headers=self.basic)


def built_of(app: Flask) -> Built:
    """The services and stores behind the app."""
    built: Built = app.extensions["lockstep_built"]
    return built


def change_client(site: OidcSite, /, *, metadata: dict[str, Any] | None = None, **changes: Any) -> Client:
    """The site is registered otherwise from here on: these members of its metadata, and these of the client itself."""
    built = built_of(site.app)
    before = built.services.clients.find(site.client_id)
    assert before is not None
    after = replace(before, **changes, metadata=replace(before.metadata, **(metadata or {})))
    assert built.sql.clients.update(after, before)
    # Looking for one that nobody has makes the directory read again.
    assert built.services.clients.find("nobody") is None
    return after
