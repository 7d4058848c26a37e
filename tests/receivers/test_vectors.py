"""The receivers of docs/receivers against the test vectors: good tokens end the session, bad ones nothing."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from tests.receivers.conftest import RECEIVERS, RunningReceiver, Start
from tests.support.ports import free_port

PAGE = json.loads((RECEIVERS / "vectors/vectors.json").read_text(encoding="utf-8"))
VECTORS = {vector["name"]: vector for vector in PAGE["vectors"]}
ALICE = {"sid": PAGE["sid"], "sub": PAGE["sub"]}
BOB = {"sid": "sid-07-" + "b" * 32, "sub": "usr-" + "b" * 32}


@pytest.fixture(scope="module")
def jwks_uri() -> Iterator[str]:
    """The key set of the vectors over HTTP."""
    keys = (RECEIVERS / "vectors/jwks.json").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(keys)

        def log_message(self, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def receiver(start: Start, jwks_uri: str) -> RunningReceiver:
    return start(PAGE["issuer"], PAGE["client_id"], jwks_uri)


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_gets_its_answer(receiver: RunningReceiver, name: str) -> None:
    vector: dict[str, Any] = VECTORS[name]
    receiver.open(one=ALICE, other=BOB)
    assert receiver.told(vector["token"]) == vector["status"], receiver.log.read_text()
    assert receiver.sessions() == ({"other": BOB} if vector["status"] == 200 else {"one": ALICE, "other": BOB})


def test_a_repeat_is_accepted(receiver: RunningReceiver) -> None:
    assert [receiver.told(VECTORS["good"]["token"]) for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "..",
        "a.b",
        "a.b.c",
        "e30.e30.",
        "e30.e30.e30",
        "bnVsbA.bnVsbA.x",
        "W10.W10.W10",
        "\u00fc.\u00fc.\u00fc",
        "a.b.c.d",
    ],
)
def test_what_is_no_token_is_refused(receiver: RunningReceiver, token: str) -> None:
    assert receiver.told(token) == 400, receiver.log.read_text()


@pytest.mark.parametrize("cut", [1, 10, 100, 300])
def test_a_token_that_was_cut_off_is_refused(receiver: RunningReceiver, cut: int) -> None:
    for name in ("good", "good_es256"):
        assert receiver.told(VECTORS[name]["token"][:-cut]) == 400, receiver.log.read_text()


def test_other_requests_are_refused_and_do_no_harm(receiver: RunningReceiver) -> None:
    uri, token = receiver.logout_uri, VECTORS["good"]["token"]
    receiver.open(one=ALICE)
    assert requests.get(uri, params={"logout_token": token}, timeout=10).status_code in (400, 405)
    assert requests.post(uri, json={"logout_token": token}, timeout=10).status_code == 400
    assert requests.post(uri, data={"other": token}, timeout=10).status_code == 400
    for length, status in ((16_000, 400), (16_400, 413), (100_000, 413)):
        assert requests.post(uri, data={"logout_token": "x" * length}, timeout=10).status_code == status, length
    assert "one" in receiver.sessions()


def test_while_the_centre_is_away_the_call_is_to_be_repeated(start: Start) -> None:
    alone = start(PAGE["issuer"], PAGE["client_id"], f"http://127.0.0.1:{free_port()}/")
    alone.open(one=ALICE)
    assert alone.told(VECTORS["good"]["token"]) == 503
    assert alone.sessions() == {"one": ALICE}
