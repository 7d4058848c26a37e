"""The token endpoint's grants, on both stores of sessions: the shop asks, the wiki has an API, the lamp is a device."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from sso_server.core.client_metadata import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, TOKEN_EXCHANGE
from sso_server.core.clients import SCOPES, Client, ClientSecret
from sso_server.core.identifiers import digest
from sso_server.core.sessions import EndReason
from tests.fronts.conftest import SECRETS
from tests.support.oidc_site import OidcSite, built_of, change_client

STOCK, PRICES = "https://api.example.com/stock", "https://api.example.com/prices"
STORE = "st-" + "b" * 32
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


#: What the stores themselves do is tried on both, and with both kinds of access tokens (`test_what_ends` has the other
#: two pairs); what stands above them, on one.
EVERYWHERE = pytest.mark.parametrize(("app", "kind"), [("sqlite", "opaque"), ("redis", "jwt")], indirect=True)
ON_BOTH_STORES = pytest.mark.parametrize("app", ["sqlite", "redis"], indirect=True)


@pytest.fixture
def app(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> Flask:
    """Sessions, tickets, tokens and slips on SQLite, or on Redis."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return make_app()
    return make_app(redis_url=request.getfixturevalue("empty_redis_url"))


@pytest.fixture
def wiki(app: Flask) -> OidcSite:
    """Its API has two addresses; a token that came to it may go on to the vault's."""
    site = OidcSite(app, "wiki", SECRETS["wiki"])
    grants = (AUTHORIZATION_CODE, TOKEN_EXCHANGE)
    metadata = {"resources": (STOCK, PRICES), "grant_types": grants, "exchange_audience": ("vault",)}
    change_client(site, metadata=metadata)
    return site


@pytest.fixture
def shop(app: Flask, wiki: OidcSite) -> OidcSite:
    """Its tokens are for the wiki's API; it may speak for itself, too."""
    site = OidcSite(app, "shop", SECRETS["shop"])
    metadata = {"grant_types": (AUTHORIZATION_CODE, CLIENT_CREDENTIALS)}
    change_client(site, audience=("wiki",), scopes=(*SCOPES, "stock.read", "stock.write"), metadata=metadata)
    return site


@pytest.fixture
def vault(app: Flask, wiki: OidcSite) -> OidcSite:
    """Another API."""
    secret = "vault-secret-" + "v" * 32
    before = built_of(app).services.clients.find("wiki")
    assert before is not None
    metadata = replace(before.metadata, resources=("https://vault.example.com/",), exchange_audience=("shop",))
    client = replace(
        before, client_id="vault", name="Vault", secrets=(ClientSecret(digest(secret)),), metadata=metadata
    )
    assert built_of(app).sql.clients.add(client)
    return OidcSite(app, "vault", secret)


@pytest.fixture
def lamp(app: Flask) -> OidcSite:
    """A device: public, without any address."""
    base = built_of(app).services.clients.find("spa")
    assert base is not None
    metadata = replace(base.metadata, grant_types=(DEVICE_CODE,))
    client: Client = replace(
        base,
        client_id="lamp",
        name="The Lamp",
        base_url="",
        redirect_uris=(),
        post_logout_redirect_uris=(),
        backchannel_logout_uri="",
        metadata=metadata,
    )
    assert built_of(app).sql.clients.add(client)
    return OidcSite(app, "lamp")


@pytest.fixture
def kind(request: pytest.FixtureRequest, shop: OidcSite, wiki: OidcSite, lamp: OidcSite) -> str:
    """How all access tokens are made."""
    found: str = getattr(request, "param", "opaque")
    for site in (shop, wiki, lamp):
        change_client(site, access_token=found)
    return found


def end(site: OidcSite, sid: str) -> None:
    """The session ends, for a reason that its person has."""
    built_of(site.app).services.sign_out.end(sid, EndReason.SIGN_OUT, actor="user")


def described(site: OidcSite, token: str) -> dict[str, Any]:
    """What this site is told of the token."""
    answer = site.post("/introspect", token=token)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def denied(site: OidcSite) -> set[str]:
    """What the site's stores hear that they must refuse."""
    answer = site.check_in(STORE, denied_from=0)
    assert answer.status_code == 200, answer.text
    return {entry.get("sid") or entry["jti"] for entry in answer.get_json()["denied"]}


def exchange(site: OidcSite, token: str, **more: str | None) -> Any:
    """A token for a token."""
    form: dict[str, str | None] = {
        "grant_type": EXCHANGE,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        "audience": "vault",
    }
    return site.post("/token", **(form | more))
