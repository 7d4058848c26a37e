"""AsyncSSOClient: the SDK's verbs, for any framework or none. It joins the parts; each has its rules in its own file.

`blocking_client.SSOClient` runs the same verbs for sites without an event loop.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeGuard

from sso_client.access_tokens import AccessTokens
from sso_client.addresses import safe_next
from sso_client.admission import Admission
from sso_client.attempt import RESTARTED, Attempt, Seal
from sso_client.bearer import Bearer, Bearers, challenge
from sso_client.cas import CasExchange
from sso_client.check_in import CheckIn
from sso_client.clock import Clock, SystemClock, now
from sso_client.discovery import Discovery
from sso_client.errors import SSOError
from sso_client.events import Events, log
from sso_client.exchange import Exchange
from sso_client.hooks import Hooks
from sso_client.http import HttpClient
from sso_client.identifiers import hashed, new_secret
from sso_client.introspection import Introspection
from sso_client.keys import Keys
from sso_client.lease import age_ms
from sso_client.logout_calls import LogoutCalls
from sso_client.logout_request import LogoutRequests
from sso_client.protocols import SignInProtocol
from sso_client.records import CheckInReport, Event, LocalSession, LogoutAnswer, Scope, SignIn, SignOut
from sso_client.renewal import Renewal
from sso_client.settings import Settings
from sso_client.sign_out import Leaving
from sso_client.stores import LocalStore
from sso_client.waiting import Waiting

# A tombstone outlives every ticket that was redeemed before it by more than this.
_OPEN_WITHIN_MS = 5 * 60_000


class AsyncSSOClient:
    """One site at one centre, with one local store. Safe for threads; make one for each process."""

    def __init__(
        self,
        settings: Settings,
        store: LocalStore,
        *,
        clock: Clock | None = None,
        callback_path: str = "/sso/callback",
        waiting: Waiting | None = None,
        http: HttpClient | None = None,
    ) -> None:
        """`waiting` and `http` default to those for event loops, which the extra `async` brings."""
        self.settings = settings
        self.store = store
        # Another CAS server gives no secret; there the store's random name is one, and is shown to nobody.
        self.seal = Seal(settings.client_id, settings.client_secret or store.store_id)
        self._clock = clock or SystemClock()
        self.callback_path = callback_path
        self._waiting = waiting or _for_event_loops()
        self._http = http or _http_for_event_loops(settings.ca_file)
        self.hooks = Hooks(self._waiting)
        self._discovery = Discovery(settings, self._http, self._clock, self._waiting)
        self._keys = Keys(self._http, self._clock, self._waiting)
        self._protocol: SignInProtocol = (
            Exchange(settings, self._http, self._discovery, self._keys)
            if settings.protocol == "oidc"
            else CasExchange(settings, self._http, self._discovery, lambda: self.callback_path)
        )
        self._events = Events(store.events, self._clock, self._waiting)
        self._check_in = CheckIn(
            settings, self._http, self._discovery, store, self._events, self.hooks, self._clock, self._waiting
        )
        self._admission = Admission(store, self._check_in, self._clock, self._waiting)
        self._access_tokens = AccessTokens(
            store,
            Renewal(settings, self._http, self._discovery, self._keys),
            self._admission,
            self._events,
            self.hooks,
            self._clock,
            self._waiting,
        )
        self._bearers = Bearers(
            settings,
            self._discovery,
            self._keys,
            self._admission,
            Introspection(settings, self._http, self._clock),
            self._clock,
        )
        self._logout_calls = (
            LogoutCalls(
                settings, store, self._discovery, self._keys, self._events, self.hooks, self._clock, self._waiting
            )
            if settings.cas_url is None
            else LogoutRequests(store, self._events, self.hooks, self._clock, self._waiting)
        )
        self._leaving = Leaving(
            store,
            self._discovery,
            self._protocol,
            self._check_in,
            self.seal,
            self._events,
            self.hooks,
            self._clock,
            self._waiting,
        )

    async def close(self) -> None:
        """Close connections to the centre and to the store."""
        await self._http.close()
        await self._waiting.step(self.store.close)

    def has_leases(self) -> bool:
        """True if the provider takes check-ins, as our centre does; False until it was asked anything."""
        provider = self._discovery.known_provider()
        return provider is not None and provider.check_in_endpoint is not None

    def now_ms(self) -> int:
        """The client's wall clock, milliseconds UTC."""
        return self._clock.wall_ms()

    async def login_url(
        self,
        next_page: str = "/",
        *,
        redirect_uri: str | None = None,
        restarted: bool = False,
        prompt: str | None = None,
        max_age_s: int | None = None,
        acr: Sequence[str] = (),
    ) -> tuple[str, Attempt]:
        """Where to send the browser to sign in, and the attempt to keep in its cookie. Raises SSOError.

        `max_age_s` and `acr` (any one of them) are asked for, and `validate_ticket` demands them (OpenID Connect Core
        1.0 sections 3.1.2.1 and 3.1.3.7).
        """
        if redirect_uri is None:
            if self.settings.base_url is None:
                raise SSOError("base_url_missing")
            redirect_uri = self.settings.base_url + self.callback_path
        provider = await self._discovery.get_provider()
        await self._leaving.tell_before_sign_in()
        attempt = Attempt(
            state=(RESTARTED if restarted else "") + new_secret(),
            nonce=new_secret(),
            verifier=new_secret(),
            next=safe_next(next_page),
            redirect_uri=redirect_uri,
            started_at_ms=self._clock.wall_ms(),
            max_age_s=max_age_s,
            acr=tuple(acr),
        )
        return self._protocol.ask_url(provider, attempt, prompt), attempt

    async def read_answer(self, parameters: Mapping[str, Sequence[str]], attempt: Attempt) -> str:
        """The ticket in the callback's query (name -> all its values). Raises SSOError."""
        return self._protocol.read_answer(parameters, attempt, await self._discovery.get_provider())

    async def validate_ticket(self, ticket: str, attempt: Attempt) -> SignIn:
        """Take the ticket to the centre: who signed in, verified. Raises SSOError (`ticket_used` and others)."""
        try:
            epoch = await self._waiting.step(self.store.sessions.heard_epoch)
            sign_in = await self._protocol.redeem(ticket, attempt, self.store.store_id, now(self._clock))
        except SSOError as error:
            # The person is mostly sent on to a new sign-in at once: this line is all that remains of the refusal.
            await self._events.tell("ticket_refused", f"ticket refused: {error.code}", level=logging.WARNING)
            raise
        await self._events.tell("ticket_validated", "ticket validated with the centre", sign_in.sid)
        return replace(sign_in, epoch=epoch)

    async def open_session(self, sign_in: SignIn, replaces: str | None = None) -> tuple[str, LocalSession]:
        """Open the local session: the value for a new cookie, always a fresh one, and the record.

        `replaces` is the cookie that the browser had before. Raises SSOError `session_ended` if a logout came first, or
        if the ticket was redeemed more than five minutes ago: what ended meanwhile may be forgotten by then.
        """
        moment = now(self._clock)
        waited_ms = age_ms(sign_in.redeemed, moment)
        if waited_ms is None or waited_ms > _OPEN_WITHIN_MS:
            await self._events.tell("session_refused", "the ticket was redeemed too long ago", sign_in.sid)
            raise SSOError("session_ended", f"redeemed {waited_ms} ms ago")
        site_user = await self.hooks.signed_in(sign_in.user)
        cookie, now_ms = new_secret(), moment.wall_ms
        session = LocalSession(
            cookie_hash=hashed(cookie),
            sid=sign_in.sid,
            sub=sign_in.user.sub,
            id_token=sign_in.id_token,
            id_token_iat=sign_in.id_token_iat,
            claims=sign_in.user.claims,
            asked=sign_in.asked,
            generation=1,
            opened_at_ms=now_ms,
            until_ms=sign_in.until_ms,
            served_at_ms=now_ms,
            reported_at_ms=now_ms,
            leased=sign_in.leased,
            site_user=site_user,
        )
        opened = await self._waiting.step(
            self.store.sessions.open, session, hashed(replaces) if replaces else None, sign_in.epoch, sign_in.tokens
        )
        if not opened:
            await self._events.tell("session_refused", "signed out meanwhile: no local session opened", sign_in.sid)
            raise SSOError("session_ended")
        how = "password typed" if sign_in.asked else "no question asked"
        await self._events.tell("session_opened", f"local session opened ({how})", sign_in.sid)
        if not session.leased:  # no check-in comes by that would do it
            await self._check_in.drop_lapsed()
        return cookie, session

    async def find_session(self, cookie: str | None, *, activity: bool = True) -> LocalSession | None:
        """The live local session of a cookie, or None; the lease is looked after. Raises LeaseExpired, `store_...`.

        `activity=False` for a request that nobody made by hand, such as a page asking whether it is still signed in.
        """
        if not _is_cookie(cookie):
            return None
        return await self._admission.admit(hashed(cookie), activity=activity)

    async def still_signed_in(self, cookie: str | None) -> bool:
        """For streams: whether the session of a cookie may still be served. Asking is no activity, doubt is no."""
        try:
            return await self.find_session(cookie, activity=False) is not None
        except SSOError as error:
            log.info("a stream is stopped: %s", error)
            return False

    async def pause(self, seconds: float) -> None:
        """Let time pass, in the way this client waits."""
        await self._waiting.pause(seconds)

    async def access_token(self, cookie: str | None, *, min_life_s: float = 30) -> str:
        """A valid access token of the session of a cookie, for calls to APIs; renewed if need be, by one worker.

        It has `min_life_s` seconds left, or a third of its life if that is less, unless the provider can't renew it
        now. Raises LeaseExpired, `store_...`; SSOError `login_required` (nobody is signed in), `session_ended` (the
        provider refused to renew: the local session has been ended), `tokens_missing`, `client_refused`,
        `provider_unavailable` and others for a provider that can't be reached.
        """
        self._need_oidc("access_token()")
        if not _is_cookie(cookie):
            raise SSOError("login_required")
        return await self._access_tokens.get(hashed(cookie), min_life_s)

    async def read_bearer(self, authorization: str | None, *, scope: str | Sequence[str] = ()) -> Bearer:
        """Who calls an API of this site, by the value of the Authorization header and nothing else.

        `scope`: names, or names with spaces between, all of which the token must have. Raises SSOError
        `bearer_missing`, `bearer_invalid` (401), `bearer_scope` (403), for which `challenge` says what to answer;
        LeaseExpired and others (502, 503) if nobody can tell now.
        """
        self._need_oidc("read_bearer()")
        return await self._bearers.read(authorization, scope)

    def challenge(self, error: SSOError) -> str | None:
        """The value of WWW-Authenticate for an error of `read_bearer`; None if it needs none."""
        return challenge(error, self.settings.client_id)

    async def check_in(self) -> CheckInReport:
        """Tell and hear everything now. Raises SSOError. Requests do this by themselves; cron may do it too."""
        return await self._check_in.run(all_sids=True)

    async def receive_logout(self, body: bytes, content_type: str) -> LogoutAnswer:
        """Answer a back-channel logout call: 200 done, 400 a bad token, 503 this site's own failure (send it again)."""
        return await self._logout_calls.answer(body, content_type)

    async def sign_out(self, cookie: str | None, *, scope: Scope = "browser", left: str | None = None) -> SignOut:
        """The person signs out here; says where the browser goes next. Raises SSOError `scope_unknown`, `store_...`.

        `browser` ends the session here and tells the centre, which ends it at every site. `site` ends it here alone:
        the centre isn't told, and this site opened again signs in without asking; the answer's `left`, given back with
        `browser`, makes it whole. `everywhere` ends nothing by itself: the centre's page asks, for all devices.
        """
        return await self._leaving.sign_out(cookie, scope, left)

    def is_left(self, left: str | None) -> bool:
        """True if this is the `left` of a sign-out of this site only: proof that a page of this site carries it."""
        return self._leaving.is_left(left)

    async def tell_untold(self) -> bool:
        """Repeat the sign-outs that began here and weren't confirmed, if it's time to; True if nothing is left to tell.

        For requests without a session, which ask the centre nothing else: the last visitor may have been the one to go.
        """
        return await self._leaving.tell_untold()

    async def logout_url(self, id_token: str | None = None, *, state: str | None = None) -> str | None:
        """The centre's sign-out page for the browser, None if the provider has none. Raises SSOError."""
        return await self._leaving.logout_url(id_token, state)

    async def keep_page(self, page: str) -> str:
        """Keep a page that is too long for a cookie, for an hour; its name. Raises SSOError `store_...`, ValueError."""
        return await self._waiting.step(self.store.pages.keep, page, self._clock.wall_ms())

    async def kept_page(self, name: str) -> str | None:
        """The page of that name, None if it is unknown or too old. Raises SSOError `store_...`."""
        return await self._waiting.step(self.store.pages.find, name, self._clock.wall_ms())

    async def recent_events(self, limit: int = 50) -> list[Event]:
        """What happened last, newest first."""
        return await self._events.recent(limit)

    def _need_oidc(self, what: str) -> None:
        if self.settings.protocol != "oidc":
            raise SSOError("not_in_cas", what)


def _is_cookie(cookie: str | None) -> TypeGuard[str]:
    return bool(cookie) and len(cookie or "") <= 100 and (cookie or "").isascii()


def _for_event_loops() -> Waiting:
    from sso_client.async_waiting import AnyioWaiting  # the extra `async`, which blocking sites do without

    return AnyioWaiting()


def _http_for_event_loops(ca_file: str | None) -> HttpClient:
    from sso_client.async_http import AsyncHttp

    return AsyncHttp(ca_file)
