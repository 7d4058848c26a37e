"""Who is let through: a local session under a confirmed lease, renewed by one request at a time.

No background thread: requests drive it. `lease` decides, `check_in` asks, the store keeps the turn.
"""

import time
from dataclasses import replace

from sso_client.check_in import CheckIn
from sso_client.clock import Clock, Instant, now
from sso_client.errors import LeaseExpired, SSOError
from sso_client.lease import Lease, Standing, grace_holds, judge
from sso_client.records import LocalSession
from sso_client.stores import CheckInJournal, LocalSessions, Turn

_ASK_S = 3.0  # a renewal holds up one person's request, and the turn, no longer than this
_WAIT_STEP_S = 0.05
_WAIT_STEPS = 60  # 3 s
_REST_EXPIRED_MS = 1000
_REST_RENEWING_MS = 5000
# Where no lease is known to set the pace (other providers): activity is noted once a minute.
_COARSE_MS = 60_000
_UNREPORTED_LEASES = 5


class Admission:
    """Decides for each request whether its local session may be served."""

    def __init__(self, sessions: LocalSessions, journal: CheckInJournal, check_in: CheckIn, clock: Clock) -> None:
        self._sessions = sessions
        self._journal = journal
        self._check_in = check_in
        self._clock = clock

    def admit(self, cookie_hash: str, *, activity: bool) -> LocalSession | None:
        """The live session of a cookie, or None. Raises LeaseExpired when nobody can confirm it.

        `activity=False` (a page that polls) neither counts as use nor makes the session live longer.
        """
        moment = now(self._clock)
        session, lease = self._sessions.find(cookie_hash, moment.wall_ms)
        if session is None:
            return None
        if not lease.leased:
            return self._mark(session, moment, _COARSE_MS) if activity else session
        asked = False
        if judge(lease, moment) is Standing.EXPIRED:
            session = self._await_confirmation(session, activity)
            asked = True
        if session is not None and activity:
            moment = now(self._clock)
            session = self._mark(session, moment, lease.lease_ms // 2)
        if session is None or asked:
            return session
        # Somebody back after a pause must be reported now: no later request may come to do it.
        unreported_ms = session.served_at_ms - session.reported_at_ms
        due = judge(lease, moment) is Standing.RENEW or unreported_ms > _UNREPORTED_LEASES * lease.lease_ms
        if due and self._renew(lease):
            session, _ = self._sessions.find(cookie_hash, now(self._clock).wall_ms)
        return session

    def _renew(self, lease: Lease) -> bool:
        """Ask the centre if nobody else does; a failure is no reason to stop anybody yet."""
        try:
            rest_ms = min(_REST_RENEWING_MS, max(100, lease.lease_ms // 10))
            if self._journal.take_turn(now(self._clock), rest_ms) is not Turn.MINE:
                return False
            self._check_in.run(total_s=_ASK_S)
        except SSOError:
            return False
        return True

    def _await_confirmation(self, session: LocalSession, activity: bool) -> LocalSession | None:
        """Beyond N: ask, or wait for whoever asks. Returns the session as it stands after a confirmation."""
        for _ in range(_WAIT_STEPS):
            turn = self._journal.take_turn(now(self._clock), _REST_EXPIRED_MS)
            failed = turn is Turn.RESTING
            if turn is Turn.MINE:
                try:
                    # After a gap everything is listed: this file may be an older copy of itself.
                    self._check_in.run(also_active=session.sid if activity else None, all_sids=True, total_s=_ASK_S)
                except SSOError as error:
                    if error.code.startswith("store_"):
                        raise
                    failed = True
            elif turn is Turn.BUSY:
                time.sleep(_WAIT_STEP_S)
            moment = now(self._clock)
            found, lease = self._sessions.find(session.cookie_hash, moment.wall_ms)
            if found is None:
                return None
            if judge(lease, moment) is not Standing.EXPIRED or (failed and grace_holds(lease, moment)):
                return found
            if turn is Turn.MINE and not failed:
                # Answered, but more is to come, or the centre itself lags by more than N: ask again in a while.
                self._journal.note_failure("unconfirmed", moment)
                failed = True
            if failed:
                raise LeaseExpired(f"the last attempt was {lease.failure or 'not finished'}")
        raise LeaseExpired("another request has been asking for 3 s")

    def _mark(self, session: LocalSession, moment: Instant, coarse_ms: int) -> LocalSession | None:
        """Note activity, at most once per `coarse_ms`: a write for each request would be the site's slowest part."""
        if 0 <= moment.wall_ms - session.served_at_ms < coarse_ms:
            return session
        if self._sessions.mark_served(session, moment.wall_ms):
            return replace(session, served_at_ms=moment.wall_ms, generation=session.generation + 1)
        # Either another request marked it, or it has just been ended: the row decides.
        found, _ = self._sessions.find(session.cookie_hash, moment.wall_ms)
        return found
