"""The listening socket that the supervisor holds: whoever has connected is taken, whoever comes later is refused."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

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


@contextlib.contextmanager
def held(port: int, *, user: int, listens: bool) -> Iterator[None]:
    """The name that stands for an address is another process's, of this user."""
    ready, tells = os.pipe()
    if not (pid := os.fork()):
        try:
            os.setuid(user)
            holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            holder.bind(f"\0lockstep 127.0.0.1 {port}")
            if listens:
                holder.listen()
            os.write(tells, b"1")
            signal.pause()
        finally:
            os._exit(0)
    os.close(tells)
    try:
        assert os.read(ready, 1), "it has the name"
        yield
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the door beside it is the same one")
@pytest.mark.parametrize("listens", [True, False])
def test_another_user_who_takes_the_name_keeps_nobody_from_a_port_that_is_free(listens: bool) -> None:
    if os.geteuid():
        pytest.skip("only root can be another user")
    port = free_port()
    with held(port, user=65534, listens=listens), contextlib.closing(Door("127.0.0.1", port)) as door:
        for _ in range(2):
            door.beside().close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the door beside it is the same one")
def test_a_centre_of_ours_that_has_just_begun_is_known_as_soon_as_it_listens() -> None:
    port = free_port()
    with contextlib.closing(Door("127.0.0.1", port)) as door, socket.socket(socket.AF_UNIX) as other:
        other.bind(f"\0lockstep 127.0.0.1 {port}")
        soon = threading.Timer(0.1, other.listen)
        soon.start()
        with pytest.raises(PortTaken, match=f"Cannot listen on 127.0.0.1:{port}: Address already in use"):
            door.beside()
        soon.join()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere who has vanished is noticed by other means")
def test_who_has_connected_is_asked_whether_it_is_still_there() -> None:
    port = free_port()
    first = Door("127.0.0.1", port)
    second = first.beside()
    for door in (first, second):
        with listening(door) as listener, socket.create_connection(("127.0.0.1", port), timeout=5):
            taken, _ = listener.accept()
            with taken:
                assert taken.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                after, pause, times = (
                    taken.getsockopt(socket.IPPROTO_TCP, option)
                    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                )
                assert after + pause * times == 45, "docs/operations.md says when its connection ends"
        door.close()


def _taken(listener: socket.socket) -> int:
    listener.setblocking(False)
    taken = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            taken += 1
    return taken
