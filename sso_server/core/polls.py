"""What a site without our SDK hears when it asks (RFC 8936): which rows it is offered, and what its answers do to them.

The same rows as the delivery worker's: one ledger, two ways to a site. The wire is `fronts/sync`'s affair, so is
waiting.
"""

from __future__ import annotations

from collections.abc import Mapping

from sso_server.core.clients import Client
from sso_server.core.clock_guard import ClockGuard
from sso_server.core.errors import UnauthorizedClient, Unavailable
from sso_server.core.identifiers import SESSION, digest, is_kind
from sso_server.core.notifications import poll_refusal
from sso_server.core.ports import Clock, PollStore
from sso_server.core.records import record

MAX_EVENTS = 1000
_MARK_LENGTH = 16


@record
class Poll:
    """One call of a client. `acks` and the keys of `refusals` are jtis as they came, known or not; a value is the error
    code that the site gave."""

    acks: tuple[str, ...] = ()
    refusals: Mapping[str, str] | None = None
    max_events: int = MAX_EVENTS


@record
class PollReport:
    """What the session store writes for a poll: sids of this client's own rows, a refused one with what becomes its
    `last_error`."""

    client_id: str
    acks: tuple[str, ...] = ()
    refusals: tuple[tuple[str, str], ...] = ()

    @property
    def says_something(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.acks or self.refusals)


@record
class PollEvent:
    """One end that a site is offered. `ended_at` in ms."""

    sid: str
    user_id: str
    reason: str
    ended_at: int


@record
class PollAnswer:
    """The rows that the site is offered, oldest end first, up to the limit, and whether there are more."""

    events: tuple[PollEvent, ...]
    more: bool


class Polls:
    """Answers polls."""

    def __init__(self, store: PollStore, guard: ClockGuard, clock: Clock) -> None:
        self._store = store
        self._guard = guard
        self._clock = clock

    def poll(self, client: Client, call: Poll) -> PollAnswer:
        """Write down what the site says, then list what it is offered. Raises UnauthorizedClient, Unavailable."""
        if client.public:
            # RFC 8936 section 3: anybody who knows its id could read and acknowledge in its name.
            raise UnauthorizedClient("Only a confidential client can poll.")
        if not self._guard.is_right():
            # By a wrong clock rows would look as if their time had passed: another node must answer.
            raise Unavailable("This node's clock differs from the store's.")
        acks = tuple(sid for jti in call.acks if (sid := sid_of(jti, client.client_id)))
        refusals = tuple(
            (sid, poll_refusal(code))
            for jti, code in (call.refusals or {}).items()
            if (sid := sid_of(jti, client.client_id))
        )
        report = PollReport(client.client_id, acks, refusals)
        return self._store.poll(report, self._clock.now(), min(call.max_events, MAX_EVENTS))

    def has_waiting(self, client: Client) -> bool:
        """A cheap look, for one who waits: whether `poll` would probably list something. Raises Unavailable."""
        return self._store.has_waiting(client.client_id, self._clock.now())

    def last_poll_at(self, client_id: str) -> int | None:
        """When this client last asked (ms, give or take some seconds); None: never. Raises Unavailable."""
        return self._store.last_poll_at(client_id)


def jti_of(sid: str, client_id: str) -> str:
    """The name of the row (session, client) as a `jti`: the same for ever, another for each client, and readable back
    without a table."""
    return f"{sid}.{_mark(client_id)}"


def sid_of(jti: str, client_id: str) -> str:
    """The sid in a `jti` of this client; empty for one of another client, or one that we never gave.

    Such a `jti` is passed over in silence (RFC 8936 section 2.4 knows no error for it): it may be a very old one, and
    refusing the call would keep the acknowledgements beside it from counting.
    """
    sid, _, mark = jti.partition(".")
    return sid if mark == _mark(client_id) and is_kind(sid, SESSION) else ""


def _mark(client_id: str) -> str:
    return digest(client_id)[:_MARK_LENGTH]
