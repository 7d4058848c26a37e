"""Free ports on 127.0.0.1, and waiting for somebody to listen there."""

import socket
import time


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now. Somebody else may take it first: let the caller retry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
