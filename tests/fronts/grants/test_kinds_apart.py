"""Each kind of thing works in its own place only: a code is no refresh token, a device's code no code, and so on."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.fronts.grants.conftest import EVERYWHERE, described, exchange
from tests.fronts.grants.device import GRANT, approve, begin
from tests.support.oidc_site import OidcSite, built_of, change_client, query_of


@pytest.fixture
def things(browser: FlaskClient, shop: OidcSite, lamp: OidcSite, kind: str) -> dict[str, str]:
    """One of each, all good."""
    change_client(shop, metadata={"grant_types": ("authorization_code", GRANT)})
    tokens = shop.tokens(browser)
    told = begin(shop)
    approve(browser, told["user_code"])
    here = built_of(shop.app).services
    (session,) = here.lists.list_live(here.clock.now(), 5)
    return {
        "code": query_of(shop.ask(browser))["code"],
        "access": tokens["access_token"],
        "refresh": tokens["refresh_token"],
        "id": tokens["id_token"],
        "device": told["device_code"],
        "user": told["user_code"],
        "pushed": shop.post("/par", **shop.params()).get_json()["request_uri"],
        "sid": session.sid,
    }


@EVERYWHERE
def test_nothing_passes_for_another_kind(shop: OidcSite, wiki: OidcSite, vault: OidcSite, things: Any) -> None:
    for name, thing in things.items():
        if name != "code":
            assert shop.redeem(thing).get_json()["error"] in ("invalid_grant", "invalid_request"), name
        if name != "refresh":
            assert shop.refresh(thing).get_json()["error"] == "invalid_grant", name
        if name != "device":
            answer = shop.post("/token", grant_type=GRANT, device_code=thing)
            assert answer.get_json()["error"] == "invalid_grant", name
        if name != "access":
            assert exchange(wiki, thing).get_json()["error"] == "invalid_request", name
            assert shop.userinfo(thing).status_code == 401, name
        if name not in ("access", "refresh"):
            assert described(shop, thing) == {"active": False}, name
            assert shop.post("/revoke", token=thing).status_code == 200, name
    # And none of that has spent or ended anything.
    assert shop.userinfo(things["access"]).status_code == 200
    assert exchange(wiki, things["access"]).status_code == 200
    assert shop.redeem(things["code"]).status_code == 200
    assert shop.post("/token", grant_type=GRANT, device_code=things["device"]).status_code == 200
    assert shop.refresh(things["refresh"]).status_code == 200
