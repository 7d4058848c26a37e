"""Waking the delivery workers of this machine: an empty datagram to each one's socket in the data directory.

Only a hint over the worker's short poll: losing one costs a quarter of a second, so nothing here raises or blocks.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import socket
import stat
import tempfile
from pathlib import Path

_SUFFIX = ".wake"
# sun_path has 108 bytes on Linux and 104 on macOS, the final zero included (unix(7)).
_MOST_BYTES = 100
_NAME_BYTES = 40
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,31}")


class DatagramWake:
    """`ports.Wake`: rings every listener of the directory. Any thread or process may ring."""

    def __init__(self, path: Path) -> None:
        self._directory = _socket_directory(path)

    def ring(self) -> None:
        """Never raises, never blocks; nobody need listen."""
        try:
            files = list(self._directory.glob(f"*{_SUFFIX}"))
            if not files:
                return
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
                bell.setblocking(False)
                for file in files:
                    _ring_one(bell, file)
        except OSError:
            return


class WakeListener:
    """One worker's end. `name` is the worker's: unique on the machine among those that run.

    Raises OSError when the directory can't be written.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path.absolute()
        directory = _socket_directory(path)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_ours(directory)
        self._file = directory / socket_name(name)
        # What a predecessor of the same name left behind; a running one would not share its name.
        self._file.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind(str(self._file))
        except OSError:
            self._socket.close()
            raise

    def wait(self, timeout_s: float) -> bool:
        """Whether somebody rang within the time; several rings are one."""
        # Not select(2), which knows no descriptor from 1024 on: processes of ours may have more.
        bell = select.poll()
        bell.register(self._socket, select.POLLIN)
        if not bell.poll(timeout_s * 1000):
            return False
        try:
            while True:
                self._socket.recv(1)
        except BlockingIOError:
            return True

    def close(self) -> None:
        """Be gone in good order: nobody takes this worker for a dead one."""
        self._file.unlink(missing_ok=True)
        self._socket.close()
        if self._file.parent != self._path:
            # A stand-in among temporary files goes with its last listener.
            with contextlib.suppress(OSError):
                self._file.parent.rmdir()


def take_dead(path: Path) -> set[str]:
    """The `socket_name`s of workers of this machine that ended without closing; each is answered once.

    The kernel closes a socket with its process, however that died, and refuses datagrams to what is left of it.
    """
    dead: set[str] = set()
    try:
        for file in _socket_directory(path).glob(f"*{_SUFFIX}"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect(str(file))
                except ConnectionRefusedError:
                    file.unlink(missing_ok=True)
                    dead.add(file.name)
    except OSError:
        # Nobody is declared dead on a doubt.
        return dead
    return dead


def socket_name(name: str) -> str:
    """The file name of a worker's socket: its own name where that is short and plain, else a digest of it."""
    if not _PLAIN.fullmatch(name):
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return name + _SUFFIX


def _ring_one(bell: socket.socket, file: Path) -> None:
    try:
        bell.sendto(b"", str(file))
    except OSError:
        # A full queue rings already; a dead listener is the next worker's to find (`take_dead`).
        return


def _socket_directory(path: Path) -> Path:
    """The directory itself, or where its path is too long for a socket, one of the same owner among temporary files."""
    whole = path.absolute()
    if len(os.fsencode(whole)) + 1 + _NAME_BYTES <= _MOST_BYTES:
        return whole
    name = hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"lockstep-{os.getuid()}-{name}"


def _check_ours(directory: Path) -> None:
    """Among temporary files somebody else may have been there first. Raises OSError."""
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{directory} belongs to somebody else")
