"""What a client may say of itself beyond its addresses: the metadata of OpenID Connect Registration and of RFC 7591.

One record, kept as one JSON text: names are the standards' own. What may be registered is `clients.check_client`'s to
say; who obeys a member is named beside it.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

from sso_server.core.records import record

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"
CLIENT_CREDENTIALS = "client_credentials"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_TYPES = (AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, DEVICE_CODE, TOKEN_EXCHANGE)

SECRET_BASIC, SECRET_POST, PRIVATE_KEY_JWT, NO_AUTHENTICATION = (
    "client_secret_basic", "client_secret_post", "private_key_jwt", "none",
)  # fmt: skip
AUTH_METHODS = (SECRET_BASIC, SECRET_POST, PRIVATE_KEY_JWT, NO_AUTHENTICATION)
#: Security profiles that a client may be held to; the empty one is OAuth 2.0 with its best current practice.
FAPI2 = "fapi2"
PROFILES = ("", FAPI2)
SUBJECT_TYPES = ("public", "pairwise")
WEB, NATIVE = "web", "native"
APPLICATION_TYPES = (WEB, NATIVE)
#: How our own tokens may be signed.
SIGNING_ALGORITHMS = ("RS256", "ES256", "EdDSA")
#: How a client may sign assertions and request objects. Never HS256: of its secret only a digest is kept.
CLIENT_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
#: Those that the FAPI 2.0 Security Profile knows (section 5.4).
FAPI2_ALGORITHMS = ("PS256", "ES256", "EdDSA")
#: Addresses that people may follow from our pages, and the members that may stand there in several languages.
HUMAN_URIS = ("client_uri", "logo_uri", "policy_uri", "tos_uri")
LOCALIZED = ("client_name", *HUMAN_URIS)

# RFC 6749 section 3.3; a dot, colon or slash tells it from our own, so that a slip of the pen is still found.
_API_SCOPE = re.compile(r"(?=[^.:/]*[.:/])[\x21\x23-\x5B\x5D-\x7E]{1,100}")


def is_api_scope(scope: str) -> bool:
    """Whether it may be a scope of an API, such as `stock.read`: what it opens, the API says."""
    return _API_SCOPE.fullmatch(scope) is not None


@record
class ClientMetadata:
    """Everything optional. Empty means: not said, so the standard's default holds."""

    third_party: bool = False
    """People are asked before it learns anything of them, and may take that back."""
    require_pkce: bool = True
    """A confidential client may be allowed to go without; a public one never."""
    profile: str = ""
    """`fapi2`: held to the FAPI 2.0 Security Profile."""

    grant_types: tuple[str, ...] = (AUTHORIZATION_CODE,)
    """Without `refresh_token`: that is `Client.refresh_tokens`."""
    token_endpoint_auth_method: str = ""
    """Empty: Basic or the form, whichever it sends, with its secret; a public client: `none`."""
    token_endpoint_auth_signing_alg: str = ""
    jwks: str = ""
    """Its public keys, the JSON text of a JWK Set; never beside `jwks_uri`."""
    jwks_uri: str = ""
    request_object_signing_alg: str = ""
    require_signed_request_object: bool = False
    require_pushed_authorization_requests: bool = False
    dpop_bound_access_tokens: bool = False

    subject_type: str = "public"
    sector_identifier_uri: str = ""
    userinfo_signed_response_alg: str = ""
    """Empty: plain JSON."""
    default_max_age: int | None = None
    """Seconds."""
    require_auth_time: bool = False
    default_acr_values: tuple[str, ...] = ()

    backchannel_logout_session_required: bool = False
    frontchannel_logout_uri: str = ""
    frontchannel_logout_session_required: bool = False
    initiate_login_uri: str = ""
    application_type: str = WEB

    client_uri: str = ""
    logo_uri: str = ""
    policy_uri: str = ""
    tos_uri: str = ""
    contacts: tuple[str, ...] = ()
    localized: tuple[tuple[str, str], ...] = ()
    """Pairs such as (`client_name#zh-CN`, text): human-readable members in other languages (RFC 7591 section 2.2)."""
    software_id: str = ""
    software_version: str = ""

    resources: tuple[str, ...] = ()
    """Absolute URIs that stand for its own API in `resource` (RFC 8707)."""
    exchange_audience: tuple[str, ...] = ()
    """Ids of the clients for whose APIs it may exchange a token that came to it (RFC 8693)."""

    registration_token_hash: str = ""
    """Of the token by which a client that registered itself is managed (RFC 7592); empty: an operator registered it."""
    registered_with: str = ""
    """Name of the initial access token by which it registered itself; empty for an open registration, too."""
    allowed_scopes: tuple[str, ...] = ()
    """What a client that registered itself may take when it changes its own registration."""
    allowed_grants: tuple[str, ...] = ()

    def to_json(self) -> str:
        """What isn't the default, as one text."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ClientMetadata:
        """The opposite. Members that a newer version wrote are left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: _tuples(value) for name, value in json.loads(text).items() if name in known})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value
