"""Two sides of a network with one wire between them that can be cut, each in a network namespace of its own.

This process reaches both sides by wires of its own, and both reach 10.213.9.9 here: what must not be cut stands there.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache

#: Reachable from both sides, whatever happens between them.
HERE = "10.213.9.9"
WHY_NOT = "network namespaces need root and the command `ip` of iproute2"


class Side:
    """One namespace; everything of it listens on `address`."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address

    def command(self, argv: list[str]) -> list[str]:
        """The same, run on this side (`ip` becomes the program: the process id stays)."""
        return [_ip_program(), "netns", "exec", self.name, *argv]


class Network:
    """The wire is whole."""

    def __init__(self, left: Side, right: Side) -> None:
        self.left, self.right = left, right

    def cut(self) -> None:
        """From now on nothing gets through, and nobody is told."""
        _ip("-n", self.left.name, "link", "set", "wire", "down")

    def heal(self) -> None:
        """As before."""
        _ip("-n", self.left.name, "link", "set", "wire", "up")
        _join(self.left, self.right)


@cache
def can_make_sides() -> bool:
    """Whether this machine and this user may."""
    if os.geteuid() != 0 or _ip_program() == "":
        return False
    name = f"lockstep-{os.getpid()}-try"
    if subprocess.run([_ip_program(), "netns", "add", name], capture_output=True, check=False).returncode != 0:
        return False
    _ip("netns", "del", name)
    return True


@contextlib.contextmanager
def two_sides() -> Iterator[Network]:
    """Both are removed at the end, with all that was made for them."""
    number = os.getpid()
    left = Side(f"lockstep-{number}-l", "10.213.0.1")
    right = Side(f"lockstep-{number}-r", "10.213.0.2")
    try:
        for side in (left, right):
            _ip("netns", "add", side.name)
            _ip("-n", side.name, "link", "set", "lo", "up")
            _ip("-n", side.name, "addr", "add", f"{side.address}/32", "dev", "lo")
        _ip("addr", "add", f"{HERE}/32", "dev", "lo")
        _ip("-n", left.name, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", right.name)
        for n, side in enumerate((left, right), start=1):
            _ip("-n", side.name, "addr", "add", f"10.213.3.{n}/24", "dev", "wire")
            _ip("-n", side.name, "link", "set", "wire", "up")
            way = f"ls{number % 100000}{side.name[-1]}"
            _ip("link", "add", way, "type", "veth", "peer", "name", "way", "netns", side.name)
            _ip("addr", "add", f"10.213.{n}.1/24", "dev", way)
            _ip("link", "set", way, "up")
            _ip("-n", side.name, "addr", "add", f"10.213.{n}.2/24", "dev", "way")
            _ip("-n", side.name, "link", "set", "way", "up")
            _ip("-n", side.name, "route", "add", f"{HERE}/32", "via", f"10.213.{n}.1")
            _ip("route", "add", f"{side.address}/32", "via", f"10.213.{n}.2")
        _join(left, right)
        yield Network(left, right)
    finally:
        for side in (left, right):
            # Our own ends of the wires go with theirs, and the routes with these.
            _ip("netns", "del", side.name, check=False)
            _ip("link", "del", f"ls{number % 100000}{side.name[-1]}", check=False)
        _ip("addr", "del", f"{HERE}/32", "dev", "lo", check=False)


def _join(left: Side, right: Side) -> None:
    _ip("-n", left.name, "route", "replace", f"{right.address}/32", "via", "10.213.3.2", "src", left.address)
    _ip("-n", right.name, "route", "replace", f"{left.address}/32", "via", "10.213.3.1", "src", right.address)


@cache
def _ip_program() -> str:
    return shutil.which("ip", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") or ""


def _ip(*words: str, check: bool = True) -> None:
    done = subprocess.run([_ip_program(), *words], capture_output=True, text=True, check=False, timeout=20)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr}")
