"""Callers that take their time, at gunicorn's: a machine that has vanished looks the same."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.house.sources import ROOT
from tests.support.centre import clean_env, wait_until
from tests.support.ports import free_port

THREADS = 2


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of one process with two threads."""
    port = free_port()
    argv = [sys.executable, "-m", "gunicorn", "-k", "tests.cli.hurried_worker.HurriedWorker", "-w", "1"]
    options = ["--threads", str(THREADS), "--no-control-socket", "--graceful-timeout", "5", "-b", f"127.0.0.1:{port}"]
    log = tmp_path / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*argv, *options, "tests.cli.hurried_worker:application"],
            cwd=ROOT,
            env=clean_env(),
            stdout=written,
            stderr=written,
        )
    try:
        wait_until(lambda: answers(port), why="gunicorn")
        yield port
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        process.wait(20)


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=20).ok
    except requests.RequestException:
        return False


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost:",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf of it",
        b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["half a head", "half a body", "reads no answer"],
)
def test_who_never_comes_to_an_end_is_hung_up_on_and_its_thread_is_there_again(port: int, sent: bytes) -> None:
    slow = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(THREADS)]
    try:
        for connection in slow:
            connection.sendall(sent)
        assert answers(port), "the others' turn comes"
        for connection in slow:
            while connection.recv(1 << 20):
                pass
    finally:
        for connection in slow:
            connection.close()
