"""A client is removed and another registered under its id: the tokens that others get, or had, are not for that one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.fronts.conftest import SECRETS, Later
from tests.support.oidc_site import ISSUER, OidcSite, built_of

DEAD = {"active": False}


@pytest.fixture(params=["sqlite", "redis"])
def app(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> Flask:
    """Tokens on both stores."""
    if request.param == "sqlite":
        return make_app()
    return make_app(redis_url=request.getfixturevalue("empty_redis_url"))


@pytest.fixture
def shop(app: Flask, wiki: OidcSite) -> Callable[[str], OidcSite]:
    """The shop with access tokens of this kind, for the API of `wiki`."""

    def register(access_token: str) -> OidcSite:
        clients = built_of(app).sql.clients
        (client,) = (one for one in clients.list_clients() if one.client_id == "shop")
        assert clients.update(replace(client, access_token=access_token, audience=("wiki",)), client)
        return OidcSite(app, "shop", SECRETS["shop"])

    return register


def described(site: OidcSite, token: str) -> Any:
    return site.post("/introspect", token=token).get_json()


def register_another_wiki(app: Flask) -> None:
    """The id goes to somebody else, with the secret that the tests know."""
    built = built_of(app)
    (wiki,) = (one for one in built.sql.clients.list_clients() if one.client_id == "wiki")
    assert built.sql.clients.remove("wiki")
    assert built.sql.clients.add(replace(wiki, created_at=built.services.clock.now()))


@pytest.mark.parametrize("access_token", ["opaque", "jwt"])
def test_who_registers_a_removed_id_gets_nobodys_tokens(
    app: Flask, browser: FlaskClient, shop: Callable[[str], OidcSite], wiki: OidcSite, later: Later, access_token: str
) -> None:
    site = shop(access_token)
    first = site.tokens(browser)
    assert described(wiki, first["access_token"])["aud"] == [ISSUER, "wiki"]
    with later(2):
        register_another_wiki(app)
    with later(4):
        assert described(wiki, first["access_token"]) == DEAD, "it was for the wiki before this one"
        second = site.refresh(first["refresh_token"]).get_json()["access_token"]
        assert described(wiki, second) == DEAD
        assert described(site, second)["aud"] == [ISSUER]
        if access_token == "jwt":
            assert jwt.decode(second, options={"verify_signature": False})["aud"] == [ISSUER]
