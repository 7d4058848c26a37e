"""Access tokens as JWTs (RFC 9068) for clients that chose them: what they say; the centre treats them like others."""

import base64
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_server.core.sessions import EndReason
from tests.fronts.conftest import SECRETS, Later
from tests.support.oidc_site import ISSUER, OidcSite, built_of

DEAD = {"active": False}


def choose(app: Flask, client_id: str, **choice: Any) -> None:
    """How the client is registered; before the app is asked anything."""
    clients = built_of(app).sql.clients
    (client,) = (one for one in clients.list_clients() if one.client_id == client_id)
    assert clients.update(replace(client, **choice), client)


@pytest.fixture
def shop(app: Flask) -> OidcSite:
    """Its access tokens are JWTs for the API of `wiki`."""
    choose(app, "shop", access_token="jwt", audience=("wiki",))
    return OidcSite(app, "shop", SECRETS["shop"])


def read(site: OidcSite, token: str, audience: str) -> dict[str, Any]:
    """As an API does it by itself (RFC 9068 section 4)."""
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt"
    key = jwt.PyJWKSet.from_dict(site.app.test_client().get("/jwks.json").get_json())[header["kid"]]
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["ES256", "RS256"], audience=audience, issuer=ISSUER)
    return claims


def described(site: OidcSite, token: str) -> dict[str, Any]:
    answer = site.post("/introspect", token=token)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def end(site: OidcSite, sid: str) -> None:
    built_of(site.app).services.sign_out.end(sid, EndReason.SIGN_OUT, actor="user")


def test_an_api_reads_all_that_it_needs_and_nothing_about_the_person_that_it_does_not(
    browser: FlaskClient, shop: OidcSite
) -> None:
    tokens = shop.tokens(browser)
    claims, identity = read(shop, tokens["access_token"], "wiki"), shop.claims(tokens["id_token"])
    assert set(claims) == {
        "iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "auth_time", "amr", "acr", "sid", "groups"
    }  # fmt: skip
    assert (claims["aud"], claims["client_id"], claims["scope"]) == ([ISSUER, "wiki"], "shop", tokens["scope"])
    for name in ("iss", "sub", "sid", "auth_time", "amr", "acr"):
        assert claims[name] == identity[name]
    assert claims["groups"] == ["staff"]
    assert 298 <= claims["exp"] - claims["iat"] <= 300
    assert jwt.get_unverified_header(tokens["access_token"])["alg"] == "ES256"


def test_groups_are_said_only_where_they_were_granted(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser, scope="openid profile")
    assert "groups" not in read(shop, tokens["access_token"], "wiki")
    assert "groups" not in described(shop, tokens["access_token"])


def test_a_refresh_brings_another_one_of_the_same_session(browser: FlaskClient, shop: OidcSite) -> None:
    first = shop.tokens(browser)
    second = shop.refresh(first["refresh_token"]).get_json()
    old, new = (read(shop, tokens["access_token"], "wiki") for tokens in (first, second))
    assert new["jti"] != old["jti"]
    for name in ("aud", "sub", "sid", "scope", "auth_time", "groups"):
        assert new[name] == old[name]
    shop.claims(second["id_token"])


def test_the_centre_itself_takes_it_until_its_session_ends(browser: FlaskClient, shop: OidcSite) -> None:
    token = shop.tokens(browser)["access_token"]
    answer = shop.userinfo(token)
    assert (answer.status_code, answer.get_json()["preferred_username"]) == (200, "alice")
    end(shop, read(shop, token, "wiki")["sid"])
    assert shop.userinfo(token).status_code == 401
    assert described(shop, token) == DEAD


def test_it_expires(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    token = shop.tokens(browser)["access_token"]
    with later(301):
        assert shop.userinfo(token).status_code == 401
        assert described(shop, token) == DEAD


def test_it_is_revoked_by_itself_or_with_its_grant(browser: FlaskClient, shop: OidcSite, wiki: OidcSite) -> None:
    tokens = shop.tokens(browser)
    assert wiki.post("/revoke", token=tokens["access_token"]).status_code == 200
    assert shop.userinfo(tokens["access_token"]).status_code == 200, "it is not the wiki's to revoke"
    assert shop.post("/revoke", token=tokens["access_token"]).status_code == 200
    assert shop.userinfo(tokens["access_token"]).status_code == 401
    second = shop.refresh(tokens["refresh_token"]).get_json()
    shop.post("/revoke", token=second["refresh_token"])
    assert shop.userinfo(second["access_token"]).status_code == 401


def forged(token: str, **changes: Any) -> str:
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    text = base64.urlsafe_b64encode(json.dumps(claims | changes).encode()).rstrip(b"=").decode()
    return f"{header}.{text}.{signature}"


def test_nothing_but_the_token_itself_opens_anything(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser)
    token, claims = tokens["access_token"], read(shop, tokens["access_token"], "wiki")
    signer = built_of(shop.app).services.signer
    odd = (
        claims["jti"],  # APIs see it and write it into their logs
        tokens["id_token"],
        forged(token, sub="usr-somebody-else"),
        token + "x",
        token.rpartition(".")[0] + ".",
        signer.sign(claims, alg="ES256", typ="JWT"),
        signer.sign(claims, alg="ES256", typ="logout+jwt"),
        signer.sign(claims | {"iss": "https://another.example"}, alg="ES256", typ="at+jwt"),
        signer.sign({k: v for k, v in claims.items() if k != "jti"}, alg="ES256", typ="at+jwt"),
        signer.sign(claims | {"jti": 7}, alg="ES256", typ="at+jwt"),
        signer.sign(claims | {"jti": tokens["refresh_token"]}, alg="ES256", typ="at+jwt"),
        "..",
    )
    for text in odd:
        assert shop.userinfo(text).status_code == 401, text
        assert described(shop, text) == DEAD, text
        assert shop.post("/revoke", token=text).status_code == 200
    assert shop.userinfo(token).status_code == 200, "none of them revoked it"


def test_it_is_no_hint_of_who_is_signed_in(browser: FlaskClient, shop: OidcSite) -> None:
    token = shop.tokens(browser)["access_token"]
    answer = shop.ask(browser, id_token_hint=token)
    assert "error=invalid_request" in answer.headers["Location"]


def test_the_api_that_it_is_for_may_ask_about_it_and_nobody_else(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, spa: OidcSite
) -> None:
    tokens = shop.tokens(browser)
    claims = read(shop, tokens["access_token"], "wiki")
    heard = described(wiki, tokens["access_token"])
    assert heard == described(shop, tokens["access_token"])
    assert heard == {
        "active": True, "token_type": "Bearer", "username": "alice",
        **{name: claims[name] for name in claims if name != "iat"}, "iat": heard["iat"],
    }  # fmt: skip
    assert abs(heard["iat"] - claims["iat"]) <= 1
    assert described(wiki, tokens["refresh_token"]) == DEAD
    assert spa.post("/introspect", token=tokens["access_token"]).status_code == 401
    other = wiki.tokens(browser)
    assert described(shop, other["access_token"]) == DEAD, "it is in its audience, not the other way round"


def test_an_opaque_token_is_asked_about_in_the_same_way(app: Flask, browser: FlaskClient, wiki: OidcSite) -> None:
    choose(app, "shop", audience=("wiki",))
    shop = OidcSite(app, "shop", SECRETS["shop"])
    tokens = shop.tokens(browser, scope="openid")
    heard = described(wiki, tokens["access_token"])
    assert (heard["active"], heard["aud"], heard["client_id"]) == (True, [ISSUER, "wiki"], "shop")
    assert heard["sid"] == shop.claims(tokens["id_token"])["sid"]
    # The person's name wasn't granted to the shop, so the API doesn't hear it either.
    assert {"jti", "username", "groups"} & set(heard) == set()
    assert described(wiki, tokens["refresh_token"]) == DEAD


def test_of_a_disabled_account_no_token_is_active_any_more(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    token = shop.tokens(browser)["access_token"]
    assert described(wiki, token)["active"] is True
    users = built_of(shop.app).sql.users
    (alice,) = (user for user in users.list_users(10) if user.username == "alice")
    # At once, before the order that goes with it has ended her sessions.
    assert users.update(replace(alice, disabled_at=1))
    built_of(shop.app).services.people.changed()
    assert described(wiki, token) == described(shop, token) == DEAD


def test_after_its_session_an_offline_grant_brings_tokens_that_name_none(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    tokens = shop.tokens(browser, scope="openid offline_access")
    sid = read(shop, tokens["access_token"], "wiki")["sid"]
    end(shop, sid)
    assert described(wiki, tokens["access_token"]) == DEAD, "it names a session that is over, and APIs refuse that"
    token = shop.refresh(tokens["refresh_token"]).get_json()["access_token"]
    assert "sid" not in read(shop, token, "wiki")
    heard = described(wiki, token)
    assert (heard["active"], heard.get("sid")) == (True, None)
    assert shop.userinfo(token).status_code == 200
