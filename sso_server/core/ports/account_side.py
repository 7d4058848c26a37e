"""Ports of the account side: always in the SQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sso_server.core.clients import Client
    from sso_server.core.events import Event, EventKind
    from sso_server.core.keys import StoredKey
    from sso_server.core.users import EndOrder, User


class UserStore(Protocol):
    """Accounts."""

    def find(self, user_id: str) -> User | None:
        """By id."""

    def find_by_username(self, folded: str) -> User | None:
        """By `users.fold_username(...)`."""

    def list_users(self, limit: int, *, after: str = "", admins_only: bool = False) -> list[User]:
        """By folded name, `after` (a folded name) exclusive."""

    def add(self, user: User) -> bool:
        """False when the name is taken."""

    def update(self, user: User, order: EndOrder | None = None) -> bool:
        """Write the whole row if the stored version still is `user.version`. With an order: in the same transaction the
        version grows by one and the order is written (its user_version is the new one). False when somebody else was
        faster."""

    def rehash(self, user_id: str, old_hash: str, new_hash: str) -> None:
        """Replace the hash if it still is the old one; the version stays."""


class EndOrderStore(Protocol):
    """Orders to end many sessions."""

    def add(self, order: EndOrder) -> None:
        """Write an order that doesn't come with a change of an account."""

    def list_unfinished(self) -> list[EndOrder]:
        """Oldest first."""

    def progress(self, order_id: str, ended: int, finished_at: int | None) -> None:
        """Add to the count; set the end when given."""


class ClientStore(Protocol):
    """Registered clients."""

    def list_clients(self) -> list[Client]:
        """All of them."""

    def generation(self) -> int:
        """Grows with every change."""

    def add(self, client: Client) -> bool:
        """False when the id is taken."""

    def update(self, client: Client, was: Client) -> bool:
        """Write the whole row if the stored one still is `was`. False when it isn't, or when there is none."""

    def remove(self, client_id: str) -> bool:
        """False when there was none."""


class AuditStore(Protocol):
    """What happened, kept 400 days."""

    def append(self, *events: Event) -> None:
        """Write them."""

    def list_events(
        self, limit: int, *, before: int = 0, kind: EventKind | None = None, user_id: str = "", sid: str = ""
    ) -> list[Event]:
        """Newest first."""

    def purge_events(self, older_than: int, limit: int) -> int:
        """Drop old ones; how many."""


class OneTimeStore(Protocol):
    """Small things that work once (the set-up link), by digest."""

    def put_once(self, key: str, expires_at: int, *, replaces: str = "") -> None:
        """Keep it. In the same step every other key that begins with `replaces` goes (empty: none)."""

    def has_once(self, key: str, now: int) -> bool:
        """It is there and not expired."""

    def take_once(self, key: str, now: int) -> bool:
        """True for exactly one caller."""


class KeyStore(Protocol):
    """Signing keys at rest, private halves sealed."""

    def list_keys(self) -> list[StoredKey]:
        """All of them, oldest first."""

    def add_key(self, key: StoredKey) -> None:
        """Keep it. A `kid` that is there already stays as it is."""

    def update_key(self, key: StoredKey) -> None:
        """Write the whole row of `key.kid`, if it is there."""
