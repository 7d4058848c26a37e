"""Containers without an engine: a process in a root file system of its own (an overlay over this machine's), behind the
walls that the compose file names, in a network that is only there for the test.

What an image brings along is this machine's: its Python, redis-server, PostgreSQL. Needs root and Linux namespaces;
nothing of it outlives the process that made it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Layers lie over this machine's root, so they can't lie in it.
MEMORY = Path("/dev/shm")
_CLONE_NEWNET = 0x40000000


@functools.cache
def find_boxes() -> str | None:
    """Whether such boxes can be made here: a word that says so, or None."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "setpriv", "ip"))):
        return None
    if not MEMORY.is_dir():
        return None
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        image = Image(Path(directory)).with_layer("lower")
        done = subprocess.run(
            image.command(["true"], layer=Path(directory) / "layer"), capture_output=True, check=False
        )
    return "boxes" if done.returncode == 0 else None


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """This thread, and every process and thread that it starts, alone on a network with 127.0.0.1 only."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as before:
        if libc.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            if libc.setns(before.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


@dataclass(frozen=True)
class Walls:
    """What a container may not do, and what it sees."""

    user: str = "0:0"
    groups: tuple[str, ...] = ()
    read_only: bool = False
    no_capabilities: bool = False
    no_new_privileges: bool = False
    no_network: bool = False
    volumes: tuple[tuple[Path, str, bool], ...] = ()
    """Folder here, path there, read-only."""
    tmpfs: tuple[str, ...] = ()
    """`path:options`."""

    def around(self, env: Mapping[str, str]) -> list[str]:
        """The command that gives up the rights and sets the environment."""
        uid, _, gid = self.user.partition(":")
        argv = ["setpriv", "--reuid", uid, "--regid", gid]
        argv += ["--groups", ",".join(self.groups)] if self.groups else ["--clear-groups"]
        if self.no_capabilities:
            argv += ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
        if self.no_new_privileges:
            argv.append("--no-new-privs")
        return [*argv, "env", "-i", *(f"{name}={value}" for name, value in env.items())]


@dataclass(frozen=True)
class Image:
    """Layers over this machine's root, and what a container of it starts with."""

    directory: Path
    """Where new layers go."""
    layers: tuple[Path, ...] = ()
    """The newest first."""
    env: Mapping[str, str] = field(default_factory=lambda: {"PATH": PATH, "HOME": "/"})
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()

    def with_layer(self, name: str) -> Image:
        """The same with a new, empty layer on top."""
        layer = self.directory / name
        layer.mkdir(parents=True)
        return replace(self, layers=(layer, *self.layers))

    def find(self, path: str) -> Path | None:
        """A file that a layer (not this machine) has there."""
        return next((found for layer in self.layers if (found := layer / path.lstrip("/")).exists()), None)

    def command(
        self, argv: Sequence[str], *, layer: Path, walls: Walls | None = None, env: Mapping[str, str] | None = None
    ) -> list[str]:
        """What to start: it ends up as the very process `argv` says. What it writes goes to `layer`."""
        walls = walls or Walls(user=self.user)
        work, root = layer.with_name(layer.name + ".work"), layer.with_name(layer.name + ".root")
        for folder in (layer, work, root):
            folder.mkdir(parents=True, exist_ok=True)
        layer.chmod(0o755)  # the root of the file system is everybody's to pass
        lower = ":".join([*map(str, self.layers), "/"])
        lines = [
            "set -e",
            f"root={shlex.quote(str(root))}",
            f"mount -t overlay overlay -o lowerdir={lower},upperdir={layer},workdir={work} $root",
            "mount --rbind /dev $root/dev; mount -t proc proc $root/proc",
            'at() { it=$root$(chroot $root readlink -m "$1"); mkdir -p "$it"; }',
        ]
        for source, path, read_only in walls.volumes:
            lines.append(f'at {shlex.quote(path)}; mount --bind {shlex.quote(str(source))} "$it"')
            lines += ['mount -o remount,ro,bind "$it"'] if read_only else []
        for mount in walls.tmpfs:
            path, _, options = mount.partition(":")
            lines.append(f'at {shlex.quote(path)}; mount -t tmpfs -o {shlex.quote(options or "rw")} tmpfs "$it"')
        if walls.read_only:
            lines.append("mount -o remount,ro $root")
        inner = ["sh", "-c", 'cd "$0" && exec "$@"', self.workdir, *argv]
        lines.append("exec chroot $root " + shlex.join([*walls.around({**self.env, **(env or {})}), *inner]))
        apart = ["unshare", "--mount", *(["--net"] if walls.no_network else [])]
        return [*apart, "--propagation", "private", "sh", "-c", "\n".join(lines)]


def beside(pid: int, walls: Walls, env: Mapping[str, str], argv: Sequence[str]) -> list[str]:
    """A command in the box of this process, as a health check runs."""
    return ["nsenter", "--target", str(pid), "--mount", "--root", "--wd", *walls.around(env), *argv]


def python_image(directory: Path) -> Image:
    """Stands in for the official Python image: this test's own Python as /usr/local/bin/python."""
    image = Image(directory).with_layer("python")
    layer = image.layers[0]
    prefix = Path(sys.base_prefix)
    python = prefix / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    # The folders on the way to it may be root's alone; in the box they are everybody's to pass.
    for folder in reversed(prefix.parents[:-1]):
        (layer / str(folder).lstrip("/")).mkdir(mode=0o755)
    programs = layer / "usr/local/bin"
    programs.mkdir(parents=True)
    # No link: a Python looks for its library beside the name it was called by.
    for name, words in (("python", str(python)), ("python3", str(python)), ("pip", f"{python} -m pip")):
        (programs / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (programs / name).chmod(0o755)
    return image


def package_index() -> dict[str, str]:
    """How this machine reaches its package index, as an engine passes it to a build."""
    return {n: v for n, v in os.environ.items() if n.startswith("PIP_") or "CERT" in n or "proxy" in n.lower()}
