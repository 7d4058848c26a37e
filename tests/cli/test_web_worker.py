"""The web worker on real sockets: slow clients hold no thread, and nothing changes for the others."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port, wait_until_listening
from tests.support.web_echo import LARGE

ROOT = Path(__file__).parents[2]
UNFINISHED = {
    "silent": b"",
    "header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ",
    "body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na=",
    "chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nX: 1\r\nContent-Length: 3\r\nContent-Length: 900\r\n\r\nabc",
    "no end of chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh",
    "too large": b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One worker with two threads, and where it listens."""
    port = free_port()
    log = tmp_path_factory.mktemp("web") / "log"
    argv = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:tests.support.web_echo",
        "-w",
        "1",
        "-b",
        f"127.0.0.1:{port}",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen([*argv, "tests.support.web_echo:app"], cwd=ROOT, stdout=output, stderr=output)
    try:
        wait_until_listening(port)
        yield port
        begun = time.monotonic()
        with connected(port, UNFINISHED["header"]):
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert time.monotonic() - begun < 7, "a slow client held up the stop"
        assert "Traceback" not in log.read_text()
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)


@contextlib.contextmanager
def connected(port: int, words: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        connection.sendall(words)
        yield connection


def ask(port: int, body: Any = None, path: str = "/echo", **more: Any) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.request("POST" if body is not None else "GET", path, body, **more)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def heard(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("kind", UNFINISHED)
def test_forty_slow_clients_hold_up_nobody(server: int, kind: str) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(connected(server, UNFINISHED[kind]))
        took = []
        for _ in range(3):
            begun = time.monotonic()
            assert ask(server, b"hello")["size"] == 5
            took.append(time.monotonic() - begun)
    # Far less than any of them would have held a thread for.
    assert min(took) < 0.5


def test_more_connections_than_allowed_make_room_for_the_next(server: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connected(server, UNFINISHED["header"]))
        assert ask(server)["path"] == "/echo"


@pytest.mark.parametrize("kind", ["header", "body", "chunk"])
def test_what_does_not_arrive_in_time_is_answered_408_and_closed(server: int, kind: str) -> None:
    with connected(server, UNFINISHED[kind]) as slow:
        begun = time.monotonic()
        # Sending on doesn't help: the time is that of the whole request.
        while time.monotonic() - begun < 0.5:
            slow.sendall(b"1")
            time.sleep(0.1)
        answer = heard(slow)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer
    assert 0.9 < time.monotonic() - begun < 10


def test_a_connection_that_says_nothing_is_closed_without_a_word(server: int) -> None:
    with connected(server) as silent:
        assert heard(silent) == b""


def test_an_endless_header_is_refused(server: int) -> None:
    with connected(server, b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 70_000) as endless:
        assert heard(endless).startswith(b"HTTP/1.1 431 ")


def test_bodies_arrive_whole_however_they_are_sent(server: int) -> None:
    assert ask(server)["size"] == 0
    assert ask(server, b"")["size"] == 0
    assert ask(server, b"x" * 1_500_000)["size"] == 1_500_000
    assert ask(server, iter([b"hello ", b"x" * 70_000, b"!"]), encode_chunked=True)["size"] == 70_007
    for head in (
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nT: x\r\n\r\n",
    ):
        with connected(server) as slow:
            for byte in b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + head:
                slow.sendall(bytes([byte]))
            assert b'"start": "hello"' in heard(slow)


def test_requests_follow_each_other_on_one_connection(server: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server, timeout=15)
    for size in (3, 0, 100_000, 7):
        connection.request("POST", "/", b"x" * size)
        assert json.loads(connection.getresponse().read())["size"] == size
    connection.close()
    one = b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
    last = b"GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connected(server, one % 1 + one % 2 + last) as pipelined:
        answer = heard(pipelined)
    assert [answer.count(b'"path": "/%d"' % number) for number in (1, 2, 3)] == [1, 1, 1]


def test_a_body_that_nobody_reads_is_not_taken_for_a_request(server: int) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    last = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connected(server, head % len(hidden) + hidden + last) as client:
        answer = heard(client)
    assert b"/unread" in answer
    assert b"/last" in answer
    assert b"/hidden" not in answer
    # Too large to be waited for: the connection is not used again.
    with connected(server, head % 99_999_999 + hidden) as client:
        answer = heard(client)
    assert b"/unread" in answer
    assert b"/hidden" not in answer


def test_who_asks_before_sending_is_told_to_go_ahead(server: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    with connected(server, head) as polite:
        assert polite.recv(100).startswith(b"HTTP/1.1 100 ")
        polite.sendall(b"hello")
        assert b'"start": "hello"' in heard(polite)


def test_a_client_that_does_not_say_goodbye_holds_up_nobody(server: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            rude = stack.enter_context(connected(server, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
            assert heard(rude)
        begun = time.monotonic()
        assert ask(server)["path"] == "/echo"
        assert time.monotonic() - begun < 1


def test_a_client_that_does_not_take_its_answer_loses_it_in_time(server: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            greedy = stack.enter_context(socket.socket())
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.connect(("127.0.0.1", server))
            greedy.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        assert ask(server)["path"] == "/echo"
        assert len(heard(greedy)) < LARGE


def test_who_holds_most_memory_is_sent_away_first(server: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        hoarders = [stack.enter_context(connected(server, head + b"x" * (1_900_000 - n * 1000))) for n in range(3)]
        assert ask(server, b"hello")["size"] == 5
        answers = [heard(hoarder)[:13] for hoarder in hoarders]
    assert sorted(set(answers)) == [b"HTTP/1.1 408 ", b"HTTP/1.1 503 "]
