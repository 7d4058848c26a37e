"""Grants without a ticket: a client speaks for itself, or exchanges a token that came to it for one further on.

RFC 6749 section 4.4, and RFC 8693 within the policy that the operator registers. Neither ever gives a refresh token.
"""

from __future__ import annotations

from dataclasses import replace

from sso_server.core import identifiers
from sso_server.core.clients import Client
from sso_server.core.details import GrantDetails, TokenDetails
from sso_server.core.errors import InvalidRequest
from sso_server.core.policy import Policy
from sso_server.core.ports import Clock, GrantStore, Randomness
from sso_server.core.records import record
from sso_server.core.tickets import NewToken, new_access_token
from sso_server.core.tokens import FoundToken, Grant

#: Scopes that say something of a person, or of a person's session: nothing that a client has of itself.
_OF_PEOPLE = ("openid", "profile", "email", "address", "phone", "groups", "offline_access")
#: An exchanged token may be exchanged again, also by its own client. Every hop is told in the next token, which must
#: not grow without end.
MOST_ACTORS = 10


@record
class Direct:
    """What the client gets. Times in ms."""

    grant: Grant
    access_token: str
    """Empty if it is a JWT; the front signs that."""
    jti: str
    issued_at: int
    access_expires_at: int
    audience: tuple[str, ...]
    resources: tuple[str, ...]
    scope: tuple[str, ...]
    actor: str = ""


class DirectGrants:
    """Issues them."""

    def __init__(self, grants: GrantStore, clock: Clock, randomness: Randomness, policy: Policy) -> None:
        self._grants = grants
        self._clock = clock
        self._random = randomness
        self._policy = policy

    def for_client(
        self, client: Client, scope: str | None, *, audience: tuple[str, ...], resources: tuple[str, ...], jkt: str = ""
    ) -> Direct:
        """For the client itself. `scope` as it was sent. Raises InvalidRequest (`invalid_scope`), Unavailable."""
        own = tuple(one for one in client.scopes if one not in _OF_PEOPLE)
        granted = tuple(dict.fromkeys(one for one in (scope or "").split() if one in own))
        if scope is not None and not granted:
            raise InvalidRequest("None of these scopes is for this client itself.", code="invalid_scope")
        bucket, now = self._random.bucket(), self._clock.now()
        details = TokenDetails(jkt=jkt, resources=resources)
        name, access = new_access_token(
            client, bucket, now, self._policy, self._random, audience=audience, details=details
        )
        # `offline`: there is no session whose end could be its own.
        grant = Grant(self._grant_id(bucket), "", client.client_id, "", granted, 0, (), offline=True, created_at=now)
        return self._issue(grant, name, access, bucket, details)

    def exchange(
        self,
        subject: FoundToken,
        client: Client,
        scope: str | None,
        *,
        audience: tuple[str, ...],
        resources: tuple[str, ...],
        jkt: str = "",
    ) -> Direct:
        """For the person of `subject`, through `client`, which the caller has checked may have it. It lives in the same
        session, and no longer than `subject`. Raises InvalidRequest (`invalid_scope`; or the session has just ended, or
        MOST_ACTORS stand behind it already), Unavailable."""
        if len(subject.details.actor.split()) >= MOST_ACTORS:
            raise InvalidRequest(f"The subject_token has been exchanged {MOST_ACTORS} times.")
        granted = self._narrower(subject, scope)
        bucket, now = self._random.bucket(), self._clock.now()
        if subject.grant.sid:
            # With its session's, where the store finds them together.
            bucket = identifiers.bucket_of(subject.grant.sid)
        # RFC 8693 section 4.1: the newest actor first; those before it are only told.
        actor = f"{client.client_id} {subject.details.actor}".strip()
        details = TokenDetails(jkt=jkt, actor=actor, resources=resources)
        name, fresh = new_access_token(
            client, bucket, now, self._policy, self._random, audience=audience, details=details
        )
        access = _no_longer_than(subject, fresh)
        grant = Grant(
            self._grant_id(bucket),
            subject.sid,
            client.client_id,
            subject.grant.user_id,
            granted,
            subject.grant.auth_time,
            subject.grant.amr,
            # One that has outlived its session may go on to; else the end of the session is the end of this.
            offline=not subject.sid,
            created_at=now,
            details=replace(GrantDetails.from_text(subject.grant.details), claims="", resources=()).to_text(),
        )
        return self._issue(grant, name, access, bucket, details)

    def _narrower(self, subject: FoundToken, scope: str | None) -> tuple[str, ...]:
        """What is asked for of the subject's scope; else all but what opens userinfo and outlives sessions: whoever
        wants a token for the next API has no business there."""
        if scope is None:
            return tuple(one for one in subject.scope if one not in ("openid", "offline_access"))
        asked = tuple(dict.fromkeys(scope.split()))
        if not set(asked) <= set(subject.scope):
            raise InvalidRequest("The scope is wider than that of the subject_token.", code="invalid_scope")
        return tuple(one for one in asked if one != "offline_access")

    def _issue(self, grant: Grant, name: str, access: NewToken, bucket: int, details: TokenDetails) -> Direct:
        refusal = self._grants.issue(grant, access, bucket, grant.created_at)
        if refusal is not None:
            raise InvalidRequest("The session of the subject_token has ended.", detail=refusal.value)
        return Direct(
            grant,
            "" if access.jti else name,
            access.jti,
            grant.created_at,
            access.expires_at,
            access.audience,
            details.resources,
            grant.scope,
            details.actor,
        )

    def _grant_id(self, bucket: int) -> str:
        """No ticket's digest, and of the same shape."""
        return identifiers.digest(self._random.identifier(identifiers.CODE, bucket))


def _no_longer_than(subject: FoundToken, access: NewToken) -> NewToken:
    cut = max(0, access.expires_at - subject.expires_at)
    deny_until = access.deny_until - cut if access.deny_until else 0
    return replace(access, expires_at=access.expires_at - cut, deny_until=deny_until)
