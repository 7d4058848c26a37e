"""Who calls an API of this site: an access token in the Authorization header, checked (RFC 6750, RFC 9068, RFC 7662).

Whether the centre has denied a JWT meanwhile is `admission`'s; what an answer says to the caller is `challenge`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sso_client.access_jwt import verify_access_token
from sso_client.admission import Admission
from sso_client.clock import Clock
from sso_client.discovery import Discovery, Provider
from sso_client.errors import ScopeMissing, SSOError
from sso_client.events import log
from sso_client.introspection import Introspection
from sso_client.keys import Keys
from sso_client.settings import Settings
from sso_client.signed_token import MAX_TOKEN, number, read_header
from sso_client.user import User, user_from_claims

# RFC 6750 section 2.1: the scheme's name in any case, one space, a b64token.
_HEADER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who calls: the person, and the client that holds the token. `expires_at` in seconds since 1970."""

    user: User
    client_id: str
    scope: tuple[str, ...]
    sid: str | None
    jti: str | None
    expires_at: int


class Bearers:
    """Reads the access tokens that come to one site's API."""

    def __init__(
        self,
        settings: Settings,
        discovery: Discovery,
        keys: Keys,
        admission: Admission,
        introspection: Introspection,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._discovery = discovery
        self._keys = keys
        self._admission = admission
        self._introspection = introspection
        self._clock = clock
        self._audiences = tuple(name for name in (settings.client_id, settings.audience) if name)

    async def read(self, authorization: str | None, scope: str | Sequence[str]) -> Bearer:
        """As `SSOClient.read_bearer`."""
        try:
            bearer = await self._verify(token_in(authorization))
            wanted = tuple(scope.split() if isinstance(scope, str) else scope)
            if not set(wanted) <= set(bearer.scope):
                raise ScopeMissing(wanted, f"client {bearer.client_id}, scope {' '.join(bearer.scope)!r:.200}")
        except SSOError as error:
            log.info("bearer not admitted: %s", error)
            raise
        return bearer

    async def _verify(self, token: str) -> Bearer:
        # By its looks alone, so that no token is tried in two ways: `{"` in base64url, and three parts.
        if token.startswith("eyJ") and token.count(".") == 2:
            return await self._verify_jwt(token)
        provider = await self._discovery.get_provider()
        return _bearer_of(await self._introspection.ask(provider, token, self._audiences))

    async def _verify_jwt(self, token: str) -> Bearer:
        try:
            header = read_header(token, self._settings.id_token_algs)
        except SSOError as error:
            raise _invalid(error) from error
        provider = await self._discovery.get_provider()
        try:
            claims = verify_access_token(
                token,
                header,
                await self._keys.get_keys(provider.jwks_uri, header),
                issuer=provider.issuer,
                audiences=self._audiences,
                now_s=self._clock.wall_ms() / 1000,
            )
        except SSOError as error:
            if error.transient or error.code == "key_pending":  # this proves nothing against the token
                raise
            raise _invalid(error) from error
        bearer = _bearer_of(claims)
        if await self._is_denied(provider, token, bearer, number(claims, "iat") or 0):
            raise SSOError("bearer_invalid", f"denied: its session has ended or it was revoked, jti {bearer.jti}")
        return bearer

    async def _is_denied(self, provider: Provider, token: str, bearer: Bearer, iat: float) -> bool:
        """Ended or revoked before it expires: by the list that comes with the lease, or by asking what is in none.

        A foreign provider that can't be asked leaves a JWT good until it expires: no bound is promised there.
        """
        leased = provider.check_in_endpoint is not None
        is_denied = await self._admission.admit_token(bearer.sid, bearer.jti or "", iat, leased=leased)
        if is_denied is None and provider.introspection_endpoint is not None:
            return not await self._introspection.is_active(provider, token)
        return is_denied is True


def token_in(authorization: str | None) -> str:
    """The token in an Authorization header. Raises SSOError `bearer_missing`, `bearer_invalid`.

    Tokens in a query or a form are never read: they end up in logs and browser histories (RFC 6750 section 5.3).
    """
    if authorization is None or authorization.partition(" ")[0].lower() != "bearer":
        raise SSOError("bearer_missing")
    if len(authorization) > MAX_TOKEN:
        raise SSOError("bearer_invalid", f"{len(authorization)} characters")
    found = _HEADER.fullmatch(authorization)
    if found is None:
        raise SSOError("bearer_invalid", "the header is not `Bearer` and one token")
    return found.group(1)


def challenge(error: SSOError, realm: str) -> str | None:
    """The value of WWW-Authenticate for a refused bearer (RFC 6750 section 3); None for any other error."""
    parts = {"realm": realm}
    match error.code:
        case "bearer_missing":  # section 3.1: whoever sent none is told no error
            pass
        case "bearer_invalid":
            parts |= {"error": "invalid_token", "error_description": error.cause}
        case "bearer_scope":
            scope = " ".join(error.scope) if isinstance(error, ScopeMissing) else ""
            parts |= {"error": "insufficient_scope", "error_description": error.cause, "scope": scope}
        case "bearer_group":  # no scope would mend it
            parts |= {"error": "insufficient_scope", "error_description": error.cause}
        case _:
            return None
    return "Bearer " + ", ".join(f'{name}="{_quotable(value)}"' for name, value in parts.items() if value)


def _quotable(value: str) -> str:
    """Only what RFC 6750 section 3 allows between the quotes: neither a quote nor a line's end gets out of them."""
    return re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "?", value)


def _bearer_of(claims: dict[str, object]) -> Bearer:
    """From claims that were checked: `sub`, `client_id` and `exp` are there."""
    scope, jti, sid = claims.get("scope"), claims.get("jti"), claims.get("sid")
    # Introspection's `username` is what userinfo calls `preferred_username` (RFC 7662 section 2.2).
    named = {"preferred_username": claims["username"]} if "username" in claims else {}
    return Bearer(
        user=user_from_claims(named | claims),
        client_id=str(claims["client_id"]),
        scope=tuple(scope.split()) if isinstance(scope, str) else (),
        sid=sid if isinstance(sid, str) else None,
        jti=jti if isinstance(jti, str) else None,
        expires_at=int(str(claims["exp"]).partition(".")[0]),
    )


def _invalid(error: SSOError) -> SSOError:
    return SSOError("bearer_invalid", f"{error.code}: {error.detail}")
