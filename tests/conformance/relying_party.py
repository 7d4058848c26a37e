"""A site as the OpenID Foundation's suite plays it: it knows the issuer, its registration, and nothing else of us.

Everything goes over HTTP, and every answer stands the checks that the suite makes on all of them (`answers`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import jwt
import requests
from requests.adapters import BaseAdapter

from sso_server.core.tickets import s256
from tests.conformance import answers
from tests.support.browser import Browser
from tests.support.centre import PASSWORD


class Site(BaseAdapter):
    """What stands at the redirect URI: it answers everything, and keeps what came."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """The browser comes."""
        self.arrived.append(request)
        response = requests.Response()
        response.status_code, response.url, response.request = 200, str(request.url), request
        response._content = b"here I am"  # requests makes responses in no other way
        return response

    def close(self) -> None:
        """Nothing is open."""


class Person(Browser):
    """Somebody with an account, who signs in whenever asked and counts how often that was."""

    def __init__(self, username: str) -> None:
        super().__init__()
        self.username = username
        self.asked = 0
        self.site = Site()
        self.http.mount("https://", self.site)


@dataclass(eq=False)
class RelyingParty:
    """One registered client. Without a secret it is public."""

    issuer: str
    client_id: str
    secret: str = ""
    uses_pkce: bool = False
    in_form: bool = False
    """The secret goes into the form, not into the header."""
    mode: str = ""
    """The response mode that it asks for."""
    alg: str = "RS256"
    sent: dict[str, str] = field(default_factory=dict)
    """The last request."""
    verifier: str = ""

    @property
    def redirect_uri(self) -> str:
        return f"https://{self.client_id}.example.com/cb"

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The discovery document."""
        answer = requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=10)
        document: dict[str, Any] = answer.json()
        assert document["issuer"] == self.issuer
        return document

    def params(self, **more: str | None) -> dict[str, str]:
        """A good request, and what a test changes in it. None leaves one out."""
        good: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": "openid",
            "state": secrets.token_urlsafe(10),
            "nonce": secrets.token_urlsafe(10),
        }
        if self.mode:
            good["response_mode"] = self.mode
        if self.uses_pkce:
            self.verifier = secrets.token_urlsafe(40)
            good |= {"code_challenge": s256(self.verifier), "code_challenge_method": "S256"}
        return {name: value for name, value in (good | more).items() if value is not None}

    def ask(self, person: Person, *, by_post: bool = False, **more: str | None) -> answers.Fields | None:
        """The browser is sent to the centre and signs in if asked. What it brings back to the site, all checked; None
        if it never comes back, and then `person.page` is what it sees."""
        return self.ask_with(person, self.params(**more), by_post=by_post)

    def ask_with(self, person: Person, params: dict[str, str], *, by_post: bool = False) -> answers.Fields | None:
        """The same with exactly these parameters, in their order."""
        self.sent = params
        person.site.arrived.clear()
        if by_post:
            person.page = person.http.post(self.metadata["authorization_endpoint"], data=self.sent, timeout=15)
        else:
            person.open(f"{self.metadata['authorization_endpoint']}?{urlencode(self.sent)}")
        if not person.site.arrived and 'name="password"' in person.text:
            person.asked += 1
            person.sign_in(person.username, PASSWORD)
        if not person.site.arrived and "data-submit" in person.text:
            answers.check_form_page(person.page, self.redirect_uri)
            person.submit(self.redirect_uri)
        if not person.site.arrived:
            return None
        (request,) = person.site.arrived
        return answers.authorization(request, self.sent, self.redirect_uri, self.issuer)

    def code(self, person: Person, *, by_post: bool = False, **more: str | None) -> str:
        """A code."""
        fields = self.ask(person, by_post=by_post, **more)
        assert fields is not None, (person.url, person.text[:500])
        assert "code" in fields, fields
        return fields["code"]

    def error(self, person: Person, **more: str | None) -> str:
        """The error that the site is told."""
        fields = self.ask_with(person, self.params(**more))
        assert fields is not None, (person.url, person.text[:500])
        return fields["error"]

    def post(self, endpoint: str, **form: str) -> requests.Response:
        """A call of the site's own, authenticated in its way."""
        auth = None
        if self.secret and not self.in_form:
            auth = (self.client_id, self.secret)
        else:
            form = {"client_id": self.client_id} | ({"client_secret": self.secret} if self.secret else {}) | form
        return requests.post(self.metadata[endpoint], data=form, auth=auth, timeout=10)

    def try_code(self, code: str, **more: str) -> requests.Response:
        """The code against tokens, whatever comes of it."""
        verifier = {"code_verifier": self.verifier} if self.verifier else {}
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri}
        return self.post("token_endpoint", **(form | verifier | more))

    def redeem(self, code: str) -> dict[str, Any]:
        """The tokens, checked, and `claims`: those of the ID token, checked as well."""
        return self.read(self.try_code(code), nonce=self.sent.get("nonce"))

    def refresh(self, token: str) -> dict[str, Any]:
        """The same for a refresh token."""
        return self.read(self.post("token_endpoint", grant_type="refresh_token", refresh_token=token), nonce=None)

    def read(self, answer: requests.Response, nonce: str | None) -> dict[str, Any]:
        """A token answer."""
        tokens = answers.tokens(answer)
        keys = jwt.PyJWKSet.from_dict(answers.keys(requests.get(self.metadata["jwks_uri"], timeout=10)))
        tokens["claims"] = answers.id_token(
            tokens["id_token"], keys, self.issuer, self.client_id, self.alg, nonce, tokens["access_token"]
        )
        return tokens

    def sign_in(self, person: Person, **more: str | None) -> dict[str, Any]:
        """From the request to the tokens."""
        fields = self.ask_with(person, self.params(**more))
        assert fields is not None, (person.url, person.text[:500])
        return self.redeem(fields["code"])

    def userinfo(self, tokens: dict[str, Any], how: str = "get") -> dict[str, Any]:
        """Who the token speaks for, asked in one of three ways."""
        address, token = self.metadata["userinfo_endpoint"], tokens["access_token"]
        header = {"Authorization": f"Bearer {token}"}
        if how == "body":
            answer = requests.post(address, data={"access_token": token}, timeout=10)
        elif how == "post":
            answer = requests.post(address, headers=header, timeout=10)
        else:
            answer = requests.get(address, headers=header, timeout=10)
        return answers.userinfo(answer, tokens["claims"]["sub"])
