"""Access and refresh tokens: short, dead with their session unless offline. Rotation and its theft alarm.

An access token that is a JWT (RFC 9068) is kept like an opaque one, under its `jti`, so that the centre's own answers
about it are as exact. What its audience hears is `core.denials`.
"""

from __future__ import annotations

from dataclasses import field, replace

from sso_server.core import identifiers
from sso_server.core.client_metadata import FAPI2
from sso_server.core.clients import Client
from sso_server.core.denials import name_of
from sso_server.core.details import TokenDetails
from sso_server.core.errors import InvalidGrant, InvalidRequest, InvalidToken
from sso_server.core.events import Event, EventKind
from sso_server.core.policy import Policy
from sso_server.core.ports import AuditStore, Clock, GrantStore, Randomness, Signer, TokenStore
from sso_server.core.records import record
from sso_server.core.revocations import Revocation
from sso_server.core.sessions import EndReason, Session
from sso_server.core.sign_out import SignOut
from sso_server.core.tickets import NewToken, Refusal, new_access_token

#: Of one session. A client that shows the spent tokens of so many families gets no more lines.
_MOST_ALARMS = 50


@record
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
    details: str = ""
    """What the front wants to know when a token of it comes back: the ticket's, or `tickets.Redemption.details`."""


@record
class FoundToken:
    """A token that is valid now, with its grant and, unless offline and ended, its live session. Times in ms."""

    grant: Grant
    kind: str
    issued_at: int
    expires_at: int
    sid: str = ""
    """Empty when an offline grant has outlived its session. A JWT that was issued in a session dies with it, also of an
    offline grant: it carries the `sid`, and APIs refuse that."""
    audience: tuple[str, ...] = ()
    """Clients whose APIs an access token is for."""
    jti: str = ""
    """Of a JWT."""
    details: TokenDetails = field(default_factory=TokenDetails)

    @property
    def scope(self) -> tuple[str, ...]:
        """What this token opens: its grant's scope, or less."""
        return self.grant.scope if self.details.scope is None else tuple(self.details.scope.split())

    def is_for(self, client: Client) -> bool:
        """Whether this client may hear of it: it owns the token, or has the API that an access token is for. Whoever
        was registered after the token was issued is not the one of that id for whom it was."""
        return client.created_at <= self.issued_at and client.client_id in (self.grant.client_id, *self.audience)


@record
class Rotation:
    """One refresh: the new digests to be written when the presented one is good."""

    token_hash: str
    bucket: int
    """The one in the token's text, for stores that keep buckets apart."""
    client_id: str
    access: NewToken
    refresh: NewToken | None
    """None: the presented one stays good, and is neither spent nor replaced."""
    grace_ms: int
    """Within it, a spent refresh token still gets a sibling: its answer may have been lost. The first sibling that is
    used goes on, and there are no more."""


@record
class Rotated:
    """The outcome of a rotation. `reused` means a spent token came back after the grace: the family is revoked."""

    refusal: Refusal | None
    grant: Grant | None = None
    session: Session | None = None
    reused: bool = False


@record
class Refreshed:
    """What the client gets for its refresh token."""

    grant: Grant
    session: Session | None
    access_token: str
    """Empty if it is a JWT; the front signs that."""
    access_expires_at: int
    refresh_token: str
    jti: str = ""
    """Of a JWT."""
    audience: tuple[str, ...] = ()
    """Clients for whose APIs the access token is."""
    scope: tuple[str, ...] = ()
    """What the access token opens: the grant's scope, or less."""


class Tokens:
    """Finds, renews and revokes tokens."""

    def __init__(
        self,
        store: TokenStore,
        grants: GrantStore,
        sign_out: SignOut,
        audit: AuditStore,
        signer: Signer,
        clock: Clock,
        randomness: Randomness,
        policy: Policy,
    ) -> None:
        self._store = store
        self._grants = grants
        self._signer = signer
        self._sign_out = sign_out
        self._audit = audit
        self._clock = clock
        self._random = randomness
        self._policy = policy

    def get_access(self, token: str) -> FoundToken:
        """The grant behind a valid access token. Raises InvalidToken."""
        found = self.find(token)
        if found is None or found.kind != identifiers.ACCESS_TOKEN:
            raise InvalidToken("The access token is unknown, expired or revoked.")
        return found

    def find(self, token: str) -> FoundToken | None:
        """Any valid token, for introspection (RFC 7662 section 2.2)."""
        name = self._name(token)
        if name is None:
            return None
        bucket = identifiers.bucket_of(name)
        return self._store.find_token(identifiers.digest(name), _kind_of(name), bucket, self._clock.now())

    def find_grant(self, token: str) -> tuple[Grant, TokenDetails] | None:
        """The grant of a refresh token, whatever the token's state, while it is kept; and what the token carries."""
        if not identifiers.is_kind(token, identifiers.REFRESH_TOKEN):
            return None
        return self._grants.find_grant(identifiers.digest(token), identifiers.bucket_of(token))

    def refresh(
        self,
        token: str,
        client: Client,
        scope: str | None,
        *,
        jkt: str = "",
        audience: tuple[str, ...] | None = None,
        resources: tuple[str, ...] = (),
    ) -> Refreshed:
        """Rotate. `jkt`, `audience`, `resources`: see `tickets.Tickets.redeem`; the caller has looked at `find_grant`.
        Raises InvalidGrant, or InvalidRequest when the scope would grow (RFC 6749 section 6)."""
        if not identifiers.is_kind(token, identifiers.REFRESH_TOKEN):
            raise InvalidGrant(Refusal.UNKNOWN.value)
        now = self._clock.now()
        token_hash, bucket = identifiers.digest(token), identifiers.bucket_of(token)
        asked = tuple(dict.fromkeys((scope or "").split()))
        if asked:
            known = self._grants.find_grant(token_hash, bucket)
            if known is not None and not set(asked) <= set(known[0].scope):
                raise InvalidRequest("The scope is wider than what was granted.", code="invalid_scope")
        details = TokenDetails(jkt=jkt, scope=" ".join(asked) or None, resources=resources)
        name, access = new_access_token(
            client, bucket, now, self._policy, self._random, audience=audience, details=details
        )
        refresh_details = TokenDetails(jkt=jkt).to_text() if client.public else ""
        # FAPI 2.0 Security Profile section 5.3.2.1: no rotation. Its clients prove a key with each refresh, so that a
        # copy is worth nothing, and a lost answer costs nobody the session.
        stays = client.metadata.profile == FAPI2
        refresh = token if stays else self._random.identifier(identifiers.REFRESH_TOKEN, bucket)
        new = NewToken(identifiers.digest(refresh), now + self._policy.offline_ms, details=refresh_details)
        rotated = self._store.rotate(
            Rotation(
                token_hash=token_hash,
                bucket=bucket,
                client_id=client.client_id,
                access=access,
                refresh=None if stays else new,
                grace_ms=self._policy.refresh_grace_ms,
            ),
            now,
        )
        if rotated.reused and rotated.grant is not None:
            # RFC 9700 section 4.14.2: thief or victim, one of them has a copy. The family is dead; so is the session.
            self._sign_out.end(rotated.grant.sid, EndReason.TOKEN_REUSE, actor=f"client:{client.client_id}")
        if rotated.grant is not None and (rotated.reused or rotated.refusal is Refusal.OTHER_CLIENT):
            revocation = Revocation(identifiers.REFRESH_TOKEN, token_hash, bucket, rotated.grant.client_id)
            self._note_alarm(rotated.grant, revocation, client, now, reused=rotated.reused)
        if rotated.refusal is not None or rotated.grant is None:
            raise InvalidGrant((rotated.refusal or Refusal.UNKNOWN).value)
        text = "" if access.jti else name
        return Refreshed(
            rotated.grant,
            rotated.session,
            text,
            access.expires_at,
            refresh,
            access.jti,
            access.audience,
            asked or rotated.grant.scope,
        )

    def _note_alarm(self, grant: Grant, revocation: Revocation, client: Client, now: int, *, reused: bool) -> None:
        """Once for each family, however often its tokens are shown; again if the lines weren't written, because then
        the alarm was lost."""
        kind = EventKind.TOKEN_REUSED if reused else EventKind.TOKEN_REVOKED
        known = self._audit.list_events(_MOST_ALARMS, kind=kind, sid=grant.sid)
        if len(known) == _MOST_ALARMS or any(line.data.get("grant") == grant.grant_id for line in known):
            return
        family: dict[str, str | int | None] = {"grant": grant.grant_id}
        line = revocation.event(now)
        lines = [replace(line, sid=grant.sid, data=line.data | family)]
        if reused:
            alarm = Event(now, kind, user_id=grant.user_id, sid=grant.sid, client_id=client.client_id, data=family)
            lines.append(alarm)
        self._audit.append(*lines)

    def revoke(self, token: str, client: Client) -> None:
        """RFC 7009: a refresh token takes its grant along, an access token goes alone; anything unknown is fine. Raises
        Unavailable, also when it was revoked and the journal can't say so: then it is to be asked for again."""
        name = self._name(token)
        if name is None:
            return
        now, bucket, kind = self._clock.now(), identifiers.bucket_of(name), _kind_of(name)
        revocation = Revocation(kind, identifiers.digest(name), bucket, client.client_id)
        if kind == identifiers.ACCESS_TOKEN:
            found = self._store.find_token(revocation.digest, kind, bucket, now)
            if found is None or found.grant.client_id != client.client_id:
                return
            # It goes altogether: asked for once more, nobody could say any more that there was one.
            self._audit.append(revocation.event(now))
            revocation.carry_out(self._store, now)
        elif revocation.carry_out(self._store, now):
            self._audit.append(revocation.event(now))

    def _name(self, token: str) -> str | None:
        return name_of(token, self._signer, self._policy.issuer)


def _kind_of(name: str) -> str:
    """A JWT is kept as an access token."""
    is_refresh = identifiers.is_kind(name, identifiers.REFRESH_TOKEN)
    return identifiers.REFRESH_TOKEN if is_refresh else identifiers.ACCESS_TOKEN
