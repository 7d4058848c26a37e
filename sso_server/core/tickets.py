"""Tickets: one-time, short-lived, bound to one client and one session. Issued here, redeemed here, once.

The store takes the ticket and registers the participant in one step; this module says what is asked and what a refusal
means.
"""

from __future__ import annotations

import base64
import hashlib
from enum import StrEnum

from sso_server.core import identifiers
from sso_server.core.client_metadata import FAPI2
from sso_server.core.clients import Client
from sso_server.core.details import GrantDetails, TokenDetails
from sso_server.core.errors import InvalidGrant
from sso_server.core.events import Event, EventKind
from sso_server.core.policy import MINUTE, SECOND, Policy
from sso_server.core.ports import AuditStore, Clock, Randomness, TicketStore
from sso_server.core.records import record
from sso_server.core.revocations import Revocation
from sso_server.core.sessions import Session

#: So many stores of one client take part in a session at once: each is told of its end, in one step.
MAX_STORES_IN_SESSION = 100


class Refusal(StrEnum):
    """Why a ticket or refresh token was refused: told to the authenticated client and to both logs (UNKNOWN to one)."""

    UNKNOWN = "ticket_unknown"
    USED = "ticket_used"
    EXPIRED = "ticket_expired"
    OTHER_CLIENT = "ticket_other_client"
    REDIRECT_URI = "redirect_uri_mismatch"
    PKCE = "pkce_mismatch"
    KEY = "key_mismatch"
    SESSION_ENDED = "session_ended"
    REVOKED = "grant_revoked"
    TOO_MANY_STORES = "too_many_stores"
    NOT_FRESH = "ticket_not_fresh"
    PROXY = "ticket_is_proxy"
    SERVICE = "service_unknown"
    UNPROVEN = "client_not_proven"
    NO_PROXY = "proxying_not_allowed"
    CALLBACK = "proxy_callback_failed"
    CONSENT = "consent_removed"


@record
class Ticket:
    """What was asked for and granted; at rest under `ticket_hash`. Times in ms."""

    ticket_hash: str
    kind: str
    sid: str
    client_id: str
    user_id: str
    redirect_uri: str
    code_challenge: str
    """Empty when the request had none; then a verifier is refused too (RFC 9700 section 4.8.2)."""
    nonce: str
    scope: tuple[str, ...]
    auth_time: int
    amr: tuple[str, ...]
    issued_at: int
    expires_at: int
    refreshable: bool
    offline: bool
    details: str = ""
    """What else the front that issued it wants to know when it comes back; stores only keep it."""


@record
class NewToken:
    """A token about to be written: its digest and its end (ms)."""

    token_hash: str
    expires_at: int
    audience: tuple[str, ...] = ()
    """Clients whose APIs an access token is for."""
    jti: str = ""
    """Of an access token that is a JWT; `token_hash` is its digest, because only the store's step knows what stands
    in the token."""
    deny_until: int = 0
    """If a JWT is revoked, or its session ends, so long (ms) its audience must refuse it."""
    kind: str = identifiers.ACCESS_TOKEN
    """Of what a ticket gives beside a refresh token: an access token, or a proxy-granting ticket."""
    details: str = ""
    """`details.TokenDetails`, of an access or refresh token; stores only keep it."""


@record
class Redemption:
    """One call to redeem: the binding to be checked, and everything that is written when it holds."""

    ticket_hash: str
    bucket: int
    """The one in the ticket's text, for stores that keep buckets apart."""
    client_id: str
    redirect_uri: str
    code_challenge: str
    store_id: str
    kind: str
    logout_uri: str
    local_max_ms: int
    """How long a local session of this client may live; see `sessions.local_until`."""
    margin_ms: int
    """Added to it: how far a site's clock may run behind ours."""
    reports: bool
    idle_off: bool
    """Registering this participant turns idle expiry off for the session."""
    access: NewToken | None
    refresh: NewToken | None
    """Written only if the ticket is refreshable; its end is cut to the session's unless the grant is offline."""
    details: str = ""
    """Kept with the grant; empty: the ticket's are."""
    most_stores: int = MAX_STORES_IN_SESSION
    most_of_all: int | None = None
    """Participants of the session, whatever their client; None if others are not to take this one's room."""


@record
class Redeemed:
    """The outcome: no refusal means it was taken by this call and by no other."""

    refusal: Refusal | None
    ticket: Ticket | None = None
    session: Session | None = None


@record
class Issued:
    """What the client gets for its ticket. `refresh_token` is empty when none is due. Times in ms."""

    ticket: Ticket
    session: Session
    access_token: str
    """Empty if it is a JWT; the front signs that."""
    access_expires_at: int
    refresh_token: str
    session_expires_at: int
    """The local session must be over by then."""
    jti: str = ""
    """Of a JWT."""
    audience: tuple[str, ...] = ()
    """Clients for whose APIs the access token is."""


def new_access_token(
    client: Client,
    bucket: int,
    now: int,
    policy: Policy,
    randomness: Randomness,
    *,
    audience: tuple[str, ...] | None = None,
    details: TokenDetails | None = None,
) -> tuple[str, NewToken]:
    """Its text, or the `jti` if this client's are JWTs, and what the store writes of it. `audience`: the clients for
    whose APIs it is; None: all of its client's."""
    is_jwt = client.access_token == "jwt"
    name = randomness.identifier(identifiers.JWT_ID if is_jwt else identifiers.ACCESS_TOKEN, bucket)
    expires_at = now + policy.access_token_ms
    # An API's clock may be behind ours: it takes the token for longer than we do.
    deny_until = expires_at + policy.clock_margin_ms if is_jwt else 0
    new = NewToken(
        identifiers.digest(name),
        expires_at,
        client.audience if audience is None else audience,
        name if is_jwt else "",
        deny_until,
        details=details.to_text() if details else "",
    )
    return name, new


def bound_challenge(code_challenge: str, dpop_jkt: str) -> str:
    """What a ticket is bound to: its PKCE challenge, and the key that must prove itself with it (RFC 9449 section 10).
    In one text, so that the store compares both in the step that takes the ticket."""
    return f"{code_challenge}/{dpop_jkt}" if dpop_jkt else code_challenge


def s256(verifier: str) -> str:
    """RFC 7636 section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


class Tickets:
    """Issues and redeems tickets."""

    def __init__(
        self, store: TicketStore, audit: AuditStore, clock: Clock, randomness: Randomness, policy: Policy
    ) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._random = randomness
        self._policy = policy

    def issue(
        self,
        session: Session,
        client: Client,
        *,
        redirect_uri: str,
        code_challenge: str,
        nonce: str,
        scope: tuple[str, ...],
        details: GrantDetails | None = None,
        expires_at: int | None = None,
    ) -> str:
        """A fresh authorization code for this session and client; the caller has checked the request. It lives until
        `expires_at` (ms); None: as long as the policy says."""
        details = details or GrantDetails()
        now = self._clock.now()
        code = self._random.identifier(identifiers.CODE, identifiers.bucket_of(session.sid))
        offline = "offline_access" in scope and client.refresh_tokens
        self._store.put(
            Ticket(
                ticket_hash=identifiers.digest(code),
                kind=identifiers.CODE,
                sid=session.sid,
                client_id=client.client_id,
                user_id=session.user_id,
                redirect_uri=redirect_uri,
                code_challenge=bound_challenge(code_challenge, details.dpop_jkt),
                nonce=nonce,
                scope=scope,
                auth_time=session.auth_time,
                amr=session.amr,
                issued_at=now,
                expires_at=now + self._life_ms(client) if expires_at is None else expires_at,
                refreshable=client.refresh_tokens,
                offline=offline,
                details=details.to_text(),
            )
        )
        return code

    def _life_ms(self, client: Client) -> int:
        # FAPI 2.0 section 5.3.2.1, item 11: a minute at most, however long others may take.
        is_short = client.metadata.profile == FAPI2
        return min(self._policy.ticket_ms, MINUTE) if is_short else self._policy.ticket_ms

    def find(self, code: str) -> Ticket | None:
        """What a code stands for, spent or not, while it is kept: for what must be known before it is redeemed."""
        if not identifiers.is_kind(code, identifiers.CODE):
            return None
        return self._store.find(identifiers.digest(code), identifiers.bucket_of(code))

    def redeem(
        self,
        code: str,
        client: Client,
        *,
        redirect_uri: str,
        code_verifier: str | None,
        store_id: str = "",
        jkt: str = "",
        bound_jkt: str = "",
        audience: tuple[str, ...] | None = None,
        resources: tuple[str, ...] = (),
    ) -> Issued:
        """Take the ticket, register the site under the session, hand out tokens: one step of the store.

        `jkt`: thumbprint of the key that has proven itself, to which the tokens are bound; `bound_jkt`: the same if the
        ticket says that it is bound to one (`find`). `audience`: see `new_access_token`; `resources`: see
        `TokenDetails`. Raises InvalidGrant with a `Refusal` as its description.
        """
        if not identifiers.is_kind(code, identifiers.CODE):
            raise self._refused(Refusal.UNKNOWN, client, "")
        now = self._clock.now()
        bucket = identifiers.bucket_of(code)
        details = TokenDetails(jkt=jkt, resources=resources)
        name, access = new_access_token(
            client, bucket, now, self._policy, self._random, audience=audience, details=details
        )
        refresh = self._random.identifier(identifiers.REFRESH_TOKEN, bucket) if client.refresh_tokens else ""
        # RFC 9449 section 5: of a client that proves who it is anyway, only the access tokens are bound.
        refresh_details = TokenDetails(jkt=jkt).to_text() if client.public else ""
        redeemed = self._store.redeem(
            Redemption(
                ticket_hash=identifiers.digest(code),
                bucket=bucket,
                client_id=client.client_id,
                redirect_uri=redirect_uri,
                code_challenge=bound_challenge(s256(code_verifier) if code_verifier else "", bound_jkt),
                store_id=store_id,
                kind=client.store_kind if store_id else client.participant_kind,
                logout_uri=client.backchannel_logout_uri,
                local_max_ms=local_life_ms(client, self._policy),
                margin_ms=self._policy.clock_margin_ms,
                reports=bool(store_id),
                idle_off=not store_id and not self._policy.idle_without_reports,
                access=access,
                refresh=NewToken(identifiers.digest(refresh), now + self._policy.offline_ms, details=refresh_details)
                if refresh
                else None,
            ),
            now,
        )
        if redeemed.refusal is not None or redeemed.ticket is None or redeemed.session is None:
            if redeemed.refusal is Refusal.USED and redeemed.ticket is not None:
                # The store has revoked what came from it; one that forgets that is told by the journal.
                owner = redeemed.ticket.client_id
                revocation = Revocation(identifiers.CODE, redeemed.ticket.ticket_hash, bucket, owner)
                self._audit.append(revocation.event(now))
            raise self._refused(
                redeemed.refusal or Refusal.UNKNOWN, client, redeemed.ticket.sid if redeemed.ticket else ""
            )
        return Issued(
            ticket=redeemed.ticket,
            session=redeemed.session,
            access_token="" if access.jti else name,
            access_expires_at=access.expires_at,
            refresh_token=refresh if redeemed.ticket.refreshable else "",
            session_expires_at=min(redeemed.session.absolute_until, now + local_life_ms(client, self._policy)),
            jti=access.jti,
            audience=access.audience,
        )

    def _refused(self, refusal: Refusal, client: Client, sid: str) -> InvalidGrant:
        # What never was a ticket is in the process's log alone: a public client's id is no secret, and whoever knows it
        # could fill the database with made-up codes.
        if refusal is not Refusal.UNKNOWN:
            self._audit.append(
                Event(
                    self._clock.now(),
                    EventKind.TICKET_REFUSED,
                    sid=sid,
                    client_id=client.client_id,
                    data={"refusal": refusal.value},
                )
            )
        return InvalidGrant(refusal.value)


def local_life_ms(client: Client, policy: Policy) -> int:
    """How long a local session of this client may live: its own limit, at most the longest absolute life."""
    longest = max(policy.absolute_ms, policy.remembered_ms)
    if client.local_session_max_s is None:
        return longest
    return min(longest, client.local_session_max_s * SECOND)
