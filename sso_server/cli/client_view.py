"""How a client is shown: as JSON, as fields, and the promise that holds for it in the words of the README."""

from __future__ import annotations

from typing import Any

from sso_server.cli.centre import Centre
from sso_server.cli.metadata_wishes import metadata_fields, shown
from sso_server.cli.output import length, when
from sso_server.core.claims import SCOPES
from sso_server.core.clients import CAS, Client
from sso_server.core.policy import SECOND

_SENTENCES = {
    "bounded": "bounded: serves nobody more than {bound} after the end of a session",
    "told": "told; no bound known (it becomes bounded when the SDK checks in)",
    "cas": "told; no bound known (a CAS service without the SDK)",
    "asks": "told when it asks; no bound known",
    "asks unregistered": "told when it asks; no bound known (no logout address is registered, but it asks: register "
    "that with --delivery poll)",
    "not told": "not told: it has no logout address",
}


def promise_word(client: Client, centre: Centre) -> str:
    """`bounded` once a store of it has checked in, `told` if it is called or asks, else `not told`.

    A CAS service is always called, at its own address where it has no other (CAS 3.0.3 section 2.3.3).
    """
    if centre.check_in_store.find_site_stores(client.client_id):
        return "bounded"
    return "told" if client.kind == CAS or client.backchannel_logout_uri or _asks(client, centre) else "not told"


def _asks(client: Client, centre: Centre) -> bool:
    """Whether it asks for its sign-outs: registered so, or without an address and heard within its sessions' life.

    Whoever asks is answered, however it is registered."""
    if client.delivery == "poll":
        return True
    asked_at = centre.poll_store.last_poll_at(client.client_id)
    life = client.local_session_max_s * SECOND if client.local_session_max_s else centre.settings.policy().absolute_ms
    return asked_at is not None and centre.services.clock.now() - asked_at < life


def told_at(client: Client) -> str:
    """Where it is called, or that it asks."""
    if client.delivery == "poll":
        return "asks for its sign-outs (poll)"
    return client.backchannel_logout_uri or ("the service itself" if client.kind == CAS else "-")


def client_json(client: Client, centre: Centre) -> dict[str, Any]:
    """A client as programs read it; of its secrets only how long each works."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "kind": client.kind,
        "promise": promise_word(client, centre).replace(" ", "_"),
        "public": client.public,
        "base_url": client.base_url,
        "redirect_uris": list(client.redirect_uris),
        "post_logout_redirect_uris": list(client.post_logout_redirect_uris),
        "backchannel_logout_uri": client.backchannel_logout_uri,
        "cas_services": list(client.cas_services),
        "cas_proxy_callbacks": list(client.cas_proxy_callbacks),
        "cas_attributes": list(client.cas_attributes),
        "delivery": client.delivery,
        "last_poll_at": centre.poll_store.last_poll_at(client.client_id),
        "id_token_alg": client.id_token_alg,
        "scopes": list(client.scopes),
        "refresh_tokens": client.refresh_tokens,
        "access_token": client.access_token,
        "audience": list(client.audience),
        "lease_s": client.lease_s,
        "grace_s": client.grace_s,
        "local_session_max_s": client.local_session_max_s,
        "allow_private": client.allow_private,
        "metadata": shown(client.metadata),
        "created_at": client.created_at,
        "secrets": [{"expires_at": secret.expires_at} for secret in client.secrets],
        "stores": [
            {"store_id": store.store_id, "last_check_in_at": store.last_check_in_at, "safe_at": store.safe_at}
            for store in centre.check_in_store.find_site_stores(client.client_id)
        ],
    }


def client_fields(client: Client, centre: Centre) -> list[tuple[str, str]]:
    """A client as people read it."""
    bound = length((client.lease_s + client.grace_s) * 1000)
    promise = promise_word(client, centre)
    sentence = _SENTENCES[_which(client, promise)]
    asked_at = centre.poll_store.last_poll_at(client.client_id)
    is_cas = client.kind == CAS
    fields = [
        ("client", client.client_id),
        ("name", client.name),
        ("promise", sentence.format(bound=bound)),
        ("protocol", "CAS" if is_cas else ""),
        ("services", " ".join(client.cas_services)),
        ("redirect to", " ".join(client.redirect_uris)),
        ("after sign-out", " ".join(client.post_logout_redirect_uris)),
        ("told at", told_at(client)),
        # Of a client that is called, too, if it ever asked: one that stopped asking must be seen.
        ("last asked", when(asked_at) if asked_at is not None else "never" if client.delivery == "poll" else ""),
        ("proxy callbacks", " ".join(client.cas_proxy_callbacks)),
        ("attributes", _attributes(client) if is_cas else ""),
        ("scopes", " ".join(client.scopes) if client.scopes != SCOPES and not client.cas_attributes else ""),
        (
            "tokens",
            "" if is_cas else f"{client.id_token_alg}, {'with' if client.refresh_tokens else 'without'} refresh tokens",
        ),
        ("access tokens", "JWTs that APIs check themselves" if client.access_token == "jwt" else ""),
        ("for the APIs of", " ".join(client.audience)),
        ("lease", f"{client.lease_s} s, grace {client.grace_s} s" if not is_cas or client.has_secret else ""),
        ("local session", f"at most {length(client.local_session_max_s * 1000)}" if client.local_session_max_s else ""),
        ("private network", "allowed" if client.allow_private else ""),
        *metadata_fields(client.metadata),
        ("secrets", _secrets(client, centre.services.clock.now())),
        ("since", when(client.created_at)),
    ]
    stores = centre.check_in_store.find_site_stores(client.client_id)
    return fields + [("store", f"{s.store_id}, last check-in {when(s.last_check_in_at)}") for s in stores]


def _attributes(client: Client) -> str:
    if client.cas_attributes:
        return " ".join(client.cas_attributes)
    opening = [scope for scope in client.scopes if scope not in ("openid", "offline_access")]
    return f"all that {', '.join(opening)} open" if opening else "none"


def _which(client: Client, promise: str) -> str:
    if promise != "told":
        return promise
    if client.kind == CAS and not client.has_secret:
        return "cas"
    if client.delivery == "poll":
        return "asks"
    return "told" if client.backchannel_logout_uri else "asks unregistered"


def _secrets(client: Client, now: int) -> str:
    """Of each that works, until when: the newest first."""
    if not client.takes_secret:
        return "none (public)" if client.public else "none (a CAS service)" if client.kind == CAS else "none (its keys)"
    working = [s.expires_at for s in client.secrets if s.expires_at is None or now < s.expires_at]
    return ", ".join("valid" if end is None else f"valid until {when(end)}" for end in working)
