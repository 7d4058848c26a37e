"""A port that leads to another one."""

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def relayed(host: str, port: int, target: tuple[str, int]) -> Iterator[None]:
    """What connects to the one is connected to the other."""
    with socket.create_server((host, port), backlog=128) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    threading.Thread(target=join, args=(near,), daemon=True).start()

        def join(near: socket.socket) -> None:
            with near, contextlib.suppress(OSError), socket.create_connection(target, timeout=5) as far:
                far.settimeout(None)
                threading.Thread(target=pump, args=(near, far), daemon=True).start()
                pump(far, near)

        def pump(source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
