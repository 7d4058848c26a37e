"""What of a client's metadata goes together, for operators as for clients that register themselves."""

from dataclasses import replace
from typing import Any

import pytest

from sso_server.core.client_metadata import CLIENT_CREDENTIALS, FAPI2, PRIVATE_KEY_JWT, TOKEN_EXCHANGE, ClientMetadata
from sso_server.core.clients import Client, check_client
from sso_server.core.errors import InvalidRequest
from sso_server.core.redirect_uris import redirect_matches
from tests.support.client_keys import client_key

SHOP = Client("shop", "Shop", 1, redirect_uris=("https://shop.example/cb",))
JWKS = client_key("ES256", "rules").jwks
FAPI: dict[str, Any] = {
    "profile": FAPI2,
    "token_endpoint_auth_method": PRIVATE_KEY_JWT,
    "jwks": JWKS,
    "dpop_bound_access_tokens": True,
    "require_pushed_authorization_requests": True,
}


def shop(client: Client = SHOP, **metadata: Any) -> Client:
    return replace(client, metadata=ClientMetadata(**metadata))


PUBLIC = replace(SHOP, public=True)
LOOPBACK = replace(SHOP, id_token_alg="ES256", redirect_uris=("http://127.0.0.1:9401/cb",))
NOWHERE = replace(SHOP, redirect_uris=())
ES256 = replace(SHOP, id_token_alg="ES256")


@pytest.mark.covers("line-32", "line-76")
@pytest.mark.parametrize(
    ("client", "words"),
    [
        (shop(grant_types=("implicit",)), "grant_type 'implicit'"),
        (shop(grant_types=()), "at least one grant type"),
        (shop(NOWHERE), "at least one redirect_uri"),
        (shop(PUBLIC, grant_types=(CLIENT_CREDENTIALS,)), "for confidential clients"),
        (shop(PUBLIC, grant_types=(TOKEN_EXCHANGE,)), "for confidential clients"),
        (shop(PUBLIC, require_pkce=False), "always uses PKCE"),
        (shop(PUBLIC, token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks=JWKS), "public client doesn't authenticate"),
        (shop(token_endpoint_auth_method="none"), "only a public one"),
        (shop(token_endpoint_auth_method=PRIVATE_KEY_JWT), "needs the client's keys"),
        (shop(require_signed_request_object=True), "needs? the client's keys"),
        (shop(frontchannel_logout_uri="https://shop.example:8443/out"), "another scheme, host or port"),
        (shop(resources=("api",)), "not an absolute URI"),
        (shop(resources=("https://api.example/#x",)), "not an absolute URI"),
        (shop(exchange_audience=("stock", "stock")), "each once"),
        (shop(localized=(("client_name#zh-CN", "店"), ("client_name#zh-CN", "商店"))), "each once"),
        (shop(localized=(("scope#zh-CN", "店"),)), "is none of"),
        (shop(ES256, **(FAPI | {"token_endpoint_auth_method": ""})), "private_key_jwt"),
        (shop(ES256, **(FAPI | {"token_endpoint_auth_signing_alg": "RS256"})), "no RS256 for assertions"),
        (shop(ES256, **(FAPI | {"request_object_signing_alg": "RS256"})), "no RS256 for request objects"),
        (shop(SHOP, **FAPI), "no RS256 for ID tokens"),
        (shop(LOOPBACK, **FAPI), "of native apps alone"),
        (shop(PUBLIC, **(FAPI | {"jwks": ""})), "fapi2 is for confidential clients"),
        (shop(resources=("https://[",)), "not an absolute URI"),
        (shop(ES256, **(FAPI | {"userinfo_signed_response_alg": "RS256"})), "no RS256 for userinfo"),
        (shop(ES256, **(FAPI | {"require_pkce": False})), "needs PKCE"),
        (shop(ES256, **(FAPI | {"dpop_bound_access_tokens": False})), "needs DPoP"),
        (shop(ES256, **(FAPI | {"require_pushed_authorization_requests": False})), "needs pushed"),
        (replace(SHOP, client_id="usr-somebody"), "look like a person's"),
        (replace(SHOP, client_id="PW-somebody"), "look like a person's"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(client: Client, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        check_client(client)


@pytest.mark.parametrize(
    "client",
    [
        shop(ES256, **FAPI),
        shop(LOOPBACK, **(FAPI | {"application_type": "native"})),
        shop(NOWHERE, grant_types=(CLIENT_CREDENTIALS,)),
        shop(PUBLIC, token_endpoint_auth_method="none"),
        shop(require_pkce=False),
        shop(subject_type="pairwise"),
        shop(frontchannel_logout_uri="https://shop.example:443/out"),
        shop(resources=("https://api.example/v1", "urn:example:api")),
    ],
)
def test_what_goes_together_is_taken_and_kept(client: Client) -> None:
    assert check_client(client) == client
    assert ClientMetadata.from_json(client.metadata.to_json()) == client.metadata


@pytest.mark.covers("line-30")
def test_addresses_are_compared_character_by_character() -> None:
    native = shop(
        replace(SHOP, redirect_uris=("http://[::1]/cb", "https://shop.example/cb")), application_type="native"
    )
    for client in (SHOP, native):
        assert redirect_matches(client, "https://shop.example/cb")
        for uri in (
            "https://shop.example:443/cb",
            "https://SHOP.example/cb",
            "https://shop.example/cb/",
            "https://shop.example/c%62",
        ):
            assert not redirect_matches(client, uri)
    assert redirect_matches(native, "http://[::1]:50000/cb")
    assert not redirect_matches(native, "http://127.0.0.1:50000/cb")
