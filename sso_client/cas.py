"""The CAS protocol (CAS 3.0.3): what the server is asked, and how a service ticket becomes a validated sign-in.

At our centre the validation is authenticated, and all that follows is as in OpenID Connect: lease, check-in, logout
tokens. Any other server knows no `sid`: there the ticket is what it names the session by.
"""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

from sso_client.addresses import with_query
from sso_client.attempt import Attempt
from sso_client.cas_answers import NotValidated, Validation, claims_of, read_validation, signed_in_at
from sso_client.clock import Instant
from sso_client.discovery import Discovery, Provider
from sso_client.errors import SSOError
from sso_client.exchange import check_age, was_asked
from sso_client.http import Answer, HttpClient, basic
from sso_client.identifiers import hashed
from sso_client.records import SignIn
from sso_client.settings import Settings
from sso_client.user import user_from_claims

# Section 2.5.3, in our words; anything else is a refusal whose code stands in the log.
_CODES = {
    "INVALID_TICKET": "ticket_unknown",
    "INVALID_SERVICE": "redirect_uri_mismatch",
    "UNAUTHORIZED_SERVICE": "redirect_uri_mismatch",
    "INTERNAL_ERROR": "provider_unavailable",
}
# Section 3.1.1: at least 32 characters must be taken, 256 should be.
_MAX_TICKET = 1024


def sid_of(ticket: str) -> str:
    """What a session is called here that another CAS server knows by its ticket.

    Not the ticket itself: whoever knows that can end the session, and a sid stands in logs and claims.
    """
    return f"cas-{hashed(ticket)}"


class CasExchange:
    """CAS at our centre, or at any other server (`settings.cas_url`). Keeps nothing but which path the latter has."""

    def __init__(
        self, settings: Settings, http: HttpClient, discovery: Discovery, callback_path: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._http = http
        self._discovery = discovery
        self._callback_path = callback_path
        self._path = "/p3/serviceValidate"
        self.knows_devices = settings.cas_url is None

    def ask_url(self, provider: Provider, attempt: Attempt, prompt: str | None) -> str:
        """Section 2.1.1. A `max_age` is met by asking anew: CAS has no way to ask how old a sign-in may be."""
        if attempt.acr:
            raise SSOError("not_in_cas", f"acr {list(attempt.acr)!r:.100}")
        query = {"service": service_of(attempt)}
        if attempt.max_age_s is not None or prompt == "login":
            query["renew"] = "true"
        elif prompt == "none":
            query["gateway"] = "true"
        return with_query(f"{_server(provider)}/login", query)

    def read_answer(self, parameters: Mapping[str, Sequence[str]], attempt: Attempt, provider: Provider) -> str:
        """As `SignInProtocol.read_answer`. The state came along in the service's own query."""
        for name in ("ticket", "state"):
            if len(parameters.get(name, ())) > 1:
                raise SSOError("answer_invalid", f"{name} is there more than once")
        one = {name: values[0] for name, values in parameters.items() if values}
        if one.get("state") != attempt.state:
            raise SSOError("state_unknown")
        ticket = one.get("ticket")
        if not ticket:  # section 2.1.1: so a gateway says that nobody is signed in there
            raise SSOError("sign_in_refused", "no ticket")
        if len(ticket) > _MAX_TICKET or not ticket.isascii() or not ticket.isprintable():
            raise SSOError("answer_invalid", f"a ticket of {len(ticket)} characters")
        return ticket

    async def redeem(self, ticket: str, attempt: Attempt, store_id: str, moment: Instant) -> SignIn:
        """Take the ticket to the server that gave it. Raises SSOError."""
        provider = await self._discovery.get_provider()
        validation = await self._validate(provider, ticket, attempt, store_id)
        if self._settings.cas_url is None:
            return self._at_our_centre(validation, provider, attempt, moment)
        return self._elsewhere(validation, ticket, attempt, moment)

    def leave_url(self, provider: Provider, id_token: str | None, state: str | None) -> str | None:
        """Section 2.3. The page of our centre that shows site by site what became of the sign-out is not CAS's own."""
        if self._settings.after_logout == "redirect" and self._settings.base_url is not None:
            # Below the callback's folder, as that is what is registered; the route there goes on to the start page.
            back = f"{self._settings.base_url}{self._callback_path().rpartition('/')[0]}/logout?after=1"
            return with_query(f"{_server(provider)}/logout", {"service": back})
        return self.everywhere_url(provider) or f"{_server(provider)}/logout"

    def everywhere_url(self, provider: Provider) -> str | None:
        """Our centre's own page: whose session it was isn't proved to it, so that it asks unless that is over."""
        if provider.end_session_endpoint is None:
            return None
        return with_query(provider.end_session_endpoint, {"client_id": self._settings.client_id})

    def _at_our_centre(self, validation: Validation, provider: Provider, attempt: Attempt, moment: Instant) -> SignIn:
        sub, sid, now_ms = validation.one("sub"), validation.one("sid"), moment.wall_ms
        session_expires_in, auth_time_ms = validation.number("session_expires_in"), validation.number("auth_time_ms")
        if not sub or not sid or session_expires_in is None or auth_time_ms is None:
            # Without a sid the centre could never name this session: it would be outside every promise.
            raise SSOError(
                "cas_answer_invalid", f"an attribute is missing, there are {sorted(validation.attributes)!r:.200}"
            )
        if session_expires_in <= 0:
            raise SSOError("session_ended", "session_expires_in is over")
        auth_time = auth_time_ms // 1000
        check_age(auth_time, attempt, now_ms // 1000)
        return SignIn(
            user=user_from_claims(claims_of(validation, {"sub": sub, "sid": sid, "auth_time": auth_time})),
            sid=sid,
            id_token="",
            id_token_iat=now_ms // 1000,
            until_ms=now_ms + min(self._settings.session_max_age, session_expires_in) * 1000,
            asked=was_asked(auth_time_ms, auth_time, attempt.started_at_ms, now_ms),
            leased=provider.check_in_endpoint is not None,
            redeemed=moment,
        )

    def _elsewhere(self, validation: Validation, ticket: str, attempt: Attempt, moment: Instant) -> SignIn:
        now_ms, is_new = moment.wall_ms, validation.attributes.get("isFromNewLogin", ("",))[0].lower()
        auth_time = signed_in_at(validation)
        if auth_time is None and (is_new == "true" or (attempt.max_age_s is not None and not is_new)):
            # Something was typed for this very ticket, which is bound to a state that wasn't there before: the server
            # says so, or has kept to `renew` (section 2.5.1). The earliest moment is the safe one.
            auth_time = attempt.started_at_ms // 1000
        check_age(auth_time, attempt, now_ms // 1000)
        own = {"sub": validation.user, "sid": sid_of(ticket), "auth_time": auth_time}
        return SignIn(
            user=user_from_claims(claims_of(validation, own)),
            sid=sid_of(ticket),
            id_token="",
            id_token_iat=now_ms // 1000,
            until_ms=now_ms + self._settings.session_max_age * 1000,
            asked=is_new == "true" if is_new else was_asked(None, auth_time, attempt.started_at_ms, now_ms),
            leased=False,
            redeemed=moment,
        )

    async def _validate(self, provider: Provider, ticket: str, attempt: Attempt, store_id: str) -> Validation:
        query = {"service": service_of(attempt), "ticket": ticket}
        if attempt.max_age_s is not None:
            query["renew"] = "true"
        if self._settings.cas_url is None:
            answer = await self._post(f"{_server(provider)}/p3/serviceValidate", query | {"store_id": store_id})
        else:
            answer = await self._get(with_query(_server(provider) + self._path, query))
            if answer.status == 404 and self._path.startswith("/p3"):  # CAS 2 has no attributes, and not this path
                self._path = self._path.removeprefix("/p3")
                answer = await self._get(with_query(_server(provider) + self._path, query))
        detail = f"{_server(provider)}: status {answer.status}, service {query['service'].partition('?')[0]}"
        if answer.status >= 500:
            raise SSOError("provider_unavailable", detail)
        if answer.status == 401:
            raise SSOError("client_refused", detail)
        if answer.status != 200:
            raise SSOError("cas_answer_invalid", detail)
        try:
            return read_validation(answer.body)
        except NotValidated as refusal:
            raise SSOError(self._code(refusal.code, attempt), f"{detail}, {refusal}") from refusal

    async def _get(self, url: str) -> Answer:
        try:
            return await self._http.get(url, _ACCEPT)
        except SSOError as error:  # with the cure that fits: there is no SSO_ISSUER
            raise SSOError("cas_unreachable", error.detail) from error

    async def _post(self, url: str, query: Mapping[str, str]) -> Answer:
        # Not in an address, which logs keep. Who the site is makes the lease hold: its sign-outs are asked for as well.
        headers = {
            "Authorization": basic(self._settings.client_id, self._settings.client_secret),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return await self._http.post(url, headers | _ACCEPT, urlencode(query).encode())

    def _code(self, code: str, attempt: Attempt) -> str:
        if code in ("INVALID_TICKET", "INVALID_TICKET_SPEC") and attempt.max_age_s is not None:
            # Section 2.5.3: so a server says that nothing was typed, too. Were that taken for a spent ticket, a server
            # that doesn't ask anew would send people round in circles.
            return "auth_too_old"
        if code == "INVALID_REQUEST" and self._settings.cas_url is None:
            return "client_refused"  # nothing else of ours could be wrong in it
        return _CODES.get(code, "ticket_refused")


_ACCEPT = {"Accept": "application/xml, text/xml"}


def service_of(attempt: Attempt) -> str:
    """The service that a ticket is asked for and validated with: letter by letter the same (section 2.5.1)."""
    return with_query(attempt.redirect_uri, {"state": attempt.state})


def _server(provider: Provider) -> str:
    if provider.cas_server_url is None:
        raise SSOError("cas_not_offered", "the discovery document names no cas_server_url")
    return provider.cas_server_url
