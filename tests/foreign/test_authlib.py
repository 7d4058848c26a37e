"""Authlib against the centre, as a program uses it; a Flask site of it signs in and out in
tests/journeys/test_authlib_client.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from sso_server.core.client_metadata import ClientMetadata
from tests.conformance.relying_party import Person
from tests.foreign.conftest import Register
from tests.foreign.driver import visit


def discovered(site: dict[str, Any]) -> dict[str, Any]:
    """What the centre says of itself."""
    found: dict[str, Any] = requests.get(f"{site['issuer']}/.well-known/openid-configuration", timeout=10).json()
    return found


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_program_signs_in_refreshes_asks_and_revokes(person: Person, register: Register, method: str) -> None:
    site = register(**({"public": True, "metadata": ClientMetadata()} if method == "none" else {}))
    centre = discovered(site)
    session = OAuth2Session(
        site["client_id"],
        site["secret"] if method != "none" else None,
        scope="openid profile email",
        redirect_uri=site["redirect_uri"],
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        code_challenge_method="S256",
    )
    verifier = generate_token(48)
    address, state = session.create_authorization_url(
        centre["authorization_endpoint"], code_verifier=verifier, nonce="the-nonce"
    )
    came = visit(person, address)["url"]
    token = session.fetch_token(
        centre["token_endpoint"], authorization_response=came, state=state, code_verifier=verifier
    )
    told = session.get(centre["userinfo_endpoint"], timeout=10).json()
    assert told["name"] == "Alice Liddell"

    renewed = session.refresh_token(centre["token_endpoint"], refresh_token=token["refresh_token"])
    assert renewed["access_token"] != token["access_token"]
    assert session.get(centre["userinfo_endpoint"], timeout=10).json() == told
    if method != "none":
        found = session.introspect_token(centre["introspection_endpoint"], token=renewed["access_token"]).json()
        assert (found["active"], found["sub"]) == (True, told["sub"])
    revoked = session.revoke_token(centre["revocation_endpoint"], token=renewed["refresh_token"])
    assert revoked.status_code == 200
    after = requests.get(
        centre["userinfo_endpoint"], headers={"Authorization": f"Bearer {renewed['access_token']}"}, timeout=10
    )
    assert after.status_code == 401
