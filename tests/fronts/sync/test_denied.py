"""What an API's store hears at its check-in: which JWT access tokens to refuse."""

import time
from dataclasses import replace
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_server.core.errors import InvalidRequest
from sso_server.core.sessions import EndReason
from sso_server.fronts.sync.check_in import parse
from tests.fronts.conftest import SECRETS
from tests.support.oidc_site import OidcSite, built_of

STORE, OTHER = "st-" + "a" * 32, "st-" + "b" * 32


@pytest.fixture
def shop(app: Flask) -> OidcSite:
    """Its access tokens are JWTs for the API of `wiki`."""
    clients = built_of(app).sql.clients
    (client,) = (one for one in clients.list_clients() if one.client_id == "shop")
    assert clients.update(replace(client, access_token="jwt", audience=("wiki",)), client)
    return OidcSite(app, "shop", SECRETS["shop"])


def claims(tokens: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return found


def feed(site: OidcSite, begin: int | None = None, store: str = STORE) -> dict[str, Any]:
    answer = site.check_in(store, denied_from=begin)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_who_asks_hears_of_the_end_of_a_session_and_of_a_revoked_token(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    first = feed(wiki)
    assert (first["denied"], type(first["denied_to"])) == ([], int)
    one, other = shop.tokens(browser), shop.tokens(browser)
    shop.post("/revoke", token=one["access_token"])
    built_of(shop.app).services.sign_out.end(claims(other)["sid"], EndReason.SIGN_OUT, actor="user")
    answer = feed(wiki, first["denied_to"])
    assert [set(entry) for entry in answer["denied"]] == [{"jti", "until"}, {"sid", "until"}]
    assert (answer["denied"][0]["jti"], answer["denied"][1]["sid"]) == (claims(one)["jti"], claims(other)["sid"])
    # Not before the last API whose clock is five minutes behind takes the token for over.
    assert all(abs(entry["until"] - (time.time() + 600) * 1000) < 60_000 for entry in answer["denied"])
    assert answer["denied_to"] >= first["denied_to"]
    assert answer["more"] is False
    assert feed(wiki, None, OTHER)["denied"] == answer["denied"], "each of its stores hears of it"
    assert feed(shop)["denied"] == []


def test_who_does_not_ask_gets_the_answer_of_before(browser: FlaskClient, shop: OidcSite, wiki: OidcSite) -> None:
    built_of(shop.app).services.sign_out.end(claims(shop.tokens(browser))["sid"], EndReason.SIGN_OUT, actor="user")
    assert {"denied", "denied_to"} & set(wiki.check_in(STORE).get_json()) == set()


@pytest.mark.parametrize("text", ["-1", "9007199254740993", "1e3", "1.5", "true", '"7"', "[]", "{}", "9" * 400])
def test_a_place_that_we_never_gave_is_refused(wiki: OidcSite, text: str) -> None:
    headers = {"Content-Type": "application/json", **wiki.basic}
    body = f'{{"store": "{STORE}", "denied_from": {text}}}'
    answer = wiki.app.test_client().post("/check-in", data=body, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_null_is_another_thing_than_nothing() -> None:
    assert parse(b'{"store": "x"}').denied_from is None
    assert parse(b'{"store": "x", "denied_from": null}').denied_from == 0
    assert parse(b'{"store": "x", "denied_from": 7}').denied_from == 7
    with pytest.raises(InvalidRequest):
        parse(b'{"store": "x", "denied_from": false}')
