"""People who sign in and out without a pause, sites that call in, and a list of every answer that nobody should get."""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import jwt
import requests

from tests.nodes.farm import Farm
from tests.support.browser import Browser
from tests.support.centre import PASSWORD
from tests.support.relying_party import RelyingParty
from tests.support.sinks import Sink

_TIMEOUT_S = 20


class Disappointment(Exception):
    """An answer that a person or a site shouldn't have got."""


@dataclass
class Load:
    """What `people` and sites have done so far. `failures` has a line for each answer that went wrong."""

    farm: Farm
    party: RelyingParty
    asker: RelyingParty
    keep_alive: bool = True
    calls: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    ended: dict[str, float] = field(default_factory=dict)
    """The sessions that somebody signed out of, and when (monotonic)."""
    polled: Counter[str] = field(default_factory=Counter)
    """How often `asker` was given each session's end."""
    slowest_s: float = 0.0
    """What a person waited for longest."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, name: str, ask: Callable[[], requests.Response]) -> requests.Response:
        """One call; whatever isn't 2xx or 3xx is a disappointment."""
        begun = time.monotonic()
        try:
            answer = ask()
            problem = "" if answer.status_code < 400 else f"{answer.status_code} {answer.text[:200]!r}"
        except requests.RequestException as error:
            problem = repr(error)[:300]
        took = time.monotonic() - begun
        with self._lock:
            self.calls[name] += 1
            self.slowest_s = max(self.slowest_s, took if name != "poll" else 0)
            if problem:
                self.failures.append(f"{time.strftime('%X')} {name} after {took:.2f} s: {problem}")
        if problem:
            raise Disappointment(problem)
        return answer

    def sign_in(self, browser: Browser, username: str) -> dict[str, Any]:
        """From the site to the centre's page and back, and what the site gets for the ticket."""
        party, http, verifier = self.party, browser.http, secrets.token_urlsafe(40)
        url = party.authorize_url(verifier)
        browser.page = self.call("sign-in page", lambda: http.get(url, timeout=_TIMEOUT_S))
        form = next(f for f in browser.forms() if "password" in f["fields"])
        data = {**form["fields"], "username": username, "password": PASSWORD}
        target = urljoin(browser.url, form["action"] or browser.url)
        headers = {"Origin": self.farm.issuer, "Referer": browser.url}
        answer = self.call(
            "sign-in",
            lambda: http.post(target, data=data, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False),
        )
        return self._redeem(browser, party, self._after_redirect(answer), verifier)

    def sign_in_silently(self, browser: Browser, party: RelyingParty) -> dict[str, Any]:
        """At a second site: nobody is asked anything."""
        verifier = secrets.token_urlsafe(40)
        return self._redeem(browser, party, party.authorize_url(verifier), verifier)

    def _redeem(self, browser: Browser, party: RelyingParty, location: str, verifier: str) -> dict[str, Any]:
        while not location.startswith(party.redirect_uri):
            ask = partial(browser.http.get, location, timeout=_TIMEOUT_S, allow_redirects=False)
            location = self._after_redirect(self.call("authorize", ask))
        code = parse_qs(urlsplit(location).query)["code"][0]
        tokens: dict[str, Any] = self.call("token", lambda: party.redeem(code, verifier)).json()
        return tokens

    def _after_redirect(self, answer: requests.Response) -> str:
        if "Location" not in answer.headers:
            self.failures.append(f"no redirect, but a page: {answer.text[:300]}")
            raise Disappointment
        return urljoin(answer.url, answer.headers["Location"])

    def sign_out(self, browser: Browser, sid: str) -> None:
        """At the centre, as far as the report."""
        http = browser.http
        browser.page = self.call("sign-out page", lambda: http.get(self.farm.issuer + "/sign-out", timeout=_TIMEOUT_S))
        form = next(f for f in browser.forms() if f["action"].endswith("/sign-out"))
        headers = {"Origin": self.farm.issuer, "Referer": browser.url}
        target = urljoin(browser.url, form["action"])
        answer = self.call(
            "sign-out",
            lambda: http.post(target, data=form["fields"], headers=headers, timeout=_TIMEOUT_S, allow_redirects=False),
        )
        with self._lock:
            self.ended[sid] = time.monotonic()
        location = self._after_redirect(answer)
        self.call("signed-out page", lambda: http.get(location, timeout=_TIMEOUT_S))

    def go_round(self, username: str) -> None:
        """In, a look around, out."""
        browser = self.farm.browser()
        if not self.keep_alive:
            browser.http.headers["Connection"] = "close"
        tokens = self.sign_in(browser, username)
        sid = claims_of(tokens["id_token"])["sid"]
        self.sign_in_silently(browser, self.asker)
        bearer = {"Authorization": "Bearer " + tokens["access_token"]}
        self.call("userinfo", lambda: requests.get(self.farm.issuer + "/userinfo", headers=bearer, timeout=_TIMEOUT_S))
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        auth = (self.party.client_id, self.party.secret)
        self.call("refresh", lambda: requests.post(self.farm.issuer + "/token", form, auth=auth, timeout=_TIMEOUT_S))
        self.sign_out(browser, sid)

    def check_in(self, http: requests.Session, store: str) -> None:
        """As a site's store does."""
        body = {"store": store, "mark": "", "acks": [], "ended": [], "active": []}
        auth = (self.party.client_id, self.party.secret)
        url = self.farm.issuer + "/check-in"
        self.call("check-in", lambda: http.post(url, json=body, auth=auth, timeout=_TIMEOUT_S))

    def poll(self, acks: list[str]) -> list[str]:
        """As a site that nobody calls does: waits until something is there; what it acknowledges next time."""
        auth = (self.asker.client_id, self.asker.secret)
        url = self.farm.issuer + "/poll"
        sets = self.call("poll", lambda: requests.post(url, json={"ack": acks}, auth=auth, timeout=40)).json()["sets"]
        self.polled.update(claims_of(token)["sid"] for token in sets.values())
        return list(sets)


def claims_of(token: str) -> dict[str, Any]:
    """Unverified: the journeys verify."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@contextmanager
def busy(farm: Farm, sink: Sink, people: int = 4, *, keep_alive: bool = True) -> Iterator[Load]:
    """So many people, a store that checks in, and a site that polls, until the block ends.

    `keep_alive=False`: a connection for each request. An nginx that is told a new configuration closes idle ones,
    which browsers take for nothing, and `requests` for an error.
    """
    name = f"load-{secrets.token_hex(3)}"
    # Each with an account of their own: several passwords at once for one account count as guesses.
    usernames = [f"{name}-{number}" for number in range(people)]
    for username in usernames:
        farm.add_user(username)
    party = farm.add_party(f"shop-{name}", sink.url)
    asker = farm.add_party(f"asker-{name}")
    farm.let_poll(asker.client_id)
    load = Load(farm, party, asker, keep_alive)
    stop, all_heard = threading.Event(), threading.Event()

    def until(event: threading.Event, step: Callable[[], None], pause_s: float) -> None:
        while not event.is_set():
            try:
                step()
            except Disappointment:
                pass
            except Exception as error:  # noqa: BLE001  (a thread's death must not go unseen)
                load.failures.append(f"{type(error).__name__}: {error}")
            event.wait(pause_s)

    http, acks = requests.Session(), list[str]()
    if not keep_alive:
        http.headers["Connection"] = "close"
    store = "st-" + "".join(secrets.choice("abcdefgh") for _ in range(32))

    def poll() -> None:
        acks[:] = load.poll(acks)
        if stop.is_set() and not acks and set(load.ended) <= set(load.polled):
            all_heard.set()

    steps: list[tuple[Callable[[], None], float]] = [(partial(load.go_round, each), 0.05) for each in usernames]
    steps.append((lambda: load.check_in(http, store), 0.1))
    threads = [threading.Thread(target=until, args=(stop, *step)) for step in steps]
    poller = threading.Thread(target=until, args=(all_heard, poll, 0.1))
    for thread in (*threads, poller):
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
        with suppress(Disappointment):
            # One more end, so that a poll that waits needn't wait for its time to be over.
            load.go_round(usernames[0])
        poller.join(60)
        all_heard.set()
        http.close()
