"""Proxy-granting tickets from end to end (CAS 3.0.3 sections 2.5.4 and 2.7): who may have one, the call that brings it
to the site, and proxy tickets for it.

What a ticket is good for is `core.service_tickets`' business; how a site is called, `ports.ProxyCallback`'s.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from sso_server.core import identifiers
from sso_server.core.clients import Client, ClientDirectory
from sso_server.core.errors import InvalidGrant, Unavailable
from sso_server.core.ports import ProxyCallback, Randomness
from sso_server.core.service_tickets import ServiceTickets, Validated
from sso_server.core.service_urls import ServiceIndex, with_query
from sso_server.core.tickets import Refusal

#: So many web threads of a process (32, web/waiting.py) may wait for proxy callbacks at once,
MOST_CALLS = 8
#: and so many of them for one site's: a slow one must not take the others' turn.
MOST_CALLS_EACH = 4
#: So many proxies stand behind one another, in so many characters: each ticket and each answer names all of them, and
#: a site that asks itself has no end.
MOST_PROXIES, LONGEST_CHAIN = 10, 4000


class ProxyGranting:
    """One per process. Thread-safe."""

    def __init__(
        self, tickets: ServiceTickets, clients: ClientDirectory, caller: ProxyCallback, randomness: Randomness
    ) -> None:
        self._tickets = tickets
        self._clients = clients
        self._caller = caller
        self._random = randomness
        self._calling: Counter[str] = Counter()
        self._lock = threading.Lock()

    def validate(
        self,
        text: str,
        client: Client,
        callback: str,
        *,
        service: str,
        renew: bool,
        proxies_allowed: bool,
        store_id: str,
    ) -> tuple[Validated, str]:
        """Validate, and bring a proxy-granting ticket to this callback; what it is called in the answer (PGTIOU).

        Raises InvalidGrant as `ServiceTickets.validate` does, and with NO_PROXY or CALLBACK; then the ticket is spent
        and nobody has a proxy-granting ticket that is good. Raises Unavailable, the ticket untouched, when too many
        callbacks are being made already.
        """
        if not callback.startswith("https://"):
            # Section 2.5.4: whoever reads the call has the person's other sites.
            raise self._tickets.spend(text, Refusal.CALLBACK, client.client_id, callback)
        if not may_proxy(client, callback):
            raise self._tickets.spend(text, Refusal.NO_PROXY, client.client_id, callback)
        with self._place(client.client_id):
            validated = self._tickets.validate(
                text,
                client,
                service=service,
                address=service,
                renew=renew,
                proxies_allowed=proxies_allowed,
                store_id=store_id,
            )
            chain = (callback, *validated.proxies)
            if len(chain) > MOST_PROXIES or sum(map(len, chain)) > LONGEST_CHAIN:
                raise self._tickets.fail(validated, Refusal.NO_PROXY, f"{len(chain)} proxies behind one another")
            granting = self._tickets.new_proxy_granting(validated)
            # Section 3.4.1: no part of the ticket is in the name that the browser's site gets to see.
            iou = self._random.token(identifiers.PROXY_GRANTING_IOU)
            address = with_query(callback, [("pgtId", granting), ("pgtIou", iou)])
            answer = self._caller.call(address, allow_private=client.allow_private)
        if answer.status != 200:
            raise self._tickets.fail(validated, Refusal.CALLBACK, f"proxy callback: {answer.status or answer.error}")
        # Not before: what fails on the way here leaves nothing good at the site. And a session that has ended meanwhile
        # must not be opened there: the site may have heard of the end already, when it had nothing to end.
        self._tickets.grant(granting, validated, callback)
        return validated, iou

    def issue(self, text: str, target: Client, *, service: str) -> str:
        """A proxy ticket for this service of `target` by a proxy-granting ticket. Raises InvalidGrant: UNKNOWN, also if
        its session has ended; NO_PROXY, if its owner may not any more. Raises Unavailable."""
        granting = self._tickets.find_proxy_granting(text)
        owner = self._clients.find(granting.grant.client_id) if granting else None
        if granting is None or owner is None or not granting.is_for(owner):
            # Removed, or another one of the same id by now.
            raise InvalidGrant(Refusal.UNKNOWN.value)
        if not may_proxy(owner, self._tickets.callback_of(granting)):
            raise InvalidGrant(Refusal.NO_PROXY.value)
        return self._tickets.issue_proxy(granting, target, service=service)

    @contextmanager
    def _place(self, client_id: str) -> Iterator[None]:
        with self._lock:
            if self._calling.total() >= MOST_CALLS or self._calling[client_id] >= MOST_CALLS_EACH:
                raise Unavailable(detail="too many proxy callbacks are being made", retry_after_s=1)
            self._calling[client_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._calling[client_id] -= 1


def may_proxy(client: Client, callback: str) -> bool:
    """Whether proxy-granting tickets of this client may be sent there."""
    return _index(client.cas_proxy_callbacks).find_owner(callback) is not None


@lru_cache(maxsize=256)
def _index(callbacks: tuple[str, ...]) -> ServiceIndex:
    return ServiceIndex((callback, callback) for callback in callbacks)
