"""Registered clients (people call them sites): the record, the rules of registration, and the cached directory.

The directory keeps all clients in the process and reads the store's generation at most once a second, and for a client
it doesn't know.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sso_server.core.claims import SCOPES
from sso_server.core.errors import InvalidRequest
from sso_server.core.identifiers import digest
from sso_server.core.notifications import POLLED
from sso_server.core.policy import SECOND
from sso_server.core.ports import ClientStore, Clock

#: The kinds of clients, and of their participants: which message tells them.
OIDC, CAS = "oidc", "cas"
ALGORITHMS = ("RS256", "ES256")
DELIVERIES = ("push", "poll")
ACCESS_TOKENS = ("opaque", "jwt")
MAX_AUDIENCE = 20
_LOOPBACK = ("127.0.0.1", "[::1]", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One valid secret: hex SHA-256 of a random value, and until when it works (ms; None: until rotated)."""

    hash: str
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
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
    """Its logout address may lie in a private range (an intranet)."""
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


def is_loopback_host(host: str | None) -> bool:
    """Loopback by name; `*.localhost` counts (RFC 6761 section 6.3)."""
    return host is not None and (host in _LOOPBACK or host.endswith(".localhost"))


def check_uri(uri: str, what: str, *, allow_query: bool = True) -> str:
    """A URI fit for registration, unchanged. Raises InvalidRequest that names what is wrong.

    RFC 6749 section 3.1.2 (no fragment), RFC 9700 section 4.1.3 (no wildcards: compared as strings, later), and the
    advisories' tricks: user-info, backslashes, control characters, a scheme in odd case.
    """
    problem = ""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidRequest(f"{what} {uri!r} is not a URL.") from None
    if len(uri) > 2000 or any(c <= " " or c in '\\"<>^`{|}*' or c > "~" for c in uri):
        problem = "has characters that a URL may not have (or is longer than 2000)"
    elif not uri.startswith(("https://", "http://")):
        problem = "must begin with https:// (or http:// on loopback)"
    elif not host or "@" in parts.netloc:
        problem = "needs a plain host, without user information"
    elif "#" in uri:
        problem = "may not have a fragment"
    elif parts.query and not allow_query:
        problem = "may not have a query"
    elif parts.scheme == "http" and not is_loopback_host(host) and what != "backchannel_logout_uri":
        problem = "must be https outside loopback"
    if problem:
        raise InvalidRequest(f"{what} {uri!r} {problem}.")
    return uri


def check_client(client: Client) -> Client:
    """The client if it may be registered as it is. Raises InvalidRequest."""
    _check_id(client.client_id)
    if not client.redirect_uris:
        raise InvalidRequest("A client needs at least one redirect_uri.")
    for uri in client.redirect_uris:
        check_uri(uri, "redirect_uri")
    for uri in client.post_logout_redirect_uris:
        check_uri(uri, "post_logout_redirect_uri")
    if client.backchannel_logout_uri:
        check_uri(client.backchannel_logout_uri, "backchannel_logout_uri")
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
    if not 5 <= client.lease_s <= 3600:
        raise InvalidRequest("A lease is 5 to 3600 seconds.")
    if not 0 <= client.grace_s <= 86_400:
        raise InvalidRequest("A grace is 0 to 86400 seconds.")
    if client.local_session_max_s is not None and not 60 <= client.local_session_max_s <= 90 * 86_400:
        raise InvalidRequest("A local session lives 60 seconds to 90 days.")
    return client


def check_audience(client: Client, known: Mapping[str, Client]) -> None:
    """Each client of its audience is there and can be told what to refuse. Raises InvalidRequest."""
    for name in client.audience:
        named = client if name == client.client_id else known.get(name)
        if named is None:
            raise InvalidRequest(f"The audience of {client.client_id!r} names {name!r}, and there is no such client.")
        if named.public:
            # It could neither ask about a token nor hear which ones to refuse.
            raise InvalidRequest(f"The audience of {client.client_id!r} names {name!r}, which is a public client.")


def _check_id(client_id: str) -> None:
    if not client_id or len(client_id) > 64 or not all(c.isalnum() or c in "._-" for c in client_id):
        raise InvalidRequest("A client id has 1 to 64 letters, digits, dots, dashes or underscores.")
    if not client_id.isascii():
        raise InvalidRequest("A client id is plain ASCII.")


def site_client(client_id: str, name: str, base_url: str, created_at: int, *, logout_base: str = "") -> Client:
    """The client of a site with our SDK: the three URIs derived from its base URL. Not yet checked, no secret yet."""
    base = base_url.rstrip("/")
    return Client(
        client_id=client_id,
        name=name or client_id,
        created_at=created_at,
        base_url=base + "/",
        redirect_uris=(base + "/sso/callback",),
        post_logout_redirect_uris=(base + "/",),
        backchannel_logout_uri=(logout_base.rstrip("/") or base) + "/sso/backchannel-logout",
        id_token_alg="ES256",
    )


class ClientDirectory:
    """All clients, cached in the process; a change anywhere is seen within a second, a new one at once. Thread-safe."""

    def __init__(self, store: ClientStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}
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

    def all(self) -> list[Client]:
        """All clients by id."""
        return sorted(self._current().values(), key=lambda c: c.client_id)

    def _current(self) -> dict[str, Client]:
        now = self._clock.now()
        # A clock set back must not freeze the cache, hence abs().
        if abs(now - self._checked_at) >= SECOND:
            with self._lock:
                if abs(now - self._checked_at) >= SECOND:
                    generation = self._store.generation()
                    if generation != self._generation:
                        self._clients = {c.client_id: c for c in self._store.list_clients()}
                        self._generation = generation
                    self._checked_at = now
        return self._clients
