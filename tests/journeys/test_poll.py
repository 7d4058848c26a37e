"""A site that nobody can call asks for its sign-outs (RFC 8936): real processes, real sockets."""

from __future__ import annotations

import contextlib
import secrets
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
import requests

from sso_server.core.clients import Client
from sso_server.core.sessions import EndReason
from tests.journeys.conftest import StartCentre
from tests.support.browser import Browser
from tests.support.centre import PASSWORD, WEB_SERVER, Centre, wait_until
from tests.support.relying_party import EVENT, RelyingParty


class Asker(RelyingParty):
    """An OpenID Connect site without our SDK and without an address."""

    def __init__(self, centre: Centre, client_id: str) -> None:
        secret = f"secret-of-{client_id}-0123456789abcdef0123456789abcdef"
        redirect_uri = f"https://{client_id}.example/callback"
        client = Client(client_id=client_id, name=client_id, created_at=1, redirect_uris=(redirect_uri,))
        centre.add_client(client, secret)
        centre.cli("client", "update", client_id, "--delivery", "poll", "--id-token-alg", "ES256")
        super().__init__(centre.issuer, client_id, secret, redirect_uri)

    def poll(self, timeout_s: float = 40, **members: object) -> requests.Response:
        auth = (self.client_id, self.secret)
        return requests.post(self.issuer + "/poll", json=members, auth=auth, timeout=timeout_s)

    def sets(self, **members: object) -> dict[str, dict[str, Any]]:
        """The verified claims of what one call brings."""
        answer = self.poll(**members)
        assert answer.status_code == 200, answer.text
        found = {}
        for jti, token in answer.json()["sets"].items():
            assert jwt.get_unverified_header(token)["typ"] == "secevent+jwt"
            claims = found[jti] = self.verify(token)
            assert (claims["jti"], claims["events"]) == (jti, {EVENT: {}})
            assert not {"exp", "nonce"} & set(claims)
        return found


def an_asker(centre: Centre) -> Asker:
    asker = Asker(centre, f"shop-{secrets.token_hex(3)}")
    time.sleep(1.1)  # a change at a client is seen within a second
    return asker


@pytest.fixture
def shop(centre: Centre) -> Asker:
    return an_asker(centre)


@contextlib.contextmanager
def many_waiting(asker: Asker, count: int) -> Iterator[list[requests.Response]]:
    """So many calls on their way at once; the answers so far. They end with the centre or by their time."""
    answers: list[requests.Response] = []

    def call() -> None:
        with contextlib.suppress(requests.RequestException):
            answers.append(asker.poll())

    with ThreadPoolExecutor(count) as pool:
        for _ in range(count):
            pool.submit(call)
        yield answers


@pytest.mark.covers("line-134")
def test_a_site_without_an_open_port_hears_of_every_end_within_a_second_and_says_so(
    centre: Centre, shop: Asker
) -> None:
    delays = []
    with centre.core() as elsewhere:
        for n in range(10):
            browser = Browser()
            browser.open(centre.issuer + "/sign-in").sign_in(centre.username, PASSWORD)
            shop.sign_in_silently(browser)
            browser.open(centre.issuer + "/sign-out")
            heard: list[dict[str, dict[str, Any]]] = []
            waiting = threading.Thread(target=lambda into: into.append(shop.sets()), args=(heard,))
            waiting.start()
            # The call is at the centre, whichever of its processes took it, and somewhere between two looks.
            time.sleep(0.2 + 0.05 * n)
            ended = time.monotonic()
            if n % 2:
                elsewhere.services.sign_out.end(shop.sid, EndReason.SIGN_OUT, actor="test")
            else:
                browser.submit("/sign-out")
            waiting.join(30)
            delays.append(time.monotonic() - ended)
            ((jti, claims),) = heard[0].items()
            assert (claims["sid"], claims["reason"]) == (shop.sid, "sign_out")
            assert list(shop.sets(returnImmediately=True)) == [jti]
            assert shop.sets(returnImmediately=True, ack=[jti]) == {}
    (row,) = centre.cli("signout", "show", shop.sid)["notifications"]
    assert (row["state"], row["last_error"]) == ("acknowledged", "")
    print(f"sign-out to set: median {statistics.median(delays):.2f} s, most {max(delays):.2f} s")
    # Promised: a second. Measured 0.3 s in the middle, 0.5 s at most: ten times that on a busy machine.
    assert max(delays) < 5


def test_however_many_calls_wait_the_centre_answers_others_at_once(start_centre: StartCentre) -> None:
    centre = start_centre()
    with many_waiting(an_asker(centre), 80) as answers:
        # Two processes with four places each for one client: the others are sent away.
        wait_until(lambda: len(answers) >= 60, seconds=20, why="those without a place to be answered")
        assert all(answer.headers["Retry-After"] == "2" for answer in list(answers))
        took = []
        for _ in range(20):
            began = time.monotonic()
            assert requests.get(centre.issuer + "/healthz", timeout=10).status_code == 200
            took.append(time.monotonic() - began)
        # Measured 0.003 s.
        assert max(took) < 2
        assert len(answers) < 80, "nobody waited: the test shows nothing"
        centre.process.stop()
    # Whoever waits is answered when the centre stops: gunicorn cuts off after 8 s, and they would have waited for 25.
    assert len(answers) == 80
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.skipif(WEB_SERVER == "granian", reason="docs/operations.md: it tells nobody who has hung up")
def test_callers_that_hang_up_give_their_places_back(centre: Centre, shop: Asker) -> None:
    def gives_up(_: int) -> bool:
        try:
            return "Retry-After" in shop.poll(timeout_s=1.5).headers
        except requests.Timeout:
            return False

    with ThreadPoolExecutor(40) as pool:
        sent_away = list(pool.map(gives_up, range(40)))
    assert any(sent_away), "the places were never full: the test shows nothing"
    assert not all(sent_away)
    # Without noticing it, the centre would keep the places taken for 25 s.
    wait_until(lambda: not any(gives_up(n) for n in range(3)), seconds=15, why="free places")
