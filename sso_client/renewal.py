"""The two calls about tokens once somebody is signed in: renew them (RFC 6749 section 6), give them up (RFC 7009).

When and by whom they are renewed is `access_tokens`.
"""

from dataclasses import replace
from time import monotonic
from urllib.parse import urlencode

from sso_client.discovery import Discovery, Provider
from sso_client.errors import SSOError
from sso_client.exchange import read_tokens
from sso_client.http import NOT_NOW, HttpClient, basic
from sso_client.id_token import verify_renewed_id_token
from sso_client.keys import Keys
from sso_client.records import LocalSession, Tokens
from sso_client.settings import Settings
from sso_client.signed_token import read_header

# Discovery and the call together end well within `stores.RENEWAL_MS`, after which another worker tries.
_RENEW_S = 6.0
_GIVE_UP_S = 2.0


class RefreshRefused(Exception):
    """The provider doesn't take this refresh token any more: ended, revoked, expired or used before."""


class Renewal:
    """The calls of one client."""

    def __init__(self, settings: Settings, http: HttpClient, discovery: Discovery, keys: Keys) -> None:
        self._settings = settings
        self._http = http
        self._discovery = discovery
        self._keys = keys

    async def renew(self, session: LocalSession, spent: str, now_ms: int) -> Tokens:
        """Tokens for a refresh token. Raises RefreshRefused; SSOError, of which `transient` ones may be tried again."""
        deadline = monotonic() + _RENEW_S
        provider = await self._discovery.get_provider(_RENEW_S / 3)
        form = {"grant_type": "refresh_token", "refresh_token": spent}
        url = provider.token_endpoint
        answer = await self._http.post(url, self._headers(), urlencode(form).encode(), deadline - monotonic())
        said = answer.json()
        if answer.status >= 500 or answer.status in NOT_NOW:
            raise SSOError("provider_unavailable", f"{url}: status {answer.status}")
        if answer.status != 200:
            detail = f"{url}: status {answer.status}, error {said.get('error')!r:.100}"
            if said.get("error") == "invalid_grant":
                raise RefreshRefused(f"{detail}, {said.get('error_description')!r:.100}")
            # `invalid_client`, or a client that may not renew: it says nothing about the person.
            raise SSOError("client_refused", detail)
        if not isinstance(said.get("access_token"), str) or not said["access_token"]:
            raise SSOError("token_malformed", "the token answer lacks access_token")
        if said.get("id_token") is not None:
            await self._check_id_token(provider, said["id_token"], session, now_ms)
        tokens = read_tokens(said, now_ms)
        # RFC 6749 section 6: without a new one the old one stays good.
        return tokens if tokens.refresh_token is not None else replace(tokens, refresh_token=spent)

    async def give_up(self, refresh_token: str) -> None:
        """Have the provider forget tokens that nobody will use. Raises SSOError if it couldn't be told."""
        url = (await self._discovery.get_provider(_GIVE_UP_S)).revocation_endpoint
        if url is None:
            return
        form = {"token": refresh_token, "token_type_hint": "refresh_token"}
        answer = await self._http.post(url, self._headers(), urlencode(form).encode(), _GIVE_UP_S)
        if answer.status != 200:
            raise SSOError("provider_unavailable", f"{url}: status {answer.status}")

    async def _check_id_token(self, provider: Provider, token: object, session: LocalSession, now_ms: int) -> None:
        """A renewed ID token must speak of the same person: tokens of another would be used in this one's name."""
        if not isinstance(token, str):
            raise SSOError("token_malformed", "id_token")
        header = read_header(token, self._settings.id_token_algs)
        verify_renewed_id_token(
            token,
            header,
            await self._keys.get_keys(provider.jwks_uri, header),
            issuer=provider.issuer,
            client_id=self._settings.client_id,
            first=session.claims,
            now_s=now_ms / 1000,
        )

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": basic(self._settings.client_id, self._settings.client_secret),
            "Content-Type": "application/x-www-form-urlencoded",
        }
