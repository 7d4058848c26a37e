"""A site that asks whether it is registered as it thinks, and to be called once at its logout address.

The call is for a session that nobody has: nobody is signed out, the ledger hears nothing. Only the registered address
is called, whatever the asker says; how, is the caller's business (`ports.LogoutCaller`).
"""

from __future__ import annotations

import threading

from sso_server.core import identifiers
from sso_server.core.clients import CAS, Client
from sso_server.core.errors import TooManyTrials, UnauthorizedClient
from sso_server.core.events import Event, EventKind
from sso_server.core.guesses import Limit
from sso_server.core.logout_address import usual_address, usual_kind
from sso_server.core.logout_cures import NO_ADDRESS, code_of, cure_of
from sso_server.core.notifications import Notification, State
from sso_server.core.policy import MINUTE, SECOND, Policy
from sso_server.core.ports import AuditStore, Clock, GuessStore, LogoutCaller, Randomness
from sso_server.core.records import record

#: So many calls in a row are one site's examination, or a few: it looks whether all its workers share a store.
FREE_CALLS = 30
#: So many web threads of a process (32, web/waiting.py) may wait for sites at once, each for another one.
MOST_CALLS = 4
_BUSY_MS = 2 * SECOND


@record
class Trial:
    """What was found. Of the site's answer only its status and the store that it named are handed on: the rest may be
    of a host that the asker can't see."""

    called: bool
    status: int | None = None
    store_id: str = ""
    problem: str = ""
    """One of `logout_cures`' codes; empty when nothing is to be mended."""
    cure: str = ""
    took_ms: int = 0


class Trials:
    """Answers sites that examine themselves. One per process: at most MOST_CALLS calls at a time, one to each."""

    def __init__(
        self,
        caller: LogoutCaller,
        limits: GuessStore,
        audit: AuditStore,
        clock: Clock,
        randomness: Randomness,
        policy: Policy,
    ) -> None:
        self._caller = caller
        self._limits = limits
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._policy = policy
        self._calling: set[str] = set()
        self._lock = threading.Lock()

    def call(self, client: Client) -> Trial:
        """Call the site's registered logout address once, as the delivery worker would; at most 5 s.

        Raises UnauthorizedClient (anybody could ask in a public client's name), TooManyTrials, Refused (unreadable
        key), Unavailable.
        """
        if client.public:
            raise UnauthorizedClient("Only a confidential client can have itself called.")
        if client.delivery == "poll":
            return Trial(called=False)
        if not usual_address(client):
            return Trial(False, problem=NO_ADDRESS, cure=self._cure(NO_ADDRESS, client))
        # A web thread waits for the site: a slow one must take neither all of them nor the others' turn.
        with self._lock:
            if client.client_id in self._calling or len(self._calling) >= MOST_CALLS:
                raise TooManyTrials(_BUSY_MS)
            self._calling.add(client.client_id)
        try:
            return self._call(client)
        finally:
            with self._lock:
                self._calling.discard(client.client_id)

    def _call(self, client: Client) -> Trial:
        now = self._clock.now()
        # The site must not become a way to hammer the host that its address names.
        limit = Limit(f"trial:{client.client_id}", FREE_CALLS, SECOND, 30 * SECOND, forget_ms=2 * MINUTE)
        if wait_ms := self._limits.begin((limit,), now):
            raise TooManyTrials(wait_ms)
        answer, took_ms = self._caller.call(trial_row(client, self._randomness, now), client)
        problem = code_of(answer, has_sdk=False)
        data: dict[str, str | int | None] = {"status": answer.status, "problem": problem, "took_ms": took_ms}
        actor = f"client:{client.client_id}"
        self._audit.append(Event(now, EventKind.CLIENT_TESTED, client_id=client.client_id, actor=actor, data=data))
        return Trial(True, answer.status, answer.store_id, problem, self._cure(problem, client), took_ms)

    def _cure(self, problem: str, client: Client) -> str:
        return cure_of(problem, client.client_id, self._policy.issuer, kind=usual_kind(client))


def trial_row(client: Client, randomness: Randomness, now: int) -> Notification:
    """What a logout call for a throw-away session is made from. `now` in ms."""
    kind, bucket = usual_kind(client), randomness.bucket()
    return Notification(
        # Nobody has these: a receiver that looks for the session, the ticket or the person finds nobody to sign out.
        sid=randomness.identifier(identifiers.SESSION, bucket),
        user_id=randomness.token(identifiers.USER),
        client_id=client.client_id,
        store_id=randomness.identifier(identifiers.SERVICE_TICKET, bucket) if kind == CAS else "",
        kind=kind,
        logout_uri=usual_address(client),
        reason="test",
        ended_at=now,
        local_until=now + MINUTE,
        state=State.CLAIMED,
        attempt=1,
    )
