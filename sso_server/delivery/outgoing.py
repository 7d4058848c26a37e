"""What a logout call is on its way out: the request of one attempt, who makes it, who sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from sso_server.core.clients import Client
from sso_server.core.notifications import Answer, Notification
from sso_server.core.records import record


@record
class OutgoingPost:
    """One request, ready to be sent."""

    url: str
    body: bytes
    headers: Mapping[str, str]


#: Makes the request for one attempt: a fresh token each time. `row.logout_uri` is the client's present address.
Builder = Callable[[Notification, Client], OutgoingPost]


class Sender(Protocol):
    """`sender.GuardedSender`."""

    def send(self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool = False) -> Answer:
        """One POST; never raises for what a site or a network does."""
