"""pyoidc (`oic`), a certified client in Python, against the centre."""

from __future__ import annotations

from typing import Any

import pytest
from oic.oic import Client
from oic.oic.message import AuthorizationResponse, RegistrationResponse
from oic.utils.authn.client import CLIENT_AUTHN_METHOD

from sso_server.core.client_metadata import ClientMetadata
from tests.conformance.relying_party import Person
from tests.foreign.conftest import Register
from tests.foreign.driver import visit


def a_site(site: dict[str, Any]) -> Client:
    """It discovers the centre and knows its registration."""
    client = Client(
        client_id=site["client_id"],
        client_authn_method=CLIENT_AUTHN_METHOD,
        config={"code_challenge": {"method": "S256", "length": 64}},
    )
    client.provider_config(site["issuer"])
    said = {name: site[name] for name in ("client_id",)} | {"redirect_uris": [site["redirect_uri"]]}
    said |= {} if site["method"] == "none" else {"client_secret": site["secret"]}
    said["id_token_signed_response_alg"] = site["alg"]
    client.store_registration_info(RegistrationResponse(**said))
    return client


@pytest.mark.parametrize(
    ("mode", "alg", "method"),
    [
        ("query", "RS256", "client_secret_basic"),
        ("form_post", "ES256", "client_secret_post"),
        ("query", "ES256", "none"),
        ("form_post", "RS256", "none"),
    ],
)
def test_a_site_signs_in_refreshes_and_signs_out(
    person: Person, register: Register, mode: str, alg: str, method: str
) -> None:
    public = {"public": True, "metadata": ClientMetadata()} if method == "none" else {}
    site = register(id_token_alg=alg, **public) | {"method": method}
    client = a_site(site)
    challenge, verifier = client.add_code_challenge()
    asked = client.construct_AuthorizationRequest(
        request_args={
            "response_type": "code",
            "response_mode": mode,
            "scope": ["openid", "profile", "email"],
            "redirect_uri": site["redirect_uri"],
            "state": "the-state",
            "nonce": "the-nonce",
            **challenge,
        }
    )
    came = visit(person, asked.request(client.authorization_endpoint))
    text = came["body"] or came["url"].partition("?")[2]
    answer = client.parse_response(AuthorizationResponse, info=text, sformat="urlencoded")
    assert answer["state"] == "the-state"

    call = {"authn_method": "" if method == "none" else method}
    named = {"client_id": site["client_id"]} if method == "none" else {}
    tokens = client.do_access_token_request(
        state="the-state",
        request_args={"code": answer["code"], "redirect_uri": site["redirect_uri"], "code_verifier": verifier} | named,
        **call,
    )
    assert tokens.type() == "AccessTokenResponse", tokens
    assert tokens["id_token"]["nonce"] == "the-nonce"
    person_info = client.do_user_info_request(state="the-state", method="GET")
    assert (person_info["sub"], person_info["name"]) == (tokens["id_token"]["sub"], "Alice Liddell")

    renewed = client.do_access_token_refresh(state="the-state", request_args=named, **call)
    assert renewed["access_token"] != tokens["access_token"]
    assert client.do_user_info_request(state="the-state", method="POST")["sub"] == person_info["sub"]

    bye = client.construct_EndSessionRequest(
        state="the-state",
        request_args={"post_logout_redirect_uri": site["post_logout_redirect_uri"], "state": "bye"},
    )
    out = visit(person, bye.request(client.end_session_endpoint))
    assert out["url"] == f"{site['post_logout_redirect_uri']}?state=bye"
