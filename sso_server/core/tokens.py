"""Access and refresh tokens: opaque, short, dead with their session unless offline. Rotation and its theft alarm."""

from __future__ import annotations

from dataclasses import dataclass

from sso_server.core import identifiers
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidGrant, InvalidRequest, InvalidToken
from sso_server.core.events import Event, EventKind
from sso_server.core.policy import Policy
from sso_server.core.ports import AuditStore, Clock, Randomness, TokenStore
from sso_server.core.sessions import EndReason, Session
from sso_server.core.sign_out import SignOut
from sso_server.core.tickets import NewToken, Refusal


@dataclass(frozen=True, slots=True)
class Grant:
    """Everything that came from one ticket: the family that a replay revokes. `grant_id` is the ticket's digest."""

    grant_id: str
    sid: str
    client_id: str
    user_id: str
    scope: tuple[str, ...]
    auth_time: int
    amr: tuple[str, ...]
    offline: bool
    created_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token that is valid now, with its grant and, unless offline and ended, its live session. Times in ms."""

    grant: Grant
    kind: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Rotation:
    """One refresh: the new digests to be written when the presented one is good."""

    token_hash: str
    bucket: int
    """The one in the token's text, for stores that keep buckets apart."""
    client_id: str
    access: NewToken
    refresh: NewToken
    grace_ms: int
    """Within it, a spent refresh token still gets a sibling: its answer may have been lost. The first sibling that is
    used goes on, and there are no more."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """The outcome of a rotation. `reused` means a spent token came back after the grace: the family is revoked."""

    refusal: Refusal | None
    grant: Grant | None = None
    session: Session | None = None
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What the client gets for its refresh token."""

    grant: Grant
    session: Session | None
    access_token: str
    access_expires_at: int
    refresh_token: str


class Tokens:
    """Finds, renews and revokes tokens."""

    def __init__(
        self,
        store: TokenStore,
        sign_out: SignOut,
        audit: AuditStore,
        clock: Clock,
        randomness: Randomness,
        policy: Policy,
    ) -> None:
        self._store = store
        self._sign_out = sign_out
        self._audit = audit
        self._clock = clock
        self._random = randomness
        self._policy = policy

    def get_access(self, token: str) -> FoundToken:
        """The grant behind a valid access token. Raises InvalidToken."""
        found = None
        if identifiers.is_kind(token, identifiers.ACCESS_TOKEN):
            found = self._find(token, identifiers.ACCESS_TOKEN)
        if found is None:
            raise InvalidToken("The access token is unknown, expired or revoked.")
        return found

    def find(self, token: str) -> FoundToken | None:
        """Any valid token, for introspection (RFC 7662 section 2.2)."""
        for kind in (identifiers.ACCESS_TOKEN, identifiers.REFRESH_TOKEN):
            if identifiers.is_kind(token, kind):
                return self._find(token, kind)
        return None

    def refresh(self, token: str, client: Client, scope: str | None) -> Refreshed:
        """Rotate. Raises InvalidGrant, or InvalidRequest when the scope would grow (RFC 6749 section 6)."""
        if not identifiers.is_kind(token, identifiers.REFRESH_TOKEN):
            raise InvalidGrant(Refusal.UNKNOWN.value)
        now = self._clock.now()
        token_hash, bucket = identifiers.digest(token), identifiers.bucket_of(token)
        if scope is not None:
            found = self._store.find_token(token_hash, identifiers.REFRESH_TOKEN, bucket, now)
            if found is not None and not set(scope.split()) <= set(found.grant.scope):
                raise InvalidRequest("The scope is wider than what was granted.", code="invalid_scope")
        access = self._random.identifier(identifiers.ACCESS_TOKEN, bucket)
        refresh = self._random.identifier(identifiers.REFRESH_TOKEN, bucket)
        access_expires_at = now + self._policy.access_token_ms
        rotated = self._store.rotate(
            Rotation(
                token_hash=token_hash,
                bucket=bucket,
                client_id=client.client_id,
                access=NewToken(identifiers.digest(access), access_expires_at),
                refresh=NewToken(identifiers.digest(refresh), now + self._policy.offline_ms),
                grace_ms=self._policy.refresh_grace_ms,
            ),
            now,
        )
        if rotated.reused and rotated.grant is not None:
            # RFC 9700 section 4.14.2: thief or victim, one of them has a copy. The family is dead; so is the session.
            self._audit.append(
                Event(
                    now,
                    EventKind.TOKEN_REUSED,
                    user_id=rotated.grant.user_id,
                    sid=rotated.grant.sid,
                    client_id=client.client_id,
                )
            )
            self._sign_out.end(rotated.grant.sid, EndReason.TOKEN_REUSE, actor=f"client:{client.client_id}")
        if rotated.refusal is not None or rotated.grant is None:
            raise InvalidGrant((rotated.refusal or Refusal.UNKNOWN).value)
        return Refreshed(rotated.grant, rotated.session, access, access_expires_at, refresh)

    def revoke(self, token: str, client: Client) -> None:
        """RFC 7009: a refresh token takes its grant along, an access token goes alone; anything unknown is fine."""
        for kind in (identifiers.ACCESS_TOKEN, identifiers.REFRESH_TOKEN):
            if identifiers.is_kind(token, kind):
                bucket = identifiers.bucket_of(token)
                self._store.revoke(identifiers.digest(token), kind, bucket, client.client_id, self._clock.now())

    def _find(self, token: str, kind: str) -> FoundToken | None:
        bucket = identifiers.bucket_of(token)
        return self._store.find_token(identifiers.digest(token), kind, bucket, self._clock.now())
