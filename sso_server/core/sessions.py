"""Records of the global session and its participants: one browser, one person, and the sites registered under it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sso_server.core.identifiers import is_store_id
from sso_server.core.records import record


class EndReason(StrEnum):
    """Why a session ended; every end carries one, and sites and people are told which."""

    SIGN_OUT = "sign_out"
    SIGN_OUT_EVERYWHERE = "sign_out_everywhere"
    SITE_SIGN_OUT = "site_sign_out"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    ADMINISTRATOR = "administrator"
    PASSWORD_CHANGE = "password_change"
    ACCOUNT_DISABLED = "account_disabled"
    TOKEN_REUSE = "token_reuse"
    CLIENT_REMOVED = "client_removed"
    APP_REMOVED = "app_removed"
    """By the person, who takes back what a client was allowed (`consents`)."""
    REPLACED = "replaced"
    STORE_RESTORED = "store_restored"
    UNKNOWN_SESSION = "unknown_session"


@record
class Session:
    """A global session. `sid` names it to sites; the cookie secret is another value, of which only digests are kept."""

    sid: str
    user_id: str
    user_version: int
    browser_hash: str
    cookie_hash: str
    auth_time: int
    amr: tuple[str, ...]
    created_at: int
    last_active_at: int
    idle_allowance_ms: int
    absolute_until: int
    remembered: bool = False
    user_agent: str = ""
    address: str = ""
    idle_off: bool = False
    """A participant that cannot report activity is registered: only absolute life ends this session by time."""
    previous_cookie_hash: str = ""
    previous_cookie_until: int = 0
    ended_at: int | None = None
    end_reason: str | None = None

    @property
    def due_at(self) -> int:
        """When the sweeper may end it (ms)."""
        if self.idle_off:
            return self.absolute_until
        return min(self.absolute_until, self.last_active_at + self.idle_allowance_ms)

    def is_live(self, now: int) -> bool:
        """Not ended, and its time has not run out although nobody swept it yet."""
        return self.ended_at is None and now < self.due_at

    def is_cookie(self, cookie_hash: str, now: int) -> bool:
        """Whether this is its cookie's digest, or the one before within its overlap. The Redis scripts repeat it."""
        if cookie_hash == self.cookie_hash:
            return True
        return bool(cookie_hash) and cookie_hash == self.previous_cookie_hash and now < self.previous_cookie_until


@record
class Participant:
    """A client that redeemed a ticket in a session, how to tell it, and when its local session must be over."""

    sid: str
    client_id: str
    store_id: str
    """Of a store with our SDK. A CAS site without it: the ticket that it validated. Any other: empty."""
    kind: str
    """Which message builder tells it: `oidc`, `cas`; `poll`: it asks."""
    logout_uri: str
    registered_at: int
    local_until: int
    reports: bool
    """It reports activity at check-in, so idleness is known."""

    @property
    def sdk_store(self) -> str:
        """The store that hears at its check-in; empty: a site without our SDK."""
        return self.store_id if is_store_id(self.store_id) else ""

    @property
    def ticket(self) -> str:
        """What a CAS site without our SDK is told by; empty: none of those."""
        return "" if self.sdk_store else self.store_id


def once_for_each_site(participants: Iterable[Participant]) -> list[Participant]:
    """The same for people: a CAS site is one to them, however many tickets it validated. The one whose local session
    may last longest stands for all."""
    shown: dict[tuple[str, str], Participant] = {}
    for participant in participants:
        place = (participant.client_id, participant.sdk_store)
        if place not in shown or shown[place].local_until < participant.local_until:
            shown[place] = participant
    return list(shown.values())


def local_until(
    now: int, *, created_at: int, absolute_until: int, local_max_ms: int, margin_ms: int, bounded: bool
) -> int:
    """When a local session that opens now must be over (ms), give or take the margin for clocks.

    `bounded`: a site with our SDK, which was told the session's end. Any other site may count the same life from its
    own beginning. `created_at` and `absolute_until` are the global session's. The Redis scripts repeat these lines.
    """
    if bounded:
        return min(now + local_max_ms, absolute_until) + margin_ms
    return now + min(local_max_ms, absolute_until - created_at) + margin_ms


@record
class Opened:
    """The outcome of opening: a new session or the same one with a new cookie, and the one that made room for it."""

    session: Session
    renewed: bool
    replaced: Session | None = None
