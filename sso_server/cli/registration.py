"""From what somebody wished (options, a file's entry) to a client record, and what changed between two of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import click

from sso_server.config import Settings
from sso_server.core.clients import Client, ClientSecret, check_client, site_client
from sso_server.core.uris import check_uri

_NAMES = {
    "name": "name",
    "redirect_uris": "redirect_uris",
    "post_logout_redirect_uris": "post_logout_redirect_uris",
    "backchannel_logout_uri": "backchannel_logout_uri",
    "delivery": "delivery",
    "public": "public",
    "id_token_alg": "id_token_alg",
    "refresh_tokens": "refresh_tokens",
    "lease": "lease_s",
    "grace": "grace_s",
    "local_session_max": "local_session_max_s",
    "allow_private": "allow_private",
    "access_token": "access_token",
    "audience": "audience",
}
"""What a file or an option calls it, and the record's field."""


def new_client(client_id: str, wishes: Mapping[str, Any], settings: Settings, now: int) -> Client:
    """The record for a client that doesn't exist yet, without a secret. Raises InvalidRequest."""
    # A client's lease is 5 s at least (core.clients); the setting may be less, for tests of the centre itself.
    lease_s = max(5, settings.lease)
    start = Client(client_id=client_id, name=client_id, created_at=now, lease_s=lease_s, grace_s=settings.grace)
    return changed_client(start, wishes)


def changed_client(client: Client, wishes: Mapping[str, Any]) -> Client:
    """The record with these wishes (names of `_NAMES`, and `site`) instead of what it had. Raises InvalidRequest."""
    if "site" in wishes:
        base = check_uri(wishes["site"], "site", allow_query=False)
        derived = site_client(client.client_id, client.name, base, client.created_at)
        client = dataclasses.replace(
            client,
            base_url=derived.base_url,
            redirect_uris=derived.redirect_uris,
            post_logout_redirect_uris=derived.post_logout_redirect_uris,
            backchannel_logout_uri=derived.backchannel_logout_uri,
            id_token_alg=derived.id_token_alg,
        )
    fields = {_NAMES[name]: value for name, value in wishes.items() if name in _NAMES}
    if "audience" in fields:
        # An empty name on the command line stands for nobody.
        fields["audience"] = tuple(name for name in fields["audience"] if name)
    changed: Client = dataclasses.replace(client, **fields)
    if changed.public:
        changed = dataclasses.replace(changed, secrets=())
    return check_client(changed)


def with_new_secret(client: Client, secret_hash: str, now: int, overlap_ms: int = 0) -> Client:
    """The record with a new secret; older ones work for `overlap_ms` more, spent ones are dropped."""
    end = now + overlap_ms
    older = (ClientSecret(s.hash, end if s.expires_at is None else min(end, s.expires_at)) for s in client.secrets)
    kept = tuple(s for s in older if s.expires_at is not None and s.expires_at > now)
    return dataclasses.replace(client, secrets=(ClientSecret(secret_hash), *kept))


def differences(old: Client, new: Client) -> dict[str, tuple[Any, Any]]:
    """Field by field what changes, secrets aside."""
    return {
        field.name: (getattr(old, field.name), getattr(new, field.name))
        for field in dataclasses.fields(Client)
        if field.name != "secrets" and getattr(old, field.name) != getattr(new, field.name)
    }


def check_ways(wishes: Mapping[str, Any]) -> None:
    """--site derives the three addresses: giving them too would leave open which counts. Usage error."""
    if "site" in wishes:
        for name, option in (
            ("redirect_uris", "--redirect-uri"),
            ("post_logout_redirect_uris", "--post-logout-redirect-uri"),
            ("backchannel_logout_uri", "--backchannel-logout-uri"),
        ):
            if name in wishes:
                raise click.UsageError(f"--site derives the addresses: leave out {option}, or leave out --site.")
