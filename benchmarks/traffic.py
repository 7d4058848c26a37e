"""What people and sites ask of a server, by OpenID Connect and by CAS: operations that check each answer.

The same for every server; where they differ (addresses, the sign-in form, how one signs out) it is a field.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit

from benchmarks.load import Answer, Operation, request

PASSWORD = "correct horse battery"
#: Accounts user0 ... user15, all with PASSWORD.
PEOPLE = 16
#: Site 0 has refresh tokens and is told of nothing; 1 ... 20 are where people go, and each is told of sign-outs.
SITES = 20
VERIFIER = "a-verifier-that-is-the-same-for-all-0123456789-0123456789"
_CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

Tokens = dict[str, str]


@dataclass(frozen=True, slots=True)
class Site:
    """One of the registered sites, under the same names at every server. Nobody listens at its addresses."""

    number: int

    @property
    def client_id(self) -> str:
        """Its id."""
        return f"site{self.number}"

    @property
    def secret(self) -> str:
        """Sent in the body (client_secret_post)."""
        return f"secret-of-site-{self.number}-0123456789abcdef0123456789"

    @property
    def redirect_uri(self) -> str:
        """Where codes go."""
        return f"http://127.0.0.1:{9700 + self.number}/callback"

    @property
    def service(self) -> str:
        """What it is called by CAS."""
        return f"http://127.0.0.1:{9700 + self.number}/app"


@dataclass(slots=True)
class Person:
    """Somebody with a browser."""

    username: str
    cookies: dict[str, str] = field(default_factory=dict)
    id_token: str = ""
    """The last that a site got for them: it names whom to sign out."""


def browse(person: Person, method: str, url: str, host: str, form: dict[str, str] | None = None) -> Operation[Answer]:
    """One request of a browser, its cookies sent and kept; `url` may be absolute."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    answer = yield request(method, target, host, cookies=person.cookies, form=form)
    answer.keep_cookies(person.cookies)
    return answer


def hidden_fields(page: Answer) -> dict[str, str]:
    """What a form on the page sends along."""
    fields = {}
    for tag in re.findall(rb"<input[^>]*>", page.body):
        said = dict(re.findall(rb'([a-z]+)="([^"]*)"', tag))
        if said.get(b"type") == b"hidden":
            fields[said[b"name"].decode()] = html.unescape(said.get(b"value", b"").decode())
    return fields


def parameter(url: str, name: str) -> str:
    """Of the query, as it stands there; '' without it."""
    found = re.search(rf"[?&]{name}=([^&#]+)", url)
    return found[1] if found else ""


SignIn = Callable[["Traffic | CasTraffic", Person, Site], Operation[None]]
"""From a site's request to its ticket, in a browser that knows nobody. Left open per server: forms differ."""
SignOut = Callable[["Traffic | CasTraffic", Person], Operation[None]]


def by_form(password_page: str = "") -> SignIn:
    """Sent to a page with a form (`username`, `password`, hidden fields) that posts to where it stands, or to
    `password_page`; and from there back to the site."""

    def sign_in(traffic: Traffic | CasTraffic, person: Person, site: Site) -> Operation[None]:
        answer = yield from browse(person, "GET", traffic.first_url(site), traffic.host)
        url = traffic.first_url(site)
        while answer.status in (302, 303):
            url = answer.header("location")
            answer = yield from browse(person, "GET", url, traffic.host)
        answer.must(answer.status == 200 and b'name="password"' in answer.body, "the sign-in page")
        form = {**hidden_fields(answer), "username": person.username, "password": PASSWORD}
        answer = yield from browse(person, "POST", password_page or url, traffic.host, form)
        answer.must(answer.status in (302, 303), "the right password")
        while not traffic.ticket_in(answer):
            answer.must(answer.status in (302, 303), "the way back to the site")
            answer = yield from browse(person, "GET", answer.header("location"), traffic.host)

    return sign_in


@dataclass(frozen=True, slots=True)
class Traffic:
    """OpenID Connect: code flow with PKCE and a confidential client."""

    host: str
    """As in the header `Host`."""
    signs_in: SignIn
    signs_out: SignOut | None = None
    authorize: str = "/authorize"
    token: str = "/token"
    userinfo: str = "/userinfo"
    introspect: str = "/introspect"
    discovery: str = "/.well-known/openid-configuration"
    scope: str = "openid"
    silent: str = "&prompt=none"
    """What a request for a silent sign-in adds."""

    def first_url(self, site: Site, more: str = "") -> str:
        """The authorization request."""
        return (
            f"{self.authorize}?response_type=code&client_id={site.client_id}&scope={quote(self.scope)}"
            f"&redirect_uri={quote(site.redirect_uri, safe='')}&state=state-{site.number}&nonce=nonce-{site.number}"
            f"&code_challenge={_CHALLENGE}&code_challenge_method=S256{more}"
        )

    def ticket_in(self, answer: Answer) -> str:
        """The code that the site is sent; ''."""
        return parameter(answer.header("location"), "code") if answer.status in (302, 303) else ""

    def sign_in(self, person: Person, site: Site) -> Operation[None]:
        """With a password, until the first code."""
        return self.signs_in(self, person, site)

    def ticket(self, person: Person, site: Site) -> Operation[str]:
        """A code, silently."""
        url = self.first_url(site, self.silent)
        answer = yield request("GET", url, self.host, cookies=person.cookies)
        code = self.ticket_in(answer)
        answer.must(code and answer.header("location").startswith(site.redirect_uri), "a code")
        if b"\nset-cookie" in answer.head.lower():
            answer.keep_cookies(person.cookies)
        return code

    def redeem(self, site: Site, ticket: str) -> Operation[Tokens]:
        """The tokens for a code."""
        form = (
            f"grant_type=authorization_code&code={ticket}&redirect_uri={quote(site.redirect_uri, safe='')}"
            f"&code_verifier={VERIFIER}{self._client(site)}"
        )
        answer = yield request("POST", self.token, self.host, form=form)
        return self._tokens(answer, "an ID token", "id_token")

    def look_up(self, tokens: Tokens) -> Operation[None]:
        """Userinfo."""
        answer = yield request(
            "GET", self.userinfo, self.host, headers={"Authorization": f"Bearer {tokens['access_token']}"}
        )
        answer.must(answer.status == 200 and b'"sub"' in answer.body, "userinfo")
        if whom := _subject(tokens.get("id_token", "")):
            answer.must(json.loads(answer.body).get("sub") == whom, f"userinfo of {whom}")

    def ask_about(self, tokens: Tokens) -> Operation[None]:
        """Introspection, by the site that it was issued to."""
        form = f"token={tokens['access_token']}{self._client(Site(0))}"
        answer = yield request("POST", self.introspect, self.host, form=form)
        answer.must(answer.status == 200 and json.loads(answer.body).get("active") is True, "an active token")

    def refresh(self, tokens: Tokens) -> Operation[Tokens]:
        """The next tokens for site 0, with another refresh token."""
        old = tokens["refresh_token"]
        form = f"grant_type=refresh_token&refresh_token={quote(old)}{self._client(Site(0))}"
        answer = yield request("POST", self.token, self.host, form=form)
        fresh = self._tokens(answer, "a rotation", "refresh_token")
        answer.must(fresh["refresh_token"] != old, "another refresh token")
        return fresh

    def sign_out(self, person: Person) -> Operation[None]:
        """Here and at all sites, until the person has an answer."""
        assert self.signs_out is not None
        return self.signs_out(self, person)

    def _client(self, site: Site) -> str:
        return f"&client_id={site.client_id}&client_secret={site.secret}"

    def _tokens(self, answer: Answer, what: str, name: str) -> Tokens:
        answer.must(answer.status == 200, what)
        tokens: Tokens = json.loads(answer.body)
        answer.must(tokens.get("access_token") and tokens.get(name), what)
        return tokens


@lru_cache(1024)
def _subject(id_token: str) -> str:
    """Whom it is of, unproved (`proof` does that once); '' without one, as after others' refreshes. Kept: the client
    shares the server's cores."""
    payload = id_token.partition(".")[2].partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]) if payload else ""


@dataclass(frozen=True, slots=True)
class CasTraffic:
    """CAS: a service ticket for a browser with a session, and its validation."""

    host: str
    signs_in: SignIn
    signs_out: SignOut | None = None
    login: str = "/cas/login"
    validate: str = "/cas/serviceValidate"

    def first_url(self, site: Site, more: str = "") -> str:
        """Where a service sends the browser."""
        return f"{self.login}?{urlencode({'service': site.service})}{more}"

    def ticket_in(self, answer: Answer) -> str:
        """The service ticket that the service is sent; ''."""
        return parameter(answer.header("location"), "ticket") if answer.status in (302, 303) else ""

    def sign_in(self, person: Person, site: Site) -> Operation[None]:
        """With a password, until the first ticket."""
        return self.signs_in(self, person, site)

    def ticket(self, person: Person, site: Site) -> Operation[str]:
        """A service ticket, without a question."""
        answer = yield request("GET", self.first_url(site), self.host, cookies=person.cookies)
        ticket = self.ticket_in(answer)
        answer.must(ticket.startswith("ST-") and answer.header("location").startswith(site.service), "a ticket")
        if b"\nset-cookie" in answer.head.lower():
            answer.keep_cookies(person.cookies)
        return ticket

    def redeem(self, site: Site, ticket: str) -> Operation[Tokens]:
        """The validation; no tokens come of it."""
        answer = yield request(
            "GET", f"{self.validate}?{urlencode({'service': site.service, 'ticket': ticket})}", self.host
        )
        answer.must(answer.status == 200 and b"authenticationSuccess" in answer.body, "a success")
        return {}

    def sign_out(self, person: Person) -> Operation[None]:
        """Here and at all services, until the person has an answer."""
        assert self.signs_out is not None
        return self.signs_out(self, person)
