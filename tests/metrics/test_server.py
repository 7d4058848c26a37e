"""The delivery process's own page of numbers: for a few at once, and strangers get no thread."""

import ipaddress
import socket
import threading
import urllib.request

import pytest

from sso_server.metrics import server
from sso_server.metrics.numbers import Numbers
from tests.support.ports import free_port


def test_who_says_nothing_holds_a_few_threads_and_no_more() -> None:
    port = free_port()
    with server.serving(Numbers.alone(), "127.0.0.1", port, ()):
        assert b"lockstep_" in urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read()
        before = threading.active_count()
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
        try:
            hung_up = 0
            for one in silent:
                one.settimeout(0.5)
                try:
                    hung_up += one.recv(1) == b""
                except TimeoutError:
                    continue
            assert hung_up >= 30 - 8
            assert threading.active_count() - before <= 8
        finally:
            for one in silent:
                one.close()


@pytest.mark.parametrize(("networks", "may"), [((), False), ((ipaddress.ip_network("203.0.113.0/24"),), True)])
def test_a_stranger_gets_no_thread(networks: tuple[ipaddress.IPv4Network, ...], may: bool) -> None:
    asked = server._Server.__new__(server._Server)
    asked.networks = networks
    assert asked.verify_request(None, ("203.0.113.7", 1)) is may
    if may:
        asked.room.release()
