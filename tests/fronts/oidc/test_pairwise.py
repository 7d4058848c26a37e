"""Pairwise subjects (OpenID Connect Core 1.0 section 8): no two sectors can compare what they know of a person."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.notifications import Notification, State
from sso_server.core.subjects import sector_of
from tests.fronts.conftest import SECRETS
from tests.support.oidc_site import ISSUER, PASSWORD, OidcSite, built_of, path_of, query_of, sign_in

PAIRWISE = ClientMetadata(subject_type="pairwise")
_NAME = re.compile(r"pw-[a-z2-7]{40}")


def choose(app: Flask, client_id: str, **choice: Any) -> None:
    """How the client is registered; before the app is asked anything."""
    clients = built_of(app).sql.clients
    (client,) = (one for one in clients.list_clients() if one.client_id == client_id)
    assert clients.update(replace(client, **choice), client)


@pytest.fixture
def shop(app: Flask) -> OidcSite:
    """Pairwise; its access tokens are JWTs for itself and the API of `wiki`."""
    choose(app, "shop", metadata=PAIRWISE, access_token="jwt", audience=("wiki",))
    return OidcSite(app, "shop", SECRETS["shop"])


def user_id(app: Flask, username: str = "alice") -> str:
    return built_of(app).services.accounts.get(username).user_id


def unverified(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.mark.covers("line-76")
def test_one_sector_knows_a_person_by_one_name_and_another_sector_by_another(app: Flask, browser: FlaskClient) -> None:
    together = ClientMetadata(subject_type="pairwise", sector_identifier_uri="https://group.example.com/sites.json")
    choose(app, "shop", metadata=together)
    choose(app, "wiki", metadata=together)
    choose(app, "spa", metadata=PAIRWISE)
    shop, wiki = (OidcSite(app, name, SECRETS[name]) for name in ("shop", "wiki"))
    one, two, three = (
        site.claims(site.tokens(browser)["id_token"])["sub"] for site in (shop, wiki, OidcSite(app, "spa"))
    )
    assert one == two != three
    assert all(_NAME.fullmatch(sub) and len(sub) <= 255 for sub in (one, three))
    bob = app.test_client()
    sign_in(bob, username="bob")
    assert shop.claims(shop.tokens(bob)["id_token"])["sub"] not in (one, three)


@pytest.mark.covers("line-76")
def test_the_name_is_the_same_wherever_it_leaves_and_the_account_id_never_does(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    tokens = shop.tokens(browser, scope="openid email groups")
    again = shop.refresh(tokens["refresh_token"]).get_json()
    told = [
        shop.claims(tokens["id_token"]),
        shop.claims(again["id_token"]),
        unverified(tokens["access_token"]),
        unverified(again["access_token"]),
        shop.userinfo(tokens["access_token"]).get_json(),
        shop.post("/introspect", token=tokens["access_token"]).get_json(),
        shop.post("/introspect", token=again["refresh_token"]).get_json(),
        wiki.post("/introspect", token=tokens["access_token"]).get_json(),
    ]
    (name,) = {one["sub"] for one in told}
    assert _NAME.fullmatch(name)
    assert user_id(shop.app) not in json.dumps([told, tokens, again])
    assert wiki.claims(wiki.tokens(browser)["id_token"])["sub"] == user_id(shop.app), "wiki is not pairwise"


@pytest.mark.covers("line-76")
def test_a_logout_token_and_a_security_event_name_the_person_as_the_id_token_did(
    app: Flask, browser: FlaskClient, make_app: Callable[..., Flask]
) -> None:
    choose(app, "shop", metadata=PAIRWISE)
    choose(app, "wiki", metadata=PAIRWISE, delivery="poll", base_url="")
    shop, wiki = (OidcSite(app, name, SECRETS[name]) for name in ("shop", "wiki"))
    identity = {site.client_id: site.claims(site.tokens(browser)["id_token"]) for site in (shop, wiki)}
    built, sid = built_of(app), identity["shop"]["sid"]
    row = Notification(
        sid=sid, client_id="shop", store_id="", kind="oidc", logout_uri="https://shop.example.com/logout",
        user_id=user_id(app), reason="sign_out", ended_at=1, local_until=2, state=State.CLAIMED, attempt=1,
    )  # fmt: skip
    client = built.services.clients.find("shop")
    assert client is not None
    (pushed,) = parse_qs(built.logout_posts[row.kind](row, client).body.decode())["logout_token"]
    assert unverified(pushed)["sub"] == identity["shop"]["sub"]
    assert user_id(app) not in json.dumps(unverified(pushed))
    browser.get("/end-session", query_string={"id_token_hint": shop.tokens(browser)["id_token"]})
    polled = app.test_client().post("/poll", json={"returnImmediately": True}, headers=wiki.basic).get_json()["sets"]
    assert [unverified(event)["sub"] for event in polled.values()] == [identity["wiki"]["sub"]]


@pytest.mark.covers("line-72")
def test_an_id_token_as_a_hint_means_the_person_whom_it_named_to_that_site(
    browser: FlaskClient, shop: OidcSite
) -> None:
    hers = shop.tokens(browser)["id_token"]
    assert "code" in query_of(shop.ask(browser, prompt="none", id_token_hint=hers))
    bob = shop.app.test_client()
    sign_in(bob, username="bob")
    assert query_of(shop.ask(bob, prompt="none", id_token_hint=hers))["error"] == "login_required"
    assert path_of(shop.ask(bob, id_token_hint=hers)) == "/sign-in"


def test_the_person_meant_by_claims_is_compared_under_the_name_that_the_site_knows(
    browser: FlaskClient, shop: OidcSite
) -> None:
    name = shop.claims(shop.tokens(browser)["id_token"])["sub"]
    meant = {sub: json.dumps({"id_token": {"sub": {"value": sub}}}) for sub in (name, user_id(shop.app))}
    assert "code" in query_of(shop.ask(browser, prompt="none", claims=meant[name]))
    answer = query_of(shop.ask(browser, prompt="none", claims=meant[user_id(shop.app)]))
    assert answer["error"] == "login_required"


@pytest.mark.covers("line-76")
def test_the_names_stay_when_the_centre_starts_anew_and_are_others_at_another_centre(
    browser: FlaskClient, shop: OidcSite, make_app: Callable[..., Flask]
) -> None:
    name = shop.claims(shop.tokens(browser)["id_token"])["sub"]
    anew = make_app()
    assert built_of(anew).services.subjects.of(client_of(anew), user_id(anew)) == name
    with built_of(anew).sql.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM lasting")
    elsewhere = make_app()
    assert built_of(elsewhere).services.subjects.of(client_of(elsewhere), user_id(elsewhere)) != name


def client_of(app: Flask) -> Any:
    return built_of(app).services.clients.find("shop")


@pytest.mark.covers("line-77")
def test_a_name_of_a_person_is_never_given_to_another_one(app: Flask, browser: FlaskClient, wiki: OidcSite) -> None:
    """It comes from 160 random bits and not from the user name, whoever bears that later."""
    choose(app, "shop", metadata=PAIRWISE)
    shop = OidcSite(app, "shop", SECRETS["shop"])
    first = {site.client_id: site.claims(site.tokens(browser)["id_token"])["sub"] for site in (shop, wiki)}
    built = built_of(app)
    alice = built.services.accounts.get("alice")
    assert built.services.users.update(replace(alice, username="alice-of-old"))
    built.services.accounts.add("alice", PASSWORD, actor="test")
    newcomer = app.test_client()
    sign_in(newcomer, username="alice")
    second = {site.client_id: site.claims(site.tokens(newcomer)["id_token"])["sub"] for site in (shop, wiki)}
    assert not set(first.values()) & set(second.values())


@pytest.mark.parametrize(
    ("uris", "sector_uri", "sector"),
    [
        (("https://a.example/cb", "https://a.example:8443/x"), "", "a.example"),
        (("https://A.example/cb",), "", "a.example"),
        (("https://a.example/cb", "https://b.example/cb"), "", ""),
        (("https://a.example/cb", "https://b.example/cb"), "https://group.example/s.json", "group.example"),
    ],
)
def test_the_sector_is_the_host_of_its_document_or_the_one_host_of_its_addresses(
    app: Flask, uris: tuple[str, ...], sector_uri: str, sector: str
) -> None:
    metadata = ClientMetadata(subject_type="pairwise", sector_identifier_uri=sector_uri)
    client = replace(client_of(app), redirect_uris=uris, metadata=metadata)
    assert sector_of(client) == sector
    assert _NAME.fullmatch(built_of(app).services.subjects.of(client, "usr-x")), "whatever was registered"


def test_discovery_names_both_kinds_of_subjects(app: Flask) -> None:
    document = app.test_client().get("/.well-known/openid-configuration").get_json()
    assert set(document["subject_types_supported"]) == {"public", "pairwise"}
    assert document["issuer"] == ISSUER
