"""A CAS site without our SDK in the ledger: registered, and with tickets that it validated."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

from sso_server.core.clients import CAS, Client
from sso_server.core.notifications import Notification
from sso_server.core.sessions import Session
from sso_server.crypto.identifiers import SystemRandomness
from sso_server.delivery.outgoing import OutgoingPost
from sso_server.fronts.cas import logout_request
from tests.support.builders import a_redemption, bucket, identifier, issued
from tests.support.deliveries import Deliveries
from tests.support.sinks import Request

PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"


def cas_client(client_id: str, *services: str, **changes: Any) -> Client:
    """A site that gives away no secret and has no address for logout calls of its own."""
    return replace(Client(client_id, client_id.title(), 1, kind=CAS, cas_services=services), **changes)


def add_cas_site(deliveries: Deliveries, client_id: str, *services: str, **changes: Any) -> Client:
    """Registered, or changed if it was."""
    client = cas_client(client_id, *services, **changes)
    if not deliveries.sql.clients.add(client):
        (was,) = (c for c in deliveries.sql.clients.list_clients() if c.client_id == client_id)
        assert deliveries.sql.clients.update(client, was)
    return client


def validated(deliveries: Deliveries, session: Session, service: str, client_id: str = "wiki", **changes: Any) -> str:
    """The site has validated a ticket for this service in the session: its text."""
    stores, now = deliveries.stores, deliveries.clock.now()
    text = identifier("ST", bucket(session.sid))
    ticket = issued(stores, session, now, client_id=client_id, kind="ST", redirect_uri=service, code_challenge="")
    words = {"store_id": text, "kind": CAS, "logout_uri": service, "access": None, "refresh": None, **changes}
    assert stores.tickets.redeem(a_redemption(ticket, now, **words), now).refusal is None
    return text


def cas_builder(deliveries: Deliveries) -> Any:
    """The real message."""

    def build(row: Notification, client: Client) -> OutgoingPost:
        now_ms, request_id = deliveries.clock.now(), SystemRandomness().token("LR")
        body, headers = logout_request.build(row.ticket, now_ms=now_ms, request_id=request_id)
        return OutgoingPost(row.logout_uri, body, headers)

    return build


def ticket_in(request: Request) -> str:
    """What a logout request names."""
    index = ET.fromstring(request.form["logoutRequest"]).find(f"{PROTOCOL}SessionIndex")
    assert index is not None
    return index.text or ""
