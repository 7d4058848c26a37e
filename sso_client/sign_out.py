"""Signing out at the site: what each scope ends here, what the centre is told, and where the browser goes next."""

import logging
from typing import get_args

from sso_client.attempt import Seal
from sso_client.check_in import CheckIn
from sso_client.clock import Clock, now
from sso_client.discovery import Discovery
from sso_client.errors import SSOError
from sso_client.events import Events, log
from sso_client.hooks import Hooks
from sso_client.identifiers import hashed
from sso_client.protocols import SignInProtocol
from sso_client.records import Scope, SignOut
from sso_client.stores import LocalStore, Turn
from sso_client.waiting import Waiting

_UNTOLD_REST_MS = 2000
_REFUSED_REST_MS = 60_000  # a refusal needs a person to mend it; visitors must not ask all the while


class Leaving:
    """The sign-outs that begin at one site."""

    def __init__(
        self,
        store: LocalStore,
        discovery: Discovery,
        protocol: SignInProtocol,
        check_in: CheckIn,
        seal: Seal,
        events: Events,
        hooks: Hooks,
        clock: Clock,
        waiting: Waiting,
    ) -> None:
        self._sessions = store.sessions
        self._journal = store.journal
        self._discovery = discovery
        self._protocol = protocol
        self._check_in = check_in
        self._seal = seal
        self._events = events
        self._hooks = hooks
        self._clock = clock
        self._waiting = waiting

    async def sign_out(self, cookie: str | None, scope: Scope, left: str | None) -> SignOut:
        """As `SSOClient.sign_out`."""
        match scope:
            case "browser":  # a whole, as below: who closes the tab on the way is signed out, and the site hears of it
                return await self._waiting.whole(self._leave_browser(cookie, self._read_left(left)))
            case "site":
                return await self._waiting.whole(self._leave_site(cookie))
            case "everywhere":
                if not self._protocol.knows_devices:
                    return await self._waiting.whole(self._leave_browser(cookie, self._read_left(left)))
                return await self._leave_everywhere(cookie)
        raise SSOError("scope_unknown", f"scope {scope!r:.40}: one of {', '.join(get_args(Scope))}")

    def is_left(self, left: str | None) -> bool:
        """True if this is what `sign_out` gave for a sign-out of this site only."""
        return self._read_left(left) is not None

    async def tell_untold(self) -> bool:
        """As `SSOClient.tell_untold`."""
        if not await self._waiting.step(self._journal.has_untold_ends):
            return True
        await self._waiting.whole(self._tell_in_turn())
        return not await self._waiting.step(self._journal.has_untold_ends)

    async def tell_before_sign_in(self) -> None:
        """Else the centre would sign somebody in again who has signed out here."""
        untold = self._takes_check_ins() and await self._waiting.step(self._journal.has_untold_ends)
        if untold:
            await self._waiting.whole(self._tell_unless_resting())

    async def logout_url(self, id_token: str | None, state: str | None = None) -> str | None:
        """As `SSOClient.logout_url`."""
        return self._protocol.leave_url(await self._discovery.get_provider(), id_token, state)

    async def _leave_browser(self, cookie: str | None, left_sid: str | None) -> SignOut:
        session, must_tell, moment = None, False, self._clock.wall_ms()
        if cookie:
            report = self._takes_check_ins()
            session = await self._waiting.step(self._sessions.end_here, hashed(cookie), moment, report)
            must_tell = session is not None and session.sid is not None and (report or session.leased)
        if left_sid is not None:
            await self._waiting.step(self._sessions.tell_end, left_sid, moment)
            must_tell = True
        ended = session is not None or left_sid is not None
        if ended:
            sid = session.sid if session is not None else left_sid
            await self._events.tell("signed_out_here", "signed out here, local session ended", sid)
        if session is not None:
            await self._hooks.signed_out((session,), "signed_out_here")
        told, reachable = await self._tell_at_once() if must_tell else (False, True)
        url = None
        if reachable:
            try:
                url = await self.logout_url(session.id_token if session else None)
            except SSOError as error:
                log.warning("no page of the centre to go to: %s", error)
                reachable = not error.transient
        return SignOut(ended, told, reachable, url)

    async def _leave_site(self, cookie: str | None) -> SignOut:
        session = await self._waiting.step(self._sessions.leave, hashed(cookie)) if cookie else None
        if session is None:
            return SignOut(False, False, True, None)
        await self._events.tell("left_here", "signed out of this site only, the centre is not told", session.sid)
        await self._hooks.signed_out((session,), "left_site")
        # What was left stays in the browser's hands: only it can still say which session it was.
        told_later = session.sid is not None and session.leased
        left = self._seal.seal("left", [session.sid, session.until_ms]) if told_later else None
        return SignOut(True, False, True, None, left)

    async def _leave_everywhere(self, cookie: str | None) -> SignOut:
        """Nothing ends yet: the centre must still know who asks, and has the page that asks once more."""
        session = None
        if cookie:
            session, _ = await self._waiting.step(self._sessions.find, hashed(cookie), self._clock.wall_ms())
        url = None
        reachable = (await self._tell_at_once())[1] if self._takes_check_ins() else True
        if reachable:
            try:
                url = self._protocol.everywhere_url(await self._discovery.get_provider())
            except SSOError as error:
                log.warning("no page of the centre to go to: %s", error)
                reachable = not error.transient
        return SignOut(session is not None, False, reachable, url)

    def _read_left(self, left: str | None) -> str | None:
        match self._seal.unseal("left", left or ""):
            case [str(sid), int(until_ms)] if self._clock.wall_ms() < until_ms:
                return sid
        return None

    def _takes_check_ins(self) -> bool:
        provider = self._discovery.known_provider()
        return provider is not None and provider.check_in_endpoint is not None

    async def _tell_unless_resting(self) -> None:
        if await self._take_turn(0) is not Turn.RESTING:
            await self._tell_at_once()

    async def _tell_in_turn(self) -> None:
        if await self._take_turn(_UNTOLD_REST_MS) is Turn.MINE:
            await self._tell_at_once()

    async def _take_turn(self, rest_ms: int) -> Turn:
        return await self._waiting.step(self._journal.take_turn, now(self._clock), rest_ms, _REFUSED_REST_MS)

    async def _tell_at_once(self) -> tuple[bool, bool]:
        """Report sign-outs that began here: (confirmed, reachable). What fails is repeated at every check-in."""
        try:
            await self._check_in.run(ends_only=True)
        except SSOError as error:
            if await self._waiting.step(self._journal.has_untold_ends):
                text = "the centre wasn't told yet; it will be at the next check-in"
                await self._events.tell("sign_out_pending", text, level=logging.WARNING)
            return False, not error.transient
        return True, True
