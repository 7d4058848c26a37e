"""The logout request that the delivery worker posts."""

from dataclasses import replace
from urllib.parse import parse_qs

import jwt
import pytest
from flask import Flask

from sso_server.core.notifications import Notification, State
from sso_server.fronts.oidc import logout_token
from tests.support.oidc_site import ISSUER, OidcSite, built_of

NOW = 1_800_000_000_123
ROW = Notification(
    sid="sid-07-" + "a" * 32,
    client_id="shop",
    store_id="",
    kind="oidc",
    logout_uri="https://shop.example.com/logout",
    user_id="usr-" + "b" * 32,
    reason="password_change",
    ended_at=NOW - 500,
    local_until=NOW + 1_000_000,
    state=State.CLAIMED,
    attempt=1,
)


def build(app: Flask, client_id: str, row: Notification = ROW) -> tuple[str, dict[str, str]]:
    """The token and the request's headers."""
    services = built_of(app).services
    client = services.clients.find(client_id)
    assert client is not None
    body, headers = logout_token.build(row, client, row.user_id, services.signer, ISSUER, NOW, "the-jti")
    form = parse_qs(body.decode("ascii"), strict_parsing=True)
    assert list(form) == ["logout_token"]
    return form["logout_token"][0], headers


@pytest.mark.covers("line-101", "line-102")
@pytest.mark.parametrize(("client_id", "alg"), [("shop", "ES256"), ("wiki", "RS256")])
def test_it_is_signed_like_the_clients_id_tokens_and_says_what_it_is(app: Flask, client_id: str, alg: str) -> None:
    token, _ = build(app, client_id)
    header = jwt.get_unverified_header(token)
    keys = {key["kid"]: key["alg"] for key in app.test_client().get("/jwks.json").get_json()["keys"]}
    assert (header["alg"], header["typ"], keys[header["kid"]]) == (alg, "logout+jwt", alg)


@pytest.mark.covers("line-101", "line-103")
def test_the_claims_are_the_standards_and_two_of_ours(app: Flask) -> None:
    claims = jwt.decode(build(app, "shop")[0], options={"verify_signature": False})
    assert claims == {
        "iss": ISSUER,
        "aud": "shop",
        "iat": NOW // 1000,
        "exp": NOW // 1000 + 120,
        "jti": "the-jti",
        "sub": ROW.user_id,
        "sid": ROW.sid,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        "reason": "password_change",
        "ended_at": NOW - 500,
    }


def test_the_store_is_named_when_the_row_has_one(app: Flask) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert build(app, "shop")[1] == form
    store = "st-" + "c" * 32
    assert build(app, "shop", replace(ROW, store_id=store))[1] == form | {"Lockstep-Store": store}


def test_it_passes_for_no_id_token(app: Flask, shop: OidcSite) -> None:
    token, _ = build(app, "shop")
    assert built_of(app).services.signer.verify(token) is None
