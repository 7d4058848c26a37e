"""POST /introspect (RFC 7662): a confidential client asks about a token of its own, or an access token for its API.

Any other is just not active.
"""

from __future__ import annotations

from flask import Blueprint, Response

from sso_server.core.acr import acr_of
from sso_server.core.claims import claims_for
from sso_server.core.clients import Client
from sso_server.core.details import GrantDetails, act_claim
from sso_server.core.errors import InvalidClient, InvalidRequest
from sso_server.core.identifiers import ACCESS_TOKEN
from sso_server.core.resources import audience_names
from sso_server.core.tokens import FoundToken
from sso_server.core.users import User
from sso_server.web.client_auth import read_client_form
from sso_server.web.edge import this_request
from sso_server.web.json_errors import install_json_errors
from sso_server.web.responses import json_answer
from sso_server.web.services import Services, services

blueprint = Blueprint("oidc_introspect", __name__)
install_json_errors(blueprint)


@blueprint.post("/introspect")
def introspect() -> Response:
    """Active and what it stands for, or `{"active": false}` and nothing else."""
    client, form = read_client_form(this_request())
    if client.public:
        # Section 4: whoever can't prove who it is could try tokens out here.
        raise InvalidClient("Client authentication failed.", detail="a public client asked for introspection")
    if "token" not in form:
        raise InvalidRequest("token is missing.")
    # `token_type_hint` needs no reading: the kind stands in the token's prefix.
    here = services()
    found = here.tokens.find(form["token"])
    # Section 2.2: a token that wasn't meant for the caller must not be told apart from one that never was.
    if found is None or not found.is_for(client):
        return json_answer({"active": False})
    owner = here.clients.find(found.grant.client_id)
    user = here.people.find(found.grant.user_id) if found.grant.user_id else None
    # Within a second, before the sessions and grants have ended one by one: of a client that is gone (or has come anew
    # under the same id), and, as at userinfo, of an account that is disabled.
    is_orphan = owner is None or not found.is_for(owner)
    if is_orphan or owner is None or (found.grant.user_id and (user is None or user.disabled_at is not None)):
        return json_answer({"active": False})
    return json_answer(_described(found, owner, user, here))


def _described(found: FoundToken, owner: Client, user: User | None, here: Services) -> dict[str, object]:
    """No more than the scope opens, whoever of the two asks: an API is not told who it is if the site wasn't."""
    described: dict[str, object] = {
        "active": True,
        "iss": here.policy.issuer,
        # As the token's own client knows the person, whoever asks: an API compares it with what that client tells it.
        "sub": here.subjects.of(owner, found.grant.user_id),
        "aud": owner.client_id,
        "client_id": owner.client_id,
        "iat": found.issued_at // 1000,
        "exp": found.expires_at // 1000,
    }
    if found.kind == ACCESS_TOKEN:
        described["aud"] = audience_names(here.policy.issuer, found.audience, found.details.resources, found.scope)
        # RFC 9449 section 6.2: a key must prove itself beside it.
        described["token_type"] = "DPoP" if found.details.jkt else "Bearer"
        described |= {"cnf": {"jkt": found.details.jkt}} if found.details.jkt else {}
        described |= {"act": act_claim(found.details.actor)} if found.details.actor else {}
    said = (("scope", " ".join(found.scope)), ("sid", found.sid), ("jti", found.jti))
    return described | {name: value for name, value in said if value} | (_of_person(found, user) if user else {})


def _of_person(found: FoundToken, user: User) -> dict[str, object]:
    grant, claims = found.grant, claims_for(user, found.scope)
    told: dict[str, object] = {"auth_time": grant.auth_time // 1000, "amr": list(grant.amr)}
    if acr := GrantDetails.from_text(grant.details).acr or acr_of(grant.amr):  # RFC 9470 section 6.2
        told["acr"] = acr
    if "preferred_username" in claims:
        told["username"] = claims["preferred_username"]
    return told | ({"groups": claims["groups"]} if "groups" in claims else {})
