"""GET and POST /userinfo: the person's claims for an access token (OpenID Connect Core 1.0 section 5.3)."""

from __future__ import annotations

from flask import Blueprint, Response

from sso_server.core.claims import asked_for, claims_for
from sso_server.core.claims_request import parse
from sso_server.core.clients import Client
from sso_server.core.details import GrantDetails
from sso_server.core.errors import InsufficientScope, InvalidToken
from sso_server.core.tokens import FoundToken
from sso_server.core.users import User
from sso_server.web.cors import install_cors
from sso_server.web.edge import this_request
from sso_server.web.json_errors import install_json_errors
from sso_server.web.presented_token import install_challenges, read_token
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("oidc_userinfo", __name__)
install_json_errors(blueprint)
install_challenges(blueprint)
install_cors(blueprint)
#: Of a signed answer (section 5.3.2).
SIGNED = "application/jwt"


@blueprint.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """Who the token speaks for."""
    found = read_token(this_request())
    if "openid" not in found.scope:
        # RFC 6750 section 3.1. It speaks for no sign-in: a client's own token, or one that was narrowed.
        raise InsufficientScope("The access token was not issued for openid.")
    here, grant = services(), found.grant
    user, client = here.people.find(grant.user_id), here.clients.find(grant.client_id)
    if user is None or user.disabled_at is not None or client is None:
        raise InvalidToken("The account is gone or disabled.")
    return _in_form(client, {"sub": here.subjects.of(client, user.user_id)} | _told(found, client, user))


def _told(found: FoundToken, client: Client, user: User) -> dict[str, object]:
    """What the token's scope opens, and what the sign-in's request asked for one by one; that, too, belongs to the
    whole grant, and not to a token that was narrowed."""
    whole = set(found.scope) == set(found.grant.scope)
    wanted = parse(GrantDetails.from_text(found.grant.details).claims).userinfo if whole else {}
    return claims_for(user, found.scope) | asked_for(user, client, wanted)


def _in_form(client: Client, claims: dict[str, object]) -> Response:
    """JSON, or signed if the client registered for that (section 5.3.2)."""
    alg = client.metadata.userinfo_signed_response_alg
    if not alg:
        return json_answer(claims)
    # Without `exp`: that, and no more, tells it from an ID token, whose type consumers expect here, too.
    members = claims | {"iss": services().policy.issuer, "aud": client.client_id}
    return Response(services().signer.sign(members, alg=alg, typ="JWT"), mimetype=SIGNED)
