"""GET, PUT and DELETE of a registration (RFC 7592)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from sso_server.core.clients import Client
from sso_server.core.sessions import EndReason
from tests.support.client_keys import client_key
from tests.support.oidc_site import OidcSite, built_of, change_client
from tests.support.registering import CALLBACK, Software

OTHER = "https://rp.example/other"


def noticed(software: Software) -> None:
    """As web processes see clients within a second."""
    # Looking for one that nobody has makes the directory read again.
    assert built_of(software.app).services.clients.find("nobody") is None


def kept(software: Software) -> Client:
    """As it is stored."""
    clients = {client.client_id: client for client in built_of(software.app).sql.clients.list_clients()}
    return clients[software.said["client_id"]]


@pytest.mark.covers("line-84")
def test_a_client_reads_what_it_registered_and_never_its_secret_again(software: Software) -> None:
    software.register(client_name="Reader", default_max_age=600, dpop_bound_access_tokens=True)
    answer = software.manage("GET")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.get_json() == {name: value for name, value in software.said.items() if name != "client_secret"}
    assert (answer.get_json()["default_max_age"], answer.get_json()["dpop_bound_access_tokens"]) == (600, True)


@pytest.mark.covers("line-84")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nobody_else_manages_a_client(software: Software, method: str) -> None:
    software.register()
    others = Software(software.app, software.initial)
    others.register()
    tokens = ["", "rat-" + "a" * 32, software.initial, others.said["registration_access_token"]]
    answers = [software.manage(method, token) for token in (*tokens, software.said["client_secret"])]
    assert [answer.status_code for answer in answers] == [401] * 5
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in answers)
    others.said["client_id"] = "app-nobody"
    unknown = others.manage(method)
    assert (unknown.status_code, unknown.get_json()) == (401, answers[1].get_json())
    assert software.manage("GET").status_code == 200


def test_a_client_that_an_operator_registered_has_no_token_that_manages_it(software: Software) -> None:
    software.said = {"client_id": "shop", "registration_access_token": "", "redirect_uris": []}
    for token in ("", "x"):
        assert software.manage("GET", token).status_code == 401


def test_a_change_replaces_all_of_it_and_keeps_secret_and_token(software: Software, browser: FlaskClient) -> None:
    first = software.register(client_name="Reader", logo_uri="https://rp.example/logo.png", require_pkce=True)
    answer = software.manage("PUT", redirect_uris=[OTHER], client_name="Writer", client_secret=first.secret)
    said = answer.get_json()
    assert (answer.status_code, said["client_name"], said["redirect_uris"]) == (200, "Writer", [OTHER])
    assert "logo_uri" not in said
    assert "client_secret" not in said
    assert said["registration_access_token"] == software.said["registration_access_token"]
    assert said["client_id_issued_at"] == software.said["client_id_issued_at"]
    software.said = said | {"client_secret": first.secret}
    noticed(software)
    assert software.site.tokens(browser, scope="openid")["id_token"]


def test_a_change_says_nothing_that_is_the_servers_to_say(software: Software) -> None:
    software.register()
    before = kept(software)
    wrong: list[dict[str, Any]] = [
        {"client_id": "shop"},
        {"client_id": None},
        {"client_secret": "a-secret-that-somebody-chose-for-themselves"},
        {"client_secret": 1},
        {"client_secret_expires_at": 0},
        {"client_id_issued_at": 1},
        {"registration_access_token": software.said["registration_access_token"]},
        {"registration_client_uri": software.said["registration_client_uri"]},
        {"redirect_uris": [f"{CALLBACK}#x"]},
        {"grant_types": ["authorization_code", "client_credentials"]},
        {"initiate_login_uri": "http://rp.example/begin"},
    ]
    assert [software.manage("PUT", **members).status_code for members in wrong] == [400] * len(wrong)
    assert kept(software) == before


def test_what_an_operator_decided_is_not_the_clients_to_change(software: Software) -> None:
    site = software.register()
    given = ("authorization_code", "client_credentials")
    change_client(
        site,
        metadata={"third_party": False, "grant_types": given},
        audience=("shop",),
        access_token="jwt",
        allow_private=True,
    )
    wanted = {
        "third_party": True,
        "audience": [],
        "scope": "openid groups",
        "allow_private": False,
        "grant_types": given,
    }
    answer = software.manage("PUT", **wanted)
    assert (answer.get_json()["scope"], answer.get_json()["grant_types"]) == ("openid", list(given))
    now = kept(software)
    assert (now.metadata.third_party, now.audience, now.access_token, now.allow_private) == (
        False,
        ("shop",),
        "jwt",
        True,
    )


def test_a_client_that_needs_a_secret_and_has_none_gets_one_once(software: Software, browser: FlaskClient) -> None:
    software.register(token_endpoint_auth_method="none")
    assert "client_secret" not in software.said
    assert "client_secret_expires_at" not in software.said
    said = software.manage("PUT", token_endpoint_auth_method="client_secret_basic").get_json()
    software.said = said
    noticed(software)
    assert software.site.tokens(browser, scope="openid")["id_token"]
    jwks = json.loads(client_key("ES256", "registering").jwks)
    said = software.manage("PUT", token_endpoint_auth_method="private_key_jwt", jwks=jwks).get_json()
    assert "client_secret" not in said
    assert kept(software).secrets == ()


@pytest.mark.covers("line-84")
def test_a_client_that_removes_itself_ends_the_sessions_that_opened_it(
    software: Software, browser: FlaskClient, shop: OidcSite
) -> None:
    site = software.register(
        require_pkce=True,
        grant_types=["authorization_code", "refresh_token"],
        backchannel_logout_uri="https://rp.example/out",
    )
    theirs = site.tokens(browser, scope="openid offline_access")
    sid = site.claims(theirs["id_token"])["sid"]
    ours = shop.tokens(browser)
    answer = software.manage("DELETE")
    assert (answer.status_code, answer.data) == (204, b"")
    built = built_of(software.app)
    session = built.sql.sessions.find(sid)
    assert session is not None
    assert session.end_reason == EndReason.CLIENT_REMOVED
    # Whatever dies now, a delivery process ends the rest: who came while it was removed, and the fifty-first session.
    assert {order.client_id for order in built.sql.end_orders.list_unfinished()} == {site.client_id}
    # The other site is told, through the ledger.
    assert "shop" in {row.client_id for row in built.services.ledger.of_session(sid)}
    noticed(software)
    assert site.userinfo(theirs["access_token"]).status_code == 401
    assert site.refresh(theirs["refresh_token"]).status_code == 401
    assert shop.userinfo(ours["access_token"]).status_code == 401
    assert software.manage("GET").status_code == 401
    assert software.manage("DELETE").status_code == 401
    (event,) = [e for e in built.sql.audit.list_events(9) if e.data.get("change") == "removed"]
    assert event.actor == f"client:{site.client_id}"


def test_of_two_changes_at_once_one_is_told_to_read_again(software: Software) -> None:
    software.register()
    registrations = built_of(software.app).services.registrations
    was = registrations.get(software.said["client_id"], software.said["registration_access_token"])
    members = {"client_id": was.client_id, "redirect_uris": [OTHER]}
    registrations.change(was, members)
    with pytest.raises(Exception, match="changed at the same time"):
        registrations.change(was, members)


def test_a_method_that_is_not_there_is_refused_in_json(software: Software) -> None:
    software.register()
    for method in ("POST", "PATCH"):
        answer = software.manage(method)
        assert (answer.status_code, answer.get_json()["error"]) == (405, "invalid_request")
        assert set(answer.headers["Allow"].split(", ")) >= {"DELETE", "GET", "PUT"}
    assert software.app.test_client().get("/register").status_code == 405
