"""The example sites of the four frameworks, each with four workers, at one centre that all stories share.

The centre is reached by a wire (tests/support/wire.py), so that a story can hold one of its answers back, or have it
out of reach, without starting anything again.
"""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import pytest
import requests

from sso_server.core.clients import Client
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, Centre, Process, Site, clean_env, wait_until
from tests.support.ports import free_port
from tests.support.relying_party import RelyingParty
from tests.support.wire import Wire
from tests.support.workers import only, workers

WORKERS = 4
_numbers = itertools.count(1)
#: The lease of every site here.
N_S = 5
GUNICORN = ["gunicorn", "-k", "gthread", "--threads", "4", "-w", str(WORKERS), "--no-control-socket"]
UVICORN = ["uvicorn", "--workers", str(WORKERS), "--timeout-worker-healthcheck", "60", "--log-level", "warning"]
FRAMEWORKS = {
    "flask": [*GUNICORN, "--preload", "demo_apps.flask_site:create_app()"],
    "django": [*GUNICORN, "demo_apps.django_site:create_app()"],
    "fastapi": [*UVICORN, "--factory", "demo_apps.fastapi_site:create_app"],
    "wsgi": [*GUNICORN, "--preload", "demo_apps.wsgi_site:create_app()"],
}


@dataclass(frozen=True)
class Workers:
    """A site, and each of its workers."""

    site: Site

    @property
    def url(self) -> str:
        return self.site.base_url

    @property
    def pid(self) -> int:
        """Of the server above the workers."""
        assert self.site.process.popen is not None
        return self.site.process.popen.pid

    def wait_until_it_answers(self) -> None:
        """Its page for everybody; if it never does, what it said instead."""
        try:
            wait_until(lambda: Browser().open(self.url + "/").page.ok, seconds=90, why="a site to answer")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.site.log.read_text()[-3000:]}") from None

    def all(self) -> list[int]:
        """The workers, as soon as there are four again."""

        def found() -> list[int]:
            pids = workers(self.pid, self.site.port)
            return pids if len(pids) == WORKERS else []

        return list(wait_until(found, seconds=60, why="four workers"))

    def ask_each(self, browser: Browser, path: str) -> list[requests.Response]:
        """The answers of all workers to this browser, without following where they lead."""
        pids, answers = self.all(), []
        for pid in pids:
            with only(pid, pids), requests.Session() as fresh:  # a kept connection would lead to an old acquaintance
                fresh.trust_env = False
                fresh.headers.update(browser.http.headers)
                fresh.cookies = browser.http.cookies
                answers.append(fresh.get(self.url + path, timeout=20, allow_redirects=False))
        return answers

    def kill(self, pid: int) -> None:
        """kill -9 of one worker; gone when this returns."""
        assert pid in workers(self.pid, self.site.port)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in workers(self.pid, self.site.port), why="the worker to be gone")


@dataclass(frozen=True)
class World:
    """What the stories of one framework share. `stranger` is a site without any SDK that may call site two's API."""

    framework: str
    centre: Centre
    wire: Wire
    one: Workers
    two: Workers
    stranger: RelyingParty

    def sign_in(self, username: str | None = None) -> Browser:
        """A new browser whose person has typed a password at site one's guarded page."""
        browser = Browser()
        browser.open(self.one.url + "/account").sign_in(username or self.centre.username, PASSWORD)
        assert browser.url == self.one.url + "/account", browser.text
        return browser


@contextmanager
def registered(centre: Centre, framework: str, name: str) -> Iterator[Workers]:
    """A site, ready to be started as its framework's people do; stopped at the end. The centre outlives it, and a
    worker may come back to this framework: no two have the same id."""
    client_id = f"{name}-{framework}-{next(_numbers)}"
    site = Site(centre, client_id, host=f"{client_id}.localhost", lease_s=N_S)
    server, *rest = FRAMEWORKS[framework]
    bind = ["--port", str(site.port)] if server == "uvicorn" else ["-b", f"127.0.0.1:{site.port}"]
    argv = [sys.executable, "-m", server, *bind, *rest]
    site.process = Process(argv, site.process.env, site.log, cwd=centre.directory / client_id)
    try:
        yield Workers(site)
    finally:
        site.process.stop()


@pytest.fixture(scope="session")
def shared_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Centre, Wire]]:
    """A centre whose access tokens live ten seconds, at the other end of a wire."""
    with ExitStack() as stack:
        inner = free_port()
        wire = Wire(inner)
        settings = {"SSO_ACCESS_TOKEN_LIFE": "10"}
        centre = Centre(tmp_path_factory.mktemp("frameworks"), "", settings, port=wire.port)
        argv = [sys.executable, "-m", "sso_server.cli", "serve", "--bind", f"127.0.0.1:{inner}", "--workers", "2"]
        centre.process = Process(argv, {**clean_env(), **centre.env}, centre.log)
        stack.callback(centre.process.stop)
        stack.callback(wire.close)  # first: the centre waits for who is connected
        wire.open()
        yield centre.start(), wire


@pytest.fixture(scope="session", params=FRAMEWORKS)
def running_world(request: pytest.FixtureRequest, shared_centre: tuple[Centre, Wire]) -> Iterator[World]:
    """Sites one and two of a framework; one calls two's API with JWTs, the stranger with opaque tokens."""
    centre, wire = shared_centre
    with ExitStack() as stack:
        one, two = (stack.enter_context(registered(centre, request.param, name)) for name in ("one", "two"))
        for each in (one, two):
            each.site.process.start()
        api = two.site.client_id
        centre.cli("client", "update", one.site.client_id, "--access-token", "jwt", "--audience", api)
        stranger = add_stranger(centre, f"stranger-to-{api}", api)
        for each in (one, two):
            each.wait_until_it_answers()
        yield World(request.param, centre, wire, one, two, stranger)


def add_stranger(centre: Centre, client_id: str, audience: str) -> RelyingParty:
    """A client whose tokens open the API of `audience`."""
    secret = secrets.token_urlsafe(40)
    redirect_uri = "http://127.0.0.1:1/callback"
    client = Client(
        client_id=client_id, name="Stranger", created_at=1, redirect_uris=(redirect_uri,), id_token_alg="ES256"
    )
    centre.add_client(replace(client, audience=(audience,)), secret)
    return RelyingParty(centre.issuer, client_id, secret, redirect_uri)


@pytest.fixture
def world(running_world: World) -> World:
    """The running one, with a person that no other story knows."""
    running_world.centre.username = f"alice-{secrets.token_hex(4)}"
    running_world.centre.add_user(running_world.centre.username)
    return running_world
