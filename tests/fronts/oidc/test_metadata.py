"""Discovery and keys: what they say is true, and they may be cached."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from flask import Flask

from sso_server.core.client_metadata import GRANT_TYPES
from tests.support.oidc_site import ISSUER, OidcSite, built_of

PUBLIC = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks.json")


def test_the_document_names_the_issuer_and_endpoints_that_exist(app: Flask) -> None:
    document = app.test_client().get(PUBLIC[0]).get_json()
    assert document["issuer"] == ISSUER
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    endpoints = [value for name, value in document.items() if name.endswith("_endpoint") or name == "jwks_uri"]
    assert len(endpoints) >= 12
    assert [url for url in endpoints if not url.startswith(ISSUER) or urlsplit(url).path not in rules] == []


def test_both_names_answer_the_same(app: Flask) -> None:
    one, two = (app.test_client().get(path) for path in PUBLIC[:2])
    assert one.get_json() == two.get_json()


def test_what_a_conforming_client_looks_for_is_there(app: Flask) -> None:
    document = app.test_client().get(PUBLIC[0]).get_json()
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["subject_types_supported"] == ["public", "pairwise"]
    assert document["grant_types_supported"] == list(GRANT_TYPES)
    assert {"RS256", "ES256", "EdDSA"} == set(document["id_token_signing_alg_values_supported"])
    assert "openid" in document["scopes_supported"]
    proofs = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    assert document["introspection_endpoint_auth_methods_supported"] == proofs
    assert {"sub", "sid"} <= set(document["claims_supported"])
    for flag in (
        "authorization_response_iss_parameter_supported",
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "claims_parameter_supported",
        "request_parameter_supported",
    ):
        assert document[flag] is True
    # By reference only what was pushed (RFC 9126 section 5).
    assert document["request_uri_parameter_supported"] is False


def test_on_https_every_address_is_https(make_app: Callable[..., Flask]) -> None:
    document = make_app(issuer="https://sso.example.com").test_client().get(PUBLIC[0]).get_json()
    urls = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri")) or name == "issuer"]
    assert len(urls) >= 13
    assert all(url.startswith("https://sso.example.com") for url in urls)


@pytest.mark.covers("line-83")
@pytest.mark.parametrize("path", PUBLIC)
def test_it_may_be_cached_and_read_by_any_origin(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    again = app.test_client().get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/introspect", "/check-in", "/authorize"])
def test_nothing_else_may_be_read_by_other_origins(app: Flask, path: str) -> None:
    answer = app.test_client().post(path, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_an_address_that_no_reader_understands_takes_no_other_sites_scripts_away(app: Flask, shop: OidcSite) -> None:
    clients = built_of(app).sql.clients
    site = next(client for client in clients.list_clients() if client.client_id == shop.client_id)
    broken = replace(site, client_id="a-broken-one", redirect_uris=("com.a.app://h:abc/cb", "com.a.app://[bad/cb"))
    assert clients.add(broken)
    origin = shop.home.removesuffix("/")
    answer = app.test_client().options("/token", headers={"Origin": origin})
    assert answer.headers["Access-Control-Allow-Origin"] == origin


def test_the_keys_are_public_halves_with_distinct_ids(app: Flask) -> None:
    keys = app.test_client().get("/jwks.json").get_json()["keys"]
    assert {key["alg"] for key in keys} == {"RS256", "ES256", "EdDSA"}
    assert len({key["kid"] for key in keys}) == len(keys)
    assert [key for key in keys if {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key) or key["use"] != "sig"] == []
    assert all(len(key["n"]) >= 340 for key in keys if key["kty"] == "RSA")


@pytest.mark.covers("oidcc-server-rotate-keys")
def test_after_a_rotation_the_new_key_is_there_and_the_old_one_still(app: Flask) -> None:
    before = app.test_client().get("/jwks.json").get_json()["keys"]
    built_of(app).signing_keys.rotate("ES256")
    after = app.test_client().get("/jwks.json").get_json()["keys"]
    assert {key["kid"] for key in before} < {key["kid"] for key in after}
