"""What a site's store tells and hears: acknowledgements and activity in, ends out; the lease hangs on it.

Every row of the store that isn't acknowledged is listed, or the call fails: an incomplete list must never renew a
lease.
"""

from __future__ import annotations

from sso_server.core.clients import Client
from sso_server.core.clock_guard import ClockGuard
from sso_server.core.denials import MAX_DENIED, MAX_PLACE, Denied
from sso_server.core.errors import InvalidRequest, UnauthorizedClient, Unavailable
from sso_server.core.identifiers import SESSION, is_kind, is_store_id
from sso_server.core.policy import SECOND, Policy
from sso_server.core.ports import CheckInStore, Clock
from sso_server.core.records import record
from sso_server.core.restorations import Past, Restorations, repairing
from sso_server.core.sessions import EndReason
from sso_server.core.sign_out import SignOut
from sso_server.core.tickets import MAX_STORES_IN_SESSION, local_life_ms

MAX_ENDS = 1000
MAX_LIST = 5000
#: Each is remembered for 400 days, because so long its mark proves something: 250 new ones a day are honest containers
#: that lose their files, and more would let one client's credentials fill the memory.
MAX_STORES = 100_000
_SWEEP_AT_CHECK_IN = 5


@record
class CheckIn:
    """One call of one store. The lists hold `sid`s; `live` (on the wire `sids`) is None when it was not sent."""

    store_id: str
    mark: str | None
    acks: tuple[str, ...]
    ended: tuple[str, ...]
    active: tuple[str, ...]
    live: tuple[str, ...] | None
    denied_from: int | None = None
    """Where to go on in the feed of what APIs must refuse, as it was answered; 0: all of it. None: not asked."""


@record
class StoreReport:
    """What the session store writes and answers in one step for a check-in."""

    client_id: str
    store_id: str
    acks: tuple[str, ...]
    active: tuple[str, ...]
    live: tuple[str, ...] | None
    logout_uri: str
    local_max_ms: int
    margin_ms: int
    lease_s: int
    grace_s: int
    kind: str = "oidc"
    most_stores: int = MAX_STORES
    """So many stores of a client are known at once."""
    most_in_session: int = MAX_STORES_IN_SESSION
    """So many of them take part in one session."""
    proves_from: int = 0
    """The store must know of a check-in at this moment (ms) or later; 0: nothing is proved."""
    denied_from: int | None = None
    """See `CheckIn`."""
    most_denied: int = MAX_DENIED


@record
class EndNotice:
    """One end that a store must apply. `ended_at` in ms."""

    sid: str
    reason: str
    ended_at: int


@record
class StoreAnswer:
    """All rows of the store that are not acknowledged, up to the limit, and whether there are more."""

    ends: tuple[EndNotice, ...]
    more: bool
    at: int
    """`last_check_in_at` as it was written (ms)."""
    past: Past
    went_back: bool = False
    """It doesn't know of a check-in that is proved; `at` is what it knows instead."""
    is_full: bool = False
    """The client has too many stores for this one to be written down."""
    denied: tuple[Denied, ...] = ()
    denied_to: int = 0
    """Where to go on in the feed."""


@record
class SiteStore:
    """What the centre knows of a site's store. Times in ms."""

    client_id: str
    store_id: str
    last_check_in_at: int
    lease_s: int
    grace_s: int
    lapsed_from: int = 0
    """Its last time without a lease: from here until `lapsed_to` it admitted nobody. 0: there was none."""
    lapsed_to: int = 0
    """The check-in with which that ended: it carried every end of before."""

    @property
    def safe_at(self) -> int:
        """No request is admitted after this moment unless the store checks in again: lease and grace have run out."""
        return self.last_check_in_at + (self.lease_s + self.grace_s) * 1000


@record
class CheckInAnswer:
    """The answer on the wire."""

    ends: tuple[EndNotice, ...]
    more: bool
    mark: str
    lag_ms: int
    lease_s: int
    grace_s: int
    report_s: int
    """A store that served a session reports it within this time, and while it lasts needs to report it only once."""
    epoch: str
    """Another one than before: the centre's store of sessions was put right; a store must send all its `sids`."""
    denied: tuple[Denied, ...] | None = None
    """None: not asked."""
    denied_to: int = 0
    strange_mark: bool = False
    """For the log: the mark was none of ours, or not this store's."""


class CheckIns:
    """Answers check-ins."""

    def __init__(
        self,
        store: CheckInStore,
        sign_out: SignOut,
        restorations: Restorations,
        guard: ClockGuard,
        clock: Clock,
        policy: Policy,
    ) -> None:
        self._store = store
        self._sign_out = sign_out
        self._restorations = restorations
        self._guard = guard
        self._clock = clock
        self._policy = policy

    def check_in(self, client: Client, call: CheckIn) -> CheckInAnswer:
        """Apply what the store reports and list what it must end. Raises InvalidRequest, UnauthorizedClient,
        Unavailable.
        """
        if client.public:
            raise UnauthorizedClient("Only a confidential client can check in.")
        if not is_store_id(call.store_id):
            raise InvalidRequest("`store` is not a store id.")
        for name, sids in (
            ("acks", call.acks),
            ("ended", call.ended),
            ("active", call.active),
            ("sids", call.live or ()),
        ):
            if len(sids) > MAX_LIST:
                raise InvalidRequest(f"`{name}` has more than {MAX_LIST} entries.")
            if not all(is_kind(sid, SESSION) for sid in sids):
                raise InvalidRequest(f"`{name}` holds something that is not a sid.")
        if call.denied_from is not None and not 0 <= call.denied_from <= MAX_PLACE:
            raise InvalidRequest("`denied_from` is not a number that we gave.")
        if not self._guard.is_right():
            # It would sweep sessions that live, or overlook deadlines that have passed: another node must answer.
            raise Unavailable("This node's clock differs from the store's.")
        for sid in self._store.registered(client.client_id, call.ended):
            # Only sessions this client takes part in: one site can't end the sessions of another.
            self._sign_out.end(sid, EndReason.SITE_SIGN_OUT, actor=f"client:{client.client_id}")
        state = self._restorations.state()
        if state.unfinished is not None:
            raise repairing("a restoration is not finished")
        mark = self._restorations.read_mark(state, client, call.store_id, call.mark) if call.mark else None
        # Measured before the rows are listed: a session that falls due in between is in the lag of the next call.
        lag_ms = self._sign_out.sweep_and_lag(_SWEEP_AT_CHECK_IN)
        now = self._clock.now()
        answer = self._store.check_in(
            StoreReport(
                client_id=client.client_id,
                store_id=call.store_id,
                # What the site ended itself needs no telling: it acknowledges by having said so.
                acks=call.acks + call.ended,
                active=call.active,
                live=call.live,
                logout_uri=client.backchannel_logout_uri,
                local_max_ms=local_life_ms(client, self._policy),
                margin_ms=self._policy.clock_margin_ms,
                lease_s=client.lease_s,
                grace_s=client.grace_s,
                kind=client.store_kind,
                proves_from=self._restorations.proves_from(state, mark),
                denied_from=call.denied_from,
            ),
            now,
            MAX_ENDS,
        )
        self._restorations.confirm(state, answer.past, mark, went_back=answer.went_back)
        if answer.is_full:
            raise InvalidRequest(
                f"This client has {MAX_STORES} stores already, which is how many are known for 400 days: "
                "a site must keep its store's file, or Redis, from one start to the next."
            )
        return CheckInAnswer(
            ends=answer.ends,
            more=answer.more,
            mark=self._restorations.seal_mark(state, client, call.store_id, answer.at),
            lag_ms=lag_ms,
            lease_s=client.lease_s,
            grace_s=client.grace_s,
            report_s=max(1, self._policy.report_ms // SECOND),
            epoch=state.newest.restoration_id,
            denied=answer.denied if call.denied_from is not None else None,
            denied_to=answer.denied_to,
            strange_mark=bool(call.mark) and mark is None,
        )
