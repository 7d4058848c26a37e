"""What something costs, counted and not timed: turns and bytes on a wire, processor time of processes, Redis' own
counters. Such figures hardly change when other programs share the machine.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.centre import tree


@dataclass
class Wire:
    """What went through."""

    turns: int = 0
    """Round trips: how often a client spoke after it had been answered."""
    sent: int = 0
    """Bytes from the clients to the server."""
    received: int = 0


@contextlib.contextmanager
def counted_wire(port: int) -> Iterator[tuple[int, Wire]]:
    """A port that leads to that one on 127.0.0.1, and what goes through it."""
    wire, lock = Wire(), threading.Lock()
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    ends: set[socket.socket] = set()

    def started(target: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        return thread

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threads.append(started(join, client))

    def join(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            ends.update((client, server))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answered = [True]
            back = started(carry, server, client, False, answered)
            carry(client, server, True, answered)
            back.join()
            ends.difference_update((client, server))

    def carry(source: socket.socket, target: socket.socket, is_client: bool, answered: list[bool]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                with lock:
                    if is_client:
                        wire.turns += answered[0]
                        wire.sent += len(data)
                    else:
                        wire.received += len(data)
                    answered[0] = not is_client
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    serving = started(serve)
    try:
        yield listener.getsockname()[1], wire
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        serving.join(10)
        for end in list(ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)


def cpu_ms(pid: int, *, only: str = "", but: str = "") -> float:
    """Processor time of a process and its living descendants, all threads; `only` and `but`: a word of the command
    line that they have or haven't."""
    total = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{one}/cmdline").read_text()
            if only in words and not (but and but in words):
                # Nanoseconds; /proc/PID/stat counts in hundredths of a second.
                total += sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{one}/task").glob("*/schedstat"))
    return total / 1e6


@dataclass
class Served:
    """Redis' own counters; differences of two of them."""

    commands: int
    """As Redis counts them: a script is one, and so is each of its calls."""
    calls: int
    """What clients sent: scripts and plain commands."""
    cpu_ms: float
    sent: int
    """Bytes from the clients."""
    received: int

    def __sub__(self, before: Served) -> Served:
        # The question itself is one.
        return Served(
            self.commands - before.commands,
            self.calls - before.calls - 1,
            self.cpu_ms - before.cpu_ms,
            self.sent - before.sent,
            self.received - before.received,
        )


def served(connection: Any) -> Served:
    """What this Redis (a redis-py client) has done since its start."""
    info = connection.info("all")
    scripts = sum(info.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))
    return Served(
        commands=info["total_commands_processed"],
        calls=scripts,
        cpu_ms=(info["used_cpu_user"] + info["used_cpu_sys"]) * 1000,
        sent=info["total_net_input_bytes"],
        received=info["total_net_output_bytes"],
    )
