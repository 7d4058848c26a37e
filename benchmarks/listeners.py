"""Sites that listen, in a process of their own: one port each, every logout token answered with 200 and noted.

Noted are the moment (ms UTC), the site's number and the `sid`, a line each, in a file that whoever started it reads.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
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

    at_ms: int
    site: int
    sid: str


@dataclass(frozen=True)
class Listeners:
    """The process and what it notes."""

    ports: tuple[int, ...]
    notes: Path
    pid: int

    def logout_uri(self, site: Site) -> str:
        """Of the sites 1 to 20."""
        return f"http://127.0.0.1:{self.ports[site.number - 1]}/logout" if site.number else ""

    def heard(self) -> list[Heard]:
        """All calls so far."""
        whole = self.notes.read_text().rpartition("\n")[0]
        rows = (line.split() for line in whole.splitlines())
        return [Heard(int(at_ms), int(site), sid) for at_ms, site, sid in rows]


@contextlib.contextmanager
def listening(directory: Path) -> Iterator[Listeners]:
    """The sites 1 to 20, until the block ends."""
    ports, notes = tuple(free_port() for _ in range(SITES)), directory / "heard.txt"
    notes.touch()
    command = [sys.executable, "-m", "benchmarks.listeners", str(notes), *map(str, ports)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=Path(__file__).parents[1])
    end_with_us(process.pid)
    try:
        for port in ports:
            wait_until_listening(port, timeout_s=30)
        yield Listeners(ports, notes, process.pid)
    finally:
        process.terminate()
        process.wait(10)


class _Site(asyncio.Protocol):
    """One connection to it."""

    def __init__(self, number: int, notes: TextIO) -> None:
        self._number = number
        self._notes = notes
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
        # Lockstep's sender says a length; a caller that doesn't is not answered.
        if not found or at < 0 or len(body) < int(lower[at + 17 :].split(b"\r\n", 1)[0]):
            return
        self._heard = b""
        self._notes.write(f"{time.time_ns() // 1_000_000} {self._number} {_sid(body)}\n")
        self._notes.flush()
        assert self._transport is not None
        self._transport.write(_YES)


def _sid(body: bytes) -> str:
    payload = parse_qs(body.decode())["logout_token"][0].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sid"])


async def _listen(notes: TextIO, ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    for number, port in enumerate(ports, 1):
        await loop.create_server(lambda number=number: _Site(number, notes), "127.0.0.1", port, backlog=256)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a") as _notes, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_listen(_notes, [int(_port) for _port in sys.argv[2:]]))
