"""Clients with keys of their own beside shop, wiki and spa: `signer` (private_key_jwt) and `fapi` (FAPI 2.0)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from sso_server.core.client_metadata import FAPI2, PRIVATE_KEY_JWT, ClientMetadata
from sso_server.core.clients import Client
from tests.support.oidc_site import OidcSite, built_of
from tests.support.signing_client import Signing, key_set, private_key, public_jwk

AddClient = Callable[..., Client]


@pytest.fixture
def add_client(app: Flask) -> AddClient:
    """`add_client("signer", jwks=...)`: a client with this metadata, confidential unless it says otherwise."""

    def add(client_id: str, **metadata: Any) -> Client:
        own = {name: metadata.pop(name) for name in ("public", "id_token_alg", "audience") if name in metadata}
        more = {"access_token": "jwt"} if metadata.pop("jwts", False) else {}
        origin = f"https://{client_id}.example.com"
        client = Client(
            client_id=client_id,
            name=client_id.title(),
            created_at=1,
            redirect_uris=(f"{origin}/cb",),
            metadata=ClientMetadata(**metadata),
            **own,
            **more,
        )
        assert built_of(app).sql.clients.add(client)
        return client

    return add


@pytest.fixture
def signer(app: Flask, add_client: AddClient) -> Signing:
    """private_key_jwt with an ES256 key."""
    key = private_key("ES256", "signer")
    jwks = key_set(public_jwk(key, kid="one"))
    add_client("signer", token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks=jwks)
    return Signing("signer", key)


@pytest.fixture
def fapi(app: Flask, add_client: AddClient) -> Signing:
    """Held to FAPI 2.0, with a PS256 and an ES256 key."""
    key = private_key("PS256", "fapi")
    jwks = key_set(public_jwk(key, kid="one"), public_jwk(private_key("ES256", "fapi"), kid="two"))
    add_client(
        "fapi",
        id_token_alg="ES256",
        profile=FAPI2,
        token_endpoint_auth_method=PRIVATE_KEY_JWT,
        jwks=jwks,
        dpop_bound_access_tokens=True,
        require_pushed_authorization_requests=True,
    )
    return Signing("fapi", key, "PS256")


@pytest.fixture
def signing_site(app: Flask, signer: Signing) -> OidcSite:
    """The site of `signer`: it has no secret, so its posts bring what the test gives."""
    return OidcSite(app, signer.client_id)
