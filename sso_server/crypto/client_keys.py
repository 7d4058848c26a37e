"""Clients' own keys at work: whose signature stands under a token. Keys come with the registration or from `jwks_uri`.

What a key set may look like is `core.key_sets`; what the claims must say is the asker's business.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest, Refused, Unavailable
from sso_server.core.key_sets import parse_key_set
from sso_server.core.policy import HOUR, MINUTE, SECOND
from sso_server.core.ports import Clock, Documents
from sso_server.crypto.compact import Opened, claims_under, open_header

#: A key set is taken as it is for so long, and while it can't be had, for so long at most.
FRESH_MS = 10 * MINUTE
STALE_MS = HOUR
#: Anybody can send any `kid`: that must not make us hammer a site. Rotated keys work after this at the latest.
PAUSE_MS = 15 * SECOND
_MOST_KEPT = 1000
#: Web threads of one process that may wait for keys: a site that answers slowly on purpose must not hold them all.
MOST_WAITING = 8
#: And of those for one address: one slow site leaves room for the others.
MOST_OF_ONE = 4

Keys = list[dict[str, Any]]


@dataclass(slots=True)
class _Kept:
    """What one address gave. Times in ms."""

    asking: threading.Lock = field(default_factory=threading.Lock)
    waiting: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_OF_ONE))
    keys: Keys | None = None
    fetched_at: int = 0
    asked_at: int | None = None


class RegisteredKeys:
    """`ports.ClientKeys`. Thread-safe; `tell(client_id, why)` hears why keys could not be had."""

    def __init__(self, documents: Documents, clock: Clock, tell: Callable[[str, str], None]) -> None:
        self._documents = documents
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._kept: OrderedDict[tuple[str, bool], _Kept] = OrderedDict()

    def verify(
        self, client: Client, token: str, *, algs: Collection[str], typ: str | None = None
    ) -> dict[str, Any] | None:
        # Header and algorithm first: what can't be good makes nobody fetch anything.
        opened = open_header(token, algs, typ)
        if opened is None:
            return None
        if not client.metadata.jwks_uri:
            return claims_under(opened, self._registered(client))
        return self._verify_fetched(client, opened)

    def _registered(self, client: Client) -> Keys:
        try:
            return parse_key_set(client.metadata.jwks) if client.metadata.jwks else []
        except InvalidRequest as error:
            self._tell(client.client_id, error.description)
            return []

    def _verify_fetched(self, client: Client, opened: Opened) -> dict[str, Any] | None:
        kept = self._of(client)
        keys = self._good(kept, STALE_MS)
        claims = claims_under(opened, keys) if keys is not None else None
        if claims is not None and self._good(kept, FRESH_MS) is not None:
            return claims
        # An unknown `kid`, or a key that was exchanged under its old name, or nobody has asked for a while.
        if not self._ask(client, kept):
            if claims is not None:
                # What other clients' sites do must not keep out whom we know.
                return claims
            raise Unavailable(detail=f"too many wait for keys, this one for those of {client.client_id!r}")
        keys = self._good(kept, STALE_MS)
        return claims_under(opened, keys) if keys is not None else None

    def _ask(self, client: Client, kept: _Kept) -> bool:
        """Once more, one thread for all who wait for it; False: too many wait already."""
        with contextlib.ExitStack() as held:
            for room in (kept.waiting, self._waiting):
                if not room.acquire(blocking=False):
                    return False
                held.callback(room.release)
            with kept.asking:
                if self._may_ask(kept):
                    self._fetch(client, kept)
        return True

    def _of(self, client: Client) -> _Kept:
        name = (client.metadata.jwks_uri, client.allow_private)
        with self._lock:
            kept = self._kept.setdefault(name, _Kept())
            self._kept.move_to_end(name)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return kept

    def _good(self, kept: _Kept, life_ms: int) -> Keys | None:
        # A clock set back must not keep old keys alive, hence abs().
        return kept.keys if abs(self._clock.now() - kept.fetched_at) < life_ms else None

    def _may_ask(self, kept: _Kept) -> bool:
        return kept.asked_at is None or abs(self._clock.now() - kept.asked_at) >= PAUSE_MS

    def _fetch(self, client: Client, kept: _Kept) -> None:
        kept.asked_at = self._clock.now()
        try:
            body = self._documents.fetch(client.metadata.jwks_uri, allow_private=client.allow_private)
            kept.keys = parse_key_set(body)
        except (Refused, InvalidRequest) as error:
            self._tell(client.client_id, error.description)
            return
        # From when it was asked: a key that was taken out meanwhile may still be in the answer.
        kept.fetched_at = kept.asked_at
