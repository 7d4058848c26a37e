"""Under which `sub` a client knows a person (OpenID Connect Core 1.0 section 8): the same everywhere, or pairwise.

Every `sub` that leaves the centre comes from here. Whether a client may be pairwise is decided where it is registered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlsplit

from sso_server.core.client_metadata import AUTHORIZATION_CODE
from sso_server.core.clients import Client
from sso_server.core.ports import LastingStore, Randomness

PAIRWISE = "pairwise"
#: Under which the salt is kept. It never changes: another one would make strangers of everybody.
_SALT = "pairwise-salt"


class Subjects:
    """Names people to clients."""

    def __init__(self, lasting: LastingStore, randomness: Randomness) -> None:
        self._lasting = lasting
        self._random = randomness
        self._salt = ""

    def of(self, client: Client, user_id: str) -> str:
        """The person's `sub` for this client; an empty `user_id`: the client speaks for itself, and is the subject (RFC
        9068 section 2.2). Raises Unavailable, for a pairwise client."""
        if not user_id:
            return client.client_id
        if client.metadata.subject_type != PAIRWISE:
            return user_id
        sector = sector_of(client) or f"client:{client.client_id}"
        # Section 8.1: can't be reversed, and two sectors can't compare what they know.
        name = hmac.digest(self._kept_salt().encode("ascii"), f"{sector}/{user_id}".encode(), hashlib.sha256)
        return "pw-" + base64.b32encode(name[:25]).decode("ascii").lower()

    def _kept_salt(self) -> str:
        if not self._salt:
            self._salt = self._lasting.get_or_put(_SALT, self._random.token("salt"))
        return self._salt


def sector_of(client: Client) -> str:
    """The host that stands for the client's sector (section 8.1): that of `sector_identifier_uri`, else the one host of
    all its addresses; empty: it is a sector of its own, as there are several, or nothing shows that it belongs there.
    """
    if client.metadata.registration_token_hash and not _is_only_answered_there(client):
        return ""
    if client.metadata.sector_identifier_uri:
        return _host(client.metadata.sector_identifier_uri)
    hosts = {_host(uri) for uri in client.redirect_uris or client.cas_services}
    return hosts.pop() if len(hosts) == 1 else ""


def _is_only_answered_there(client: Client) -> bool:
    """Whether everything that a client which registered itself learns of people goes by way of its web addresses: then
    naming somebody else's brings it nothing. Any program on a person's device may answer at a loopback address."""
    uris = client.redirect_uris
    return client.metadata.grant_types == (AUTHORIZATION_CODE,) and all(uri.startswith("https://") for uri in uris)


def _host(uri: str) -> str:
    return (urlsplit(uri).hostname or "").lower()
