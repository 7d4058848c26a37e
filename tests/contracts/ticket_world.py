"""The CAS tickets' services around one store, and what happens to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from sso_server.core.clients import CAS, Client
from sso_server.core.errors import InvalidGrant
from sso_server.core.events import Event, EventKind
from sso_server.core.policy import Policy
from sso_server.core.service_tickets import ServiceTickets
from sso_server.crypto.identifiers import SystemRandomness
from tests.support.builders import NOW
from tests.support.clocks import SetClock

WIKI, BACK = "https://wiki.example.org/app/", "https://back.example.org/"
CALLBACK = "https://wiki.example.org/pgt"


@dataclass
class Audit:
    """The lines that were written."""

    lines: list[Event] = field(default_factory=list)

    def append(self, *events: Event) -> None:
        self.lines += events

    @property
    def refusals(self) -> list[str]:
        return [str(line.data["refusal"]) for line in self.lines if line.kind is EventKind.TICKET_REFUSED]


@dataclass
class World:
    """Services around one store, and what happens to it."""

    stores: Any
    tickets: ServiceTickets
    clock: SetClock
    audit: Audit

    def issue(self, session, client, service=WIKI, *, fresh=True):
        return self.tickets.issue(session, client, service=service, fresh=fresh)

    def validate(self, ticket, client, service=WIKI, **more):
        return self.tickets.validate(ticket, client, service=service, address=service, **more)

    def refusal(self, ticket, client, service=WIKI, **more):
        with pytest.raises(InvalidGrant) as refused:
            self.validate(ticket, client, service, **more)
        return refused.value.description

    def granted(self, session, client, **more):
        """A proxy-granting ticket that a validation brought."""
        return self.grant(self.validate(self.issue(session, client), client, **more))

    def grant(self, validated, callback=CALLBACK):
        granting = self.tickets.new_proxy_granting(validated)
        self.tickets.grant(granting, validated, callback)
        return granting

    def finds(self, granting):
        return self.tickets.find_proxy_granting(granting) is not None

    def proxy_ticket(self, granting, client, service=BACK):
        return self.tickets.issue_proxy(self.tickets.find_proxy_granting(granting), client, service=service)

    def participants(self, session):
        return self.stores.lists.participants(session.sid)


def a_world(stores: Any) -> World:
    """At NOW, with nothing in the audit."""
    clock, audit = SetClock(NOW), Audit()
    tickets = ServiceTickets(stores.tickets, stores.tokens, audit, clock, SystemRandomness(), Policy())
    return World(stores, tickets, clock, audit)


def a_client(client_id: str, *services: str) -> Client:
    """A CAS site without our SDK."""
    return Client(client_id=client_id, name=client_id, created_at=1, kind=CAS, cas_services=services)
