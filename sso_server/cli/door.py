"""The address that a node listens on: bound by the supervisor, handed to the web workers, and shut without a reset.

A listening socket that is closed resets whoever has connected and isn't accepted yet. To a balancer that is a request
which may have been carried out: a POST isn't sent elsewhere, and a person sees an error.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import sys
import threading

#: How long a connection that has begun may take to be there: a round trip between balancer and node.
SETTLE_S = 0.2
#: A machine that says nothing for so long is asked whether it is still there, so often, with such pauses; seconds. One
#: that has vanished would else keep its connection, and with half a request the thread that reads it, for ever.
_ASKED_AFTER_S, _TIMES, _PAUSE_S = 30, 3, 5
#: Whose a name is that is taken is asked so often, with such pauses (seconds).
_LOOKS, _LOOKS_AGAIN_S = 10, 0.05
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it


class PortTaken(Exception):
    """The address can't be bound; the message names it."""


class Door:
    """One address. Processes that were given the descriptor hold it as well."""

    def __init__(self, host: str, port: int, *, is_beside: bool = False) -> None:
        """Bound, and not listening: callers are refused until a web worker is there to take them. Raises PortTaken.

        `is_beside`: for `beside` alone."""
        self._host, self._port = host, port
        self._claimed: socket.socket | None = None
        self._socket = _bound(host, port, is_beside=is_beside)

    def beside(self) -> Door:
        """Another one for the same address, for another process: the system deals callers out among those that listen,
        by chance, but evenly. Where two processes share one, the first to look takes all who have called by then, and
        may have every connection that a proxy keeps. On other systems than Linux it is this door. Raises PortTaken."""
        if sys.platform != "linux":
            return self
        self._claim()
        # Only now: the first bind was to find out whether anybody else has the address, another Lockstep too.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return Door(self._host, self._port, is_beside=True)

    def _claim(self) -> None:
        """The address for this supervisor and its children: with SO_REUSEPORT the system would let another of the
        same user in beside us, as long as neither listens. Raises PortTaken."""
        if self._claimed is None:
            try:
                self._claimed = _name_of_ours(f"\0lockstep {self._host} {self._port}")
            except OSError as error:
                raise _taken(self._host, self._port, error) from error

    @property
    def fd(self) -> int:
        """The descriptor to be passed on; a child finds it under the same number."""
        return self._socket.fileno()

    def refuse_newcomers(self) -> None:
        """From now on no connection begins; those that have begun come in and are taken.

        A filter on the socket drops what begins a connection (SYN without ACK) and nothing else. Whoever sent one
        asks again after a second, and is refused then: a refused connection has carried nothing, so a balancer sends
        the request elsewhere, whatever its method. On other systems than Linux nothing happens.
        """
        if sys.platform == "linux":
            # Some sandboxes have no socket filters: then a connection that begins in the very last moment is reset.
            with contextlib.suppress(OSError):
                _attach(self._socket, _NO_SYN)

    def close(self) -> None:
        """Give up our hold; when the last has, callers are refused."""
        self._socket.close()
        if self._claimed is not None:
            self._claimed.close()


def check_port(host: str, port: int) -> None:
    """Raises PortTaken before anything is started."""
    _bound(host, port).close()


def _bound(host: str, port: int, *, is_beside: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _ask_whether_they_are_there(listener)
    if is_beside:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _taken(host, port, error) from error
    return listener


def _taken(host: str, port: int, error: OSError) -> PortTaken:
    return PortTaken(f"Cannot listen on {host}:{port}: {error.strerror}.")


def _name_of_ours(name: str) -> socket.socket:
    """Holds this name of the system's (an abstract one, unix(7)) until it is closed. Raises OSError if another process
    of our user has it. Whoever else has it is no reason not to start: such a name is anybody's to take, and the system
    lets nobody share an address with another user."""
    claimed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    for _ in range(_LOOKS):
        try:
            claimed.bind(name)
            claimed.listen()  # who asks whose it is connects
            break
        except OSError:
            holder = _user_behind(name)
            if holder == os.geteuid():
                claimed.close()
                raise
            if holder is not None:
                break
            # One of ours that has just begun listens in a moment; who doesn't means something else by the name.
            threading.Event().wait(_LOOKS_AGAIN_S)
    return claimed


def _user_behind(name: str) -> int | None:
    """Who listens there (SO_PEERCRED); None: nobody, or nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        try:
            caller.connect(name)
        except OSError:
            return None
        _, user, _ = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return int(user)


def _ask_whether_they_are_there(listener: socket.socket) -> None:
    """Connections have from the listener how (tcp(7))."""
    if sys.platform == "linux":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_KEEPIDLE, _ASKED_AFTER_S),
            (socket.TCP_KEEPINTVL, _PAUSE_S),
            (socket.TCP_KEEPCNT, _TIMES),
        ):
            listener.setsockopt(socket.IPPROTO_TCP, option, value)


# Classic BPF over a TCP segment, whose byte 13 has the flags (RFC 9293 section 3.1): code, jump if, jump if not, value.
_NO_SYN = (
    (0x30, 0, 0, 13),  # load that byte
    (0x54, 0, 0, 0x12),  # keep SYN and ACK of it
    (0x15, 0, 1, 0x02),  # SYN alone: go on; else skip one
    (0x06, 0, 0, 0),  # drop the segment
    (0x06, 0, 0, 0xFFFFFFFF),  # let the whole of it pass
)


class _Instruction(ctypes.Structure):
    """struct sock_filter (linux/filter.h)."""

    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


def _attach(listener: socket.socket, program: tuple[tuple[int, int, int, int], ...]) -> None:
    """Raises OSError."""
    # The kernel reads the instructions during the call: they must live as long.
    instructions = (_Instruction * len(program))(*(_Instruction(*each) for each in program))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(_Program(len(program), instructions)))
