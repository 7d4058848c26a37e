"""The notification's state machine, all of it: states, birth, what an answer means, when to try again.

    pending -> claimed -> acknowledged | refused | abandoned | pending (again later)
    pending -> moot (local_until has passed, or the client was removed);  born: pending | no_address | moot
    refused | abandoned -> acknowledged (at a check-in or poll), pending (an administrator's retry)
    no_address -> acknowledged, refused (by a poll);  pending | claimed | abandoned -> refused (by a poll)

Stores keep rows, compare `attempt` (how often a row was claimed) and count `sends` (how often its site was called);
every decision about a state is a function here (drawn in docs/notification-states.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from sso_server.core.identifiers import is_store_id
from sso_server.core.policy import MINUTE, SECOND
from sso_server.core.records import record

CLAIM_MS = 30 * SECOND
SEND_MS = 5 * SECOND

_FIRST_WAITS_S = (1, 4, 15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200, 14400, 28800, 43200)
_REFUSED_WAITS_S = (30, 300)
_DOUBTFUL_WAITS_S = (60, 540)
_RETRIED_STATUS = frozenset({408, 425, 429})
_DOUBTFUL_STATUS = frozenset({401, 403, 404, 405, 410, 413, 415})
#: How frameworks send a browser on after a POST that they read.
_READ_AND_SENT_ON = frozenset({302, 303})
#: The sender's rules (`delivery.addresses`): nothing was sent, and nothing will be until somebody changes the address,
#: its DNS or what the client may.
_FORBIDDEN = frozenset({"address_forbidden", "http_forbidden", "url_forbidden"})
_RETRY_AFTER_CAP_MS = 60 * MINUTE


#: Another store of the same site answered, or something in front of it.
OTHER_STORE = "other_store"

#: The kind of a participant that asks (RFC 8936) instead of being called.
POLLED = "poll"
#: How `last_error` begins when the site itself refused the row by a poll.
POLL_REFUSAL = "set_err:"
_CODE_LENGTH = 40


class State(StrEnum):
    """One of these, always; that a lease ran out is a time shown on a page, never a state."""

    PENDING = "pending"
    CLAIMED = "claimed"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    ABANDONED = "abandoned"
    MOOT = "moot"
    NO_ADDRESS = "no_address"

    @property
    def is_final(self) -> bool:
        """Nothing more will be sent by itself."""
        return self not in (State.PENDING, State.CLAIMED)


@record
class Notification:
    """One row of the ledger: (session, participant), its state, its attempts. Times in ms."""

    sid: str
    client_id: str
    store_id: str
    """Of a store with our SDK; for a CAS site without it the ticket that it validated, by which it knows its local
    session; empty for others."""
    kind: str
    logout_uri: str
    user_id: str
    reason: str
    ended_at: int
    local_until: int
    state: State
    attempt: int = 0
    next_attempt_at: int | None = None
    """None: not to be sent (no address, final, or only told when its site asks: at check-in or by a poll)."""
    claimed_by: str = ""
    claimed_until: int = 0
    final_at: int | None = None
    last_status: int | None = None
    last_error: str = ""
    """A short stable code such as `timeout`, `http_500`, `http_404/2` (the second in a row), `by:USERNAME`."""
    bulk: bool = False
    """Born with many others (a mass end, a deadline): it is sent when nothing that a person waits for is due."""
    sends: int = 0
    """How many calls were made. A claim that came to no call (the site was away, or busy with others) is none."""
    registered_at: int = 0
    """When the client first redeemed a ticket in this session from this store; 0: not known."""

    @property
    def sdk_store(self) -> str:
        """The store that hears of it at its check-in; empty: a site without our SDK."""
        return self.store_id if is_store_id(self.store_id) else ""

    @property
    def ticket(self) -> str:
        """What a CAS site without our SDK is told by; empty: none of those."""
        return "" if self.sdk_store else self.store_id


@record
class Answer:
    """What came of one attempt: an HTTP status, or an error code without one."""

    status: int | None
    error: str = ""
    retry_after_ms: int | None = None
    store_id: str = ""
    """The store that the answer named (`Lockstep-Store`)."""
    elsewhere: bool = False
    """It is a redirect to the same path under another scheme or host: whoever answered read nothing."""

    def is_yes(self, *, by_ticket: bool) -> bool:
        """Whether the site took the call. `by_ticket`: a CAS site, which reads it wherever its pages are; then the
        rest of the request goes on, and a person whom it no longer knows is sent away to sign in (mod_auth_cas,
        django-cas-ng). Servers that read nothing send a POST on with 301, 307 or 308, or to the same path.
        """
        if self.status is None:
            return False
        return 200 <= self.status < 300 or (by_ticket and self.status in _READ_AND_SENT_ON and not self.elsewhere)


@record
class AttemptResult:
    """What to write for one attempt; a failure counts only if `attempt` still matches, success always wins."""

    sid: str
    client_id: str
    store_id: str
    attempt: int
    state: State
    next_attempt_at: int | None
    status: int | None
    error: str
    sent: bool = False
    """Whether its site was called; the store counts these in `sends`."""


def state_at_birth(
    *, kind: str, logout_uri: str, store_id: str, local_until: int, ended_at: int
) -> tuple[State, int | None]:
    """State and first attempt of a row written by the end of a session. The Redis script repeats these lines."""
    if local_until <= ended_at:
        return State.MOOT, None
    if kind == POLLED:
        return State.PENDING, None
    if not logout_uri:
        # A store of ours without an address hears of it at its check-in; anybody else is not told at all.
        return (State.PENDING, None) if is_store_id(store_id) else (State.NO_ADDRESS, None)
    return State.PENDING, ended_at


def is_offered(row: Notification, now: int) -> bool:
    """Whether a site without our SDK or CAS is given this row when it polls. The stores repeat these lines.

    Whatever became of it by push: a call that failed is no reason not to be heard another way. Only what the site
    itself refused by a poll it doesn't hear again (RFC 8936 section 2.6), nor what is over by itself.
    """
    if row.store_id or row.state in (State.ACKNOWLEDGED, State.MOOT) or now >= row.local_until:
        return False
    return not (row.state is State.REFUSED and row.last_error.startswith(POLL_REFUSAL))


def poll_refusal(code: str) -> str:
    """The `last_error` of a row that its site refused by a poll with this error code, whatever that holds."""
    clean = "".join(c if c.isascii() and c.isalnum() else "_" for c in code.lower())
    return POLL_REFUSAL + (clean[:_CODE_LENGTH] or "unspecified")


def after_answer(row: Notification, answer: Answer, now: int, jitter: Callable[[], float]) -> AttemptResult:
    """What an answer means for a claimed row. `jitter()` gives a float in [0, 1)."""
    state, next_at, error = _decide(row, answer, now, jitter)
    if state is State.PENDING and next_at is not None and next_at >= row.local_until:
        # The next try would come after the local session must be over: wait for that moment, then it is moot.
        next_at = row.local_until
    # Who answered for another store said nothing for this one: a status stands for a word of the site itself.
    status = None if error == OTHER_STORE else answer.status
    return AttemptResult(row.sid, row.client_id, row.store_id, row.attempt, state, next_at, status, error, sent=True)


def put_back(row: Notification, due_at: int, error: str) -> AttemptResult:
    """The result for a claimed row that was not sent because its site is away, which `error` tells of: the code with
    which the site's last call failed. What this row's own last call brought says more and stays."""
    return replace(released(row, due_at), error=row.last_error or error)


def released(row: Notification, due_at: int) -> AttemptResult:
    """The result for a claimed row that was not sent, through no fault of its site: due at `due_at` for anybody."""
    return _kept(row, State.PENDING, min(due_at, row.local_until))


def left_to_poll(row: Notification) -> AttemptResult:
    """The result for a claimed row whose client asks nowadays instead of being called."""
    return _kept(row, State.PENDING, None)


def without_address(row: Notification) -> AttemptResult:
    """The result for a row whose client has no logout address any more. Its store, if it has one, hears at check-in."""
    return AttemptResult(
        row.sid, row.client_id, row.store_id, row.attempt, State.ABANDONED, None, row.last_status, "no_address_now"
    )


def _decide(row: Notification, answer: Answer, now: int, jitter: Callable[[], float]) -> tuple[State, int | None, str]:
    status = answer.status
    if answer.is_yes(by_ticket=bool(row.ticket)):
        if row.sdk_store and answer.store_id != row.sdk_store:
            # Another host of the same site answered, or something in front of it that knows no stores (a maintenance
            # page, a proxy that strips headers): nothing of this store's was ended. The store hears at its check-in.
            return State.PENDING, now + _wait(_FIRST_WAITS_S, row.sends + 5, jitter), OTHER_STORE
        return State.ACKNOWLEDGED, None, ""
    name = answer.error or f"http_{status}"
    if _is_doubtful(name):
        return _insist(row, name, _DOUBTFUL_WAITS_S, State.ABANDONED, now)
    if status is None or status in _RETRIED_STATUS or status >= 500:
        # OpenID Connect Back-Channel Logout 1.0 section 2.5: retransmit only what may recover.
        wait = _wait(_FIRST_WAITS_S, row.sends + 1, jitter)
        if answer.retry_after_ms is not None:
            wait = max(SECOND, min(answer.retry_after_ms, _RETRY_AFTER_CAP_MS))
        return State.PENDING, now + wait, name
    if status == 400:
        # A site whose clock is off refuses a good token: two fresh ones, then its word stands.
        return _insist(row, name, _REFUSED_WAITS_S, State.REFUSED, now)
    return State.ABANDONED, None, name


def _insist(
    row: Notification, name: str, waits_s: tuple[int, ...], verdict: State, now: int
) -> tuple[State, int | None, str]:
    """A permanent answer is believed when it came as often in a row as there are waits, and once more.

    In a row, not in all: a site that was away for an hour and answers 404 while it comes up is not given up for that.
    """
    count = _answers_in_a_row(row, name) + 1
    error = name if count == 1 else f"{name}/{count}"
    if count <= len(waits_s):
        return State.PENDING, now + waits_s[count - 1] * SECOND, error
    return verdict, None, error


def _answers_in_a_row(row: Notification, name: str) -> int:
    """How many answers of the class of `name` came last, one after the other; the ledger keeps it in `last_error`."""
    if not row.sends:
        # It was never called: `last_error` tells of another row's call.
        return 0
    before, _, count = row.last_error.partition("/")
    same = before == name or (_is_doubtful(before) and _is_doubtful(name))
    return (int(count) if count.isdecimal() else 1) if same else 0


def _is_doubtful(name: str) -> bool:
    """Looks permanent, but may be a deployment or a configuration that somebody is mending."""
    code = name.removeprefix("http_")
    status = int(code) if code.isdecimal() else 0
    return name in _FORBIDDEN or status in _DOUBTFUL_STATUS or 300 <= status < 400


def moot(row: Notification) -> AttemptResult:
    """The result for a row whose time has passed or whose client is gone."""
    return _kept(row, State.MOOT, None)


def _kept(row: Notification, state: State, next_at: int | None) -> AttemptResult:
    """A result that says nothing new about the site."""
    return AttemptResult(
        row.sid, row.client_id, row.store_id, row.attempt, state, next_at, row.last_status, row.last_error
    )


def _wait(waits_s: tuple[int, ...], sends: int, jitter: Callable[[], float]) -> int:
    """Milliseconds before the next try after so many: the table's value give or take a fifth."""
    base = waits_s[min(sends, len(waits_s)) - 1] * SECOND
    return int(base * (0.8 + 0.4 * jitter()))
