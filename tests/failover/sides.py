"""Two sides of a network with one wire between them that can be cut, each in a network namespace of its own.

This process reaches both sides by wires of its own, and both reach `here`: what must not be cut stands there.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache

#: The first networks 10.N.0.0/16 that are tried: several runs on one machine take one each.
_FIRST, _TRIED = 213, 40
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

    def __init__(self, net: str, left: Side, right: Side) -> None:
        self.here = _here(net)
        """This process's address for both sides, whatever happens between them."""
        self.left, self.right = left, right
        self._net = net

    def cut(self) -> None:
        """From now on nothing gets through, and nobody is told."""
        _ip("-n", self.left.name, "link", "set", "wire", "down")

    def heal(self) -> None:
        """As before."""
        _ip("-n", self.left.name, "link", "set", "wire", "up")
        _join(self._net, self.left, self.right)


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
    number, net = os.getpid(), _take_net()
    left = Side(f"lockstep-{number}-l", f"{net}.0.1")
    right = Side(f"lockstep-{number}-r", f"{net}.0.2")
    try:
        for side in (left, right):
            _ip("netns", "add", side.name)
            _ip("-n", side.name, "link", "set", "lo", "up")
            _ip("-n", side.name, "addr", "add", f"{side.address}/32", "dev", "lo")
        _ip("-n", left.name, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", right.name)
        for n, side in enumerate((left, right), start=1):
            _ip("-n", side.name, "addr", "add", f"{net}.3.{n}/24", "dev", "wire")
            _ip("-n", side.name, "link", "set", "wire", "up")
            way = f"ls{number % 100000}{side.name[-1]}"
            _ip("link", "add", way, "type", "veth", "peer", "name", "way", "netns", side.name)
            _ip("addr", "add", f"{net}.{n}.1/24", "dev", way)
            _ip("link", "set", way, "up")
            _ip("-n", side.name, "addr", "add", f"{net}.{n}.2/24", "dev", "way")
            _ip("-n", side.name, "link", "set", "way", "up")
            _ip("-n", side.name, "route", "add", f"{_here(net)}/32", "via", f"{net}.{n}.1")
            _ip("route", "add", f"{side.address}/32", "via", f"{net}.{n}.2")
        _join(net, left, right)
        yield Network(net, left, right)
    finally:
        for side in (left, right):
            # Our own ends of the wires go with theirs, and the routes with these.
            _ip("netns", "del", side.name, check=False)
            _ip("link", "del", f"ls{number % 100000}{side.name[-1]}", check=False)
        _ip("addr", "del", f"{_here(net)}/32", "dev", "lo", check=False)


def _here(net: str) -> str:
    return f"{net}.9.9"


def _take_net() -> str:
    """Taken by having an address in it, which nobody else can add then."""
    for number in range(_FIRST, _FIRST + _TRIED):
        with contextlib.suppress(RuntimeError):
            _ip("addr", "add", f"{_here(f'10.{number}')}/32", "dev", "lo")
            return f"10.{number}"
    raise RuntimeError("no network is free")


def _join(net: str, left: Side, right: Side) -> None:
    _ip("-n", left.name, "route", "replace", f"{right.address}/32", "via", f"{net}.3.2", "src", left.address)
    _ip("-n", right.name, "route", "replace", f"{left.address}/32", "via", f"{net}.3.1", "src", right.address)


@cache
def _ip_program() -> str:
    return shutil.which("ip", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") or ""


def _ip(*words: str, check: bool = True) -> None:
    done = subprocess.run([_ip_program(), *words], capture_output=True, text=True, check=False, timeout=20)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr}")
