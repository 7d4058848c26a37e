"""Ports of the account side: always in the SQL database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sso_server.core.clients import Client
    from sso_server.core.consents import Consent
    from sso_server.core.events import Event, EventKind
    from sso_server.core.keys import StoredKey
    from sso_server.core.registrations import RegistrationToken
    from sso_server.core.restorations import Restoration, RestorationState
    from sso_server.core.revocations import Revocation
    from sso_server.core.users import EndOrder, User


class UserStore(Protocol):
    """Accounts."""

    def find(self, user_id: str) -> User | None:
        """By id."""

    def find_by_username(self, folded: str) -> User | None:
        """By `users.fold_username(...)`."""

    def list_users(self, limit: int, *, after: str = "", admins_only: bool = False) -> list[User]:
        """By folded name, `after` (a folded name) exclusive."""

    def add(self, user: User, event: Event | None = None) -> bool:
        """False when the name is taken. The event goes into the audit in the same transaction."""

    def update(self, user: User, order: EndOrder | None = None, event: Event | None = None) -> bool:
        """Write the whole row if the stored version still is `user.version`. With an order: in the same transaction the
        version grows by one and the order is written (its user_version is the new one); the event goes into the audit,
        too. False when somebody else was faster."""

    def rehash(self, user_id: str, old_hash: str, new_hash: str) -> None:
        """Replace the hash if it still is the old one; the version stays."""


class PeopleSource(Protocol):
    """What the directory of people reads."""

    def find(self, user_id: str) -> User | None:
        """By id."""

    def generation(self) -> int:
        """Grows with every change of an account that is there."""


class EndOrderStore(Protocol):
    """Orders to end many sessions."""

    def add(self, order: EndOrder) -> None:
        """Write an order that doesn't come with a change of an account."""

    def list_unfinished(self) -> list[EndOrder]:
        """Oldest first."""

    def progress(self, order_id: str, ended: int, finished_at: int | None) -> None:
        """Add to the count; set the end when given."""

    def list_since(self, since: int) -> list[EndOrder]:
        """Those that are not finished, or finished at `since` (ms) or later; oldest first."""


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

    def remove(self, client_id: str, order: EndOrder | None = None) -> bool:
        """And take it out of the others' audience, in the same step; with an order: it is written there, too. False
        when there was none."""

    def change_all(
        self,
        added: Sequence[Client],
        changed: Sequence[tuple[Client, Client]],
        removed: Sequence[Client],
        orders: Sequence[EndOrder] = (),
    ) -> bool:
        """`add`, `update` (the new record, the old one) and `remove` of many, all or nothing, and the orders that the
        removals bring. False: nothing."""


class RegistrationTokenStore(Protocol):
    """Initial access tokens, by digest."""

    def add(self, token: RegistrationToken) -> bool:
        """False when the name is taken."""

    def list_tokens(self) -> list[RegistrationToken]:
        """All of them, by name."""

    def find(self, token_hash: str) -> RegistrationToken | None:
        """The one with this digest, whether or not it works any more."""

    def spend(self, token_hash: str, now: int) -> bool:
        """Take one use, if it isn't expired (ms) or used up: of one with N uses, exactly N calls get True."""

    def remove(self, name: str) -> bool:
        """False when there was none."""


class ConsentStore(Protocol):
    """What people have agreed to. It goes with its client."""

    def find(self, user_id: str, client_id: str) -> Consent | None:
        """The one of this person for this client."""

    def put(self, consent: Consent, event: Event | None = None) -> None:
        """Keep it in the place of the one before, whose `granted_at` stays if it is earlier; with an event: that line
        of the audit is written in the same step."""

    def note_use(self, user_id: str, client_id: str, now: int) -> None:
        """last_used_at = max(it, now), if there is such a consent."""

    def list_of(self, user_id: str) -> list[Consent]:
        """All of a person, by client id."""

    def remove(self, user_id: str, client_id: str, order: EndOrder | None = None, event: Event | None = None) -> bool:
        """Forget it; with an order, or an event for the audit: these are written in the same step, whether or not there
        was a consent. False when there was none."""


class LastingStore(Protocol):
    """Values that are made once and never change: the salt of pairwise subjects."""

    def get_or_put(self, name: str, value: str) -> str:
        """The one that is kept under this name; `value`, kept from now on, if there was none."""


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


class Journal(Protocol):
    """Ends of sessions and revocations of tokens as the audit has them, for when the store of sessions has forgotten
    them. Its lines are numbered; later ones have larger numbers."""

    def ends_of(self, sids: Sequence[str]) -> dict[str, str]:
        """Those of the sids that have ended, each with its reason."""

    def position_at(self, since: int) -> int:
        """The number before that of the first line whose `at` is `since` (ms) or later."""

    def ends_after(self, number: int, limit: int) -> list[tuple[int, str, str]]:
        """Number, sid and reason of ends, by number, `number` exclusive."""

    def revocations_after(self, number: int, limit: int) -> list[tuple[int, Revocation | None]]:
        """Number and revocation, by number, `number` exclusive. None: a line that this version can't read."""


class RestorationStore(Protocol):
    """Each time that the store of sessions was found to have gone back in time."""

    def state(self) -> RestorationState | None:
        """What is known, in one read; None before the first row."""

    def rows(self) -> list[Restoration]:
        """All of them, in the order in which they were found."""

    def holds_line(self, number: int, line: str) -> bool:
        """The audit's line `number` is the one with this digest, or was so old that it was purged."""

    def begin(self, restoration: Restoration, *, after: str) -> bool:
        """Write it if the newest row still is `after` (empty: there is none) and finished. Else somebody was faster:
        False."""

    def learn(self, incarnation: str) -> None:
        """The newest row's incarnation, if it has none."""

    def note_heartbeat(self, at: int) -> None:
        """The larger of what is noted and `at` (ms)."""

    def finish(self, restoration_id: str, incarnation: str, ended: int, now: int) -> None:
        """It is done, if it wasn't: checked against this incarnation from here on."""


class OneTimeStore(Protocol):
    """Small things that work once (the set-up link), by digest."""

    def put_once(self, key: str, expires_at: int, *, replaces: str = "") -> None:
        """Keep it. In the same step every other key that begins with `replaces` goes (empty: none)."""

    def claim_once(self, key: str, expires_at: int, now: int) -> bool:
        """Keep it if it isn't there (or has expired); True for exactly one of any number of callers."""

    def has_once(self, key: str, now: int) -> bool:
        """It is there and not expired."""

    def take_once(self, key: str, now: int) -> bool:
        """True for exactly one caller."""


class Retention(Protocol):
    """What only the SQL database keeps, and nobody can need any more."""

    def purge_old(self, now: int, limit: int) -> int:
        """Forget at most about `limit` finished end orders, superseded restorations and expired one-time things; how
        many."""


class KeyStore(Protocol):
    """Signing keys at rest, private halves sealed."""

    def list_keys(self) -> list[StoredKey]:
        """All of them, oldest first."""

    def add_key(self, key: StoredKey) -> None:
        """Keep it. A `kid` that is there already stays as it is."""

    def update_key(self, key: StoredKey) -> None:
        """Write the row of `key.kid`, if it is there, all but the sealed half: whoever seals that anew at the same
        moment must not be undone."""

    def reseal_key(self, kid: str, was: str, sealed: str) -> bool:
        """Exchange the sealed half if it still is `was`. False when it isn't."""

    def drop_keys(self, before: int) -> int:
        """Forget those that expired at `before` (ms) or earlier; how many."""
