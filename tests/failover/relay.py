"""Ports that lead to others: for as long as a block lasts, or wherever a test says."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from tests.support.ports import free_port


class Way:
    """An address whose server may change, as a virtual one does. Connections break when it changes."""

    def __init__(self, port: int, *, at: tuple[str, int] | None = None, host: str = "127.0.0.1") -> None:
        """`at`: where it listens, by default on a free port of 127.0.0.1, named `port`."""
        self._target: tuple[str, int] | None = (host, port)
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(at or ("127.0.0.1", free_port()), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def lead_to(self, port: int, host: str = "127.0.0.1") -> list[socket.socket]:
        """From now on, for new connections; both ends of those that lead where they led, for `hang_up`."""
        self._target, before = (host, port), list(self._open)
        return before

    def close_for_now(self) -> None:
        """Nobody is there."""
        self._target = None
        self.hang_up(list(self._open))

    def hang_up(self, ends: list[socket.socket]) -> None:
        """These connections break; new ones are taken."""
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(30)
        self._listener.close()
        self.close_for_now()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        target = self._target
        with near, contextlib.suppress(OSError):
            if target is None:
                return
            with socket.create_connection(target, timeout=5) as far:
                far.settimeout(None)
                self._open |= {near, far}
                there = threading.Thread(target=_pump, args=(near, far), daemon=True)
                there.start()
                _pump(far, near)
                self._open -= {near, far}
                there.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relayed(host: str, port: int, target: tuple[str, int]) -> Iterator[None]:
    """What connects to the one is connected to the other."""
    with Way(target[1], at=(host, port), host=target[0]):
        yield
