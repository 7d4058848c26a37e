"""Who is let through: a local session or a JWT access token under a confirmed lease, renewed by one request at a time.

No background thread: requests drive it. `lease` decides, `check_in` asks, the store keeps the turn.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from functools import partial
from typing import TypeVar

from sso_client.check_in import CheckIn
from sso_client.clock import Clock, Instant, now
from sso_client.errors import LeaseExpired, SSOError
from sso_client.events import log
from sso_client.lease import Lease, Standing, grace_holds, judge
from sso_client.records import LocalSession
from sso_client.signed_token import LEEWAY_S
from sso_client.stores import LocalStore, Turn
from sso_client.waiting import Waiting

_ASK_S = 3.0  # a renewal holds up one person's request, and the turn, no longer than this
_WAIT_STEP_S = 0.05
_WAIT_STEPS = 60  # 3 s
_REST_EXPIRED_MS = 1000
_REST_RENEWING_MS = 5000
_TELL_RESTING_S = (
    1.0  # an attempt has failed a moment ago: a click that must be told tries its luck no longer than this
)
# Where no lease is known to set the pace (other providers): activity is noted once a minute.
_COARSE_MS = 60_000
_T = TypeVar("_T")
# What is to be let through as the store has it at a moment (wall clock, ms), None if it is over; and the lease.
_Look = Callable[[int], tuple[_T | None, Lease]]


class _Listed(Enum):
    """What it is worth that a token isn't denied."""

    NOT = "it would be in the list"
    UNKNOWN = "it is older than the centre's memory"
    NOWHERE = "the centre keeps no list"


class Admission:
    """Decides for each request whether its local session may be served."""

    def __init__(self, store: LocalStore, check_in: CheckIn, clock: Clock, waiting: Waiting) -> None:
        self._sessions = store.sessions
        self._denied = store.denied
        self._journal = store.journal
        self._check_in = check_in
        self._clock = clock
        self._waiting = waiting
        self._silent_until_ms = 0

    async def admit(self, cookie_hash: str, *, activity: bool) -> LocalSession | None:
        """The live session of a cookie, or None. Raises LeaseExpired when nobody can confirm it.

        `activity=False` (a page that polls) neither counts as use nor makes the session live longer.
        """
        look = partial(self._sessions.find, cookie_hash)
        moment = now(self._clock)
        session, lease = await self._waiting.step(look, moment.wall_ms)
        if session is not None and activity:
            session = await self._mark(session, lease, moment)
        if session is None or not session.leased:
            return session
        standing = judge(lease, now(self._clock))
        if standing is Standing.EXPIRED:
            session, lease = await self._await_confirmation(look)
        if session is not None and (standing is Standing.RENEW or _overdue(session, lease, now(self._clock))):
            await self._renew(session, lease)
            # Whether that went well or not, seconds may have passed, and a logout may have come meanwhile.
            moment = now(self._clock)
            session, lease = await self._waiting.step(look, moment.wall_ms)
            if session is not None and judge(lease, moment) is Standing.EXPIRED:
                session, _ = await self._await_confirmation(look)
        return session

    async def admit_token(self, sid: str | None, jti: str, iat: float, *, leased: bool) -> bool | None:
        """Whether the centre has denied a JWT access token: False while it may be taken; None if no list can tell.

        What was ended or revoked more than N ago is in the list, because it came with the lease or before it. Raises
        LeaseExpired when nobody can confirm that. `iat` in seconds: of what is older than its own memory, a centre that
        went back in time has no list. `leased`: the provider takes check-ins, as far as its discovery document says;
        one that has kept a list before is held to it all the same.
        """
        look = partial(self._find_undenied, sid, jti, iat)
        moment = now(self._clock)
        listed, lease = await self._waiting.step(look, moment.wall_ms)
        if listed is _Listed.NOWHERE and not leased:
            return None
        standing = judge(lease, moment)
        if listed is not None and standing is Standing.RENEW:
            await self._ask_early(look, lease)
            moment = now(self._clock)
            listed, lease = await self._waiting.step(look, moment.wall_ms)
            standing = judge(lease, moment)
        if listed is not None and standing is Standing.EXPIRED:
            listed, _ = await self._await_confirmation(look)
        return True if listed is None else (False if listed is _Listed.NOT else None)

    def _find_undenied(self, sid: str | None, jti: str, iat: float, now_ms: int) -> tuple[_Listed | None, Lease]:
        """None: denied. Else what that is worth, and the lease."""
        is_denied, lease, is_kept, seen_ms = self._denied.find(sid, jti, now_ms)
        if is_denied:
            return None, lease
        is_older = seen_ms > 0 and iat * 1000 <= seen_ms + LEEWAY_S * 1000  # by two clocks
        return (_Listed.NOWHERE if not is_kept else _Listed.UNKNOWN if is_older else _Listed.NOT), lease

    async def _ask_early(self, look: _Look[_T], lease: Lease) -> None:
        """Ask the centre from N/2 on, if nobody else does; a failure stops nobody yet."""
        try:
            await self._waiting.whole(self._ask_in_turn(look, _rest_ms(lease)))
        except SSOError as error:
            log.debug("renewal put off: %s", error)

    async def _ask_in_turn(self, look: _Look[_T], rest_ms: int) -> Turn | None:
        """Ask if it is our turn. A whole: nobody must wait for a turn whose taker has hung up."""
        turn = await self._take_turn(look, rest_ms, early=True)
        if turn is Turn.MINE:
            report = await self._check_in.run(total_s=_ASK_S)
            if not report.confirmed:  # a long list, or many ends: the next request goes on with it
                await self._waiting.step(self._journal.give_turn_back)
        return turn

    async def _renew(self, session: LocalSession, lease: Lease) -> None:
        """Ask the centre if nobody else does; a failure is no reason to stop anybody yet."""
        overdue = _overdue(session, lease, now(self._clock))
        look, rest_ms = partial(self._sessions.find, session.cookie_hash), _rest_ms(lease)
        try:
            turn = await self._waiting.whole(self._ask_in_turn(look, rest_ms))
            for _ in range(_WAIT_STEPS // 3 if overdue else 0):
                if turn is not Turn.BUSY:
                    break
                # Whoever is asking may have read the store before this click was in it, and nobody may come after.
                await self._waiting.pause(_WAIT_STEP_S)
                turn = await self._waiting.whole(self._ask_in_turn(look, rest_ms))
            if overdue and turn is Turn.BUSY:
                await self._tell_past_the_store(session)
            elif overdue and turn is Turn.RESTING:
                await self._tell_while_resting(session)
        except SSOError as error:
            log.debug("renewal put off: %s", error)
            if overdue and error.code.startswith("store_"):
                await self._tell_past_the_store(session)

    async def _tell_past_the_store(self, session: LocalSession, total_s: float = _ASK_S) -> bool:
        """The centre must hear of this click at once: nobody may come after to tell it. True if it did."""
        try:
            await self._check_in.tell_active(session.sid or "", total_s)
        except SSOError as error:
            log.warning("activity not told: %s", error)
            return False
        return True

    async def _tell_while_resting(self, session: LocalSession) -> None:
        """Another's attempt failed, yet the centre may be back. While it isn't, one request in two seconds tries."""
        moment_ms, until_ms = self._clock.boot_ms(), self._silent_until_ms
        pause_ms = int(2000 * _TELL_RESTING_S)
        if moment_ms < until_ms <= moment_ms + pause_ms:
            return
        if 0 <= moment_ms - until_ms < _REST_RENEWING_MS:
            self._silent_until_ms = moment_ms + pause_ms  # the last one failed, so the others don't wait for this one
        told = await self._tell_past_the_store(session, _TELL_RESTING_S)
        self._silent_until_ms = 0 if told else self._clock.boot_ms() + pause_ms

    async def _take_turn(self, look: _Look[_T], rest_ms: int, *, early: bool) -> Turn | None:
        """The right to ask; None if asking has become needless: another's answer came between judging and taking."""
        turn = await self._waiting.step(self._journal.take_turn, now(self._clock), rest_ms)
        if turn is not Turn.MINE:
            return turn
        moment = now(self._clock)
        found, lease = await self._waiting.step(look, moment.wall_ms)
        if found is not None:
            standing = judge(lease, moment)
            overdue = isinstance(found, LocalSession) and _overdue(found, lease, moment)
            due = early and (standing is Standing.RENEW or overdue)
            if due or standing is Standing.EXPIRED:
                return turn
        await self._waiting.step(self._journal.give_turn_back)
        return None

    async def _await_confirmation(self, look: _Look[_T]) -> tuple[_T | None, Lease]:
        """Beyond N: ask, or wait for whoever asks. Returns what was looked for and the lease, once it is confirmed."""
        for _ in range(_WAIT_STEPS):
            turn, failed = await self._waiting.whole(self._ask_for_all(look))
            if turn is Turn.BUSY:
                await self._waiting.pause(_WAIT_STEP_S)
            moment = now(self._clock)
            found, lease = await self._waiting.step(look, moment.wall_ms)
            if found is None:
                return None, lease
            if judge(lease, moment) is not Standing.EXPIRED or (failed and grace_holds(lease, moment)):
                return found, lease
            if turn is Turn.MINE and not failed:
                # Answered, but more is to come, or the centre itself lags by more than N: ask again in a while.
                await self._waiting.step(self._journal.note_failure, "unconfirmed", moment)
                failed = True
            if failed:
                raise LeaseExpired(f"the last attempt was {lease.failure or 'not finished'}")
        raise LeaseExpired("another request has been asking for 3 s")

    async def _ask_for_all(self, look: _Look[_T]) -> tuple[Turn | None, bool]:
        """Ask if it is our turn, as `_ask_in_turn`; the turn, and whether asking has failed, just now or before."""
        turn = await self._take_turn(look, _REST_EXPIRED_MS, early=False)
        if turn is Turn.MINE:
            try:
                # After a gap everything is listed: this file may be an older copy of itself.
                await self._check_in.run(all_sids=True, total_s=_ASK_S)
            except SSOError as error:
                if error.code.startswith("store_"):
                    raise
                return turn, True
        return turn, turn is Turn.RESTING

    async def _mark(self, session: LocalSession, lease: Lease, moment: Instant) -> LocalSession | None:
        """Note activity, now and then only: a write for each request would be the site's slowest part."""
        coarse_ms = min(lease.lease_ms // 2, lease.report_ms // 4) if session.leased else _COARSE_MS
        if 0 <= moment.wall_ms - session.served_at_ms < coarse_ms:
            return session
        try:
            if await self._waiting.step(self._sessions.mark_served, session, moment.wall_ms):
                return replace(session, served_at_ms=moment.wall_ms, generation=session.generation + 1)
        except SSOError as error:
            # No reason to stop a person under a lease that holds. The next request notes it; only a click after which
            # none may come in time is told at once.
            log.warning("activity not noted: %s", error)
            clicked = replace(session, served_at_ms=moment.wall_ms)
            if session.leased and judge(lease, moment) is not Standing.EXPIRED and _overdue(clicked, lease, moment):
                await self._tell_past_the_store(session)
        # Another request marked it, or it has just been ended: the row decides.
        found, _ = await self._waiting.step(self._sessions.find, session.cookie_hash, moment.wall_ms)
        return found


def _rest_ms(lease: Lease) -> int:
    """For how long nobody asks again after a failure while the lease still holds."""
    return min(_REST_RENEWING_MS, max(100, lease.lease_ms // 10))


def _overdue(session: LocalSession, lease: Lease, moment: Instant) -> bool:
    """True if the centre must hear now that somebody was here: no later request may come to tell it."""
    untold = session.served_at_ms > session.reported_at_ms
    return untold and moment.wall_ms - session.reported_at_ms > lease.report_ms
