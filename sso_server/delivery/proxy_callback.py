"""Calls proxy callbacks (CAS 3.0.3 section 2.5.4) through the guarded sender, on kept connections."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sso_server.core.notifications import Answer
from sso_server.delivery.sender import GuardedSender


class ProxyCaller:
    """`ports.ProxyCallback`. Thread-safe; the sender is made when the first callback is, most centres never need it."""

    def __init__(self, make_sender: Callable[[], GuardedSender]) -> None:
        self._make_sender = make_sender
        self._sender: GuardedSender | None = None
        self._lock = threading.Lock()

    def call(self, url: str, *, allow_private: bool) -> Answer:
        with self._lock:
            if self._sender is None:
                self._sender = self._make_sender()
            sender = self._sender
        return sender.get(url, allow_private=allow_private)

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            if self._sender is not None:
                self._sender.close()
