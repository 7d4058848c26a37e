"""A valid access token for calls to APIs: kept with its local session, renewed by one worker at a time.

The calls themselves are `renewal`; whether the session may be served is `admission`.
"""

import logging
from time import monotonic

from sso_client.admission import Admission
from sso_client.clock import Clock, now
from sso_client.errors import SSOError
from sso_client.events import Events, log
from sso_client.hooks import Hooks
from sso_client.records import LocalSession, Tokens
from sso_client.renewal import RefreshRefused, Renewal
from sso_client.stores import LocalStore
from sso_client.waiting import Waiting

# As long as one renewal takes at most: whoever waits longer waits for a worker that is gone.
_WAIT_S = 6.0
_WAIT_STEP_S = 0.1
# After a failure nobody of this process asks again for so long: each request would do so, one after another.
_REST_MS = 1000


class AccessTokens:
    """Hands out the access tokens of one store's sessions."""

    def __init__(
        self,
        store: LocalStore,
        renewal: Renewal,
        admission: Admission,
        events: Events,
        hooks: Hooks,
        clock: Clock,
        waiting: Waiting,
    ) -> None:
        self._sessions = store.sessions
        self._tokens = store.tokens
        self._renewal = renewal
        self._admission = admission
        self._events = events
        self._hooks = hooks
        self._clock = clock
        self._waiting = waiting
        self._failure: tuple[int, SSOError] | None = None

    async def get(self, cookie_hash: str, min_life_s: float) -> str:
        """As `SSOClient.access_token`."""
        session = await self._admitted(cookie_hash)
        tokens = await self._waiting.step(self._tokens.find, cookie_hash)
        if tokens is not None and self._is_good(tokens, min_life_s):
            return tokens.access_token
        token = await self._get_renewed(session, min_life_s)
        # Seconds may have passed: somebody who was signed out meanwhile must not call an API once more.
        await self._admitted(cookie_hash)
        return token

    async def _admitted(self, cookie_hash: str) -> LocalSession:
        """The session, under a confirmed lease. A token's use is no activity: the request that uses it was one."""
        session = await self._admission.admit(cookie_hash, activity=False)
        if session is None:
            raise SSOError("login_required")
        return session

    async def _get_renewed(self, session: LocalSession, min_life_s: float) -> str:
        """Renew, or wait for whoever does."""
        seen, deadline = None, monotonic() + _WAIT_S
        while True:
            tokens = await self._find(session)
            seen = seen or tokens.access_token
            if self._is_good(tokens, min_life_s) or tokens.access_token != seen:
                return tokens.access_token
            usable = self._left_ms(tokens) > 0
            if tokens.refresh_token is None:
                if usable:
                    return tokens.access_token
                raise SSOError("tokens_missing", "expired, and there is no refresh token")
            failure = self._recent_failure()
            if failure is not None:
                if usable:
                    return tokens.access_token
                raise _later(failure) from failure
            renewed = await self._waiting.whole(self._renew_in_turn(session, min_life_s))
            if renewed is not None:
                return renewed
            if usable:
                return tokens.access_token
            if monotonic() > deadline:
                raise SSOError("provider_unavailable", f"another worker has been renewing for {_WAIT_S:.0f} s")
            await self._waiting.pause(_WAIT_STEP_S)

    async def _renew_in_turn(self, session: LocalSession, min_life_s: float) -> str | None:
        """Renew if nobody else does. A whole: who hangs up must leave neither the right taken nor a spent token."""
        if await self._waiting.step(self._tokens.take_renewal, session.cookie_hash, now(self._clock)):
            return await self._renew(session, min_life_s)
        return None

    async def _renew(self, session: LocalSession, min_life_s: float) -> str:
        """Renew with the right to do so; it is given back unless this worker dies, which costs `RENEWAL_MS`."""
        tokens = await self._find(session)
        spent = tokens.refresh_token
        if self._is_good(tokens, min_life_s) or spent is None:  # it was renewed between looking and taking the right
            await self._give_back(session)
            return tokens.access_token
        try:
            renewed = await self._renewal.renew(session, spent, self._clock.wall_ms())
        except RefreshRefused as refusal:
            return await self._end_unless_renewed(session, spent, str(refusal))
        except SSOError as error:
            if error.transient or error.code == "client_refused":
                self._failure = (self._clock.boot_ms(), error)
            await self._give_back(session)
            level = logging.WARNING if error.transient else logging.ERROR
            log.log(level, "access token not renewed: %s", error)
            if self._left_ms(tokens) > 0:
                return tokens.access_token
            raise _later(error) from error
        self._failure = None
        if await self._waiting.step(self._tokens.keep_renewed, session.cookie_hash, spent, renewed):
            await self._events.tell("token_renewed", "access token renewed, nobody was asked", session.sid)
            return renewed.access_token
        return await self._drop_renewed(session, renewed)

    async def _end_unless_renewed(self, session: LocalSession, spent: str, detail: str) -> str:
        """The provider refused for good. Another worker may have renewed with the same token: then all is well."""
        ended = await self._waiting.step(self._tokens.end_refused, session.cookie_hash, spent)
        if ended is None:
            return (await self._find(session)).access_token
        text = "the centre refused to renew the access token, local session ended"
        await self._events.tell("refresh_refused", text, session.sid, level=logging.WARNING)
        await self._hooks.signed_out((ended,), "refresh_refused")
        raise SSOError("session_ended", detail)

    async def _drop_renewed(self, session: LocalSession, renewed: Tokens) -> str:
        """The store kept nothing: the session has ended, or another worker was given a sibling and kept that."""
        kept = await self._waiting.step(self._tokens.find, session.cookie_hash)
        if kept is not None:
            return kept.access_token
        # Only now: at the centre a refresh token takes all tokens of its grant along, siblings as well.
        try:
            if renewed.refresh_token is not None:
                await self._renewal.give_up(renewed.refresh_token)
        except SSOError as error:
            log.warning("tokens of an ended session could not be given up: %s", error)
        raise SSOError("login_required", "signed out while the access token was renewed")

    async def _find(self, session: LocalSession) -> Tokens:
        tokens = await self._waiting.step(self._tokens.find, session.cookie_hash)
        if tokens is not None:
            return tokens
        await self._admitted(session.cookie_hash)  # `login_required` if it has ended
        raise SSOError("tokens_missing", "this session came without tokens")

    async def _give_back(self, session: LocalSession) -> None:
        try:
            await self._waiting.step(self._tokens.give_renewal_back, session.cookie_hash)
        except SSOError as error:
            log.warning("the right to renew lapses by itself: %s", error)

    def _left_ms(self, tokens: Tokens) -> int:
        return tokens.access_until_ms - self._clock.wall_ms()

    def _is_good(self, tokens: Tokens, min_life_s: float) -> bool:
        """Enough life is left. Never more than a third of it is asked for, or a short token would be renewed at once.

        One that has more left than it was given was kept before the clock was set back: nobody knows its age.
        """
        enough_ms = min(min_life_s * 1000, tokens.access_life_ms // 3)
        return max(1, enough_ms) <= self._left_ms(tokens) <= tokens.access_life_ms

    def _recent_failure(self) -> SSOError | None:
        if self._failure is None or not 0 <= self._clock.boot_ms() - self._failure[0] < _REST_MS:
            return None
        return self._failure[1]


def _later(error: SSOError) -> SSOError:
    """One code for whatever goes away by itself; the detail says what it was."""
    return SSOError("provider_unavailable", f"{error.code}: {error.detail}") if error.transient else error
