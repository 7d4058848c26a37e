"""One in twenty sessions over HTTP from the first page to the last: sign in, visit every site, sign out. A person whose
request is lost presses again.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from tests.faults import plan
from tests.faults.plan import Planned
from tests.faults.seeding import PASSWORD, now_ms, repeat
from tests.faults.world import Host, World
from tests.support.browser import Browser


class Person:
    """One browser."""

    def __init__(self, world: World, planned: Planned) -> None:
        self._world = world
        self._planned = planned
        self._browser = Browser()

    def sign_in(self) -> None:
        """At the centre, then at every site."""
        planned = self._planned
        repeat(self._type_password)
        planned.cookie = self._browser.http.cookies["lockstep_session"]
        found = repeat(lambda: _found(self._world.built.services.sign_in.find_any_session(planned.cookie)))
        planned.sid, planned.created_at = found.sid, now_ms()
        for kind in self._world.kinds:
            for name in plan.hosts_of(kind, planned.number):
                host = self._world.hosts[name]
                visit = self._visit_sdk if kind.sdk else self._visit_plain
                self._try(lambda visit=visit, host=host: visit(host))

    def sign_out(self) -> None:
        """In the way of the plan."""
        planned = self._planned
        planned.began_at = now_ms()
        at_site = [n for n in planned.cookies if self._world.hosts[n].kind.sdk]
        if planned.reason == "site_sign_out" and at_site:
            host = self._world.hosts[at_site[planned.number % len(at_site)]]
            repeat(lambda: host.ask("/sign-out", {"cookie": planned.cookies[host.name]}))
        else:
            repeat(self._press_sign_out)
        planned.answered_at = now_ms()

    def _type_password(self) -> None:
        self._browser.open(self._world.issuer + "/sign-in")
        if "lockstep_session" not in self._browser.http.cookies:
            self._check(lambda: self._browser.sign_in(self._planned.user, PASSWORD))

    def _press_sign_out(self) -> None:
        self._check(lambda: self._browser.open(self._world.issuer + "/sign-out"))
        if any("/sign-out" in form["action"] for form in self._browser.forms()):
            more = {"scope": "everywhere"} if self._planned.reason == "sign_out_everywhere" else {}
            self._check(lambda: self._browser.submit("/sign-out", **more))

    def _check(self, what: Callable[[], object]) -> None:
        what()
        if self._browser.page.status_code >= 400:
            raise requests.RequestException(f"{self._browser.url}: {self._browser.page.status_code}")

    def _try(self, visit: Callable[[], None]) -> None:
        """Three times; a site that can't sign anybody in now is left alone."""
        for _ in range(3):
            try:
                visit()
                return
            except (requests.RequestException, KeyError):
                time.sleep(0.3)

    def _visit_sdk(self, host: Host) -> None:
        started = host.ask("/login", {})
        query = self._answer_of(started["url"])
        opened = host.ask("/callback", {"query": query, "attempt": started["attempt"]})
        self._signed_in(host, opened["cookie"])

    def _visit_plain(self, host: Host) -> None:
        verifier = secrets.token_urlsafe(40)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        uri = f"http://127.0.0.1:{host.config.port}/sso/callback"
        asked = {
            "response_type": "code",
            "client_id": host.kind.client_id,
            "redirect_uri": uri,
            "scope": "openid",
            "state": "s",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        query = self._answer_of(f"{self._world.issuer}/authorize?{urlencode(asked)}")
        form = {
            "grant_type": "authorization_code",
            "code": query["code"][0],
            "redirect_uri": uri,
            "code_verifier": verifier,
        }
        auth = (host.kind.client_id, host.config.secret)
        answer = requests.post(self._world.issuer + "/token", data=form, auth=auth, timeout=10)
        answer.raise_for_status()
        until_ms = now_ms() + int(answer.json()["session_expires_in"]) * 1000
        cookie = f"{self._planned.sid}.{host.name}"
        local = {"cookie": cookie, "sid": self._planned.sid, "sub": f"usr-{self._planned.user}", "until_ms": until_ms}
        repeat(lambda: host.ask("/seed", [local]))
        self._signed_in(host, cookie)

    def _answer_of(self, url: str) -> dict[str, list[str]]:
        answer = self._browser.http.get(url, allow_redirects=False, timeout=10)
        query = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
        if "code" not in query:
            raise requests.RequestException(f"{answer.status_code} without a ticket")
        return query

    def _signed_in(self, host: Host, cookie: str) -> None:
        self._planned.cookies[host.name] = cookie
        self._planned.registered.add((host.kind.client_id, host.name))


def is_accepted(world: World, planned: Planned) -> bool:
    """Whether the centre still lets this browser in without asking."""
    kind = world.kinds[0]
    host = world.hosts[plan.host_names(kind)[0]]
    query = {
        "response_type": "code",
        "client_id": kind.client_id,
        "redirect_uri": f"http://127.0.0.1:{host.config.port}/sso/callback",
        "scope": "openid",
        "state": "s",
        "prompt": "none",
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
    }

    def ask() -> bool:
        answer = requests.get(
            f"{world.issuer}/authorize?{urlencode(query)}",
            cookies={"lockstep_session": planned.cookie},
            allow_redirects=False,
            timeout=10,
        )
        found = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
        if "code" not in found and found.get("error") != ["login_required"]:
            raise requests.RequestException(f"{answer.status_code}: {found}")
        return "code" in found

    return bool(repeat(ask))


def _found(session):
    if session is None:
        raise requests.RequestException("no session yet")
    return session
