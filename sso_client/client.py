"""SSOClient: the SDK's verbs, for any framework or none. It joins the parts; each part's rules are in its own file."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sso_client.addresses import safe_next
from sso_client.admission import Admission
from sso_client.attempt import RESTARTED, Attempt, Seal
from sso_client.check_in import CheckIn
from sso_client.clock import Clock, SystemClock, now
from sso_client.discovery import Discovery
from sso_client.errors import SSOError
from sso_client.events import Events, log, since
from sso_client.exchange import Exchange, read_answer
from sso_client.http import Http
from sso_client.identifiers import hashed, new_secret, pkce_challenge
from sso_client.keys import Keys
from sso_client.lease import age_ms
from sso_client.logout_token import token_from_form, verify_logout_token
from sso_client.records import CheckInReport, Event, LocalSession, LogoutAnswer, Scope, SignIn, SignOut
from sso_client.settings import Settings
from sso_client.sign_out import Leaving, with_query
from sso_client.signed_token import read_header
from sso_client.stores import LocalStore

# A tombstone outlives every ticket that was redeemed before it by more than this.
_OPEN_WITHIN_MS = 5 * 60_000


class SSOClient:
    """One site at one centre, with one local store. Safe for threads; make one for each process."""

    def __init__(
        self, settings: Settings, store: LocalStore, *, clock: Clock | None = None, callback_path: str = "/sso/callback"
    ) -> None:
        self.settings = settings
        self.store = store
        self.seal = Seal(settings.client_id, settings.client_secret)
        self._clock = clock or SystemClock()
        self._callback_path = callback_path
        self._http = Http(settings.ca_file)
        self._discovery = Discovery(settings, self._http, self._clock)
        self._keys = Keys(self._http, self._clock)
        self._exchange = Exchange(settings, self._http, self._discovery, self._keys)
        self._events = Events(store.events, self._clock)
        self._check_in = CheckIn(
            settings, self._http, self._discovery, store.store_id, store.journal, self._events, self._clock
        )
        self._admission = Admission(store.sessions, store.journal, self._check_in, self._clock)
        self._leaving = Leaving(
            settings,
            store.sessions,
            store.journal,
            self._discovery,
            self._check_in,
            self.seal,
            self._events,
            self._clock,
        )

    def close(self) -> None:
        """Close connections to the centre and to the store."""
        self._http.close()
        self.store.close()

    def now_ms(self) -> int:
        """The client's wall clock, milliseconds UTC."""
        return self._clock.wall_ms()

    def login_url(
        self,
        next_page: str = "/",
        *,
        redirect_uri: str | None = None,
        restarted: bool = False,
        prompt: str | None = None,
    ) -> tuple[str, Attempt]:
        """Where to send the browser to sign in, and the attempt to keep in its cookie. Raises SSOError."""
        if redirect_uri is None:
            if self.settings.base_url is None:
                raise SSOError("base_url_missing")
            redirect_uri = self.settings.base_url + self._callback_path
        provider = self._discovery.get_provider()
        self._leaving.tell_before_sign_in()
        attempt = Attempt(
            state=(RESTARTED if restarted else "") + new_secret(),
            nonce=new_secret(),
            verifier=new_secret(),
            next=safe_next(next_page),
            redirect_uri=redirect_uri,
            started_at_ms=self._clock.wall_ms(),
        )
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": pkce_challenge(attempt.verifier),
            "code_challenge_method": "S256",
        } | ({"prompt": prompt} if prompt else {})
        return with_query(provider.authorization_endpoint, query), attempt

    def read_answer(self, parameters: Mapping[str, Sequence[str]], attempt: Attempt) -> str:
        """The ticket in the callback's query (name -> all its values). Raises SSOError."""
        return read_answer(parameters, attempt, self._discovery.get_provider())

    def validate_ticket(self, ticket: str, attempt: Attempt) -> SignIn:
        """Take the ticket to the centre: who signed in, verified. Raises SSOError (`ticket_used` and others)."""
        try:
            epoch = self.store.sessions.heard_epoch()
            sign_in = self._exchange.redeem(ticket, attempt, self.store.store_id, now(self._clock))
        except SSOError as error:
            # The person is mostly sent on to a new sign-in at once: this line is all that remains of the refusal.
            self._events.tell("ticket_refused", f"ticket refused: {error.code}", level=logging.WARNING)
            raise
        self._events.tell("ticket_validated", "ticket validated with the centre", sign_in.sid)
        return replace(sign_in, epoch=epoch)

    def open_session(self, sign_in: SignIn, replaces: str | None = None) -> tuple[str, LocalSession]:
        """Open the local session: the value for a new cookie, always a fresh one, and the record.

        `replaces` is the cookie that the browser had before. Raises SSOError `session_ended` if a logout came first, or
        if the ticket was redeemed more than five minutes ago: what ended meanwhile may be forgotten by then.
        """
        moment = now(self._clock)
        waited_ms = age_ms(sign_in.redeemed, moment)
        if waited_ms is None or waited_ms > _OPEN_WITHIN_MS:
            self._events.tell("session_refused", "the ticket was redeemed too long ago", sign_in.sid)
            raise SSOError("session_ended", f"redeemed {waited_ms} ms ago")
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
        )
        if not self.store.sessions.open(session, hashed(replaces) if replaces else None, sign_in.epoch):
            self._events.tell("session_refused", "signed out meanwhile: no local session opened", sign_in.sid)
            raise SSOError("session_ended")
        how = "password typed" if sign_in.asked else "no question asked"
        self._events.tell("session_opened", f"local session opened ({how})", sign_in.sid)
        return cookie, session

    def find_session(self, cookie: str | None, *, activity: bool = True) -> LocalSession | None:
        """The live local session of a cookie, or None; the lease is looked after. Raises LeaseExpired, `store_...`.

        `activity=False` for a request that nobody made by hand, such as a page asking whether it is still signed in.
        """
        if not cookie or len(cookie) > 100 or not cookie.isascii():
            return None
        return self._admission.admit(hashed(cookie), activity=activity)

    def check_in(self) -> CheckInReport:
        """Tell and hear everything now. Raises SSOError. Requests do this by themselves; cron may do it too."""
        return self._check_in.run(all_sids=True)

    def receive_logout(self, body: bytes, content_type: str) -> LogoutAnswer:
        """Answer a back-channel logout call: 200 done, 400 a bad token, 503 this site's own failure (send it again)."""
        status = 400  # until the centre or the store is needed, a failure is the token's own
        try:
            token = token_from_form(body, content_type)
            header = read_header(token, self.settings.id_token_algs)
            status = 503
            provider = self._discovery.get_provider()
            keys = self._keys.get_keys(provider.jwks_uri, header)
            status = 400
            notice = verify_logout_token(
                token,
                header,
                keys,
                issuer=provider.issuer,
                client_id=self.settings.client_id,
                now_s=self._clock.wall_ms() / 1000,
                older=provider.check_in_endpoint is None,
            )
            status = 503
            now_ms = self._clock.wall_ms()
            if notice.sid is not None:  # that session only, even if `sub` is there too: no over-logout
                done = self.store.inbox.end_by_sid(notice.sid, notice.jti, now_ms)
            else:
                done = self.store.inbox.end_by_sub(notice.sub or "", notice.iat, notice.jti, now_ms)
        except SSOError as error:
            return self._not_ended(error, 400 if error.code == "key_unknown" else status)
        words, gap = since(notice.ended_at_ms, now_ms)
        what = "local session ended" if len(done.sessions) == 1 else f"{len(done.sessions)} local sessions ended"
        if done.sessions:
            self._events.tell("logout_received", f"logout call received, {what}{words}", notice.sid, gap)
        elif not done.repeated:
            self._events.tell("logout_received_early", "logout call received, no local session here", notice.sid, gap)
        return LogoutAnswer(200, self._logout_headers(), "{}")

    def sign_out(self, cookie: str | None, *, scope: Scope = "browser", left: str | None = None) -> SignOut:
        """The person signs out here; says where the browser goes next. Raises SSOError `scope_unknown`, `store_...`.

        `browser` ends the session here and tells the centre, which ends it at every site. `site` ends it here alone:
        the centre isn't told, and this site opened again signs in without asking; the answer's `left`, given back with
        `browser`, makes it whole. `everywhere` ends nothing by itself: the centre's page asks, for all devices.
        """
        return self._leaving.sign_out(cookie, scope, left)

    def is_left(self, left: str | None) -> bool:
        """True if this is the `left` of a sign-out of this site only: proof that a page of this site carries it."""
        return self._leaving.is_left(left)

    def tell_untold(self) -> bool:
        """Repeat the sign-outs that began here and weren't confirmed, if it's time to; True if nothing is left to tell.

        For requests without a session, which ask the centre nothing else: the last visitor may have been the one to go.
        """
        return self._leaving.tell_untold()

    def logout_url(self, id_token: str | None = None, *, state: str | None = None) -> str | None:
        """The centre's sign-out page for the browser, None if the provider has none. Raises SSOError."""
        return self._leaving.logout_url(id_token, state)

    def recent_events(self, limit: int = 50) -> list[Event]:
        """What happened last, newest first."""
        return self._events.recent(limit)

    def _not_ended(self, error: SSOError, status: int) -> LogoutAnswer:
        log.warning("logout call not accepted: %s", error)
        what = "invalid_request" if status == 400 else "temporarily_unavailable"
        # Only where we know that asking earlier is in vain. A centre that was started a moment ago has its own
        # schedule, which begins with seconds.
        headers = self._logout_headers() | ({"Retry-After": "30"} if error.code == "key_pending" else {})
        return LogoutAnswer(status, headers, json.dumps({"error": what, "error_description": error.code}))

    def _logout_headers(self) -> dict[str, str]:
        # The store's name tells the centre whose session was ended: another store's row must stay pending.
        return {
            "Cache-Control": "no-store",
            "Content-Type": "application/json",
            "Lockstep-Store": self.store.store_id,
        }
