"""What is good once is good once in all of a centre's workers: assertions and proofs, shown at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests

from sso_server.core.client_metadata import PRIVATE_KEY_JWT, ClientMetadata
from sso_server.core.clients import Client
from tests.support.centre import Centre
from tests.support.signing_client import Signing, fresh, key_set, private_key, proof, public_jwk

ROUNDS, AT_ONCE = 8, 8
KEY = private_key("ES256", "journey")


def _at_once(call: Callable[[], str]) -> Counter[str]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(lambda _: call(), range(AT_ONCE)))


@pytest.fixture
def signing(centre: Centre) -> Signing:
    """A client of this centre's, with a key."""
    name = fresh("signer").replace("_", "-")
    jwks = key_set(public_jwk(KEY, kid="one"))
    metadata = ClientMetadata(token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks=jwks)
    uris = (f"https://{name}.example.com/cb",)
    centre.add_client(Client(client_id=name, name=name, created_at=1, redirect_uris=uris, metadata=metadata))
    return replace(Signing(name, KEY), issuer=centre.issuer)


@pytest.mark.covers("line-59", "line-38")
def test_an_assertion_is_good_once_in_all_workers(centre: Centre, signing: Signing) -> None:
    """Hydra CVE-2020-5300, Fosite CVE-2020-15222."""
    for _ in range(ROUNDS):
        form = {"token": "x", **signing.form()}
        statuses = _at_once(
            lambda f=form: str(requests.post(f"{centre.issuer}/revoke", data=f, timeout=20).status_code)
        )
        assert statuses == {"200": 1, "401": AT_ONCE - 1}


@pytest.mark.covers("line-59")
def test_a_proof_is_good_once_in_all_workers(centre: Centre, signing: Signing) -> None:
    url = f"{centre.issuer}/token"
    for _ in range(ROUNDS):
        shown = proof(KEY, "POST", url)

        def ask(shown: str = shown) -> str:
            # Each call has an assertion of its own: the proof alone decides.
            form = {"grant_type": "refresh_token", "refresh_token": "x", **signing.form()}
            error: str = requests.post(url, data=form, headers={"DPoP": shown}, timeout=20).json()["error"]
            return error

        assert _at_once(ask) == {"invalid_grant": 1, "invalid_dpop_proof": AT_ONCE - 1}
