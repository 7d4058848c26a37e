"""Sites that listen, in a process of their own: one port each, every logout call noted, and answered with 200 by those
that don't hang.

Noted are the moment (ms UTC), the site's number and the `sid` (`-` where a call names none), a line each, in a file
that whoever started it reads.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO
from urllib.parse import parse_qs

from benchmarks.traffic import SITES, Site
from tests.support.ports import free_port, wait_until_listening
from tests.support.survivors import end_with_us

_YES = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Heard:
    """One call."""

    at_ms: float
    site: int
    sid: str


@dataclass(frozen=True)
class Listeners:
    """The process and what it notes."""

    ports: tuple[int, ...]
    notes: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def logout_uri(self, site: Site) -> str:
        """Of the sites 1 to 20."""
        return f"http://127.0.0.1:{self.ports[site.number - 1]}/logout" if site.number else ""

    @property
    def so_far(self) -> int:
        """How long the notes are: those that come later begin there."""
        return self.notes.stat().st_size

    def heard(self, since: int = 0) -> list[Heard]:
        """All calls, or those noted since (`so_far`): who looks often would take a core of its own to read all."""
        with self.notes.open("rb") as notes:
            notes.seek(since)
            whole = notes.read().decode().rpartition("\n")[0]
        rows = (line.split() for line in whole.splitlines())
        return [Heard(float(at_ms), int(site), sid) for at_ms, site, sid in rows]

    def hang(self, sites: Iterable[int]) -> None:
        """From now on these hear and never answer; the others answer. Waits until it is so."""
        line = " ".join(["hang", *map(str, sites)])
        self._say(line)

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        assert said == b"so be it\n", said


@contextlib.contextmanager
def listening(directory: Path) -> Iterator[Listeners]:
    """The sites 1 to 20, until the block ends."""
    ports, notes = tuple(free_port() for _ in range(SITES)), directory / "heard.txt"
    notes.touch()
    command = [sys.executable, "-m", "benchmarks.listeners", str(notes), *map(str, ports)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
    end_with_us(process.pid)
    try:
        for port in ports:
            wait_until_listening(port, timeout_s=30)
        yield Listeners(ports, notes, process)
    finally:
        process.terminate()
        process.communicate(timeout=10)


class _Site(asyncio.Protocol):
    """One connection to it."""

    def __init__(self, number: int, notes: TextIO, hanging: set[int]) -> None:
        self._number = number
        self._notes = notes
        self._hanging = hanging
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        lower = head.lower()
        at = lower.find(b"\r\ncontent-length:")
        if not found or (at < 0 and not body.endswith(b"0\r\n\r\n")):
            # Without a length it comes in chunks.
            return
        if at >= 0 and len(body) < int(lower[at + 17 :].split(b"\r\n", 1)[0]):
            return
        self._heard = b""
        self._notes.write(f"{time.time_ns() / 1e6:.3f} {self._number} {_sid(body)}\n")
        self._notes.flush()
        assert self._transport is not None
        if self._number not in self._hanging:
            self._transport.write(_YES)


def _sid(body: bytes) -> str:
    """Of a logout token; other calls (CAS) name tickets."""
    token = parse_qs(body.decode()).get("logout_token", [""])[0]
    if not token:
        return "-"
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("sid", "-"))


async def _listen(notes: TextIO, ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    hanging: set[int] = set()

    def told() -> None:
        for line in os.read(0, 65_536).splitlines():
            hanging.clear()
            hanging.update(map(int, line.split()[1:]))
            os.write(1, b"so be it\n")

    loop.add_reader(0, told)
    for number, port in enumerate(ports, 1):
        await loop.create_server(partial(_Site, number, notes, hanging), "127.0.0.1", port, backlog=256)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a") as _notes, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_listen(_notes, [int(_port) for _port in sys.argv[2:]]))
