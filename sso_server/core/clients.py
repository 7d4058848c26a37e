"""Registered clients (people call them sites): the record, the rules of registration, and the cached directory.

The directory keeps all clients in the process and reads the store's generation at most once a second, and for a client
it doesn't know.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import urlsplit

from sso_server.core.claims import SCOPES, check_attributes
from sso_server.core.client_metadata import PRIVATE_KEY_JWT, SIGNING_ALGORITHMS, ClientMetadata, is_api_scope
from sso_server.core.errors import InvalidRequest
from sso_server.core.identifiers import USER, digest
from sso_server.core.metadata_rules import check_metadata
from sso_server.core.notifications import POLLED
from sso_server.core.policy import SECOND
from sso_server.core.ports import ClientStore, Clock
from sso_server.core.records import record
from sso_server.core.service_urls import ServiceIndex, check_service, is_prefix, normal_form
from sso_server.core.uris import check_uri, is_loopback_host

#: The kinds of clients, and of their participants: which message tells them.
OIDC, CAS = "oidc", "cas"
KINDS = (OIDC, CAS)
ALGORITHMS = SIGNING_ALGORITHMS
DELIVERIES = ("push", "poll")
ACCESS_TOKENS = ("opaque", "jwt")
MAX_AUDIENCE = 20
MAX_SERVICES = 50


@record
class ClientSecret:
    """One valid secret: hex SHA-256 of a random value, and until when it works (ms; None: until rotated)."""

    hash: str
    expires_at: int | None = None


@record
class Client:
    """A registered application. Times in seconds where the name says `_s`."""

    client_id: str
    name: str
    created_at: int
    kind: str = OIDC
    secrets: tuple[ClientSecret, ...] = ()
    public: bool = False
    base_url: str = ""
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str = ""
    id_token_alg: str = "RS256"
    scopes: tuple[str, ...] = SCOPES
    refresh_tokens: bool = True
    lease_s: int = 60
    grace_s: int = 0
    local_session_max_s: int | None = None
    allow_private: bool = False
    """Its logout address and its proxy callbacks may lie in a private range (an intranet)."""
    delivery: str = "push"
    """How a site without our SDK hears of ends: it is called (`push`), or it asks (`poll`, RFC 8936)."""
    access_token: str = "opaque"
    """Its access tokens are asked about at the centre (`opaque`), or APIs check them themselves (`jwt`, RFC 9068)."""
    audience: tuple[str, ...] = ()
    """Ids of the clients whose APIs its access tokens are for; the centre's own userinfo always is."""

    cas_services: tuple[str, ...] = ()
    """Of a client of kind `cas`: addresses that may ask by the CAS protocol; one that ends with a slash stands for all
    below it."""
    cas_proxy_callbacks: tuple[str, ...] = ()
    """Where proxy-granting tickets may be sent, in the same form; none: it may not ask for any."""
    cas_attributes: tuple[str, ...] = ()
    """What its validations say of the person, `NAME` or `NAME=CLAIM`; none: every claim that its scopes open."""

    metadata: ClientMetadata = field(default_factory=ClientMetadata)
    """All that is optional in OpenID Connect and OAuth."""

    @property
    def has_secret(self) -> bool:
        """Whether it proves who it is, by a secret or a key. A CAS service without our SDK never does: tickets are all
        that it sends."""
        return not self.public and (self.kind != CAS or self.base_url != "")

    @property
    def takes_secret(self) -> bool:
        """Whether a secret is what it proves that by."""
        return self.has_secret and self.metadata.token_endpoint_auth_method != PRIVATE_KEY_JWT

    @property
    def is_strangers(self) -> bool:
        """Whether anybody can ask in its name: who has read a public client's id, or who has registered it."""
        return self.public or self.metadata.registration_token_hash != ""

    @property
    def participant_kind(self) -> str:
        """The kind of its participants: which message builder tells it, or that it asks."""
        return POLLED if self.delivery == "poll" else self.kind

    @property
    def store_kind(self) -> str:
        """The kind of participants with our SDK: whatever protocol people sign in by, these hear by logout tokens."""
        return OIDC

    def accepts_secret(self, secret: str, now: int) -> bool:
        """Whether this secret is valid now. Every stored hash is compared, in constant time."""
        given = digest(secret)
        matches = [
            hmac.compare_digest(s.hash, given) for s in self.secrets if s.expires_at is None or now < s.expires_at
        ]
        return any(matches)


def check_client(client: Client) -> Client:
    """The client if it may be registered as it is. Raises InvalidRequest."""
    _check_id(client.client_id)
    _check_addresses(client)
    if client.id_token_alg not in ALGORITHMS:
        raise InvalidRequest(f"id_token alg {client.id_token_alg!r} is not one of {', '.join(ALGORITHMS)}.")
    if client.delivery not in DELIVERIES:
        raise InvalidRequest(f"delivery {client.delivery!r} is not one of {', '.join(DELIVERIES)}.")
    if client.delivery == "poll" and client.public:
        # RFC 8936 section 3: whoever polls must be known, else anybody reads and acknowledges in its name.
        raise InvalidRequest("A public client can't poll: it has no secret to prove that it is the one who asks.")
    if client.access_token not in ACCESS_TOKENS:
        raise InvalidRequest(f"access_token {client.access_token!r} is not one of {', '.join(ACCESS_TOKENS)}.")
    if len(client.audience) > MAX_AUDIENCE or len(set(client.audience)) != len(client.audience):
        raise InvalidRequest(f"An audience is at most {MAX_AUDIENCE} clients, each named once.")
    for name in client.audience:
        _check_id(name)
    if unknown := [scope for scope in client.scopes if scope not in SCOPES and not is_api_scope(scope)]:
        known = ", ".join(SCOPES)
        raise InvalidRequest(
            f"scope {unknown[0]!r} is not one of {known}, nor an API's own, which has a dot, colon or slash."
        )
    if not 5 <= client.lease_s <= 3600:
        raise InvalidRequest("A lease is 5 to 3600 seconds.")
    if not 0 <= client.grace_s <= 86_400:
        raise InvalidRequest("A grace is 0 to 86400 seconds.")
    if client.local_session_max_s is not None and not 60 <= client.local_session_max_s <= 90 * 86_400:
        raise InvalidRequest("A local session lives 60 seconds to 90 days.")
    return client


def _check_addresses(client: Client) -> None:
    if client.kind not in KINDS:
        raise InvalidRequest(f"protocol {client.kind!r} is not one of {', '.join(KINDS)}.")
    if client.kind == CAS:
        _check_cas(client)
    elif client.cas_services or client.cas_proxy_callbacks or client.cas_attributes:
        raise InvalidRequest("An OpenID Connect client has no CAS services, proxy callbacks or attributes.")
    else:
        check_metadata(client)
    if client.backchannel_logout_uri:
        check_uri(client.backchannel_logout_uri, "backchannel_logout_uri")
        parts = urlsplit(client.backchannel_logout_uri)
        if client.public and parts.scheme == "http" and not is_loopback_host(parts.hostname):
            # Back-Channel Logout 1.0 section 2.2. Of a confidential one the sender asks for `allow_private`, too.
            raise InvalidRequest("backchannel_logout_uri of a public client must be https outside loopback.")


def _check_cas(client: Client) -> None:
    if not client.cas_services:
        raise InvalidRequest("A CAS client needs at least one cas_service.")
    if client.redirect_uris or client.post_logout_redirect_uris:
        raise InvalidRequest("A CAS client has services, and neither a redirect_uri nor a post_logout_redirect_uri.")
    if client.public or (client.secrets and not client.has_secret):
        raise InvalidRequest("A CAS client without our SDK has no secret to be public or confidential about.")
    if client.metadata != ClientMetadata():
        raise InvalidRequest("A CAS client has none of the metadata of OpenID Connect clients.")
    if client.delivery != "push" or client.access_token != "opaque" or client.audience:
        raise InvalidRequest("A CAS client gets no access tokens and is told of ends: no delivery, no audience.")
    for addresses in (client.cas_services, client.cas_proxy_callbacks, client.cas_attributes):
        if len(addresses) > MAX_SERVICES or len(set(addresses)) != len(addresses):
            raise InvalidRequest(
                f"A CAS client has at most {MAX_SERVICES} services (callbacks, attributes), each once."
            )
    for service in client.cas_services:
        check_service(service)
    for callback in client.cas_proxy_callbacks:
        if not check_service(callback, "cas_proxy_callback").startswith("https://"):
            # CAS 3.0.3 section 2.5.4: the callback's certificate is all that proves who gets the ticket.
            raise InvalidRequest(f"cas_proxy_callback {callback!r} must be https.")
    check_attributes(client.cas_attributes)


def check_services_free(client: Client, known: Mapping[str, Client]) -> None:
    """None of its services is another client's, too: whose tickets would they be? Raises InvalidRequest.

    One may lie below another's prefix: the closer address counts (`ClientDirectory.find_by_service`).
    """
    wanted = {(normal_form(service), is_prefix(service)): service for service in client.cas_services}
    for other in known.values():
        for theirs in other.cas_services if other.client_id != client.client_id else ():
            if mine := wanted.get((normal_form(theirs), is_prefix(theirs))):
                raise InvalidRequest(f"cas_service {mine!r} belongs to the client {other.client_id!r} already.")


def check_audience(client: Client, known: Mapping[str, Client]) -> None:
    """Each client of its audience is there and can be told what to refuse. Raises InvalidRequest."""
    for name in client.audience:
        named = client if name == client.client_id else known.get(name)
        if named is None:
            raise InvalidRequest(f"The audience of {client.client_id!r} names {name!r}, and there is no such client.")
        if not named.has_secret:
            # It could neither ask about a token nor hear which ones to refuse.
            what = "a public client" if named.public else "a CAS service without a secret"
            raise InvalidRequest(f"The audience of {client.client_id!r} names {name!r}, which is {what}.")


def _check_id(client_id: str) -> None:
    if not client_id or len(client_id) > 64 or not all(c.isalnum() or c in "._-" for c in client_id):
        raise InvalidRequest("A client id has 1 to 64 letters, digits, dots, dashes or underscores.")
    if not client_id.isascii():
        raise InvalidRequest("A client id is plain ASCII.")
    if client_id.lower().startswith((f"{USER}-", "pw-")):
        # RFC 9700 section 4.15: with client credentials the client's id is `sub`; it must not be a person's, as all
        # clients know it or as a pairwise one does.
        raise InvalidRequest("A client id doesn't look like a person's.")


def site_client(
    client_id: str, name: str, base_url: str, created_at: int, *, logout_base: str = "", kind: str = OIDC
) -> Client:
    """The client of a site with our SDK, its addresses derived from its base URL. Not yet checked, no secret yet.

    `kind`: the protocol by which people sign in there; of ends it hears in the same way.
    """
    base = base_url.rstrip("/")
    is_cas = kind == CAS
    return Client(
        client_id=client_id,
        name=name or client_id,
        created_at=created_at,
        kind=kind,
        base_url=base + "/",
        redirect_uris=() if is_cas else (base + "/sso/callback",),
        post_logout_redirect_uris=() if is_cas else (base + "/",),
        backchannel_logout_uri=(logout_base.rstrip("/") or base) + "/sso/backchannel-logout",
        id_token_alg="ES256",
        cas_services=(base + "/sso/",) if is_cas else (),
    )


class ClientDirectory:
    """All clients, cached in the process; a change anywhere is seen within a second, a new one at once. Thread-safe."""

    def __init__(self, store: ClientStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}
        self._services = ServiceIndex(())
        self._generation = -1
        self._checked_at = -SECOND

    def find(self, client_id: str) -> Client | None:
        """The client, or None: whoever isn't in the cache is looked for in the store.

        Else a site that was registered a moment ago, by another process, would be refused by some workers and not by
        others, and the delivery would take it for removed, which is final.
        """
        if (found := self._current().get(client_id)) is None:
            self._checked_at = -SECOND
            found = self._current().get(client_id)
        return found

    def find_as_stored(self, client_id: str) -> Client | None:
        """As it is in the store now: for who is about to change it."""
        self._checked_at = -SECOND
        return self._current().get(client_id)

    def find_by_service(self, url: str) -> Client | None:
        """Whose CAS service this is, in whatever spelling: exact before prefix, the longest prefix first; else None."""
        if (found := self._owner(url)) is None:
            self._checked_at = -SECOND
            found = self._owner(url)
        return found

    def all(self) -> list[Client]:
        """All clients by id."""
        return sorted(self._current().values(), key=lambda c: c.client_id)

    def _owner(self, url: str) -> Client | None:
        clients = self._current()
        owner = self._services.find_owner(url)
        return clients.get(owner) if owner is not None else None

    def _current(self) -> dict[str, Client]:
        now = self._clock.now()
        # A clock set back must not freeze the cache, hence abs().
        if abs(now - self._checked_at) >= SECOND:
            with self._lock:
                if abs(now - self._checked_at) >= SECOND:
                    generation = self._store.generation()
                    if generation != self._generation:
                        clients = {c.client_id: c for c in self._store.list_clients()}
                        registered = [(service, c.client_id) for c in clients.values() for service in c.cas_services]
                        self._clients, self._services = clients, ServiceIndex(registered)
                        self._generation = generation
                    self._checked_at = now
        return self._clients
