"""The JSON of client registration (RFC 7591 section 2, OpenID Connect Registration 1.0 section 2) and the client that
it asks for, both ways. What may be registered at all is `clients.check_client`'s to say; members that nobody here knows
are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from sso_server.core.claims import granted_scope
from sso_server.core.client_metadata import (
    AUTHORIZATION_CODE,
    HUMAN_URIS,
    LOCALIZED,
    NO_AUTHENTICATION,
    REFRESH_TOKEN,
    SECRET_BASIC,
    WEB,
)
from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest
from sso_server.core.uris import check_uri, is_loopback_host

METADATA, REDIRECT_URI = "invalid_client_metadata", "invalid_redirect_uri"
_TEXTS = (
    *HUMAN_URIS,
    "initiate_login_uri",
    "jwks_uri",
    "sector_identifier_uri",
    "frontchannel_logout_uri",
    "token_endpoint_auth_signing_alg",
    "request_object_signing_alg",
    "userinfo_signed_response_alg",
    "software_id",
    "software_version",
)
_FLAGS = (
    "require_signed_request_object",
    "require_pushed_authorization_requests",
    "dpop_bound_access_tokens",
    "require_auth_time",
    "backchannel_logout_session_required",
    "frontchannel_logout_session_required",
)
_MAX_JWKS = 8192
_LISTS = ("contacts", "default_acr_values")
_FRONTCHANNEL = ("frontchannel_logout_uri", "frontchannel_logout_session_required")
# Whoever asks for one of these relies on it: to leave it out in silence would send in the clear what was to be
# encrypted.
_ENCRYPTION = ("_encrypted_response_alg", "_encrypted_response_enc", "_object_encryption_alg", "_object_encryption_enc")


def read(members: Mapping[str, Any], start: Client, *, frontchannel: bool) -> Client:
    """`start` with what the members say, and the standards' defaults for what they don't; not yet checked.

    What isn't in these standards stays as it is: an operator may have changed it. `frontchannel`: that is offered here.
    Raises InvalidRequest with a code of RFC 7591 section 3.2.2.
    """
    said = {name: value for name, value in members.items() if value is not None}
    if not frontchannel:
        said = {name: value for name, value in said.items() if name not in _FRONTCHANNEL}
    if "software_statement" in said:
        raise InvalidRequest("Nobody's software statements are known here.", code="unapproved_software_statement")
    if encrypted := [name for name in said if name.endswith(_ENCRYPTION)]:
        raise InvalidRequest(f"{encrypted[0]}: nothing is encrypted here but the connection.", code=METADATA)
    grants = _texts(said, "grant_types", (AUTHORIZATION_CODE,))
    allowed = (*start.metadata.allowed_grants, *_grants_of(start))
    if unknown := [grant for grant in grants if grant not in allowed]:
        raise InvalidRequest(f"grant_type {unknown[0]!r} can't be registered here.", code=METADATA)
    responses = _texts(said, "response_types", ("code",))
    if responses not in (("code",), ()) or (not responses and AUTHORIZATION_CODE in grants):
        raise InvalidRequest("Only the response type code can be registered here.", code=METADATA)
    method = _text(said, "token_endpoint_auth_method", SECRET_BASIC)
    public = method == NO_AUTHENTICATION
    refresh = REFRESH_TOKEN in grants
    more: dict[str, Any] = {name: _text(said, name) for name in _TEXTS}
    more |= {name: _flag(said, name) for name in _FLAGS}
    more |= {name: _texts(said, name) for name in _LISTS}
    metadata = replace(
        start.metadata,
        grant_types=tuple(grant for grant in grants if grant != REFRESH_TOKEN),
        token_endpoint_auth_method=method,
        jwks=_jwks(said),
        # Foreign software that registers itself may not know PKCE; a public client must.
        require_pkce=public or _flag(said, "require_pkce", start.metadata.require_pkce),
        subject_type=_text(said, "subject_type", "public"),
        application_type=_text(said, "application_type", WEB),
        default_max_age=_seconds(said, "default_max_age"),
        localized=_localized(said),
        **more,
    )
    return replace(
        start,
        name=_text(said, "client_name", start.client_id),
        public=public,
        redirect_uris=_texts(said, "redirect_uris", code=REDIRECT_URI),
        post_logout_redirect_uris=_texts(said, "post_logout_redirect_uris"),
        backchannel_logout_uri=_backchannel(said),
        id_token_alg=_text(said, "id_token_signed_response_alg", "RS256"),
        refresh_tokens=refresh,
        scopes=_scopes(said, start, refresh),
        metadata=metadata,
    )


def written(client: Client) -> dict[str, Any]:
    """What is registered, as the standards write it (RFC 7591 section 3.2.1): all of it, defaults too."""
    said = client.metadata
    members: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": client.created_at // 1000,
        "client_name": client.name,
        "application_type": said.application_type,
        "redirect_uris": list(client.redirect_uris),
        "response_types": ["code"] if AUTHORIZATION_CODE in said.grant_types else [],
        "grant_types": list(_grants_of(client)),
        "token_endpoint_auth_method": said.token_endpoint_auth_method
        or (NO_AUTHENTICATION if client.public else SECRET_BASIC),
        "scope": " ".join(client.scopes),
        "id_token_signed_response_alg": client.id_token_alg,
        "subject_type": said.subject_type,
        "require_pkce": said.require_pkce,
    }
    if client.takes_secret:
        # It works until it is rotated.
        members["client_secret_expires_at"] = 0
    more: dict[str, Any] = {
        "post_logout_redirect_uris": list(client.post_logout_redirect_uris),
        "backchannel_logout_uri": client.backchannel_logout_uri,
        "jwks": json.loads(said.jwks) if said.jwks else None,
        **{name: getattr(said, name) for name in (*_TEXTS, *_FLAGS)},
        **{name: list(getattr(said, name)) for name in _LISTS},
        **dict(said.localized),
    }
    members |= {name: value for name, value in more.items() if value}
    return members | ({} if said.default_max_age is None else {"default_max_age": said.default_max_age})


def _grants_of(client: Client) -> tuple[str, ...]:
    return (*client.metadata.grant_types, *((REFRESH_TOKEN,) if client.refresh_tokens else ()))


def _scopes(said: Mapping[str, Any], start: Client, refresh: bool) -> tuple[str, ...]:
    allowed = tuple(dict.fromkeys((*start.metadata.allowed_scopes, *start.scopes)))
    usual = (*start.scopes, "offline_access") if "offline_access" in start.metadata.allowed_scopes else start.scopes
    scopes = granted_scope(_text(said, "scope", " ".join(usual)), allowed)
    if not scopes:
        raise InvalidRequest(
            f"Of this scope nothing can be registered here, but of: {' '.join(allowed)}.", code=METADATA
        )
    # RFC 7591 section 2: the server may replace what was asked for; the answer says by what.
    return scopes if refresh else tuple(scope for scope in scopes if scope != "offline_access")


def _backchannel(said: Mapping[str, Any]) -> str:
    uri = _text(said, "backchannel_logout_uri")
    if not uri or check_uri(uri, "backchannel_logout_uri").startswith("https://"):
        return uri
    if not is_loopback_host(urlsplit(uri).hostname):
        # OpenID Connect Back-Channel Logout 1.0 section 2.2: http is an operator's exception.
        raise InvalidRequest("backchannel_logout_uri must be https.", code=METADATA)
    return uri


def _localized(said: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    # RFC 7591 section 2.2; whatever else has a # is a member that nobody here knows.
    tagged = [name for name in said if "#" in name and name.partition("#")[0] in LOCALIZED]
    return tuple((name, _text(said, name)) for name in sorted(tagged))


def _jwks(said: Mapping[str, Any]) -> str:
    jwks = said.get("jwks", {})
    if not isinstance(jwks, dict):
        raise InvalidRequest("jwks is not a JSON object.", code=METADATA)
    text = json.dumps(jwks, ensure_ascii=False, separators=(",", ":")) if jwks else ""
    if len(text) > _MAX_JWKS:
        # Every process keeps every client. Who has more keys has an address for them.
        raise InvalidRequest(f"jwks has more than {_MAX_JWKS} characters: give jwks_uri.", code=METADATA)
    return text


def _text(said: Mapping[str, Any], name: str, default: str = "") -> str:
    value = said.get(name, default)
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} is not a string.", code=METADATA)
    return value or default


def _texts(
    said: Mapping[str, Any], name: str, default: tuple[str, ...] = (), *, code: str = METADATA
) -> tuple[str, ...]:
    value = said.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidRequest(f"{name} is not a list of strings.", code=code)
    return tuple(dict.fromkeys(value))


def _flag(said: Mapping[str, Any], name: str, default: bool = False) -> bool:
    value = said.get(name, default)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} is neither true nor false.", code=METADATA)
    return value


def _seconds(said: Mapping[str, Any], name: str) -> int | None:
    value = said.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidRequest(f"{name} is not a whole number of seconds.", code=METADATA)
    return value
