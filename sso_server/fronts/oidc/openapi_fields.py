"""What the rows of `openapi_operations` are made of: the row itself, and fields of forms, bodies and queries as JSON
Schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from sso_server.core.records import record

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@record
class Operation:
    """A method of an endpoint. `fields` are the form's or the JSON body's members, without a body the query's."""

    name: str
    method: str
    path: str
    summary: str
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    body: str = ""
    answers: tuple[int, ...] = (200, 400)
    answer_type: tuple[str, ...] = (JSON,)
    security: tuple[str, ...] = ()
    """Names of schemes, any of which will do; the empty one: none is needed (a secret in the form, a public client)."""
    in_path: tuple[str, ...] = ()
    json_errors: bool = True
    by_key: bool = False
    """A DPoP proof may come with it (RFC 9449)."""


TEXT: Mapping[str, Any] = {"type": "string"}
URI: Mapping[str, Any] = {"type": "string", "format": "uri"}
FLAG: Mapping[str, Any] = {"type": "boolean"}
NUMBER: Mapping[str, Any] = {"type": "integer", "minimum": 0}
TEXTS: Mapping[str, Any] = {"type": "array", "items": TEXT}


def one_of(*values: str) -> Mapping[str, Any]:
    return {"type": "string", "enum": list(values)}


AUTHENTICATION: Mapping[str, Mapping[str, Any]] = {
    "client_id": TEXT,
    "client_secret": TEXT,
    "client_assertion_type": one_of("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
    "client_assertion": TEXT,
}
AUTHORIZATION: Mapping[str, Mapping[str, Any]] = {
    "client_id": TEXT,
    "redirect_uri": URI,
    "response_type": one_of("code"),
    "response_mode": one_of("query", "form_post"),
    "scope": TEXT,
    "state": TEXT,
    "nonce": TEXT,
    "code_challenge": TEXT,
    "code_challenge_method": one_of("S256"),
    "prompt": TEXT,
    "max_age": NUMBER,
    "id_token_hint": TEXT,
    "login_hint": TEXT,
    "ui_locales": TEXT,
    "claims_locales": TEXT,
    "acr_values": TEXT,
    "display": one_of("page", "popup", "touch", "wap"),
    "claims": TEXT,
    "resource": URI,
    "request": TEXT,
    "dpop_jkt": TEXT,
}
PUSHED = {"request_uri": {"type": "string", "pattern": "^urn:ietf:params:oauth:request_uri:"}}
END_SESSION: Mapping[str, Mapping[str, Any]] = {
    "id_token_hint": TEXT,
    "client_id": TEXT,
    "post_logout_redirect_uri": URI,
    "state": TEXT,
    "logout_hint": TEXT,
    "ui_locales": TEXT,
}
TOKEN: Mapping[str, Mapping[str, Any]] = {
    "grant_type": one_of(
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ),
    "code": TEXT,
    "redirect_uri": URI,
    "code_verifier": TEXT,
    "store_id": TEXT,
    "refresh_token": TEXT,
    "scope": TEXT,
    "device_code": TEXT,
    "resource": URI,
    "audience": TEXT,
    "subject_token": TEXT,
    "subject_token_type": TEXT,
    "actor_token": TEXT,
    "actor_token_type": TEXT,
    "requested_token_type": TEXT,
}
METADATA: Mapping[str, Mapping[str, Any]] = {
    "redirect_uris": TEXTS,
    "client_name": TEXT,
    "grant_types": TEXTS,
    "response_types": TEXTS,
    "token_endpoint_auth_method": TEXT,
    "jwks": {"type": "object"},
    "jwks_uri": URI,
    "scope": TEXT,
    "subject_type": one_of("public", "pairwise"),
    "sector_identifier_uri": URI,
    "id_token_signed_response_alg": TEXT,
    "userinfo_signed_response_alg": TEXT,
    "post_logout_redirect_uris": TEXTS,
    "backchannel_logout_uri": URI,
    "logo_uri": URI,
    "policy_uri": URI,
    "tos_uri": URI,
    "contacts": TEXTS,
    "application_type": one_of("web", "native"),
    "client_uri": URI,
    "initiate_login_uri": URI,
    "token_endpoint_auth_signing_alg": TEXT,
    "request_object_signing_alg": TEXT,
    "require_signed_request_object": FLAG,
    "require_pushed_authorization_requests": FLAG,
    "dpop_bound_access_tokens": FLAG,
    "require_pkce": FLAG,
    "require_auth_time": FLAG,
    "default_max_age": NUMBER,
    "default_acr_values": TEXTS,
    "backchannel_logout_session_required": FLAG,
    "frontchannel_logout_uri": URI,
    "frontchannel_logout_session_required": FLAG,
    "software_id": TEXT,
    "software_version": TEXT,
}
HINTED = {"token": TEXT, "token_type_hint": one_of("access_token", "refresh_token")}
CHECK_IN: Mapping[str, Mapping[str, Any]] = {
    "store": TEXT,
    "mark": {"type": ["string", "null"]},
    "acks": TEXTS,
    "ended": TEXTS,
    "active": TEXTS,
    "sids": TEXTS,
    "denied_from": {"type": ["integer", "null"]},
}
POLL: Mapping[str, Mapping[str, Any]] = {
    "maxEvents": NUMBER,
    "returnImmediately": {"type": "boolean"},
    "ack": TEXTS,
    "setErrs": {"type": "object"},
}
SERVICE: Mapping[str, Mapping[str, Any]] = {"service": URI, "ticket": TEXT, "renew": TEXT, "format": TEXT}
