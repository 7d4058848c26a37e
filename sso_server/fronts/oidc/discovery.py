"""The discovery document (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2), one under both names."""

from __future__ import annotations

from flask import Blueprint, Response, request

from sso_server.core import dpop
from sso_server.core.acr import ACR_VALUES
from sso_server.core.claims import CLAIMS, SCOPES
from sso_server.core.client_metadata import (
    CLIENT_ALGORITHMS,
    GRANT_TYPES,
    NO_AUTHENTICATION,
    PRIVATE_KEY_JWT,
    SECRET_BASIC,
    SECRET_POST,
    SUBJECT_TYPES,
)
from sso_server.core.clients import ALGORITHMS
from sso_server.core.registrations import OFF
from sso_server.fronts.oidc import request_object
from sso_server.fronts.oidc.authorize_request import DISPLAYS, PROMPTS, RESPONSE_MODES
from sso_server.fronts.oidc.public_metadata import public_answer
from sso_server.web.json_errors import install_json_errors
from sso_server.web.services import Site, services

blueprint = Blueprint("oidc_discovery", __name__)
install_json_errors(blueprint)
_CLAIMS = ("iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "acr", "amr", "at_hash", *CLAIMS)


@blueprint.get("/.well-known/openid-configuration")
@blueprint.get("/.well-known/oauth-authorization-server")
def discovery() -> Response:
    """Where everything is and what is understood."""
    policy = services().policy
    always = document(policy.issuer, require_pushed_requests=policy.require_pushed_requests)
    return public_answer(request, always | _optional(services().site))


def document(issuer: str, *, require_pushed_requests: bool = False) -> dict[str, object]:
    """The document of this issuer (without a trailing slash)."""
    proving = [SECRET_BASIC, SECRET_POST, PRIVATE_KEY_JWT]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "device_authorization_endpoint": f"{issuer}/device-authorization",
        "end_session_endpoint": f"{issuer}/end-session",
        "jwks_uri": f"{issuer}/jwks.json",
        # Ours: its presence tells the SDK that leases hold here.
        "check_in_endpoint": f"{issuer}/check-in",
        # Ours, too: where a site without the SDK asks for its sign-outs (RFC 8936, whose metadata belong to SSF).
        "poll_endpoint": f"{issuer}/poll",
        # Ours: where the SDK's doctor compares a site's settings with its registration, and has the site called.
        "client_test_endpoint": f"{issuer}/client-test",
        # Ours: where the SDK finds the CAS protocol, which has no discovery of its own.
        "cas_server_url": f"{issuer}/cas",
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": list(SUBJECT_TYPES),
        "scopes_supported": list(SCOPES),
        "claims_supported": list(_CLAIMS),
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "acr_values_supported": list(ACR_VALUES),
        "userinfo_signing_alg_values_supported": list(ALGORITHMS),
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "token_endpoint_auth_methods_supported": [*proving, NO_AUTHENTICATION],
        "token_endpoint_auth_signing_alg_values_supported": list(CLIENT_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": [*proving, NO_AUTHENTICATION],
        "revocation_endpoint_auth_signing_alg_values_supported": list(CLIENT_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": proving,
        "introspection_endpoint_auth_signing_alg_values_supported": list(CLIENT_ALGORITHMS),
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": list(PROMPTS),
        "display_values_supported": list(DISPLAYS),
        "request_parameter_supported": True,
        # By reference only what was pushed here (RFC 9126 section 5).
        "request_uri_parameter_supported": False,
        "request_object_signing_alg_values_supported": list(request_object.ALGORITHMS),
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "require_pushed_authorization_requests": require_pushed_requests,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "ui_locales_supported": ["en", "zh-CN"],
    }


def _optional(site: Site) -> dict[str, object]:
    """What operators switch on or off: unnamed, it isn't there (Front-Channel Logout 1.0 section 3)."""
    members: dict[str, object] = {}
    if services().registrations.mode != OFF:
        members |= {"registration_endpoint": f"{services().policy.issuer}/register"}
    if site.frontchannel_logout:
        members |= {"frontchannel_logout_supported": True, "frontchannel_logout_session_supported": True}
    if site.session_management:
        members |= {"check_session_iframe": f"{services().policy.issuer}/check-session"}
    return members
