"""Back-channel logout calls from the provider: what each ends here, and what is answered (OpenID Connect Back-Channel
Logout 1.0 sections 2.6 to 2.8). What a token must say is `logout_token`'s.
"""

import json

from sso_client.clock import Clock
from sso_client.discovery import Discovery
from sso_client.errors import SSOError
from sso_client.events import Events, log, since
from sso_client.hooks import Hooks
from sso_client.keys import Keys
from sso_client.logout_token import LogoutNotice, token_from_form, verify_logout_token
from sso_client.records import LogoutAnswer
from sso_client.settings import Settings
from sso_client.signed_token import read_header
from sso_client.stores import LocalStore
from sso_client.waiting import Waiting


class LogoutCalls:
    """Answers the calls to one site."""

    def __init__(
        self,
        settings: Settings,
        store: LocalStore,
        discovery: Discovery,
        keys: Keys,
        events: Events,
        hooks: Hooks,
        clock: Clock,
        waiting: Waiting,
    ) -> None:
        self._settings = settings
        self._store = store
        self._discovery = discovery
        self._keys = keys
        self._events = events
        self._hooks = hooks
        self._clock = clock
        self._waiting = waiting

    async def answer(self, body: bytes, content_type: str) -> LogoutAnswer:
        """As `SSOClient.receive_logout`."""
        status = 400  # until the centre or the store is needed, a failure is the token's own
        try:
            token = token_from_form(body, content_type)
            header = read_header(token, self._settings.id_token_algs)
            status = 503
            provider = await self._discovery.get_provider()
            keys = await self._keys.get_keys(provider.jwks_uri, header)
            status = 400
            notice = verify_logout_token(
                token,
                header,
                keys,
                issuer=provider.issuer,
                client_id=self._settings.client_id,
                now_s=self._clock.wall_ms() / 1000,
                older=provider.check_in_endpoint is None,
            )
            status = 503
            await self._waiting.whole(self._end(notice))
        except SSOError as error:
            return self._not_ended(error, 400 if error.code == "key_unknown" else status)
        return LogoutAnswer(200, self._headers(), "{}")

    async def _end(self, notice: LogoutNotice) -> None:
        """End what a call names. A whole: the site hears of every end, even if the caller has given up waiting."""
        now_ms, inbox = self._clock.wall_ms(), self._store.inbox
        if notice.sid is not None:  # that session only, even if `sub` is there too: no over-logout
            done = await self._waiting.step(inbox.end_by_sid, notice.sid, notice.jti, now_ms)
        else:
            done = await self._waiting.step(inbox.end_by_sub, notice.sub or "", notice.iat, notice.jti, now_ms)
        words, gap = since(notice.ended_at_ms, now_ms)
        what = "local session ended" if len(done.sessions) == 1 else f"{len(done.sessions)} local sessions ended"
        if done.sessions:
            await self._events.tell("logout_received", f"logout call received, {what}{words}", notice.sid, gap)
            await self._hooks.signed_out(done.sessions, notice.reason or "logout_received")
        elif not done.repeated:
            await self._events.tell(
                "logout_received_early", "logout call received, no local session here", notice.sid, gap
            )

    def _not_ended(self, error: SSOError, status: int) -> LogoutAnswer:
        log.warning("logout call not accepted: %s", error)
        what = "invalid_request" if status == 400 else "temporarily_unavailable"
        # Only where we know that asking earlier is in vain. A centre that was started a moment ago has its own
        # schedule, which begins with seconds.
        headers = self._headers() | ({"Retry-After": "30"} if error.code == "key_pending" else {})
        return LogoutAnswer(status, headers, json.dumps({"error": what, "error_description": error.code}))

    def _headers(self) -> dict[str, str]:
        # The store's name tells the centre whose session was ended: another store's row must stay pending.
        return {
            "Cache-Control": "no-store",
            "Content-Type": "application/json",
            "Lockstep-Store": self._store.store_id,
        }
