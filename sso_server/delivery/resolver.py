"""Names to addresses, within a time limit and without one slow name server holding up the others.

Whether an address may be called is `addresses`' business.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from time import monotonic

from sso_server.delivery.addresses import Address

#: host -> the texts of its addresses, in the order in which they should be tried; raises OSError.
Lookup = Callable[[str], Sequence[str]]

_MOST_AT_ONCE = 32
_MOST_ADDRESSES = 8
_MOST_KEPT = 1024
_LOCALHOST: tuple[Address, ...] = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))


def system_lookup(host: str) -> list[str]:
    """The operating system's resolver. A name that is unknown raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for _, _, _, _, sockaddr in found]


class Resolver:
    """Looks names up in threads of their own: getaddrinfo knows no time-out. Thread-safe.

    Answers are kept for `keep_s` seconds, so that a mass sign-out asks once. That weakens nothing: each call checks the
    very addresses it connects to.
    """

    def __init__(self, lookup: Lookup = system_lookup, *, keep_s: float = 5.0) -> None:
        self._lookup = lookup
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._running: dict[str, Future[tuple[Address, ...]]] = {}
        self._kept: dict[str, tuple[float, tuple[Address, ...]]] = {}

    def resolve(self, host: str, timeout_s: float) -> tuple[Address, ...]:
        """The addresses of the name. Raises OSError when there are none or they don't come in time."""
        with self._lock:
            kept_until, addresses = self._kept.get(host, (0.0, ()))
            if monotonic() < kept_until:
                return addresses
            running = self._running.get(host)
            if running is None:
                if len(self._running) >= _MOST_AT_ONCE:
                    raise OSError("too many names are being looked up")
                running = self._running[host] = Future()
                threading.Thread(target=self._run, args=(host, running), name="resolve", daemon=True).start()
        return running.result(timeout_s)

    def _run(self, host: str, future: Future[tuple[Address, ...]]) -> None:
        try:
            texts = list(dict.fromkeys(self._lookup(host)))[:_MOST_ADDRESSES]
            addresses = tuple(ipaddress.ip_address(text) for text in texts)
            if not addresses:
                raise OSError("the name has no address")
        except (OSError, ValueError) as error:
            # ValueError: a label that IDNA can't encode, an answer that is no address.
            with self._lock:
                del self._running[host]
            future.set_exception(OSError(str(error)))
            return
        with self._lock:
            del self._running[host]
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[host] = (monotonic() + self._keep_s, addresses)
        future.set_result(addresses)


def localhost_addresses() -> tuple[Address, ...]:
    """What `*.localhost` means: not every resolver knows these names, and none may say otherwise (RFC 6761 6.3)."""
    return _LOCALHOST
