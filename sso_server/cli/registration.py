"""From what somebody wished (options, a file's entry) to a client record, and what changed between two of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sso_server.cli.client_options import foreign_to, kind_of
from sso_server.cli.metadata_wishes import MEMBERS, metadata_word, with_metadata
from sso_server.config import Settings
from sso_server.core.claims import SCOPES
from sso_server.core.clients import CAS, Client, ClientSecret, check_client, site_client
from sso_server.core.errors import Refused
from sso_server.core.uris import check_uri

_NAMES = {
    "name": "name",
    "redirect_uris": "redirect_uris",
    "post_logout_redirect_uris": "post_logout_redirect_uris",
    "backchannel_logout_uri": "backchannel_logout_uri",
    "delivery": "delivery",
    "cas_services": "cas_services",
    "cas_logout_uri": "backchannel_logout_uri",
    "cas_proxy_callbacks": "cas_proxy_callbacks",
    "cas_attributes": "cas_attributes",
    "scopes": "scopes",
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
    start = Client(client_id, client_id, now, kind=kind_of(wishes), lease_s=lease_s, grace_s=settings.grace)
    return changed_client(start, wishes)


def changed_client(client: Client, wishes: Mapping[str, Any]) -> Client:
    """The record with these wishes (names of `_NAMES`, members of its metadata, and `site`) instead of what it had.

    Raises InvalidRequest, and Refused for what is for clients of another kind.
    """
    if foreign_to(client.kind, wishes):
        raise keeps_protocol(client)
    if "site" in wishes:
        base = check_uri(wishes["site"], "site", allow_query=False)
        derived = site_client(client.client_id, client.name, base, client.created_at, kind=client.kind)
        client = dataclasses.replace(
            client,
            base_url=derived.base_url,
            redirect_uris=derived.redirect_uris,
            post_logout_redirect_uris=derived.post_logout_redirect_uris,
            backchannel_logout_uri=derived.backchannel_logout_uri,
            id_token_alg=derived.id_token_alg,
            cas_services=derived.cas_services,
        )
    fields = {_NAMES[name]: value for name, value in wishes.items() if name in _NAMES}
    for several in ("audience", "cas_proxy_callbacks", "cas_attributes"):
        if several in fields:
            # An empty name on the command line stands for none.
            fields[several] = tuple(name for name in fields[several] if name)
    if "scopes" in fields:
        # Without `openid` an OpenID Connect site could sign nobody in; to CAS services it opens nothing.
        unknown = [scope for scope in fields["scopes"] if scope not in SCOPES]
        fields["scopes"] = (*(scope for scope in SCOPES if scope in ("openid", *fields["scopes"])), *unknown)
    changed = with_metadata(dataclasses.replace(client, **fields), wishes)
    if not changed.takes_secret:
        changed = dataclasses.replace(changed, secrets=())
    return check_client(changed)


def with_new_secret(client: Client, secret_hash: str, now: int, overlap_ms: int = 0) -> Client:
    """The record with a new secret; older ones work for `overlap_ms` more, spent ones are dropped."""
    end = now + overlap_ms
    older = (ClientSecret(s.hash, end if s.expires_at is None else min(end, s.expires_at)) for s in client.secrets)
    kept = tuple(s for s in older if s.expires_at is not None and s.expires_at > now)
    return dataclasses.replace(client, secrets=(ClientSecret(secret_hash), *kept))


def differences(old: Client, new: Client) -> dict[str, tuple[Any, Any]]:
    """Field by field what changes, secrets aside; of metadata the words for it."""
    changes = {
        field.name: (getattr(old, field.name), getattr(new, field.name))
        for field in dataclasses.fields(Client)
        if field.name not in ("secrets", "metadata") and getattr(old, field.name) != getattr(new, field.name)
    }
    pairs = {name: (getattr(old.metadata, name), getattr(new.metadata, name)) for name in MEMBERS}
    return changes | {
        name: (metadata_word(name, was), metadata_word(name, is_now))
        for name, (was, is_now) in pairs.items()
        if was != is_now
    }


def keeps_protocol(client: Client) -> Refused:
    """Why a client doesn't become one of another kind: sessions that are open there would be told in the wrong way."""
    speaks, others = ("CAS", "OpenID Connect") if client.kind == CAS else ("OpenID Connect", "CAS")
    return Refused(
        f"{client.client_id} speaks {speaks}, and what was given is for {others}: a client keeps its protocol. Register"
        f" the site under another id, or remove {client.client_id} first.",
        code="protocol_fixed",
    )
