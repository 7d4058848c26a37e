"""npm's openid-client, a certified client, against the centre."""

from __future__ import annotations

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sso_server.core.client_metadata import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    FAPI2,
    PRIVATE_KEY_JWT,
    TOKEN_EXCHANGE,
    ClientMetadata,
)
from tests.conformance.relying_party import Person
from tests.foreign.conftest import Register, public_jwks
from tests.foreign.driver import told
from tests.support.centre import PASSWORD, Centre

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("node_packages")]


def a_key() -> dict[str, str]:
    """A P-256 key as a private JWK."""
    found: dict[str, str] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1())))
    return found | {"kid": "of-the-site", "use": "sig"}


@pytest.mark.parametrize(
    ("client", "site"),
    [
        ({}, {}),
        ({"id_token_alg": "ES256", "metadata": ClientMetadata()}, {"method": "client_secret_post"}),
        ({"id_token_alg": "EdDSA", "access_token": "jwt"}, {}),
        ({"public": True, "metadata": ClientMetadata()}, {}),
        ({}, {"mode": "form_post"}),
    ],
    ids=["basic", "post-es256", "eddsa-jwt", "public", "form_post"],
)
def test_a_site_signs_in_refreshes_asks_revokes_and_signs_out(
    person: Person, register: Register, client: dict[str, object], site: dict[str, str]
) -> None:
    registered = register(**client) | site
    result = told("usual", registered, person)
    assert result["person"] == result["again"]
    assert (result["person"]["sub"], result["person"]["name"]) == (result["sub"], "Alice Liddell")
    assert person.asked == 1
    if registered["method"] != "none":
        assert (result["active"], result["revoked"]) == (True, False)
    assert result["ended"] == f"{registered['post_logout_redirect_uri']}?state=bye"
    assert "error=login_required" in result["silent"]


def test_claims_are_asked_for_one_by_one(person: Person, register: Register) -> None:
    result = told("claims", register(), person)
    assert result["claims"]["email"] == f"{person.username}@example.com"
    assert type(result["claims"]["auth_time"]) is int
    assert result["person"]["name"] == "Alice Liddell"


@pytest.mark.covers("fapi2-security-profile-final-happy-flow")
def test_a_site_of_fapi_2_pushes_proves_its_keys_and_is_bound_to_them(person: Person, register: Register) -> None:
    key = a_key()
    metadata = ClientMetadata(profile=FAPI2, token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks=public_jwks(key))
    site = register(id_token_alg="ES256", metadata=metadata)
    result = told("fapi", site | {"key": key}, person)
    assert result["person"]["name"] == "Alice Liddell"
    assert (result["type"], result["jkt"]) == ("dpop", "string")
    assert result["bare"] == 401


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
@pytest.mark.covers("line-58", "line-62")
def test_a_public_sites_tokens_are_bound_to_its_key(person: Person, register: Register, alg: str) -> None:
    site = register(public=True, metadata=ClientMetadata(dpop_bound_access_tokens=True))
    result = told("dpop", site | {"dpop_alg": alg}, person)
    assert (result["person"]["name"], result["type"]) == ("Alice Liddell", "dpop")
    assert result["stolen"] in ("invalid_grant", "invalid_dpop_proof")


def test_a_request_is_signed(person: Person, register: Register) -> None:
    key = a_key()
    metadata = ClientMetadata(jwks=public_jwks(key), require_signed_request_object=True)
    assert told("jar", register(metadata=metadata) | {"key": key}, person)["sub"]


@pytest.mark.parametrize("method", ["client_secret_basic", PRIVATE_KEY_JWT])
@pytest.mark.covers("line-18", "line-38")
def test_a_program_gets_a_token_for_itself(person: Person, register: Register, method: str) -> None:
    key = a_key()
    metadata = ClientMetadata(grant_types=(CLIENT_CREDENTIALS,))
    if method == PRIVATE_KEY_JWT:
        metadata = ClientMetadata(
            grant_types=(CLIENT_CREDENTIALS,), token_endpoint_auth_method=method, jwks=public_jwks(key)
        )
    site = register(metadata=metadata)
    result = told("credentials", site | {"key": key}, person)
    assert result["found"]["active"] is True
    assert result["found"]["client_id"] == result["found"]["sub"] == site["client_id"]
    assert not {"refresh_token", "id_token"} & set(result["members"])


def approve(person: Person, address: str, code: str) -> None:
    """At the device's address, in a browser that isn't signed in yet."""
    person.open(address)
    person.sign_in(person.username, PASSWORD)
    if 'action="/device"' in person.text:
        person.submit("/device")
    assert code in person.text, (person.url, person.text)
    person.submit("/device/answer", answer="allow")


@pytest.mark.covers("line-64")
def test_a_device_without_a_browser_is_signed_in(person: Person, register: Register) -> None:
    metadata = ClientMetadata(grant_types=(AUTHORIZATION_CODE, DEVICE_CODE))
    result = told("device", register(public=True, metadata=metadata), person, approve)
    assert result["person"]["name"] == "Alice Liddell"
    wanted = {"device_code", "expires_in", "user_code", "verification_uri", "verification_uri_complete"}
    assert wanted <= set(result["asked"])


def test_an_api_exchanges_the_persons_token_for_another_api(person: Person, register: Register) -> None:
    api = register()
    metadata = ClientMetadata(grant_types=(AUTHORIZATION_CODE, TOKEN_EXCHANGE), exchange_audience=(api["client_id"],))
    site = register(metadata=metadata)
    result = told("exchange", site | {"audience": api["client_id"]}, person)
    assert result["type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert "refresh_token" not in result["members"]


@pytest.mark.covers("line-84")
def test_a_site_registers_itself_and_is_consented_to(
    person: Person, register: Register, foreign_centre: Centre
) -> None:
    made = foreign_centre.cli("registration", "add", f"for-{person.username}")
    site = register() | {"initial_access_token": made["token"]}
    result = told("registration", site, person)
    assert result["person"]["sub"] == result["sub"]
    assert result["is"] != site["client_id"]
    assert person.asked == 1
