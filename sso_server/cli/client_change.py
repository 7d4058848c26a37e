"""What a change of a client brings along: a secret, a line in the audit, calls for what waited to be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sso_server.cli.centre import Centre
from sso_server.cli.registration import with_new_secret
from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import CAS, Client
from sso_server.core.errors import Refused
from sso_server.core.events import Event, EventKind
from sso_server.core.identifiers import digest
from sso_server.core.logout_address import is_called_from_now
from sso_server.core.metadata_rules import check_sector


def with_secret(centre: Centre, client: Client, overlap_ms: int = 0) -> tuple[Client, str]:
    """The client with a new secret, and the secret; older ones work for `overlap_ms` more. Some have none."""
    if not client.takes_secret:
        return client, ""
    secret = centre.services.randomness.token("cs")
    return with_new_secret(client, digest(secret), centre.services.clock.now(), overlap_ms), secret


def environment(centre: Centre, client: Client, secret: str) -> dict[str, str]:
    """What the site puts into its environment; a CAS service without the SDK reads none of this."""
    if client.kind == CAS and not client.has_secret:
        return {}
    lines = {"SSO_ISSUER": centre.settings.issuer, "SSO_CLIENT_ID": client.client_id}
    lines |= {"SSO_CLIENT_SECRET": secret} if secret else {}
    return lines | ({"SSO_PROTOCOL": "cas"} if client.kind == CAS else {})


def check_outside(centre: Centre, client: Client, was: Client | None = None) -> None:
    """What the record alone doesn't show: that what it wants is offered here, and that its sector names it. Raises
    InvalidRequest, Refused."""
    said, known = client.metadata, was.metadata if was is not None else ClientMetadata()
    uri = said.frontchannel_logout_uri
    if uri and uri != known.frontchannel_logout_uri and not centre.settings.frontchannel_logout:
        raise Refused("Front-channel logout is off here: set SSO_FRONTCHANNEL_LOGOUT first.", code="frontchannel_off")
    asked = (said.sector_identifier_uri, client.redirect_uris)
    if was is None or asked != (known.sector_identifier_uri, was.redirect_uris):
        check_sector(client, lambda url: centre.services.documents.fetch(url, allow_private=client.allow_private))


def before_change(centre: Centre, client: Client, was: Client) -> None:
    """Raises Unavailable, while nothing is written, if a store that `after_change` will need doesn't answer."""
    if is_called_from_now(client, was):
        for health in centre.services.health:
            health.store_time()


def after_change(centre: Centre, client: Client, was: Client) -> None:
    """What follows once a changed client is written. Raises Unavailable."""
    if is_called_from_now(client, was):
        # What waited to be asked for would wait for ever.
        now = centre.services.clock.now()
        centre.services.ledger.call_from_now(client.client_id, client.kind, client.backchannel_logout_uri, now)
    note(centre, client.client_id, "changed")


def note(centre: Centre, client_id: str, change: str) -> None:
    """A line in the audit: `added`, `changed` or `removed`. Raises Unavailable."""
    now = centre.services.clock.now()
    data: dict[str, str | int | None] = {"change": change}
    centre.services.audit.append(Event(now, EventKind.CLIENT_CHANGED, client_id=client_id, actor="cli", data=data))


def change_words(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """`field: old -> new` for each."""
    return ", ".join(f"{name}: {_word(old)} -> {_word(new)}" for name, (old, new) in changes.items())


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(value) or "none"
    return "none" if value in ("", None) else str(value)
