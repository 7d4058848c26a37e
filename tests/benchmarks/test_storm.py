"""A storm in small: people really sign in while checks are made, and each state has its figures."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from benchmarks import storm
from benchmarks.load import Load, Operation, WrongAnswer, request
from benchmarks.lockstep_server import LockstepServer
from benchmarks.servers import Server, started
from benchmarks.traffic import Traffic, by_form
from benchmarks.workloads import Stage
from tests.support.sinks import Sink


@pytest.mark.slow
@pytest.mark.engines
def test_checks_are_timed_with_and_without_a_crowd() -> None:
    settings = {"SSO_TRUSTED_PROXIES": "127.0.0.1/32"}
    with started(LockstepServer(store="sqlite", settings=settings)) as server:
        assert isinstance(server, LockstepServer)
        storm.add_crowd(server, 3)
        found = list(storm.one_round(Stage(server, server.openid).sign_in(1), 0, 1, 3))
    values = {(one.at, one.name): one.value for one in found}
    assert values["storm", "sign_ins_a_second"] > 0
    # Three people are nobody's crowd.
    assert values["storm", "sent_away_a_second"] == 0
    assert 0 < values["idle", "p50_ms"] <= values["idle", "p99_ms"]
    assert 0 < values["storm", "p50_ms"] <= values["storm", "p99_ms"]


def says(answer: bytes) -> Callable[[socket.socket], None]:
    """Whoever asks is told this, and the connection ends."""
    return lambda connection: connection.sendall(answer)


@contextlib.contextmanager
def answering(*script: bytes) -> Iterator[Stage]:
    """A server that says these one after the other, the last again and again."""
    with Sink(*(says(answer) for answer in script)) as sink:
        address = ("127.0.0.1", sink.port)
        server = cast("Server", SimpleNamespace(address=address))
        yield Stage(server, Traffic(f"127.0.0.1:{sink.port}", by_form()))


OOPS = b"HTTP/1.1 500 oops\r\nContent-Length: 4\r\n\r\noops"
CODE = b"HTTP/1.1 303 x\r\nLocation: http://127.0.0.1:9701/callback?code=abc\r\nContent-Length: 0\r\n\r\n"
#: An outage, and no page on which one can go on.
AWAY = b"HTTP/1.1 503 x\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nsoon"


@pytest.mark.parametrize("script", [(OOPS,), (CODE, OOPS), (AWAY,), (CODE, AWAY)], ids=str)
def test_a_crowd_that_is_answered_wrongly_ends_the_measurement(script: tuple[bytes, ...]) -> None:
    raised = pytest.raises(WrongAnswer, match="times in the crowd: WrongAnswer")
    with answering(*script) as stage, raised, storm._Storm(stage, 5):
        pass


def test_checks_begin_when_they_are_due_though_others_are_not_answered() -> None:
    slow, took = threading.Semaphore(0), []

    def late(connection: socket.socket) -> None:
        slow.acquire(timeout=10)
        connection.sendall(says_it)

    says_it = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

    def check(due: float) -> Operation[None]:
        answer = yield request("GET", "/", "centre.example")
        answer.must(answer.status == 200, "yes")
        took.append(time.perf_counter() - due)
        if len(took) == 8:
            slow.release(4)

    with Sink(*[late] * 4, says(says_it)) as sink:
        begun = time.perf_counter()
        due = [begun + number / 100 for number in range(12)]
        Load(("127.0.0.1", sink.port)).play_at([(at, check(at)) for at in due], 3, 20)
    # The first four stood still until the eight after them had their answers.
    assert len(took) == 12
    assert min(took[8:]) > max(took[:8])
