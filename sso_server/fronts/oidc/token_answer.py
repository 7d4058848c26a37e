"""The token endpoint's answer (RFC 6749 section 5.1): what was granted, as tokens in JSON. Every grant ends here."""

from __future__ import annotations

from flask import Response

from sso_server.core.acr import acr_of
from sso_server.core.claims import asked_for
from sso_server.core.claims_request import parse
from sso_server.core.clients import Client
from sso_server.core.details import GrantDetails
from sso_server.core.records import record
from sso_server.fronts.oidc.access_token import sign_access_token
from sso_server.fronts.oidc.id_token import sign_id_token
from sso_server.web.responses import json_answer
from sso_server.web.services import Services, services


@record
class Granted:
    """What a grant gives. Times in ms."""

    client: Client
    user_id: str
    """Empty: the client speaks for itself."""
    scope: tuple[str, ...]
    now: int
    access_token: str
    """Empty if it is a JWT, which is signed here."""
    jti: str
    access_expires_at: int
    audience: tuple[str, ...]
    """Clients for whose APIs the access token is."""
    resources: tuple[str, ...] = ()
    """What its `aud` names instead of clients (RFC 8707); empty: its clients."""
    token_sid: str = ""
    """The session under which the store has noted a JWT; empty: none."""
    auth_time: int = 0
    amr: tuple[str, ...] = ()
    details: GrantDetails = GrantDetails()
    jkt: str = ""
    """Thumbprint of the key to which the access token is bound; empty: a bearer token."""
    actor: str = ""
    """The client that acts for the person, and those before it (`details.TokenDetails`)."""
    refresh_token: str = ""
    has_id_token: bool = True
    id_sid: str = ""
    """Named in the ID token while the session lives. An offline grant outlives it; then none is named, or a site would
    bring a session back that is over."""
    nonce: str = ""
    session_expires_in: int | None = None
    """Seconds; None: there is no session (any more)."""


def token_answer(granted: Granted, **more: object) -> Response:
    """200 with the tokens; `more`: members that only this grant has."""
    return json_answer(_members(granted) | more)


def _members(g: Granted) -> dict[str, object]:
    here = services()
    access_token = g.access_token or sign_access_token(
        here.signer,
        here.people,
        g.client,
        here.policy,
        audience=g.audience,
        resources=g.resources,
        jti=g.jti,
        sub=here.subjects.of(g.client, g.user_id),
        user_id=g.user_id,
        sid=g.token_sid,
        scope=g.scope,
        auth_time=g.auth_time,
        amr=g.amr,
        acr=_acr(g),
        jkt=g.jkt,
        actor=g.actor,
        now=g.now,
        expires_at=g.access_expires_at,
    )
    members: dict[str, object] = {
        "access_token": access_token,
        "token_type": "DPoP" if g.jkt else "Bearer",
        "expires_in": (g.access_expires_at - g.now) // 1000,
    }
    if g.scope:
        # RFC 6749 section 3.3: it names at least one, or isn't there.
        members["scope"] = " ".join(g.scope)
    if g.has_id_token:
        members["id_token"] = _id_token(g, access_token, here)
    if g.refresh_token:
        members["refresh_token"] = g.refresh_token
    if g.session_expires_in is not None:
        members |= {
            "session_expires_in": g.session_expires_in,
            "lease_s": g.client.lease_s,
            "auth_time_ms": g.auth_time,
        }
    return members


def _id_token(g: Granted, access_token: str, here: Services) -> str:
    # Checked when it was asked for; the person is looked up only for sites that want claims here.
    wanted = parse(g.details.claims).id_token
    user = here.people.find(g.user_id) if wanted else None
    return sign_id_token(
        here.signer,
        g.client,
        here.policy,
        sub=here.subjects.of(g.client, g.user_id),
        sid=g.id_sid,
        auth_time=g.auth_time,
        amr=g.amr,
        acr=_acr(g),
        nonce=g.nonce,
        access_token=access_token,
        now=g.now,
        more=asked_for(user, g.client, wanted) if user is not None else None,
    )


def _acr(g: Granted) -> str:
    """What the sign-in was told to have met, else what it meets anyway; empty without a person."""
    return g.details.acr or acr_of(g.amr)
