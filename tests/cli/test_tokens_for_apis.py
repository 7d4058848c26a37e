"""`sso client`: in which format a site gets its access tokens, and for whose APIs."""

import json
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from sso_server.core.clients import MAX_AUDIENCE
from sso_server.fronts.oidc.access_token import sign_access_token
from tests.cli.conftest import PASSWORD, SignedIn, Sso


@pytest.fixture
def stock(sso: Sso) -> None:
    sso.run("client", "add", "stock", "--site", "http://127.0.0.1:5001")


def test_by_default_tokens_are_opaque_and_for_the_centre_alone(sso: Sso, stock: None) -> None:
    shown = sso.json("client", "show", "stock")
    assert (shown["access_token"], shown["audience"]) == ("opaque", [])
    assert "APIs" not in sso.run("client", "show", "stock").stdout


def test_a_site_chooses_at_its_registration(sso: Sso, stock: None) -> None:
    options = ("--access-token", "jwt", "--audience", "stock", "--audience", "shop")
    client = sso.json("client", "add", "shop", "--site", "http://127.0.0.1:5000", *options)["client"]
    assert (client["access_token"], client["audience"]) == ("jwt", ["stock", "shop"]), "its own API is one, too"
    printed = sso.run("client", "show", "shop").stdout
    assert "JWTs that APIs check themselves" in printed
    assert "for the APIs of  stock shop" in printed


def test_and_changes_it_later(sso: Sso, stock: None) -> None:
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000", "--audience", "stock")
    printed = sso.run("client", "update", "shop", "--access-token", "jwt").stdout
    assert printed == "shop: access_token: opaque -> jwt.\n"
    assert sso.run("client", "update", "shop", "--audience", "").stdout == "shop: audience: stock -> none.\n"
    shown = sso.json("client", "show", "shop")
    assert (shown["access_token"], shown["audience"]) == ("jwt", [])


def test_an_audience_is_registered_and_can_be_told(sso: Sso, stock: None) -> None:
    sso.run("client", "add", "spa", "--site", "http://127.0.0.1:5002", "--public")
    for name, words in (("stok", "no such client"), ("spa", "public client"), ("a b", "letters, digits")):
        printed = sso.run("client", "update", "stock", "--audience", name, code=1)
        assert words in printed.output + printed.stderr
    many = [word for i in range(MAX_AUDIENCE + 1) for word in ("--audience", f"api-{i}")]
    assert "at most 20" in sso.run("client", "update", "stock", *many, code=1).stderr
    twice = ("--audience", "stock", "--audience", "stock")
    assert "each named once" in sso.run("client", "update", "stock", *twice, code=1).stderr
    assert sso.json("client", "show", "stock")["audience"] == []


def test_a_file_says_it_also_of_sites_that_come_later_in_it(sso: Sso, tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(
        '[[client]]\nclient_id = "shop"\nsite = "http://127.0.0.1:5000"\naccess_token = "jwt"\naudience = ["stock"]\n'
        '[[client]]\nclient_id = "stock"\nsite = "http://127.0.0.1:5001"\n'
    )
    assert [entry["action"] for entry in sso.json("client", "apply", str(file))["clients"]] == ["add", "add"]
    assert sso.json("client", "show", "shop")["audience"] == ["stock"]
    assert [entry["action"] for entry in sso.json("client", "apply", str(file))["clients"]] == ["same", "same"]
    wrong = tmp_path / "wrong.json"
    entry = {"client_id": "shop", "site": "http://127.0.0.1:5000"}
    for more, words in (
        ({"audience": ["stok"]}, "no such client"),
        ({"audience": "stock"}, "must be a list of strings"),
        ({"access_token": "paseto"}, "opaque, jwt"),
    ):
        wrong.write_text(json.dumps({"client": [entry | more]}))
        assert words in sso.run("client", "apply", str(wrong), code=1).stderr
    assert sso.json("client", "show", "shop")["access_token"] == "jwt"


def test_a_session_is_found_by_its_jwt(sso: Sso, stock: None, sign_in: Callable[..., SignedIn]) -> None:
    sso.run("user", "add", "alice", "--password-stdin", stdin=PASSWORD)
    sso.run("client", "add", "shop", "--site", "http://127.0.0.1:5000", "--audience", "stock", "--access-token", "jwt")
    signed_in = sign_in("alice", "shop")
    assert signed_in.access_token == "", "the token endpoint signs it"
    built = sso.built()
    services = built.services
    client = services.clients.find("shop")
    assert client is not None
    refreshed = services.tokens.refresh(signed_in.refresh_token, client, None)
    token = sign_access_token(
        services.signer,
        services.users,
        client,
        services.policy,
        audience=refreshed.audience,
        resources=(),
        jti=refreshed.jti,
        sub=refreshed.grant.user_id,
        user_id=refreshed.grant.user_id,
        sid=signed_in.sid,
        scope=refreshed.grant.scope,
        auth_time=refreshed.grant.auth_time,
        amr=refreshed.grant.amr,
        now=services.clock.now(),
        expires_at=refreshed.access_expires_at,
    )
    built.close()
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    assert sso.json("session", "show", "--token", token)["sid"] == signed_in.sid
