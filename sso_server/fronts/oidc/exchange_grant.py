"""Token exchange (RFC 8693): an API takes the token that came to it, and gets one for the next API, for that person.

Which APIs those may be, the operator registers. Access tokens of ours only; the calling client is the actor.
"""

from __future__ import annotations

import structlog
from flask import Response

from sso_server.core.details import GrantDetails
from sso_server.core.errors import InvalidRequest, UnauthorizedClient
from sso_server.core.identifiers import ACCESS_TOKEN
from sso_server.core.resources import exchange_audience, read_resources
from sso_server.core.tokens import FoundToken
from sso_server.fronts.oidc.token_answer import Granted, token_answer
from sso_server.fronts.oidc.token_request import TokenRequest
from sso_server.web.services import services

#: RFC 8693 section 3.
TYPE = "urn:ietf:params:oauth:token-type:access_token"
_log = structlog.get_logger("sso_server.oidc")


def exchange(asked: TokenRequest) -> Response:
    """The token. Raises InvalidRequest (also `invalid_target`, `invalid_scope`), UnauthorizedClient, Unavailable."""
    client, form = asked.client, asked.form
    if client.public:
        # Whoever finds a token would have another one for it.
        raise UnauthorizedClient("Only a confidential client can exchange tokens.")
    if asked.required("subject_token_type") != TYPE or form.get("requested_token_type", TYPE) != TYPE:
        raise InvalidRequest("Only access tokens are exchanged, for access tokens.")
    if "actor_token" in form or "actor_token_type" in form:
        raise InvalidRequest("actor_token is not supported: the client that asks is the actor.")
    subject = _subject(asked)
    audience, resources = read_resources(form.get("audience", "")), asked.resources
    got = services().direct_grants.exchange(
        subject,
        client,
        form.get("scope"),
        audience=exchange_audience(client, audience, resources, services().clients),
        # `aud` says what was asked for, by the names by which it was asked for.
        resources=(*audience, *resources) if resources else (),
        jkt=asked.jkt,
    )
    _log.info("token_exchanged", sid=got.grant.sid, of=subject.grant.client_id)
    granted = Granted(
        client=client,
        user_id=got.grant.user_id,
        scope=got.scope,
        now=got.issued_at,
        access_token=got.access_token,
        jti=got.jti,
        access_expires_at=got.access_expires_at,
        audience=got.audience,
        resources=got.resources,
        token_sid=got.grant.sid,
        auth_time=got.grant.auth_time,
        amr=got.grant.amr,
        details=GrantDetails.from_text(got.grant.details),
        jkt=asked.jkt,
        actor=got.actor,
        has_id_token=False,
    )
    return token_answer(granted, issued_token_type=TYPE)


def _subject(asked: TokenRequest) -> FoundToken:
    """The token that the client shows, if it was meant for it: its own, or one for its API."""
    found = services().tokens.find(asked.required("subject_token"))
    user = services().users.find(found.grant.user_id) if found is not None and found.grant.user_id else None
    is_good = found is not None and found.kind == ACCESS_TOKEN and found.is_for(asked.client)
    if found is None or not is_good or user is None or user.disabled_at is not None:
        # Section 2.2.2 has this code for it. One answer, whatever it was: nobody is to try tokens out here.
        raise InvalidRequest("The subject_token is not a valid access token of a person that came to this client.")
    return found
