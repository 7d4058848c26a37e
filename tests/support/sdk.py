"""What the SDK's tests act with: a clock to move, a person at the client's verbs, a person with a browser."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_client import LocalSession, SSOClient
from tests.support.fake_provider import FakeProvider


@dataclass
class MovedClock:
    """The real time, moved by hand."""

    wall_shift_ms: int = 0
    boot_shift_ms: int = 0
    boot: str = "boot-one"

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.wall_shift_ms

    def boot_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000 + self.boot_shift_ms

    def boot_id(self) -> str:
        return self.boot

    def go(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall_shift_ms += int(seconds * 1000)
        self.boot_shift_ms += int(seconds * 1000)


@dataclass
class StillClock(MovedClock):
    """It stands still until a test moves it: how long that takes on a busy machine must not count."""

    since: tuple[int, int] = field(default_factory=lambda: (MovedClock().wall_ms(), MovedClock().boot_ms()))

    def wall_ms(self) -> int:
        return self.since[0] + self.wall_shift_ms

    def boot_ms(self) -> int:
        return self.since[1] + self.boot_shift_ms


def new_sid() -> str:
    return f"sid-07-{secrets.token_hex(16)}"


def a_session(sid: str | None = None, cookie_hash: str = "hash", sub: str = "usr-a", iat: int = 100) -> LocalSession:
    return LocalSession(
        cookie_hash=cookie_hash,
        sid=sid or new_sid(),
        sub=sub,
        id_token="token",
        id_token_iat=iat,
        claims={"sub": sub},
        asked=True,
        generation=1,
        opened_at_ms=1000,
        until_ms=10**15,
        served_at_ms=1000,
        reported_at_ms=1000,
        leased=True,
    )


@dataclass
class Person:
    """Signs in at the site through the client's verbs."""

    client: SSOClient
    centre: FakeProvider

    def sign_in(self, sid: str | None = None, sub: str = "usr-alice") -> tuple[str, LocalSession]:
        url, attempt = self.client.login_url("/")
        ticket = self.centre.issue_ticket(url, sid=sid or new_sid(), sub=sub)
        return self.client.open_session(self.client.validate_ticket(ticket, attempt))


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Poll until something is true; fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.01)


@dataclass
class Browser:
    """A person with a browser at one Flask site."""

    http: FlaskClient
    centre: FakeProvider

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def start(self, path: str = "/", **headers: str) -> str:
        """Open a guarded page and follow to the centre; returns the centre's address."""
        answer = self.get(path, **headers)
        while answer.status_code == 302 and answer.location.startswith("/"):
            answer = self.get(answer.location)
        assert answer.status_code == 302, answer.text
        return str(answer.location)

    def sign_in(self, path: str = "/", sid: str | None = None, sub: str = "usr-alice") -> TestResponse:
        """The whole way round; returns the answer to the callback."""
        return self.get(self.centre.callback_url(self.start(path), sid=sid or new_sid(), sub=sub))


def browser(site: Flask, centre: FakeProvider) -> Browser:
    return Browser(site.test_client(), centre)
