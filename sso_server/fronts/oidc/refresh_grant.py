"""grant_type=refresh_token (RFC 6749 section 6, OpenID Connect Core 1.0 section 12): a new pair for the old one."""

from __future__ import annotations

import structlog
from flask import Response

from sso_server.core.clients import Client
from sso_server.core.consents import Wish
from sso_server.core.details import GrantDetails, TokenDetails
from sso_server.core.errors import InvalidGrant
from sso_server.core.sessions import Session
from sso_server.core.tickets import Refusal, local_life_ms
from sso_server.core.tokens import Grant
from sso_server.fronts.oidc.token_answer import Granted, token_answer
from sso_server.fronts.oidc.token_request import Target, TokenRequest
from sso_server.web.services import services

_log = structlog.get_logger("sso_server.oidc")
Known = tuple[Grant, TokenDetails] | None


def refresh(asked: TokenRequest) -> Response:
    """The tokens. Raises InvalidGrant, InvalidRequest."""
    here, client = services(), asked.client
    token = asked.required("refresh_token")
    is_looked_at = asked.may_narrow or client.public or client.metadata.third_party
    known = here.tokens.find_grant(token) if is_looked_at else None
    _check_key(asked, known)
    _check_consent(client, known)
    target = _target(asked, known)
    refreshed = here.tokens.refresh(
        token,
        client,
        asked.form.get("scope"),
        jkt=asked.jkt,
        audience=target.audience,
        resources=target.resources,
    )
    now = here.clock.now()
    grant, session = refreshed.grant, _live(refreshed.session, now)
    _log.info("token_refreshed", sid=grant.sid)
    here.consents.note_use_quietly(grant.user_id, client, grant.scope)
    local_until = grant.created_at + local_life_ms(client, here.policy)
    # Core section 12.2: the same iss, sub, aud and auth_time, and no nonce.
    return token_answer(
        Granted(
            client=client,
            user_id=grant.user_id,
            scope=refreshed.scope,
            now=now,
            access_token=refreshed.access_token,
            jti=refreshed.jti,
            access_expires_at=refreshed.access_expires_at,
            audience=refreshed.audience,
            resources=target.resources,
            # What the store saw, not what is so by now: under this session it noted the token, or under none.
            token_sid=grant.sid if refreshed.session is not None else "",
            auth_time=grant.auth_time,
            amr=grant.amr,
            details=GrantDetails.from_text(grant.details),
            jkt=asked.jkt,
            refresh_token=refreshed.refresh_token,
            # Core section 12.2: a token that doesn't speak for the sign-in any more brings none.
            has_id_token="openid" in refreshed.scope,
            id_sid=grant.sid if session else "",
            session_expires_in=max(0, min(session.absolute_until, local_until) - now) // 1000 if session else None,
        )
    )


def _check_key(asked: TokenRequest, known: Known) -> None:
    """A public client's refresh token is bound to the key that it began with (RFC 9449 section 5): whoever has stolen
    it can neither use it nor, by trying, spend it. Raises InvalidGrant."""
    if known is not None and known[0].client_id == asked.client.client_id and known[1].jkt not in ("", asked.jkt):
        raise InvalidGrant(Refusal.KEY.value)


def _check_consent(client: Client, known: Known) -> None:
    """A site of the operator's own that became a third party's was agreed to by nobody. Raises InvalidGrant."""
    if known is None or known[0].client_id != client.client_id:
        return
    if services().consents.is_missing(known[0].user_id, client, Wish(known[0].scope)):
        raise InvalidGrant(Refusal.CONSENT.value)


def _target(asked: TokenRequest, known: Known) -> Target:
    """As for a code (`code_grant`)."""
    if known is None or not asked.may_narrow or known[0].client_id != asked.client.client_id:
        return Target()
    return asked.target(GrantDetails.from_text(known[0].details).resources)


def _live(session: Session | None, now: int) -> Session | None:
    return session if session is not None and session.is_live(now) else None
