"""POST /introspect (RFC 7662): a confidential client asks about a token of its own, or an access token for its API.

Any other is just not active.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from sso_server.core.acr import acr_of
from sso_server.core.claims import claims_for
from sso_server.core.details import GrantDetails
from sso_server.core.errors import InvalidClient, InvalidRequest
from sso_server.core.identifiers import ACCESS_TOKEN
from sso_server.core.resources import audience_names
from sso_server.core.tokens import FoundToken
from sso_server.core.users import User
from sso_server.web.client_auth import read_client_form
from sso_server.web.json_errors import install_json_errors
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("oidc_introspect", __name__)
install_json_errors(blueprint)


@blueprint.post("/introspect")
def introspect() -> Response:
    """Active and what it stands for, or `{"active": false}` and nothing else."""
    client, form = read_client_form(request)
    if client.public:
        # Section 4: whoever can't prove who it is could try tokens out here.
        raise InvalidClient("Client authentication failed.", detail="a public client asked for introspection")
    if "token" not in form:
        raise InvalidRequest("token is missing.")
    found = services().tokens.find(form["token"])
    # Section 2.2: a token that wasn't meant for the caller must not be told apart from one that never was.
    if found is None or not found.is_for(client):
        return json_answer({"active": False})
    user = services().users.find(found.grant.user_id)
    # As at userinfo: an account that is disabled is so at once, before its sessions and grants have ended one by one.
    if user is None or user.disabled_at is not None:
        return json_answer({"active": False})
    return json_answer(_described(found, user))


def _described(found: FoundToken, user: User) -> dict[str, object]:
    """No more than the scope opens, whoever of the two asks: an API is not told who it is if the site wasn't."""
    grant, claims = found.grant, claims_for(user, found.grant.scope)
    described: dict[str, object] = {
        "active": True,
        "iss": services().policy.issuer,
        "sub": _subject(found),
        "aud": grant.client_id,
        "client_id": grant.client_id,
        "scope": " ".join(grant.scope),
        "iat": found.issued_at // 1000,
        "exp": found.expires_at // 1000,
        "auth_time": grant.auth_time // 1000,
        "amr": list(grant.amr),
    }
    if found.kind == ACCESS_TOKEN:
        described |= {"aud": _audience(found), "token_type": "Bearer"}
    acr = GrantDetails.from_text(grant.details).acr or acr_of(grant.amr)  # RFC 9470 section 6.2
    described |= {name: value for name, value in (("sid", found.sid), ("jti", found.jti), ("acr", acr)) if value}
    if "preferred_username" in claims:
        described["username"] = claims["preferred_username"]
    return described | ({"groups": claims["groups"]} if "groups" in claims else {})


def _audience(found: FoundToken) -> list[str]:
    return audience_names(services().policy.issuer, found.audience, found.details.resources, found.scope)


def _subject(found: FoundToken) -> str:
    """As the token's own client knows the person, whoever asks: an API compares it with what that client tells it."""
    client = services().clients.find(found.grant.client_id)
    return services().subjects.of(client, found.grant.user_id) if client else ""
