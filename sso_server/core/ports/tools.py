"""Ports that are tools: time, randomness, hashes, seals, signatures, the worker's bell, single calls to a site."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sso_server.core.clients import Client
    from sso_server.core.notifications import Answer, Notification


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> int:
        """Milliseconds UTC."""


class Randomness(Protocol):
    """The only source of randomness."""

    def identifier(self, prefix: str, bucket: int) -> str:
        """`<prefix>-<bucket>-<160 random bits>`."""

    def token(self, prefix: str) -> str:
        """`<prefix>-<160 random bits>`, for what has no bucket."""

    def bucket(self) -> int:
        """A bucket for a new browser."""


class PasswordHasher(Protocol):
    """argon2id, capped per process."""

    def hash(self, password: str) -> str:
        """Raises Unavailable when too many wait already."""

    def verify(self, password_hash: str | None, password: str) -> bool:
        """With None as slow as with a real hash, and False: time tells nobody whether an account exists."""

    def needs_rehash(self, password_hash: str) -> bool:
        """The hash was made with older parameters."""


class Seals(Protocol):
    """MACed values that travel through other hands (itsdangerous). Each purpose has its own key derivation."""

    def seal(self, purpose: str, payload: Mapping[str, Any]) -> str:
        """URL-safe text."""

    def open(self, purpose: str, text: str, max_age_s: int | None = None) -> dict[str, Any] | None:
        """None when it is forged, of another purpose, or older than `max_age_s`."""


class Signer(Protocol):
    """JWTs with the centre's keys."""

    def sign(self, claims: Mapping[str, Any], *, alg: str, typ: str) -> str:
        """A compact JWS with `kid`."""

    def verify(self, token: str, *, typ: str = "JWT") -> dict[str, Any] | None:
        """The claims of a token of this type that we signed (any of our keys, `exp` not looked at), or None."""

    def jwks(self) -> list[dict[str, str]]:
        """Public keys: next, active, retired but still accepted."""


class Documents(Protocol):
    """Fetches what a client has registered an address for, while a request waits: 5 s at most."""

    def fetch(self, url: str, *, allow_private: bool = False) -> bytes:
        """The body of a 200, less than 64 KiB; redirects are not followed. `allow_private`: the client's. Raises
        Refused, with a reason anybody may read."""


class ClientKeys(Protocol):
    """The keys of clients, registered or at their `jwks_uri`: what they have signed."""

    def verify(
        self, client: Client, token: str, *, algs: Collection[str], typ: str | None = None
    ) -> dict[str, Any] | None:
        """The claims of a JWT that this client signed with one of these algorithms (of
        `client_metadata.CLIENT_ALGORITHMS`), or None. Its header names the type `typ` or none: another type belongs to
        another use. What the claims say (`iss`, `aud`, `exp` ...) is not looked at. Raises Unavailable while
        too many wait for keys."""


class ProofKeys(Protocol):
    """Proofs that carry the key that signed them (RFC 9449 section 4.2)."""

    def read(self, proof: str, *, algs: Collection[str]) -> tuple[dict[str, Any], str] | None:
        """Header, type and signature are good: the claims, and the thumbprint of the key; else None."""


class Wake(Protocol):
    """A hint to the delivery worker; losing it costs only latency."""

    def ring(self) -> None:
        """Never raises, never blocks."""


class LogoutCaller(Protocol):
    """Calls a site's registered logout address while somebody waits for it: 5 s at most."""

    def call(self, row: Notification, client: Client) -> tuple[Answer, int]:
        """One call for this row's session, and how long it took (ms). Never raises for what a site or a network does;
        raises Refused (unreadable key), Unavailable."""


class ProxyCallback(Protocol):
    """Gives a site's proxy callback what stands in its address, while the site's own request waits: 5 s at most."""

    def call(self, url: str, *, allow_private: bool) -> Answer:
        """One GET; redirects are not followed. Never raises for what a site or a network does."""
