"""A small disk that can be filled up: a tmpfs of a few megabytes."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

WHY_NOT = "a file system of its own needs root"


class Disk:
    """Mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Not a byte is left."""
        size = 1 << 16
        with self._filler.open("ab", buffering=0) as file:
            while size:
                try:
                    file.write(b"x" * size)
                except OSError:
                    size //= 2

    def make_space(self) -> None:
        """What filled it is gone."""
        self._filler.unlink(missing_ok=True)


@cache
def can_mount() -> bool:
    """Whether this machine and this user may."""
    if os.geteuid() != 0:
        return False
    with TemporaryDirectory() as directory, contextlib.suppress(RuntimeError), small_disk(Path(directory), "64k"):
        return True
    return False


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Disk]:
    """At this directory, which is there and empty; unmounted at the end."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    try:
        yield Disk(path)
    finally:
        # Lazily: whoever has a file open there is ended after us.
        subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)
