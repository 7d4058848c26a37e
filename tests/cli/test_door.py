"""The listening socket that the supervisor holds: whoever has connected is taken, whoever comes later is refused."""

import contextlib
import socket
import sys

import pytest

from sso_server.cli.door import Door, PortTaken, check_port
from tests.support.ports import free_port


def listening(door: Door) -> socket.socket:
    """As gunicorn takes it over."""
    listener = socket.fromfd(door.fd, socket.AF_INET, socket.SOCK_STREAM)
    listener.listen(16)
    return listener


def test_callers_are_refused_until_somebody_listens_and_after_the_last_has_closed() -> None:
    port = free_port()
    door = Door("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with listening(door):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        door.close()
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.skipif(sys.platform != "linux", reason="socket filters are Linux'")
def test_who_has_connected_comes_in_and_is_heard_while_nobody_new_does() -> None:
    port = free_port()
    door = Door("127.0.0.1", port)
    with listening(door) as listener, socket.create_connection(("127.0.0.1", port), timeout=5) as early:
        door.refuse_newcomers()
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", port), timeout=0.2)
        early.sendall(b"hello")
        taken, _ = listener.accept()
        with taken:
            assert taken.recv(5) == b"hello"
            taken.sendall(b"you too")
            assert early.recv(7) == b"you too"
        door.close()


def test_a_port_that_somebody_listens_on_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for take in (Door, check_port):
            with pytest.raises(PortTaken, match=f"Cannot listen on 127.0.0.1:{port}: Address already in use"):
                take("127.0.0.1", port)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the door beside it is the same one")
def test_callers_are_dealt_out_among_the_doors_of_one_address_that_listen() -> None:
    port = free_port()
    first = Door("127.0.0.1", port)
    doors = [first, first.beside()]
    with listening(doors[0]) as early:
        alone = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(12)]
        for _ in alone:
            early.accept()[0].close()
        with listening(doors[1]) as late:
            callers = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(16)]
            taken = [_taken(listener) for listener in (early, late)]
            # By chance: once in 30,000 times all would come to one.
            assert sum(taken) == 16
            assert min(taken) > 0
            with pytest.raises(PortTaken):
                Door("127.0.0.1", port)
            for door in doors:
                door.close()
    for caller in alone + callers:
        caller.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the door beside it is the same one")
def test_two_centres_that_start_at_once_never_share_an_address() -> None:
    port = free_port()
    first, second = Door("127.0.0.1", port), Door("127.0.0.1", port)  # neither listens yet: the system lets both
    beside = first.beside()
    with pytest.raises(PortTaken, match=f"Cannot listen on 127.0.0.1:{port}"):
        second.beside()
    for door in (beside, first, second):
        door.close()
    again = Door("127.0.0.1", port)
    again.beside().close()
    again.close()


def _taken(listener: socket.socket) -> int:
    listener.setblocking(False)
    taken = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            taken += 1
    return taken
