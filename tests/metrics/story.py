"""Everything that can happen at a centre, once, with every secret that was used on the way written down."""

from __future__ import annotations

import re
import secrets
import socket
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import requests

from sso_server.core.clients import Client
from tests.support.browser import Browser
from tests.support.centre import Centre, wait_until
from tests.support.receivers import Receiver
from tests.support.relying_party import RelyingParty

STORE = "st-" + "s" * 32
_HIDDEN = re.compile(r'<input type="hidden" name="[^"]+" value="([^"]*)"')


@dataclass
class Secrets:
    """What no line may hold. Short ones are left out: `1` is in every line."""

    values: set[str] = field(default_factory=set)

    def add(self, *values: str) -> None:
        # A session's name is no secret: sites and pages show it.
        self.values |= {value for value in values if len(value) >= 8 and not value.startswith(("http", "sid-"))}

    def hear(self, answer: requests.Response) -> requests.Response:
        """Cookies, hidden fields, and what redirects and JSON carry."""
        for one in (*answer.history, answer):
            self.add(*one.cookies.values(), *map(unescape, _HIDDEN.findall(one.text)))
            query = parse_qs(urlsplit(one.headers.get("Location", "")).query)
            self.add(
                *(value for name, found in query.items() if name in ("code", "request", "state") for value in found)
            )
            if one.headers.get("Content-Type", "").startswith("application/json"):
                members = one.json()
                self.add(
                    *(str(members.get(name) or "") for name in ("access_token", "refresh_token", "id_token", "mark"))
                )
        return answer

    def found_in(self, text: str) -> list[str]:
        """Those that stand in it, as they are or as a URL has them."""
        return sorted(v for v in self.values if any(form in text for form in (v, quote(v, safe=""), quote_plus(v))))


@dataclass
class Story:
    """One centre, one person, one site that is called and one that asks."""

    centre: Centre
    password: str = "correct horse battery"
    seen: Secrets = field(default_factory=Secrets)
    pages: list[str] = field(default_factory=list)
    """Error pages, as people saw them."""

    def tell(self) -> None:
        """From the first sign-in to the last answer."""
        self.seen.add(self.password)
        shop, forum = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.seen.add(shop, forum, "wrong-secret-0123")
        with Receiver(lambda: requests.get(self.centre.issuer + "/jwks.json", timeout=10).json()["keys"]) as site:
            self.centre.add_user()
            common: dict[str, Any] = {"created_at": 1, "redirect_uris": ("http://127.0.0.1:1/cb",)}
            called = Client("shop", "Shop", backchannel_logout_uri=site.url, **common)
            self.centre.add_client(called, shop)
            self.centre.add_client(Client("forum", "Forum", delivery="poll", **common), forum)
            browser = self._sign_in(shop)
            self._poll(browser, forum)
            wait_until(lambda: site.calls, why="the site to be called")
            self.seen.add(*(parse_qs(call.body.decode())["logout_token"][0] for call in site.calls))

    def _sign_in(self, secret: str) -> Browser:
        browser, party = Browser(), RelyingParty(self.centre.issuer, "shop", secret, "http://127.0.0.1:1/cb")
        self.seen.add("wrong password that nobody has", "state-of-the-site", "verifier-" + "v" * 43)
        url = party.authorize_url("verifier-" + "v" * 43, state="state-of-the-site", scope="openid offline_access")
        self.seen.hear(browser.open(url).page)
        self.seen.add(*parse_qs(urlsplit(browser.url).query).get("request", []))
        self.seen.hear(browser.sign_in("alice", "wrong password that nobody has").page)
        for form in browser.forms():
            self.seen.add(*(value for name, value in form["fields"].items() if name in ("csrf_token", "request")))
        form = next(f for f in browser.forms() if "/sign-in" in f["action"])
        signed_in = browser.http.post(
            self.centre.issuer + "/sign-in",
            data=form["fields"] | {"username": "alice", "password": self.password},
            headers={"Origin": self.centre.issuer, "Referer": browser.url},
            allow_redirects=False,
            timeout=15,
        )
        self.seen.hear(signed_in)
        back = browser.http.get(
            self.centre.issuer + urlsplit(signed_in.headers["Location"])._replace(scheme="", netloc="").geturl(),
            allow_redirects=False,
            timeout=15,
        )
        self.seen.hear(back)
        code = parse_qs(urlsplit(back.headers["Location"]).query)["code"][0]
        self._use(party, code, "verifier-" + "v" * 43)
        # The ticket once more: what came from it is revoked.
        self._refused(party.redeem(code, "verifier-" + "v" * 43))
        self._strange(browser)
        return browser

    def _use(self, party: RelyingParty, code: str, verifier: str) -> None:
        issuer, basic = self.centre.issuer, (party.client_id, party.secret)

        def post(path: str, **form: str) -> requests.Response:
            return self.seen.hear(requests.post(issuer + path, data=form, auth=basic, timeout=15))

        tokens = self.seen.hear(party.redeem(code, verifier)).json()
        access = tokens["access_token"]
        assert requests.get(issuer + "/userinfo", headers={"Authorization": f"Bearer {access}"}, timeout=15).ok
        renewed = post("/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert renewed.status_code == 200, renewed.text
        assert post("/introspect", token=access).json()["active"] is True
        assert post("/revoke", token=renewed.json()["refresh_token"]).status_code == 200
        call = {"store": STORE, "mark": None, "acks": [], "ended": [], "active": []}
        for _ in range(2):
            answer = self.seen.hear(requests.post(issuer + "/check-in", json=call, auth=basic, timeout=15))
            assert answer.status_code == 200, answer.text
            call["mark"] = answer.json()["mark"]
        # Somebody who mixes things up: secrets in wrong places.
        self._refused(post("/token", grant_type="refresh_token", refresh_token=access))
        self._refused(requests.get(f"{issuer}/userinfo?access_token={access}", timeout=15))
        self._refused(requests.post(issuer + "/check-in", json=call, auth=("shop", "wrong-secret-0123"), timeout=15))

    def _strange(self, browser: Browser) -> None:
        """Errors, and a way in that nobody takes."""
        link = self.centre.cli("admin", "setup-link")["link"]
        self.seen.add(parse_qs(urlsplit(link).query)["token"][0])
        self.seen.hear(browser.http.get(link, timeout=15))
        cookie = next(iter(browser.http.cookies)).value or ""
        for path in ("/nothing", "/authorize", "/token", "/sign-in"):
            self._refused(browser.http.get(f"{self.centre.issuer}{path}?token={quote(cookie)}&code=x", timeout=15))
        # What gunicorn itself can't read, it quotes.
        for head in (f"GET /x?token={quote(cookie)}", f"GET / HTTP/1.1\r\n{cookie}"):
            with socket.create_connection(("127.0.0.1", self.centre.port), timeout=10) as connection:
                connection.sendall(f"{head}\r\n\r\n".encode())
                assert b" 400 " in connection.recv(100)
        self._refused(browser.http.post(self.centre.issuer + "/sign-out", data={"csrf_token": cookie}, timeout=15))

    def _poll(self, browser: Browser, secret: str) -> None:
        forum = RelyingParty(self.centre.issuer, "forum", secret, "http://127.0.0.1:1/cb")
        forum.sign_in_silently(browser)
        self.seen.add(*(str(forum.tokens[name]) for name in ("access_token", "id_token")))
        browser.open(self.centre.issuer + "/sign-out")
        self.seen.add(*(field for form in browser.forms() for field in form["fields"].values()))
        self.seen.hear(browser.submit("/sign-out").page)
        answer = requests.post(
            self.centre.issuer + "/poll", json={"returnImmediately": True}, auth=("forum", secret), timeout=15
        )
        self.seen.add(*answer.json()["sets"].values())
        assert answer.json()["sets"], answer.text
        heard = {"ack": list(answer.json()["sets"]), "returnImmediately": True}
        assert requests.post(self.centre.issuer + "/poll", json=heard, auth=("forum", secret), timeout=15).ok
        listed = self.centre.cli("session", "list")
        assert listed is not None

    def _refused(self, answer: requests.Response) -> None:
        self.seen.hear(answer)
        if answer.status_code >= 400:
            self.pages.append(answer.text)
