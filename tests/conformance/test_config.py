"""The Config plan: the discovery document is whole, true to its own address, and what it names is there."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import requests

from tests.conformance import answers
from tests.conformance.relying_party import RelyingParty
from tests.conformance.test_userinfo import OPENED

URL = {"type": "string", "format": "uri", "pattern": "^https?://[^?#]+$"}
WORDS = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": True}
FLAG = {"type": "boolean"}
#: OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2, and the profiles' own members.
ADDRESSES = (
    "issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "registration_endpoint",
    "introspection_endpoint", "revocation_endpoint", "end_session_endpoint", "device_authorization_endpoint",
    "pushed_authorization_request_endpoint", "check_session_iframe", "service_documentation", "op_policy_uri",
    "op_tos_uri",
)  # fmt: skip
LISTS = (
    "scopes_supported", "response_types_supported", "response_modes_supported", "grant_types_supported",
    "acr_values_supported", "subject_types_supported", "id_token_signing_alg_values_supported",
    "userinfo_signing_alg_values_supported", "request_object_signing_alg_values_supported", "display_values_supported",
    "token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint_auth_methods_supported", "revocation_endpoint_auth_signing_alg_values_supported",
    "claim_types_supported", "claims_supported", "claims_locales_supported", "ui_locales_supported",
    "code_challenge_methods_supported", "dpop_signing_alg_values_supported", "prompt_values_supported",
    "authorization_details_types_supported",
)  # fmt: skip
FLAGS = (
    "claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported",
    "require_request_uri_registration", "authorization_response_iss_parameter_supported",
    "require_pushed_authorization_requests", "require_signed_request_object", "backchannel_logout_supported",
    "backchannel_logout_session_supported", "frontchannel_logout_supported", "frontchannel_logout_session_supported",
    "tls_client_certificate_bound_access_tokens",
)  # fmt: skip
#: No standard's: what our SDK looks for.
OURS = {"check_in_endpoint", "poll_endpoint", "client_test_endpoint", "cas_server_url"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        **dict.fromkeys(ADDRESSES, URL),
        **dict.fromkeys(LISTS, WORDS),
        **dict.fromkeys(FLAGS, FLAG),
        **dict.fromkeys(OURS, URL),
    },
    "required": [
        "issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "scopes_supported",
        "response_types_supported", "grant_types_supported", "subject_types_supported", "claims_supported",
        "id_token_signing_alg_values_supported", "code_challenge_methods_supported",
    ],
    "additionalProperties": False,
}  # fmt: skip
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")


@pytest.mark.covers("oidcc-discovery-endpoint-verification", "line-82", "line-29")
def test_oidcc_discovery_endpoint_verification(party: RelyingParty) -> None:
    answer = requests.get(f"{party.issuer}/.well-known/openid-configuration", timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    document = answer.json()
    jsonschema.validate(document, SCHEMA)
    assert document["issuer"] == party.issuer
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert "none" not in document["id_token_signing_alg_values_supported"]
    assert "openid" in document["scopes_supported"]
    assert all(_SCOPE.fullmatch(scope) for scope in document["scopes_supported"])
    assert all(_LANGUAGE.fullmatch(tag) for tag in document["ui_locales_supported"])
    # The grants of what the response types bring: with `code` alone there is no implicit one.
    assert document["response_types_supported"] == ["code"]
    assert "authorization_code" in document["grant_types_supported"]
    assert not {"implicit", "password"} & set(document["grant_types_supported"])
    assert document["code_challenge_methods_supported"] == ["S256"]
    answers.keys(requests.get(document["jwks_uri"], timeout=10))


@pytest.mark.covers("oidcc-discovery-endpoint-verification")
def test_every_address_that_it_names_is_below_the_issuer_and_served(party: RelyingParty) -> None:
    addresses = {name: party.metadata[name] for name in (*ADDRESSES, *OURS) if name in party.metadata}
    assert [url for url in addresses.values() if not url.startswith(party.issuer)] == []
    del addresses["issuer"]
    served = {name: requests.get(url, timeout=10, allow_redirects=False).status_code for name, url in addresses.items()}
    # Of `cas_server_url` only what is below it is served.
    assert [name for name, status in served.items() if status == 404] in ([], ["cas_server_url"])
    assert [name for name, status in served.items() if status >= 500] == []


@pytest.mark.covers("line-49")
def test_the_document_of_oauth_says_the_same(party: RelyingParty) -> None:
    answer = requests.get(f"{party.issuer}/.well-known/oauth-authorization-server", timeout=10)
    assert answer.json() == party.metadata


@pytest.mark.covers("oidcc-discovery-endpoint-verification")
def test_every_claim_that_a_scope_opens_is_listed(party: RelyingParty) -> None:
    assert {"sub", "iss", "aud", "exp", "iat", "auth_time"} <= set(party.metadata["claims_supported"])
    assert {claim for opened in OPENED.values() for claim in opened} <= set(party.metadata["claims_supported"])
    assert urlsplit(party.metadata["jwks_uri"]).netloc == urlsplit(party.issuer).netloc
