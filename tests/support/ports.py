"""Free ports on 127.0.0.1, and waiting for somebody to listen there."""

import itertools
import os
import socket
import time

# Below the range from which the kernel takes ports for outgoing connections, and a slice for each process of
# pytest-xdist: a port that was free stays free until its owner listens, and again after a restart.
_FIRST, _SLICE = 10_000, 2_500
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 9
_BEGIN = _FIRST + _WORKER * _SLICE
# Two runs on one machine begin in different places.
_OFFSET = os.getpid() * 37 % _SLICE
_ports = itertools.cycle([_BEGIN + (_OFFSET + n) % _SLICE for n in range(_SLICE)])


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, handed out to nobody else in this run for a long time."""
    for port in itertools.islice(_ports, _SLICE):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


def wait_until_listening(port: int, *, timeout_s: float = 30.0) -> None:
    """Return as soon as 127.0.0.1:`port` accepts a connection; TimeoutError after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nobody listens on 127.0.0.1:{port} after {timeout_s} s") from None
            time.sleep(0.02)
        else:
            return
