"""`sso client` and metadata: said by options or in a file, shown, and looked at from outside."""

import json
from pathlib import Path
from typing import Any

import pytest

from sso_server.cli.metadata_wishes import shown
from sso_server.core.client_metadata import DEVICE_CODE, ClientMetadata
from tests.cli.conftest import Sso
from tests.support.client_keys import client_key
from tests.support.key_server import KeyServer

CALLBACK = "https://bank.example/cb"
KEYS = json.loads(client_key("ES256", "cli").jwks)


@pytest.fixture
def keys(tmp_path: Path) -> str:
    path = tmp_path / "bank.jwks.json"
    path.write_text(json.dumps(KEYS), encoding="utf-8")
    return str(path)


def add(sso: Sso, *options: str) -> Any:
    return sso.json("client", "add", "bank", "--redirect-uri", CALLBACK, *options)


def test_fapi_brings_what_it_needs_and_no_secret(sso: Sso, keys: str) -> None:
    added = add(sso, "--profile", "fapi2", "--jwks-file", keys)
    said = added["client"]["metadata"]
    assert (added["client_secret"], added["client"]["id_token_alg"], said["jwks"]) == (None, "ES256", KEYS)
    assert said["token_endpoint_auth_method"] == "private_key_jwt"
    assert said["dpop_bound_access_tokens"] is said["require_pushed_authorization_requests"] is True
    assert "authenticates by its keys" in sso.run("client", "rotate-secret", "bank", code=1).stderr
    assert "needs DPoP" in sso.run("client", "update", "bank", "--no-dpop", code=1).stderr


def test_every_option_has_its_member(sso: Sso, keys: str) -> None:
    said = add(
        sso, "--third-party", "--no-pkce", "--grant", "authorization_code", "--grant", "device_code",
        "--auth-method", "private_key_jwt", "--auth-signing-alg", "ES256", "--jwks-file", keys,
        "--request-object-alg", "PS256", "--signed-requests", "--pushed-requests", "--dpop",
        "--subject-type", "pairwise",
        "--userinfo-alg", "ES256", "--default-max-age", "10m", "--auth-time", "--default-acr", "1",
        "--backchannel-session-required", "--initiate-login-uri", "https://bank.example/begin",
        "--application-type", "native", "--client-uri", "https://bank.example/",
        "--logo-uri", "https://bank.example/l.png",
        "--policy-uri", "https://bank.example/p", "--tos-uri", "https://bank.example/t", "--contact", "a@bank.example",
        "--localized", "client_name#zh-CN=银行", "--software-id", "bank", "--software-version", "2",
        "--resource", "https://api.bank.example", "--exchange-audience", "stock",
    )["client"]["metadata"]  # fmt: skip
    unsaid = ("profile", "jwks_uri", "sector_identifier_uri", "registered_with")
    unsaid += ("frontchannel_logout_uri", "frontchannel_logout_session_required")
    plain = shown(ClientMetadata())
    assert {name for name, value in said.items() if value == plain[name]} == set(unsaid)
    assert (said["grant_types"], said["default_max_age"]) == (["authorization_code", DEVICE_CODE], 600)
    assert said["localized"] == {"client_name#zh-CN": "银行"}
    printed = sso.run("client", "show", "bank").stdout
    for words in ("third party", "1 keys", "authorization_code device_code", "client_name#zh-CN=银行"):
        assert words in printed


def test_what_was_said_is_taken_back(sso: Sso, keys: str) -> None:
    add(sso, "--default-max-age", "60", "--contact", "a@bank.example", "--userinfo-alg", "ES256", "--third-party")
    printed = sso.run(
        "client",
        "update",
        "bank",
        "--default-max-age",
        "none",
        "--contact",
        "",
        "--userinfo-alg",
        "none",
        "--first-party",
    ).stdout
    assert "third_party: yes -> no" in printed
    assert "contacts: a@bank.example -> none" in printed
    assert sso.json("client", "show", "bank")["metadata"] == shown(ClientMetadata())


def test_a_client_that_signs_loses_its_secret_and_gets_another_one_back(sso: Sso, keys: str) -> None:
    first = add(sso)["client_secret"]
    signs = sso.json("client", "update", "bank", "--auth-method", "private_key_jwt", "--jwks-file", keys)
    assert signs["client"]["secrets"] == []
    back = sso.json("client", "update", "bank", "--auth-method", "any")
    assert back["client_secret"] not in (None, first)
    public = sso.json("client", "update", "bank", "--auth-method", "none")["client"]
    assert (public["public"], public["secrets"]) == (True, [])
    assert sso.json("client", "update", "bank", "--confidential")["client_secret"]


def test_a_program_that_acts_for_itself_has_no_addresses(sso: Sso) -> None:
    added = sso.json("client", "add", "cron", "--grant", "client_credentials")
    assert added["client_secret"]
    assert sso.run("client", "add", "job", "--grant", "authorization_code", code=2).stderr.count("--redirect-uri") == 1
    assert "redirect_uri" in sso.run("client", "update", "cron", "--grant", "authorization_code", code=1).stderr


def test_cas_sites_have_no_metadata(sso: Sso) -> None:
    said = sso.run("client", "add", "wiki", "--cas-service", "https://wiki.example/", "--third-party", code=2).stderr
    assert "--third-party for OpenID Connect: a client speaks one of them" in said


def test_an_operators_sector_is_looked_at_too(sso: Sso) -> None:
    with KeyServer(json.dumps([CALLBACK])) as sector:
        add(sso, "--subject-type", "pairwise", "--sector-identifier-uri", sector.url)
        said = sso.run("client", "update", "bank", "--redirect-uri", "https://other.example/cb", code=1).stderr
        assert "doesn't name the redirect_uri 'https://other.example/cb'" in said
        sector.status = 404
        said = sso.run("client", "update", "bank", "--redirect-uri", "https://other.example/cb", code=1).stderr
        assert "sector_identifier_uri: The document can't be fetched" in said
        sector.status, sector.body = 200, json.dumps([CALLBACK, "https://other.example/cb"])
        sso.run("client", "update", "bank", "--redirect-uri", "https://other.example/cb")
        asked = sector.asked
        sso.run("client", "update", "bank", "--name", "Bank")
        assert sector.asked == asked


def test_front_channel_logout_is_registered_where_it_is_offered(sso: Sso) -> None:
    options = ("--frontchannel-logout-uri", "https://bank.example/out")
    refused = sso.run("client", "add", "bank", "--redirect-uri", CALLBACK, *options, code=1)
    assert "SSO_FRONTCHANNEL_LOGOUT" in refused.stderr
    sso.env["SSO_FRONTCHANNEL_LOGOUT"] = "true"
    assert add(sso, *options)["client"]["metadata"]["frontchannel_logout_uri"] == "https://bank.example/out"


FILE = """
[[client]]
client_id = "bank"
redirect_uris = ["https://bank.example/cb"]
profile = "fapi2"
jwks_file = "bank.jwks.json"
localized = ["client_name#zh-CN=银行"]

[[client]]
client_id = "app"
public = true
application_type = "native"
redirect_uris = ["com.example.app:/cb"]
grant_types = ["authorization_code", "device_code", "refresh_token"]
default_max_age = 600
"""


def test_a_file_says_the_same_and_says_it_again(sso: Sso, tmp_path: Path, keys: str) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(FILE, encoding="utf-8")
    assert [c["action"] for c in sso.json("client", "apply", str(file))["clients"]] == ["add", "add"]
    assert [c["action"] for c in sso.json("client", "apply", str(file))["clients"]] == ["same", "same"]
    assert sso.json("client", "show", "bank")["metadata"]["jwks"] == KEYS
    app = sso.json("client", "show", "app")
    assert (app["metadata"]["grant_types"], app["refresh_tokens"]) == (["authorization_code", DEVICE_CODE], True)
    file.write_text(FILE.replace("600", "900"), encoding="utf-8")
    assert "# app: change (default_max_age: 600 -> 900)" in sso.run("client", "apply", str(file)).stdout


def test_what_is_wrong_with_metadata_in_a_file_is_named_for_each_client(sso: Sso, tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    wrong = FILE.replace("com.example.app:", "app:").replace("600", '"soon"')
    file.write_text(wrong, encoding="utf-8")
    said = sso.run("client", "apply", str(file), code=1).stderr
    assert "cannot read the keys in bank.jwks.json" in said
    assert "default_max_age must be a whole number" in said
    assert "redirect_uri 'app:/cb'" in said


def test_a_file_leaves_alone_who_registered_itself(sso: Sso, tmp_path: Path, keys: str) -> None:
    sso.run("client", "list")
    built = sso.built()
    _, token = built.services.registrations.add_token("ci")
    made = built.services.registrations.register({"redirect_uris": [CALLBACK]}, token, "192.0.2.7")
    built.close()
    client_id = made.client.client_id
    file = tmp_path / "clients.toml"
    file.write_text(FILE, encoding="utf-8")
    assert client_id not in {c["client_id"] for c in sso.json("client", "apply", str(file), "--prune")["clients"]}
    assert "registered with" in sso.run("client", "show", client_id).stdout
    file.write_text(f'[[client]]\nclient_id = "{client_id}"\nredirect_uris = ["{CALLBACK}"]\n', encoding="utf-8")
    sso.run("client", "apply", str(file))
    built = sso.built()
    try:
        assert built.services.registrations.get(client_id, made.token).metadata.registered_with == "ci"
    finally:
        built.close()
