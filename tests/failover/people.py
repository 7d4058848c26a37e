"""People with browsers, and the site without the SDK: what they do, step by step, and what was acknowledged to them."""

import re
import time
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

from sso_server.core.tickets import s256
from tests.failover.books import Life
from tests.failover.line import Line
from tests.support.centre import PASSWORD

PEOPLE = 24
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_SESSION = "lockstep_session"
VERIFIER = "a-verifier-of-more-than-43-characters-0123456789"


class Odd(Exception):
    """The centre refused something that it refuses when it has lost what it had acknowledged."""


class PlainSite:
    """A registered client without our SDK, that is called at the end of a session."""

    def __init__(self, client_id: str, redirect_uri: str, secret: str) -> None:
        self.client_id, self.redirect_uri, self.secret = client_id, redirect_uri, secret

    @property
    def auth(self) -> tuple[str, str]:
        return self.client_id, self.secret

    def authorize_path(self, **more: str) -> str:
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid",
            "state": "s",
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
            **more,
        }
        return "/authorize?" + urlencode(query)


def hidden_fields(text: str) -> dict[str, str]:
    """What a form on a page sends along."""
    return {name: unescape(value) for name, value in _HIDDEN.findall(text)}


def sign_in(line: Line, username: str, what: str = "sign in") -> dict[str, str]:
    """The browser's cookies. Raises NotNow."""
    cookies: dict[str, str] = {}
    page = line.ask(f"{what}: page", "GET", "/sign-in", cookies)
    fields = hidden_fields(page.text)
    form = fields | {"username": username, "password": PASSWORD}
    answer = line.ask(what, "POST", "/sign-in", cookies, data=form, headers={"Origin": line.issuer})
    if answer.status_code != 303 or _SESSION not in cookies:
        raise Odd(f"{what}: {answer.status_code} {answer.text[:300]}")
    return cookies


def get_code(line: Line, cookies: dict[str, str], path: str, what: str = "ticket") -> str | None:
    """A ticket without a question; None if the centre knows no session of this browser."""
    answer = line.ask(what, "GET", path, dict(cookies))
    query = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
    return query["code"][0] if "code" in query else None


def take_ticket(line: Line, site: PlainSite, life: Life) -> None:
    """A ticket that waits to be redeemed. Raises NotNow, Odd."""
    code = get_code(line, life.cookies, site.authorize_path())
    if code is None:
        raise Odd("no ticket")
    life.ticket = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": site.redirect_uri,
        "code_verifier": VERIFIER,
    }


def redeem(line: Line, site: PlainSite, life: Life) -> None:
    """Tokens for the ticket. Raises NotNow, Odd: also when an answer was lost and the ticket is spent."""
    answer = line.ask("redeem", "POST", "/token", data=life.ticket, auth=site.auth)
    if answer.status_code != 200:
        raise Odd(f"redeem: {answer.text}")
    tokens = answer.json()
    life.sid = jwt.decode(tokens["id_token"], options={"verify_signature": False})["sid"]
    life.access, life.refresh = tokens["access_token"], tokens["refresh_token"]
    life.redeemed_at = time.time()


def refresh(line: Line, site: PlainSite, token: str, what: str = "refresh") -> dict[str, str] | None:
    """The tokens that came for it; None if it was refused."""
    form = {"grant_type": "refresh_token", "refresh_token": token}
    answer = line.ask(what, "POST", "/token", data=form, auth=site.auth)
    return dict(answer.json()) if answer.status_code == 200 else None


def rotate_twice(line: Line, site: PlainSite, life: Life) -> None:
    """The first token is spent for good as soon as its successor was used. Raises NotNow, Odd."""
    first = life.refresh
    for _ in range(2):
        tokens = refresh(line, site, life.refresh)
        if tokens is None:
            raise Odd("refresh")
        life.refresh = tokens["refresh_token"]
    life.spent = first


def revoke(line: Line, site: PlainSite, life: Life) -> None:
    """At /revoke. Raises NotNow, Odd."""
    token = life.refresh
    answer = line.ask("revoke", "POST", "/revoke", data={"token": token}, auth=site.auth)
    if answer.status_code != 200:
        raise Odd(f"revoke: {answer.text}")
    life.revoked, life.refresh = token, ""


def sign_out(line: Line, life: Life) -> None:
    """At the centre; asked for again until it is answered, as a person does. Raises NotNow."""
    cookies = dict(life.cookies)
    page = line.ask("sign out: page", "GET", "/sign-out", cookies)
    if page.status_code == 303:
        # "You are signed out": true, but nobody here has said so before. Who has pressed the button and got no answer
        # knows it now; of who hasn't, the session was lost.
        life.is_gone = True
        life.ended_at = time.time() if life.end_asked else 0.0
        return
    fields = hidden_fields(page.text)
    life.end_asked = True
    answer = line.ask("sign out", "POST", "/sign-out", cookies, data=fields, headers={"Origin": line.issuer})
    if answer.status_code != 303:
        raise Odd(f"sign out: {answer.status_code} {answer.text[:300]}")
    life.ended_at = time.time()


def is_taken(line: Line, site: PlainSite, life: Life, what: str = "probe") -> bool:
    """Whether the centre lets this browser in without a question. Raises NotNow."""
    return get_code(line, life.cookies, site.authorize_path(prompt="none"), what) is not None


def userinfo(line: Line, token: str, what: str = "probe") -> bool:
    """Whether it answers this access token. Raises NotNow."""
    return line.ask(what, "GET", "/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 200
