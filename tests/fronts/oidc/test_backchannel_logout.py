"""The modules of the certification profile Back-Channel Logout: a site signs the browser out, and what it is told then
stands every check that the suite makes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.fronts.conftest import Later
from tests.support.oidc_site import ISSUER, OidcSite, built_of, query_of
from tests.support.sinks import Request, Sink

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as receiving:
        yield receiving


@pytest.fixture
def register(app: Flask, sink: Sink) -> Callable[..., None]:
    """The shop is told there, and has these members."""

    def change(metadata: dict[str, object] | None = None, **members: object) -> None:
        clients = built_of(app).sql.clients
        (shop,) = (client for client in clients.list_clients() if client.client_id == "shop")
        said = replace(shop.metadata, backchannel_logout_session_required=True, **(metadata or {}))
        told = {"backchannel_logout_uri": sink.url} | members
        assert clients.update(replace(shop, metadata=said, **told), shop)
        built_of(app).services.clients._checked_at = -1000

    change()
    return change


def deliver(app: Flask) -> int:
    """One round of the delivery worker; how many were told."""
    worker = built_of(app).worker()
    with closing(worker._sender):
        return worker.run_once()


def leave(browser: FlaskClient, shop: OidcSite, id_token: str) -> str:
    """Where the browser is after the site's sign-out."""
    query = {"id_token_hint": id_token, "post_logout_redirect_uri": shop.home, "state": "the-state"}
    return str(browser.get("/end-session", query_string=query).headers["Location"])


def token_in(request: Request) -> str:
    """The one parameter of the call."""
    assert request.line.startswith("POST /logout ")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    ((name, token),) = parse_qsl(request.body.decode(), strict_parsing=True, keep_blank_values=True)
    assert name == "logout_token"
    return token


def check(app: Flask, token: str, alg: str) -> dict[str, Any]:
    """The claims, with a signature by a published key and the client's algorithm."""
    keys = jwt.PyJWKSet.from_dict(app.test_client().get("/jwks.json").get_json())
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["typ"]) == (alg, "logout+jwt")
    claims: dict[str, Any] = jwt.decode(token, keys[header["kid"]], algorithms=[alg], audience="shop", issuer=ISSUER)
    return claims


@pytest.mark.covers("oidcc-backchannel-logout-discovery-endpoint-verification")
def test_oidcc_backchannel_logout_discovery_endpoint_verification(make_app: Callable[..., Flask]) -> None:
    app = make_app(issuer="https://sso.example.com")
    document = app.test_client().get("/.well-known/openid-configuration").get_json()
    assert document["backchannel_logout_supported"] is True
    assert document["backchannel_logout_session_supported"] is True
    assert document["end_session_endpoint"].startswith("https://sso.example.com/")


@pytest.mark.covers(
    "oidcc-backchannel-rp-initiated-logout", "line-99", "line-100", "line-101", "line-102", "line-103", "line-107"
)
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("subject_type", ["public", "pairwise"])
def test_oidcc_backchannel_rp_initiated_logout(
    app: Flask, browser: FlaskClient, shop: OidcSite, register: Callable[..., None], sink: Sink, alg: str,
    subject_type: str,
) -> None:  # fmt: skip
    register({"subject_type": subject_type}, id_token_alg=alg)
    id_token = shop.tokens(browser)["id_token"]
    known = jwt.decode(id_token, options={"verify_signature": False})
    assert known["sub"].startswith("usr-") == (subject_type == "public")
    assert leave(browser, shop, id_token) == shop.home + "?state=the-state"
    assert deliver(app) == 1
    claims = check(app, token_in(sink.wait_for(1)[0]), alg)
    assert (claims["aud"], claims["sub"], claims["sid"]) == ("shop", known["sub"], known["sid"])
    assert claims["events"] == {EVENT: {}}
    assert "nonce" not in claims
    assert claims["jti"]
    assert abs(claims["iat"] - time.time()) < 60
    assert 0 < claims["exp"] - claims["iat"] <= 120
    assert query_of(shop.ask(browser, prompt="none"))["error"] == "login_required"


@pytest.mark.covers("line-99")
def test_a_client_whose_tokens_have_run_out_is_told_too(
    app: Flask, browser: FlaskClient, shop: OidcSite, register: Callable[..., None], sink: Sink, later: Later
) -> None:
    tokens = shop.tokens(browser)
    assert shop.post("/revoke", token=tokens["refresh_token"]).status_code == 200
    with later(3600):
        assert shop.userinfo(tokens["access_token"]).status_code == 401
        leave(browser, shop, tokens["id_token"])
        deliver(app)
    assert sink.count == 1


@pytest.mark.covers("line-105")
def test_each_attempt_is_a_token_of_its_own(
    app: Flask, browser: FlaskClient, shop: OidcSite, register: Callable[..., None], sink: Sink, later: Later
) -> None:
    sink.script("503", "ok")
    leave(browser, shop, shop.tokens(browser)["id_token"])
    deliver(app)
    with later(60):
        deliver(app)
        first, second = (claims_of(token_in(request)) for request in sink.wait_for(2))
    assert first["jti"] != second["jti"]
    assert second["iat"] - first["iat"] >= 59
    assert (first["sid"], first["sub"]) == (second["sid"], second["sub"])


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.mark.covers("line-102")
def test_after_a_rotation_a_delivery_that_waited_is_signed_by_a_key_that_is_published(
    app: Flask, browser: FlaskClient, shop: OidcSite, register: Callable[..., None], sink: Sink, later: Later
) -> None:
    leave(browser, shop, shop.tokens(browser)["id_token"])
    built_of(app).signing_keys.rotate("ES256")
    with later(1200):
        deliver(app)
        check(app, token_in(sink.wait_for(1)[0]), "ES256")


@pytest.mark.covers("line-107")
def test_each_site_gets_a_token_that_no_other_site_takes(
    app: Flask, browser: FlaskClient, shop: OidcSite, wiki: OidcSite, register: Callable[..., None], sink: Sink
) -> None:
    wiki.tokens(browser)
    leave(browser, shop, shop.tokens(browser)["id_token"])
    built = built_of(app)
    (session,) = built.services.ledger.list_ended(9)
    posts = {}
    for row in built.services.ledger.of_session(session.sid):
        client = built.services.clients.find(row.client_id)
        assert client is not None
        body = parse_qsl(built.logout_posts[row.kind](row, client).body.decode())
        posts[row.client_id] = claims_of(dict(body)["logout_token"])
    assert {client_id: claims["aud"] for client_id, claims in posts.items()} == {"shop": "shop", "wiki": "wiki"}


@pytest.mark.covers("line-109")
def test_the_browser_is_sent_on_while_the_site_has_heard_nothing(
    app: Flask, browser: FlaskClient, shop: OidcSite, register: Callable[..., None], sink: Sink
) -> None:
    assert leave(browser, shop, shop.tokens(browser)["id_token"]).startswith(shop.home)
    assert sink.connections == 0


@pytest.mark.covers("line-108")
def test_a_query_in_the_logout_address_is_kept(
    app: Flask, browser: FlaskClient, shop: OidcSite, register: Callable[..., None], sink: Sink
) -> None:
    register(backchannel_logout_uri=sink.url + "?tenant=7&x=%2F")
    leave(browser, shop, shop.tokens(browser)["id_token"])
    deliver(app)
    assert sink.wait_for(1)[0].line.startswith("POST /logout?tenant=7&x=%2F ")
