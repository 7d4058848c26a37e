"""The doctor at sites that sign people in by CAS: at our centre, and at another CAS server."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sso_client import load_settings
from sso_client.flask import SSO
from tests.support.examined import Shop, findings_of, serving, troubles
from tests.support.fake_cas import FakeCas, Odd, failure, success
from tests.support.fake_provider import FakeProvider
from tests.support.ports import free_port

AS_CAS = {"kind": "cas", "redirect_uris": (), "post_logout_redirect_uris": ()}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def levels(found: dict[str, Any]) -> dict[str, str]:
    return {name: finding.level.value for name, finding in found.items()}


def test_a_good_site_at_our_centre_gets_no_word_of_blame(shop: Shop) -> None:
    url = shop.run(shop.app(protocol="cas"))
    shop.centre.register(url, cas_services=(f"{url}/sso/",), **AS_CAS)
    found = findings_of(shop.settings(base_url=url, store=shop.store, protocol="cas"), url)
    assert levels(found) == dict.fromkeys(
        [
            "settings", "store", "discovery", "keys", "sign-outs", "protocol", "client", "clock", "site", "address",
            "cookie", "cookie size", "redirect URI", "who is it", "logout address", "one store", "call back",
        ],
        "ok",
    )  # fmt: skip


def test_a_site_that_speaks_another_protocol_than_these_settings_or_its_registration(shop: Shop) -> None:
    url = shop.run(shop.app())
    shop.centre.register(url, cas_services=("http://127.0.0.1:1/sso/",), **AS_CAS)
    found = findings_of(shop.settings(base_url=url, store=shop.store, protocol="cas"), url)
    assert troubles(found) == {
        "site": ("problem", "settings_differ"),
        "redirect URI": ("problem", "redirect_uri_mismatch"),
    }


def test_a_centre_that_speaks_no_cas(centre: FakeProvider) -> None:
    given = {"issuer": centre.issuer, "client_id": centre.client_id, "client_secret": centre.client_secret}
    found = findings_of(load_settings(given | {"protocol": "cas"}, environ={}), None)
    assert troubles(found) == {"protocol": ("problem", "cas_not_offered")}


def test_a_good_site_at_another_server(cas: FakeCas, tmp_path: Path, stack: ExitStack) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    app = Flask("wiki", instance_path=str(tmp_path))
    given = {"cas_url": cas.url, "base_url": url, "store": f"sqlite:///{tmp_path}/wiki.sqlite3"}
    sso = SSO(app, **given)
    stack.enter_context(serving(app, port))
    found = findings_of(load_settings(given, environ={}), url)
    unknown = ("redirect URI", "call back")  # nobody can be asked
    assert levels(found) == dict.fromkeys(unknown, "unknown") | dict.fromkeys(
        [
            "settings", "store", "validation", "sign-outs", "clock", "site", "address", "cookie", "cookie size",
            "who is it", "logout address", "one store",
        ],
        "ok",
    )  # fmt: skip
    with app.app_context():
        assert sso.client.store.store_id not in str(found), "it signs the site's cookies"


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        (failure("INVALID_SERVICE"), ("problem", "redirect_uri_mismatch")),
        (failure("UNAUTHORIZED_SERVICE"), ("problem", "redirect_uri_mismatch")),
        (failure("INVALID_REQUEST"), ("unknown", "")),
        (success("alice"), ("problem", "cas_answer_invalid")),
        (b"<!doctype html><title>Welcome", ("problem", "cas_answer_invalid")),
        (302, ("problem", "cas_answer_invalid")),
        (404, ("problem", "cas_answer_invalid")),
        (503, ("problem", "provider_unavailable")),
    ],
)
def test_a_server_that_answers_otherwise(odd: Odd, expected: tuple[str, str], cas: FakeCas) -> None:
    cas.odd = odd
    found = findings_of(load_settings({"cas_url": cas.url, "base_url": "http://localhost"}, environ={}), None)
    assert (found["validation"].level.value, found["validation"].code) == expected


def test_a_server_of_the_version_before_and_one_that_is_away(cas: FakeCas) -> None:
    settings = load_settings({"cas_url": cas.url, "base_url": "http://localhost"}, environ={})
    cas.version = 2
    found = findings_of(settings, None)["validation"]
    assert (found.level.value, found.seen) == ("ok", "validates_cas_2")
    cas.down()
    away = findings_of(settings, None)["validation"]
    assert away.code == "cas_unreachable"
    assert away.text is not None
    assert "SSO_CAS_URL" in away.text.fix
