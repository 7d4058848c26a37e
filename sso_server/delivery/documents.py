"""Small documents at addresses that a client has registered: its keys, the list of its sector (guarded, as all calls).

Who needs one, and what it must say, is the asker's business. Nothing is kept here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sso_server.core.errors import Refused
from sso_server.delivery.sender import GuardedSender

#: At once in one process: web threads wait for them, and a slow site must not hold more than a quarter.
MOST_AT_ONCE = 8


class GuardedDocuments:
    """`ports.Documents`. Thread-safe; the sender is made when the first document is wanted."""

    def __init__(self, make_sender: Callable[[], GuardedSender]) -> None:
        self._make_sender = make_sender
        self._sender: GuardedSender | None = None
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)

    def fetch(self, url: str, *, allow_private: bool = False) -> bytes:
        with self._lock:
            if self._sender is None:
                self._sender = self._make_sender()
            sender = self._sender
        if not self._room.acquire(blocking=False):
            raise Refused("Too many documents are being fetched.", code="document_busy")
        try:
            answer, body = sender.fetch(url, "application/json, application/jwk-set+json", allow_private=allow_private)
        finally:
            self._room.release()
        # OWASP ASVS 5.0, 15.3.2: a redirect is no document, wherever it leads.
        if answer.status != 200:
            why = answer.error or f"status {answer.status}"
        elif body is None:
            why = "too long, too slow or incomplete"
        else:
            return body
        raise Refused(f"The document can't be fetched: {why}.", detail=f"{url[:200]}: {why}", code="document_refused")

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            if self._sender is not None:
                self._sender.close()
