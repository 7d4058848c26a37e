"""POST /token: tickets and refresh tokens for tokens (RFC 6749 section 3.2, OpenID Connect Core 1.0 section 3.1.3)."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, request

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest
from sso_server.core.identifiers import is_store_id
from sso_server.core.sessions import Session
from sso_server.core.tickets import local_life_ms
from sso_server.fronts.oidc.access_token import sign_access_token
from sso_server.fronts.oidc.id_token import sign_id_token
from sso_server.fronts.oidc.pkce import is_verifier
from sso_server.web.client_auth import read_client_form
from sso_server.web.json_errors import install_json_errors
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("oidc_token", __name__)
install_json_errors(blueprint)
_log = structlog.get_logger("sso_server.oidc")


@blueprint.post("/token")
def token() -> Response:
    """One of two grants; each answer has an ID token."""
    client, form = read_client_form(request)
    grant_type = _required(form, "grant_type")
    if grant_type == "authorization_code":
        return _redeem(client, form)
    if grant_type == "refresh_token":
        return _refresh(client, form)
    raise InvalidRequest("This grant_type is not supported.", code="unsupported_grant_type")


def _redeem(client: Client, form: dict[str, str]) -> Response:
    code, redirect_uri = _required(form, "code"), _required(form, "redirect_uri")
    verifier, store_id = form.get("code_verifier"), form.get("store_id", "")
    if verifier is not None and not is_verifier(verifier):
        raise InvalidRequest("code_verifier has not 43 to 128 unreserved characters.")
    if store_id and not is_store_id(store_id):
        raise InvalidRequest("store_id is not a store id.")
    if store_id and client.public:
        # It could never check in, and the session would end as idle under a person who is busy there.
        raise InvalidRequest("Only a confidential client has stores that check in.")
    issued = services().tickets.redeem(
        code, client, redirect_uri=redirect_uri, code_verifier=verifier, store_id=store_id
    )
    now = services().clock.now()
    _log.info("ticket_redeemed", sid=issued.session.sid, store_id=store_id)
    access_token = issued.access_token or sign_access_token(
        services().signer,
        services().users,
        client,
        services().policy,
        jti=issued.jti,
        user_id=issued.ticket.user_id,
        sid=issued.session.sid,
        scope=issued.ticket.scope,
        auth_time=issued.ticket.auth_time,
        amr=issued.ticket.amr,
        now=now,
        expires_at=issued.access_expires_at,
    )
    id_token = sign_id_token(
        services().signer,
        client,
        services().policy,
        user_id=issued.ticket.user_id,
        sid=issued.session.sid,
        auth_time=issued.ticket.auth_time,
        amr=issued.ticket.amr,
        nonce=issued.ticket.nonce,
        access_token=access_token,
        now=now,
    )
    return _tokens(
        client,
        access_token=access_token,
        expires_in=(issued.access_expires_at - now) // 1000,
        refresh_token=issued.refresh_token,
        id_token=id_token,
        scope=issued.ticket.scope,
        session_expires_in=(issued.session_expires_at - now) // 1000,
        auth_time_ms=issued.ticket.auth_time,
    )


def _refresh(client: Client, form: dict[str, str]) -> Response:
    refreshed = services().tokens.refresh(_required(form, "refresh_token"), client, form.get("scope"))
    now = services().clock.now()
    grant, session = refreshed.grant, _live(refreshed.session, now)
    _log.info("token_refreshed", sid=grant.sid)
    access_token = refreshed.access_token or sign_access_token(
        services().signer,
        services().users,
        client,
        services().policy,
        jti=refreshed.jti,
        user_id=grant.user_id,
        # What the store saw, not what is so by now: under this session it noted the token, or under none.
        sid=grant.sid if refreshed.session is not None else "",
        scope=grant.scope,
        auth_time=grant.auth_time,
        amr=grant.amr,
        now=now,
        expires_at=refreshed.access_expires_at,
    )
    # Core section 12.2: the same iss, sub, aud and auth_time, and no nonce. An offline grant outlives its session; then
    # no `sid` is named, or a site would bring a session back that is over.
    id_token = sign_id_token(
        services().signer,
        client,
        services().policy,
        user_id=grant.user_id,
        sid=grant.sid if session else "",
        auth_time=grant.auth_time,
        amr=grant.amr,
        nonce="",
        access_token=access_token,
        now=now,
    )
    local_until = grant.created_at + local_life_ms(client, services().policy)
    return _tokens(
        client,
        access_token=access_token,
        expires_in=(refreshed.access_expires_at - now) // 1000,
        refresh_token=refreshed.refresh_token,
        id_token=id_token,
        scope=grant.scope,
        session_expires_in=max(0, min(session.absolute_until, local_until) - now) // 1000 if session else None,
        auth_time_ms=grant.auth_time,
    )


def _tokens(
    client: Client,
    *,
    access_token: str,
    expires_in: int,
    refresh_token: str,
    id_token: str,
    scope: tuple[str, ...],
    session_expires_in: int | None,
    auth_time_ms: int,
) -> Response:
    body: dict[str, object] = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": expires_in,
        "id_token": id_token,
        "scope": " ".join(scope),
    }
    if refresh_token:
        body["refresh_token"] = refresh_token
    if session_expires_in is not None:
        body |= {
            "session_expires_in": session_expires_in,
            "lease_s": client.lease_s,
            "auth_time_ms": auth_time_ms,
        }
    return json_answer(body)


def _required(form: dict[str, str], name: str) -> str:
    value = form.get(name)
    if value is None:
        raise InvalidRequest(f"{name} is missing.")
    return value


def _live(session: Session | None, now: int) -> Session | None:
    return session if session is not None and session.is_live(now) else None
