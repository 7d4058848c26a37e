"""Whatever well-signed claims say, and whatever stands in a key set: an answer of ours, never a fault."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sso_server.core.errors import InvalidRequest
from sso_server.core.key_sets import parse_key_set, usable
from tests.support.oidc_site import ISSUER, OidcSite
from tests.support.signing_client import Signing, private_key, proof, public_jwk

KEY = private_key("ES256", "dpop")
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**301)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(["", "\ud800", "x" * 3000, "signer", ISSUER, f"{ISSUER}/token", "POST"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@QUICK
@given(claims=st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "x"]), ANYTHING))
def test_an_assertion_may_say_anything(signing_site: OidcSite, signer: Signing, claims: dict[str, Any]) -> None:
    form = signer.form(**claims)
    answer = signing_site.post("/revoke", headers={}, token="x", **({"client_id": "signer"} | form))
    assert answer.status_code in ((200, 401) if len(form["client_assertion"]) < 4000 else (200, 400, 401))


@QUICK
@given(claims=st.dictionaries(st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce", "exp", "x"]), ANYTHING))
def test_a_proof_may_say_anything(app: Flask, claims: dict[str, Any]) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "spa"}
    headers = {"DPoP": proof(KEY, "POST", f"{ISSUER}/token", **claims)}
    answer = app.test_client(use_cookies=False).post("/token", data=form, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) in ((400, "invalid_grant"), (400, "invalid_dpop_proof"))


@QUICK
@given(jwk=st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg", "kid"]), ANYTHING))
def test_a_proof_may_bring_any_key(app: Flask, jwk: dict[str, Any]) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "spa"}
    brought = proof(KEY, "POST", f"{ISSUER}/token", header={"jwk": public_jwk(KEY) | jwk})
    answer = app.test_client(use_cookies=False).post("/token", data=form, headers={"DPoP": brought})
    assert (answer.status_code, answer.get_json()["error"]) in ((400, "invalid_grant"), (400, "invalid_dpop_proof"))


@QUICK
@given(
    keys=ANYTHING
    | st.lists(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg", "kid"]), ANYTHING))
)
def test_a_key_set_may_be_anything(keys: Any) -> None:
    try:
        parsed = parse_key_set(json.dumps({"keys": keys}))
    except InvalidRequest:
        return
    for alg in ("RS256", "PS256", "ES256", "EdDSA"):
        usable(parsed, alg, "one")


@pytest.mark.parametrize("header", ["", "\x80", "a.b.c", "," * 100, "eyJ" * 5000, "é"])
def test_any_text_may_stand_where_a_proof_should(app: Flask, header: str) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "spa"}
    answer = app.test_client(use_cookies=False).post("/token", data=form, headers={"DPoP": header})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_dpop_proof")
