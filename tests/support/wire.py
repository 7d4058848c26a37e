"""The way to the centre, on 127.0.0.1: a port that leads to its port, where a test may hold one answer back, or close
the way altogether.

    with wire.hold("POST /token") as held:     # the next such call reaches the centre; its answer waits
        ...
        held.port()                            # the caller's own port, once the call is there
"""

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.support.ports import free_port


class Held:
    """One call whose answer is kept back."""

    def __init__(self, line: str) -> None:
        self.line = line.encode()
        self.released = threading.Event()
        self._came = threading.Event()
        self._port = 0

    def claim(self, port: int) -> bool:
        """True for the first caller alone."""
        if self._came.is_set() or self.released.is_set():
            return False
        self._port = port
        self._came.set()
        return True

    @property
    def is_there(self) -> bool:
        """Whether a call has come."""
        return self._came.is_set()

    def port(self, timeout_s: float = 30) -> int:
        """The caller's own port, as soon as the call is there."""
        assert self._came.wait(timeout_s), f"no {self.line.decode()} in {timeout_s} s"
        return self._port


class Wire:
    """A port that leads to another."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._held: Held | None = None
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Callers get through."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Nobody listens any more, and calls that were under way are broken off."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join(30)
            self._listener.close()
            self._listener = None
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Nobody gets through for as long as the block lasts."""
        self.close()
        try:
            yield
        finally:
            self.open()

    @contextlib.contextmanager
    def hold(self, line: str) -> Iterator[Held]:
        """Hold back the answer to the next request that begins with `line`, for as long as the block lasts."""
        self._held = held = Held(line)
        try:
            yield held
        finally:
            self._held = None
            held.released.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, (_, port) = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near, port), daemon=True).start()

    def _serve(self, near: socket.socket, port: int) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target), 10) as far:
            far.settimeout(None)
            self._open |= {near, far}
            waits_for: list[Held] = []
            back = threading.Thread(target=self._bring_back, args=(far, near, waits_for), daemon=True)
            back.start()
            try:
                while data := near.recv(65536):
                    held = self._held
                    if held is not None and data.startswith(held.line) and held.claim(port):
                        waits_for.append(held)
                    far.sendall(data)
            finally:
                self._open -= {near, far}
                with contextlib.suppress(OSError):
                    far.shutdown(socket.SHUT_RDWR)
                for held in waits_for:
                    held.released.set()
                back.join()

    def _bring_back(self, far: socket.socket, near: socket.socket, waits_for: list[Held]) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                for held in waits_for:
                    held.released.wait()
                near.sendall(data)
            near.shutdown(socket.SHUT_WR)
