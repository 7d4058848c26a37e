"""SSOClient: the verbs for blocking sites (Flask, Django, WSGI, scripts). What they do is `client.AsyncSSOClient`'s."""

from collections.abc import Mapping, Sequence

from sso_client.attempt import Attempt
from sso_client.bearer import Bearer
from sso_client.client import AsyncSSOClient
from sso_client.clock import Clock
from sso_client.driving import drive
from sso_client.http import Http
from sso_client.records import CheckInReport, Event, LocalSession, LogoutAnswer, Scope, SignIn, SignOut
from sso_client.settings import Settings
from sso_client.stores import LocalStore
from sso_client.waiting import BlockingWaiting


class SSOClient:
    """One site at one centre, with one local store, for blocking sites. Safe for threads; make one for each process.

    The verbs of `AsyncSSOClient`, each run to its end.
    """

    def __init__(
        self, settings: Settings, store: LocalStore, *, clock: Clock | None = None, callback_path: str = "/sso/callback"
    ) -> None:
        self.core = AsyncSSOClient(
            settings,
            store,
            clock=clock,
            callback_path=callback_path,
            waiting=BlockingWaiting(),
            http=Http(settings.ca_file),
        )
        self.settings = settings
        self.store = store
        self.seal = self.core.seal
        self.hooks = self.core.hooks
        self.now_ms = self.core.now_ms
        self.is_left = self.core.is_left
        self.challenge = self.core.challenge

    def close(self) -> None:
        """Close connections to the centre and to the store."""
        drive(self.core.close())

    def login_url(
        self,
        next_page: str = "/",
        *,
        redirect_uri: str | None = None,
        restarted: bool = False,
        prompt: str | None = None,
        max_age_s: int | None = None,
        acr: Sequence[str] = (),
    ) -> tuple[str, Attempt]:
        """Where to send the browser to sign in, and the attempt to keep in its cookie. Raises SSOError."""
        return drive(
            self.core.login_url(
                next_page,
                redirect_uri=redirect_uri,
                restarted=restarted,
                prompt=prompt,
                max_age_s=max_age_s,
                acr=acr,
            )
        )

    def read_answer(self, parameters: Mapping[str, Sequence[str]], attempt: Attempt) -> str:
        """The ticket in the callback's query (name -> all its values). Raises SSOError."""
        return drive(self.core.read_answer(parameters, attempt))

    def validate_ticket(self, ticket: str, attempt: Attempt) -> SignIn:
        """Take the ticket to the centre: who signed in, verified. Raises SSOError (`ticket_used` and others)."""
        return drive(self.core.validate_ticket(ticket, attempt))

    def open_session(self, sign_in: SignIn, replaces: str | None = None) -> tuple[str, LocalSession]:
        """Open the local session: the value for a new cookie, and the record. Raises SSOError `session_ended`."""
        return drive(self.core.open_session(sign_in, replaces))

    def find_session(self, cookie: str | None, *, activity: bool = True) -> LocalSession | None:
        """The live local session of a cookie, or None. Raises LeaseExpired, SSOError `store_...`."""
        return drive(self.core.find_session(cookie, activity=activity))

    def still_signed_in(self, cookie: str | None) -> bool:
        """For streams: whether the session of a cookie may still be served. Asking is no activity."""
        return drive(self.core.still_signed_in(cookie))

    def access_token(self, cookie: str | None, *, min_life_s: float = 30) -> str:
        """A valid access token of the session of a cookie, for calls to APIs; renewed if need be, by one worker.

        Raises LeaseExpired; SSOError `login_required`, `session_ended`, `tokens_missing` and others.
        """
        return drive(self.core.access_token(cookie, min_life_s=min_life_s))

    def read_bearer(self, authorization: str | None, *, scope: str | Sequence[str] = ()) -> Bearer:
        """Who calls an API of this site, by the Authorization header alone. Raises SSOError `bearer_...`, LeaseExpired.

        `challenge(error)` is the value of WWW-Authenticate for the answer.
        """
        return drive(self.core.read_bearer(authorization, scope=scope))

    def check_in(self) -> CheckInReport:
        """Tell and hear everything now. Raises SSOError."""
        return drive(self.core.check_in())

    def receive_logout(self, body: bytes, content_type: str) -> LogoutAnswer:
        """Answer a back-channel logout call: 200 done, 400 a bad token, 503 this site's own failure."""
        return drive(self.core.receive_logout(body, content_type))

    def sign_out(self, cookie: str | None, *, scope: Scope = "browser", left: str | None = None) -> SignOut:
        """The person signs out here; says where the browser goes next. Raises SSOError `scope_unknown`, `store_...`."""
        return drive(self.core.sign_out(cookie, scope=scope, left=left))

    def tell_untold(self) -> bool:
        """Repeat the sign-outs that began here and weren't confirmed; True if nothing is left to tell."""
        return drive(self.core.tell_untold())

    def logout_url(self, id_token: str | None = None, *, state: str | None = None) -> str | None:
        """The centre's sign-out page for the browser, None if the provider has none. Raises SSOError."""
        return drive(self.core.logout_url(id_token, state=state))

    def recent_events(self, limit: int = 50) -> list[Event]:
        """What happened last, newest first."""
        return drive(self.core.recent_events(limit))
