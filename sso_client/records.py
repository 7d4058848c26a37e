"""The records that travel between the client, the stores and the site. Times: integer milliseconds UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sso_client.clock import Instant
from sso_client.user import User, user_from_claims


@dataclass(frozen=True, slots=True)
class Tokens:
    """What calls to APIs need: an access token good until `access_until_ms`, and what renews it, if anything does.

    `access_life_ms` is how long it was to live when it came; 0: the provider didn't say it.
    """

    access_token: str = field(repr=False)
    access_until_ms: int
    refresh_token: str | None = field(default=None, repr=False)
    access_life_ms: int = 0


@dataclass(frozen=True, slots=True)
class SignIn:
    """A validated ticket: who signed in, and what the centre said about the session."""

    user: User
    sid: str | None
    id_token: str = field(repr=False)
    id_token_iat: int  # seconds, as in the token
    until_ms: int  # the local session must be over by then
    asked: bool  # the person typed something for this very sign-in
    leased: bool  # the provider takes check-ins
    redeemed: Instant  # just before the ticket went to the centre
    tokens: Tokens | None = field(default=None, repr=False)
    epoch: str | None = None  # the last one that the store had heard by then


@dataclass(frozen=True, slots=True)
class LocalSession:
    """One browser's session at this site. The cookie itself is nowhere: only its hash is kept."""

    cookie_hash: str = field(repr=False)
    sid: str | None
    sub: str
    id_token: str = field(repr=False)
    id_token_iat: int
    claims: Mapping[str, Any] = field(repr=False)
    asked: bool
    generation: int
    opened_at_ms: int
    until_ms: int
    served_at_ms: int
    reported_at_ms: int
    leased: bool  # served only while the centre confirms it
    site_user: str | None = None  # the site's own name for the person: what its `on_login` returned

    @property
    def user(self) -> User:
        return user_from_claims(self.claims)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the event log. `kind` is stable; `text` is English; `after_ms` is the time since the click."""

    at_ms: int
    kind: str
    text: str
    sid: str | None = None
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """One end of a session, as the centre lists it at check-in."""

    sid: str
    reason: str
    ended_at_ms: int


@dataclass(frozen=True, slots=True)
class Denied:
    """A session (`sid`) or one token (`jti`) whose JWT access tokens are refused until the last of them has expired."""

    sid: str | None
    jti: str | None
    until_ms: int


@dataclass(frozen=True, slots=True)
class CheckInAnswer:
    """What the centre answered to one check-in."""

    ends: tuple[End, ...]
    more: bool
    mark: str
    lag_ms: int
    lease_ms: int
    grace_ms: int
    report_ms: int
    epoch: str  # another one than before: the centre went back in time and must be shown every session
    denied: tuple[Denied, ...] = ()
    denied_to: int | None = None  # where the next list begins; None: an older centre, which keeps none


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What one check-in tells.

    `sids` is None when the full list isn't due; else its part after `sids_from`, up to `sids_end` (empty: the rest).
    """

    read_at_ms: int
    mark: str | None
    acks: tuple[str, ...]
    ended: tuple[str, ...]
    active: tuple[str, ...]
    sids: tuple[str, ...] | None
    sids_from: str
    sids_end: str
    denied_from: int | None = None  # the last `denied_to`; None: everything that still matters


@dataclass(frozen=True, slots=True)
class Applied:
    """What an answer did in the store: each end with the local sessions it ended; whether the lease was stamped."""

    ends: tuple[tuple[End, tuple[LocalSession, ...]], ...]
    confirmed: bool


@dataclass(frozen=True, slots=True)
class CheckInReport:
    """What a check-in did: how many local sessions it ended, and whether the lease is confirmed."""

    ended: int
    confirmed: bool


@dataclass(frozen=True, slots=True)
class LogoutAnswer:
    """What to answer to a back-channel logout call."""

    status: int
    headers: Mapping[str, str]
    body: str


Scope = Literal["site", "browser", "everywhere"]
"""What a person wants to be signed out of: this site alone, all of this browser, all devices."""


@dataclass(frozen=True, slots=True)
class SignOut:
    """What a sign-out at this site did. `logout_url` is where the browser goes next, None if nowhere."""

    was_signed_in: bool
    told: bool  # the centre confirmed it, server to server
    reachable: bool
    logout_url: str | None
    left: str | None = field(default=None, repr=False)  # after `site`: by it `browser` still finds the session
