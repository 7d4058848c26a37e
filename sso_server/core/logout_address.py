"""Where a row's site is called now: never an address that only the row still knows (design 5.12)."""

from __future__ import annotations

from sso_server.core import service_urls
from sso_server.core.clients import CAS, Client
from sso_server.core.notifications import Notification


def logout_address(row: Notification, client: Client) -> str:
    """The address of the call; empty: there is none any more.

    A CAS site that registered no address for this is called at the service itself, as its client library expects (CAS
    3.0.3 section 2.3.3), as long as that belongs to it.
    """
    if client.backchannel_logout_uri or row.kind != CAS:
        return client.backchannel_logout_uri
    is_own = any(service_urls.matches(service, row.logout_uri) for service in client.cas_services)
    return row.logout_uri if is_own else ""


def is_called_from_now(client: Client, was: Client) -> bool:
    """Whether a change makes it one that is called: what it was to ask for until then would wait for ever."""
    # A CAS service is always called: it has waited for nothing.
    is_called = client.kind != CAS and client.delivery == "push" and client.backchannel_logout_uri != ""
    return is_called and (was.delivery == "poll" or not was.backchannel_logout_uri)


def usual_kind(client: Client) -> str:
    """By which message a site is told that is known by its client alone. Only one with our SDK has a secret and speaks
    CAS, and it takes logout tokens, whatever people sign in by."""
    return client.store_kind if client.has_secret else client.kind


def usual_address(client: Client) -> str:
    """Where such a call goes, to see how the site takes it; empty: nowhere."""
    if client.backchannel_logout_uri or client.kind != CAS:
        return client.backchannel_logout_uri
    return next(iter(client.cas_services), "")
