"""DPoP (RFC 9449) with the grants that come from no browser: the key of the proof is the token's."""

import jwt
import pytest
from flask.testing import FlaskClient

from sso_server.core.client_metadata import CLIENT_CREDENTIALS, DEVICE_CODE, TOKEN_EXCHANGE
from tests.fronts.grants.conftest import ACCESS_TOKEN, EVERYWHERE, described
from tests.fronts.grants.device import approve, begin
from tests.support.oidc_site import ISSUER, OidcSite, change_client
from tests.support.signing_client import private_key, proof, thumbprint

KEY = private_key("ES256", "a-key")


@pytest.mark.covers("line-58")
@EVERYWHERE
@pytest.mark.parametrize("grant_type", [CLIENT_CREDENTIALS, DEVICE_CODE, TOKEN_EXCHANGE])
def test_the_token_is_bound_to_the_key_of_the_proof(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, vault: OidcSite, kind: str, grant_type: str
) -> None:
    change_client(wiki, audience=("vault",), metadata={"grant_types": (grant_type,)})
    form: dict[str, str] = {}
    if grant_type == DEVICE_CODE:
        told = begin(wiki)
        approve(browser, told["user_code"])
        form = {"device_code": told["device_code"]}
    if grant_type == TOKEN_EXCHANGE:
        form = {"subject_token": shop.tokens(browser)["access_token"], "subject_token_type": ACCESS_TOKEN}
    headers = wiki.basic | {"DPoP": proof(KEY, "POST", f"{ISSUER}/token")}
    body = wiki.post("/token", headers=headers, grant_type=grant_type, **form).get_json()
    assert body["token_type"] == "DPoP", body
    found = described(vault, body["access_token"])
    assert (found["token_type"], found["cnf"]) == ("DPoP", {"jkt": thumbprint(KEY)})
    assert wiki.userinfo(body["access_token"]).status_code == 401, "never as Bearer"
    if kind == "jwt":
        claims = jwt.decode(body["access_token"], options={"verify_signature": False})
        assert claims["cnf"] == found["cnf"]


def test_a_client_whose_tokens_must_be_bound_gets_none_without_a_proof(wiki: OidcSite) -> None:
    change_client(wiki, metadata={"grant_types": (CLIENT_CREDENTIALS,), "dpop_bound_access_tokens": True})
    answer = wiki.post("/token", grant_type=CLIENT_CREDENTIALS)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_dpop_proof")
