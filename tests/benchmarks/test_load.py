"""The client that measures: it reads what servers send, and takes nothing but success for an answer."""

import socket
from collections.abc import Callable

import pytest

from benchmarks.load import Answer, Load, Operation, WrongAnswer, once, request
from tests.support.sinks import Behaviour, Sink


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Whoever asks is told this, and the connection ends."""
    return lambda connection: connection.sendall(answer)


def ask(body: bytes) -> Operation[None]:
    answer = yield request("GET", "/", "centre.example")
    answer.must(answer.status == 200 and answer.body == body, "a body")


def asked(*script: Behaviour, body: bytes = b"yes", times: int = 1) -> tuple[Load, Sink]:
    """One person asks so often, at a server that does this."""

    def person() -> Operation[None]:
        for _ in range(times):
            yield from ask(body)

    with Sink(*script) as sink:
        load = Load(("127.0.0.1", sink.port))
        load.play([person()], 10)
        return load, sink


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nye\r\n1;x=y\r\ns\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length:3\r\nConnection: close\r\n\r\nyes",
    ],
    ids=["length", "chunked", "closing"],
)
def test_every_kind_of_body_is_read_whole(answer: bytes) -> None:
    asked(says(answer))


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    asked(says(b"HTTP/1.0 200 OK\r\n\r\nyes"))


def test_a_kept_connection_serves_one_person_until_the_server_ends_it() -> None:
    load, sink = asked("ok", body=b"ok", times=5)
    assert (load.reconnections, sink.connections) == (0, 1)
    load, sink = asked(says(OK), times=3)
    assert (load.reconnections, sink.connections) == (2, 3)


def test_an_answer_that_is_no_success_ends_the_run_with_its_text() -> None:
    with pytest.raises(WrongAnswer, match=r"a body(?s:.*)503 Not Now(?s:.*)come back later"):
        asked(says(b"HTTP/1.1 503 Not Now\r\nContent-Length: 16\r\n\r\ncome back later."))


@pytest.mark.parametrize("half", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nhalf of it"])
def test_an_answer_that_breaks_off_ends_the_run(half: bytes) -> None:
    with pytest.raises(WrongAnswer, match="closed a connection"):
        asked(says(half))


def test_who_is_never_answered_is_not_waited_for_for_ever() -> None:
    with Sink("hang") as sink, pytest.raises(TimeoutError):
        once(("127.0.0.1", sink.port), ask(b""), 0.2)


def test_cookies_are_kept_as_a_browser_keeps_them() -> None:
    jar = {"old": "1", "gone": "1"}
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: new=a=b; Path=/\r\nset-cookie: gone=; Max-Age=0\r\n"
    Answer(200, head, b"").keep_cookies(jar)
    assert jar == {"old": "1", "new": "a=b"}
