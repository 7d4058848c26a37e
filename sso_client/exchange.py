"""OpenID Connect: what the centre is asked, and how a ticket becomes a validated sign-in (token endpoint, ID token,
profile; server to server). Keeps nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sso_client.addresses import with_query
from sso_client.attempt import Attempt
from sso_client.clock import Instant
from sso_client.discovery import Discovery, Provider
from sso_client.errors import SSOError
from sso_client.http import Answer, HttpClient, basic
from sso_client.id_token import IdToken, verify_id_token
from sso_client.identifiers import pkce_challenge
from sso_client.keys import Keys
from sso_client.records import SignIn, Tokens
from sso_client.settings import Settings
from sso_client.signed_token import LEEWAY_S, read_header
from sso_client.user import user_from_claims

# Why our centre refuses a ticket, in `error_description`; other providers say only `invalid_grant`.
_REASONS = frozenset(
    {
        "ticket_used",
        "ticket_expired",
        "ticket_other_client",
        "ticket_unknown",
        "session_ended",
        "redirect_uri_mismatch",
        "pkce_mismatch",
    }
)
# A password can't be typed within this time of opening the page; a silent round trip is mostly done by then.
_SILENT_MS = 250


class Exchange:
    """OpenID Connect at one centre."""

    knows_devices = True

    def __init__(self, settings: Settings, http: HttpClient, discovery: Discovery, keys: Keys) -> None:
        self._settings = settings
        self._http = http
        self._discovery = discovery
        self._keys = keys

    def ask_url(self, provider: Provider, attempt: Attempt, prompt: str | None) -> str:
        """The authentication request (OpenID Connect Core 1.0 section 3.1.2.1)."""
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": pkce_challenge(attempt.verifier),
            "code_challenge_method": "S256",
        }
        if prompt:
            query["prompt"] = prompt
        if attempt.max_age_s is not None:
            query["max_age"] = str(attempt.max_age_s)
        if attempt.acr:
            query["acr_values"] = " ".join(attempt.acr)
        return with_query(provider.authorization_endpoint, query)

    def read_answer(self, parameters: Mapping[str, Sequence[str]], attempt: Attempt, provider: Provider) -> str:
        """As `SignInProtocol.read_answer`."""
        for name in ("code", "state", "iss", "error"):
            if len(parameters.get(name, ())) > 1:
                raise SSOError("answer_invalid", f"{name} is there more than once")
        one = {name: values[0] for name, values in parameters.items() if values}
        if one.get("state") != attempt.state:
            raise SSOError("state_unknown")
        # Mix-up defence, before anything else of the answer is believed (RFC 9207 section 2.4).
        if one.get("iss", None if provider.iss_in_answer else provider.issuer) != provider.issuer:
            raise SSOError("issuer_mismatch", f"iss {one.get('iss')!r:.200} in the answer")
        if "error" in one:
            transient = one["error"] in ("temporarily_unavailable", "server_error")
            raise SSOError("provider_unavailable" if transient else "sign_in_refused", f"error {one['error']!r:.100}")
        if not one.get("code"):
            raise SSOError("answer_invalid", "no code")
        return one["code"]

    async def redeem(self, ticket: str, attempt: Attempt, store_id: str, moment: Instant) -> SignIn:
        """Take the ticket, verify the ID token, fetch the profile. Raises SSOError."""
        now_ms = moment.wall_ms
        provider = await self._discovery.get_provider()
        answer = (await self._take(provider, ticket, attempt, store_id)).json()
        token = answer.get("id_token")
        if not isinstance(token, str) or not isinstance(answer.get("access_token"), str):
            raise SSOError("token_malformed", "the token answer lacks id_token or access_token")
        header = read_header(token, self._settings.id_token_algs)
        verified = verify_id_token(
            token,
            header,
            await self._keys.get_keys(provider.jwks_uri, header),
            issuer=provider.issuer,
            client_id=self._settings.client_id,
            nonce=attempt.nonce,
            now_s=now_ms / 1000,
        )
        if provider.check_in_endpoint is not None and verified.sid is None:
            # Without a sid the centre could never name this session: it would be outside every promise.
            raise SSOError("token_malformed", "the ID token lacks sid")
        _check_strength(verified, attempt, now_ms // 1000)
        profile = await self._profile(provider, answer["access_token"], verified)
        life_s = self._settings.session_max_age
        session_expires_in = answer.get("session_expires_in")
        if type(session_expires_in) is int:
            life_s = min(life_s, session_expires_in)
        if life_s <= 0:
            raise SSOError("session_ended", "session_expires_in is over")
        return SignIn(
            user=user_from_claims({**profile, **verified.claims}),
            sid=verified.sid,
            id_token=token,
            id_token_iat=verified.iat,
            until_ms=now_ms + life_s * 1000,
            asked=was_asked(answer.get("auth_time_ms"), verified.auth_time, attempt.started_at_ms, now_ms),
            leased=provider.check_in_endpoint is not None,
            redeemed=moment,
            tokens=read_tokens(answer, now_ms),
        )

    def leave_url(self, provider: Provider, id_token: str | None, state: str | None) -> str | None:
        """The sign-out page; with an ID token it asks nothing (RP-Initiated Logout 1.0 section 2)."""
        if provider.end_session_endpoint is None:
            return None
        query = {"client_id": self._settings.client_id}
        if id_token is not None:
            query["id_token_hint"] = id_token
        if self._settings.after_logout == "redirect" and self._settings.base_url is not None:
            query["post_logout_redirect_uri"] = self._settings.base_url + "/"
            if state is not None:
                query["state"] = state
        return with_query(provider.end_session_endpoint, query)

    def everywhere_url(self, provider: Provider) -> str | None:
        """Without `id_token_hint`, with which the centre would end this browser's session without asking
        (RP-Initiated Logout 1.0 section 2 leaves that to it), and the person could no longer choose.
        """
        return self.leave_url(provider, None, None)

    async def _take(self, provider: Provider, ticket: str, attempt: Attempt, store_id: str) -> Answer:
        form = {
            "grant_type": "authorization_code",
            "code": ticket,
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        if provider.check_in_endpoint is not None:
            form["store_id"] = store_id
        headers = {
            "Authorization": basic(self._settings.client_id, self._settings.client_secret),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = await self._http.post(provider.token_endpoint, headers, urlencode(form).encode())
        if answer.status == 200:
            return answer
        if answer.status >= 500:
            raise SSOError("provider_unavailable", f"token endpoint: status {answer.status}")
        error, why = answer.json().get("error"), answer.json().get("error_description")
        detail = f"token endpoint: status {answer.status}, error {error!r:.100}, redirect_uri {attempt.redirect_uri}"
        if error == "invalid_client" or answer.status == 401:
            raise SSOError("client_refused", detail)
        if error == "invalid_grant" and isinstance(why, str) and why in _REASONS:
            raise SSOError(why, detail)
        raise SSOError("ticket_refused", detail)

    async def _profile(self, provider: Provider, access_token: str, verified: IdToken) -> dict[str, Any]:
        if provider.userinfo_endpoint is None:
            return {}
        answer = await self._http.get(provider.userinfo_endpoint, {"Authorization": f"Bearer {access_token}"})
        if answer.status >= 500:
            raise SSOError("provider_unavailable", f"userinfo: status {answer.status}")
        profile = answer.json()
        if answer.status != 200:
            raise SSOError("userinfo_refused", f"status {answer.status}")
        if profile.get("sub") != verified.sub:  # OpenID Connect Core 1.0 section 5.3.2
            raise SSOError("subject_mismatch")
        return profile


def read_tokens(answer: Mapping[str, Any], now_ms: int) -> Tokens:
    """The tokens in a token answer that has an access token (RFC 6749 section 5.1)."""
    life_s, refresh = answer.get("expires_in"), answer.get("refresh_token")
    # Without `expires_in` nobody knows: good for this moment only, as long as it can be renewed.
    life_ms = life_s * 1000 if type(life_s) is int and 0 < life_s <= 366 * 86_400 else 0
    renewable = refresh if isinstance(refresh, str) and refresh else None
    return Tokens(answer["access_token"], now_ms + life_ms, renewable, life_ms)


def check_age(auth_time: int | None, attempt: Attempt, now_s: int) -> None:
    """What was asked for with `max_age_s` must be there. Raises SSOError `auth_too_old`."""
    if attempt.max_age_s is not None:
        age_s = None if auth_time is None else now_s - auth_time
        if age_s is None or age_s > attempt.max_age_s + LEEWAY_S:
            raise SSOError("auth_too_old", f"auth_time is {age_s} s ago, at most {attempt.max_age_s} s were asked for")


def _check_strength(verified: IdToken, attempt: Attempt, now_s: int) -> None:
    """What was asked for with `max_age` and `acr_values` must be there (OpenID Connect Core 1.0 section 3.1.3.7)."""
    check_age(verified.auth_time, attempt, now_s)
    if attempt.acr and verified.claims.get("acr") not in attempt.acr:
        raise SSOError(
            "acr_unmet", f"acr {verified.claims.get('acr')!r:.100}, one of {list(attempt.acr)} was asked for"
        )


def was_asked(auth_time_ms: Any, auth_time: int | None, started_at_ms: int, now_ms: int) -> bool:
    """Whether something was typed for this sign-in. Our centre may say when in ms; a tie in seconds needs a guess."""
    if type(auth_time_ms) is int:
        return auth_time_ms >= started_at_ms
    if auth_time is None or auth_time == started_at_ms // 1000:
        return now_ms - started_at_ms > _SILENT_MS
    return auth_time > started_at_ms // 1000
