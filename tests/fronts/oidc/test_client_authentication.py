"""Who is calling: one method at a time, and the same answer whatever was wrong."""

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from sso_server.core.clients import ClientSecret
from sso_server.core.identifiers import digest
from tests.fronts.conftest import Later
from tests.support.oidc_site import OidcSite, built_of


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.covers("line-13")
def test_the_secret_may_come_in_the_body(browser: FlaskClient, shop: OidcSite) -> None:
    answer = shop.redeem(
        shop.code(browser),
        headers={},
        client_id="shop",
        client_secret=shop.secret,  # type: ignore[arg-type]
    )
    assert answer.status_code == 200


@pytest.mark.covers("line-13")
def test_basic_is_form_urlencoded_inside(shop: OidcSite) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in b"shop") + ":" + shop.secret.replace("-", "%2D")
    assert shop.post("/revoke", headers=basic(encoded), token="x").status_code == 200


def test_the_scheme_has_no_case(shop: OidcSite) -> None:
    headers = {"Authorization": shop.basic["Authorization"].replace("Basic", "bAsIc")}
    assert shop.post("/revoke", headers=headers, token="x").status_code == 200


@pytest.mark.covers("line-13")
def test_two_methods_at_once_are_invalid_request(shop: OidcSite) -> None:
    answer = shop.post("/revoke", token="x", client_id="shop", client_secret=shop.secret)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_a_body_that_names_the_same_client_as_the_header_is_fine(shop: OidcSite) -> None:
    assert shop.post("/revoke", token="x", client_id="shop").status_code == 200


def test_a_body_that_names_another_client_is_invalid_request(shop: OidcSite) -> None:
    answer = shop.post("/revoke", token="x", client_id="wiki")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


WRONG: list[Callable[[str], tuple[dict[str, str], dict[str, str]]]] = [
    lambda _: ({}, {}),
    lambda _: (basic("shop:wrong"), {}),
    lambda _: (basic("shop:"), {}),
    lambda secret: (basic(f"SHOP:{secret}"), {}),
    lambda secret: (basic(f"nobody:{secret}"), {}),
    lambda secret: (basic(f":{secret}"), {}),
    lambda secret: (basic(f"wiki:{secret}"), {}),
    lambda secret: (basic(f"shop:{secret} "), {}),
    lambda _: (basic("shop"), {}),
    lambda _: ({"Authorization": "Basic ###"}, {}),
    lambda _: ({"Authorization": "Basic"}, {}),
    lambda _: ({"Authorization": "Basic /////w=="}, {}),
    lambda secret: ({"Authorization": f"Bearer {secret}"}, {}),
    lambda _: (basic("spa:anything"), {}),
    lambda _: ({}, {"client_id": "shop"}),
    lambda _: ({}, {"client_id": "nobody"}),
    lambda _: ({}, {"client_id": "shop", "client_secret": "wrong"}),
    lambda _: ({}, {"client_id": "spa", "client_secret": "anything"}),
    lambda secret: ({}, {"client_secret": secret}),
    lambda _: ({}, {"client_id": "\u0001", "client_secret": "\ud7ff"}),
]


@pytest.mark.covers("line-14")
@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_whatever_is_wrong_it_is_401_with_a_challenge(
    shop: OidcSite, path: str, wrong: Callable[[str], tuple[dict[str, str], dict[str, str]]]
) -> None:
    headers, form = wrong(shop.secret)
    answer = shop.post(path, headers=headers, token="x", **form)
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.headers["Cache-Control"] == "no-store"


def test_during_a_rotation_both_secrets_work_until_the_old_one_runs_out(shop: OidcSite, later: Later) -> None:
    built = built_of(shop.app)
    client = built.services.clients.find("shop")
    assert client is not None
    until = built.services.clock.now() + 60_000
    secrets = (ClientSecret(digest("new-secret")), ClientSecret(digest(shop.secret), until))
    assert built.sql.clients.update(replace(client, secrets=secrets), client)
    with later(10):
        assert shop.post("/revoke", token="x").status_code == 200
        assert shop.post("/revoke", headers=basic("shop:new-secret"), token="x").status_code == 200
    with later(61):
        assert shop.post("/revoke", token="x").status_code == 401
        assert shop.post("/revoke", headers=basic("shop:new-secret"), token="x").status_code == 200


def test_an_id_token_alg_none_cannot_be_registered(shop: OidcSite) -> None:
    from sso_server.core.clients import check_client
    from sso_server.core.errors import InvalidRequest

    client = built_of(shop.app).services.clients.find("shop")
    assert client is not None
    with pytest.raises(InvalidRequest):
        check_client(replace(client, id_token_alg="none"))
