"""A worker of granian's that can't begin any more: the system still deals callers out to it (docs/operations.md)."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.centre import Centre, tree, wait_until

MANY = 24


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    if not os.environ.get("CI"):
        pytest.importorskip("granian")
    centre = Centre(tmp_path, settings={"SSO_WEB_SERVER": "granian"})
    try:
        yield centre.start()
    finally:
        centre.process.stop()


def break_one(centre: Centre) -> None:
    """The second worker is killed, and the next ones find no key; the first goes on."""
    assert centre.process.popen is not None
    wait_until(lambda: listening(centre.port) == 2, why="both to take callers")
    pids = tree(centre.process.popen.pid)
    (second,) = [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text() == "sso-web-2\n"]
    key = key_of(centre)
    key.rename(key.with_name("kept-key"))
    key.mkdir()
    os.kill(second, signal.SIGKILL)
    wait_until(lambda: deaths(centre) > 0, why="the supervisor to notice")


def listening(port: int) -> int:
    """How many sockets do, on this port (proc(5), net/tcp: state 0A)."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(local.endswith(f":{port:04X}") and state == "0A" for _, local, _, state, *_ in rows)


def mend(centre: Centre) -> None:
    key = key_of(centre)
    key.rmdir()
    key.with_name("kept-key").rename(key)


def key_of(centre: Centre) -> Path:
    return Path(centre.env["SSO_DATA_DIR"]) / "secret-key"


def deaths(centre: Centre) -> int:
    return centre.log.read_text().count('"child_died"')


def callers_of(centre: Centre) -> tuple[list[threading.Thread], list[str]]:
    """Each with a connection of its own, and what becomes of them."""
    ended: list[str] = []

    def call() -> None:
        try:
            with socket.create_connection(("127.0.0.1", centre.port), timeout=60) as connection:
                connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{centre.port}\r\n\r\n".encode())
                ended.append(connection.recv(4096)[:12].decode() or "hung up on")
        except OSError as error:
            ended.append(type(error).__name__)

    threads = [threading.Thread(target=call) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    return threads, ended


def test_callers_of_a_worker_that_cannot_begin_are_answered_once_it_can(centre: Centre) -> None:
    break_one(centre)
    callers, ended = callers_of(centre)
    wait_until(lambda: deaths(centre) >= 3, why="it to die again and again")
    # By chance: once in 17 million times nobody would be dealt out to it.
    assert 0 < len(ended) < MANY
    mend(centre)
    for caller in callers:
        caller.join(60)
    assert ended == ["HTTP/1.1 200"] * MANY


def test_they_do_not_wait_for_ever_for_one_that_never_can(centre: Centre) -> None:
    break_one(centre)
    callers, ended = callers_of(centre)
    assert centre.process.popen is not None
    # The supervisor gives up: whoever watches over it starts all anew, and a balancer sends callers elsewhere.
    assert centre.process.popen.wait(45) == 1
    assert "child_keeps_dying" in centre.log.read_text()
    for caller in callers:
        caller.join(10)
    assert set(ended) == {"HTTP/1.1 200", "ConnectionResetError"}
    assert len(ended) == MANY
