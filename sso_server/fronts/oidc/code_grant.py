"""grant_type=authorization_code (RFC 6749 section 4.1.3): the ticket for tokens, and the site among the session's."""

from __future__ import annotations

import structlog
from flask import Response

from sso_server.core.details import GrantDetails
from sso_server.core.errors import InvalidRequest
from sso_server.core.identifiers import is_store_id
from sso_server.core.tickets import Ticket
from sso_server.fronts.oidc.pkce import is_verifier
from sso_server.fronts.oidc.token_answer import Granted, token_answer
from sso_server.fronts.oidc.token_request import Target, TokenRequest
from sso_server.web.services import services

_log = structlog.get_logger("sso_server.oidc")


def redeem(asked: TokenRequest) -> Response:
    """The tokens. Raises InvalidGrant, InvalidRequest."""
    client, form = asked.client, asked.form
    code, redirect_uri = asked.required("code"), asked.required("redirect_uri")
    verifier, store_id = form.get("code_verifier"), form.get("store_id", "")
    if verifier is not None and not is_verifier(verifier):
        raise InvalidRequest("code_verifier has not 43 to 128 unreserved characters.")
    if store_id and not is_store_id(store_id):
        raise InvalidRequest("store_id is not a store id.")
    if store_id and client.public:
        # It could never check in, and the session would end as idle under a person who is busy there.
        raise InvalidRequest("Only a confidential client has stores that check in.")
    return hand_out(asked, code, redirect_uri=redirect_uri, verifier=verifier, store_id=store_id)


def hand_out(
    asked: TokenRequest, code: str, *, redirect_uri: str, verifier: str | None, store_id: str = ""
) -> Response:
    """What this ticket brings. Raises InvalidGrant, InvalidRequest (`invalid_target`), Unavailable."""
    here, client = services(), asked.client
    ticket = here.tickets.find(code) if asked.may_narrow or asked.jkt else None
    target, bound_jkt = _target(asked, ticket), _bound_jkt(asked, ticket)
    issued = here.tickets.redeem(
        code,
        client,
        redirect_uri=redirect_uri,
        code_verifier=verifier,
        store_id=store_id,
        jkt=asked.jkt,
        bound_jkt=bound_jkt,
        audience=target.audience,
        resources=target.resources,
    )
    now = here.clock.now()
    _log.info("ticket_redeemed", sid=issued.session.sid, store_id=store_id)
    ticket, session = issued.ticket, issued.session
    here.consents.confirm(ticket, client)
    return token_answer(
        Granted(
            client=client,
            user_id=ticket.user_id,
            scope=ticket.scope,
            now=now,
            access_token=issued.access_token,
            jti=issued.jti,
            access_expires_at=issued.access_expires_at,
            audience=issued.audience,
            resources=target.resources,
            token_sid=session.sid,
            auth_time=ticket.auth_time,
            amr=ticket.amr,
            details=GrantDetails.from_text(ticket.details),
            jkt=asked.jkt,
            refresh_token=issued.refresh_token,
            id_sid=session.sid,
            has_id_token="openid" in ticket.scope,
            nonce=ticket.nonce,
            session_expires_in=(issued.session_expires_at - now) // 1000,
        )
    )


def _target(asked: TokenRequest, ticket: Ticket | None) -> Target:
    """For whom the access token is: it must be known before the store writes it. Of a code that isn't this client's
    nothing is told; the store refuses it in the next step."""
    if ticket is None or not asked.may_narrow or ticket.client_id != asked.client.client_id:
        return Target()
    return asked.target(GrantDetails.from_text(ticket.details).resources)


def _bound_jkt(asked: TokenRequest, ticket: Ticket | None) -> str:
    """RFC 9449 section 10: a code that is bound to a key is for that key alone. The store compares, as it does with the
    challenge, in the step that takes the ticket; without a proof there is nothing that could be equal."""
    return asked.jkt if ticket is not None and GrantDetails.from_text(ticket.details).dpop_jkt else ""
