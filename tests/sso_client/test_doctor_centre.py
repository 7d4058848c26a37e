"""The doctor at the centre: discovery, certificate, keys, clock, secret; what another provider can't be asked."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sso_client import Settings
from sso_client.doctor.findings import Level
from tests.support.certificates import make_authority
from tests.support.examined import Forwarder, Shop, findings_of, troubles
from tests.support.fake_provider import FakeProvider
from tests.support.ports import free_port
from tests.support.sdk import MovedClock


@pytest.fixture
def centre() -> Iterator[FakeProvider]:
    """A provider without check-in and without our client test."""
    provider = FakeProvider(leases=False, discovery_changes={"backchannel_logout_supported": True})
    provider.up()
    yield provider
    provider.down()


def test_a_foreign_provider_is_told_what_cannot_be_asked(settings: Settings) -> None:
    found = findings_of(settings, None)
    assert troubles(found) == {}
    assert (found["client"].seen, found["client"].level) == ("client_accepted_by_token", Level.OK)
    assert found["sign-outs"].seen == "told_only"
    assert found["site"].seen == "site_unasked"


def test_a_foreign_provider_s_site_is_examined_without_it(centre: FakeProvider, shop: Shop) -> None:
    given: dict[str, Any] = {
        "issuer": centre.issuer,
        "client_id": centre.client_id,
        "client_secret": centre.client_secret,
    }
    url = shop.run(shop.app(**given))
    found = findings_of(Settings(**given, base_url=url, store=shop.store), url)
    assert troubles(found) == {}
    assert {name for name, finding in found.items() if finding.level is Level.UNKNOWN} == {"redirect URI", "call back"}


def test_a_provider_that_tells_nobody_of_sign_outs(centre: FakeProvider, settings: Settings) -> None:
    centre.discovery_changes = {}
    assert troubles(findings_of(settings, None)) == {"sign-outs": ("problem", "push_unsupported")}


def test_a_centre_that_is_down(settings: Settings) -> None:
    found = findings_of(replace(settings, issuer=f"http://127.0.0.1:{free_port()}"), None)
    assert troubles(found) == {"discovery": ("problem", "discovery_unreachable")}
    assert "client" not in found


@pytest.mark.parametrize(
    ("path", "fault", "check", "code"),
    [
        ("/.well-known/openid-configuration", 503, "discovery", "discovery_unreachable"),
        ("/.well-known/openid-configuration", 404, "discovery", "discovery_invalid"),
        ("/.well-known/openid-configuration", "hang up", "discovery", "discovery_unreachable"),
        ("/jwks.json", 500, "keys", "discovery_invalid"),
        ("/jwks.json", "hang up", "keys", "provider_unreachable"),
        ("/token", 401, "client", "client_refused"),
        ("/token", "hang up", "client", "provider_unreachable"),
    ],
)
def test_a_part_of_it_fails(
    centre: FakeProvider, settings: Settings, path: str, fault: Any, check: str, code: str
) -> None:
    centre.failing[path] = fault
    assert troubles(findings_of(settings, None)) == {check: ("problem", code)}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": "https://other.example.com"}, "issuer_mismatch"),
        ({"token_endpoint": "https://other.example.com/token"}, "endpoint_origin"),
        ({"authorization_endpoint": None}, "discovery_invalid"),
        ({"client_test_endpoint": "https://other.example.com/take-my-secret"}, "endpoint_origin"),
    ],
)
def test_it_describes_itself_wrongly(
    centre: FakeProvider, settings: Settings, changes: dict[str, Any], code: str
) -> None:
    centre.discovery_changes = changes
    assert troubles(findings_of(settings, None)) == {"discovery": ("problem", code)}


def test_a_certificate_that_is_not_trusted_here(centre: FakeProvider, settings: Settings, tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    proxy = Forwarder(urlsplit(centre.issuer).port or 0, tls=authority.context("127.0.0.1"))
    issuer = f"https://127.0.0.1:{proxy.port}"
    try:
        assert troubles(findings_of(replace(settings, issuer=issuer), None)) == {
            "discovery": ("problem", "tls_untrusted")
        }
        trusting = findings_of(replace(settings, issuer=issuer, ca_file=authority.ca_file), None)
        assert trusting["discovery"].code == "issuer_mismatch"
    finally:
        proxy.close()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-90, {"clock": ("problem", "clock_skew")}),
        (-45, {"clock": ("warning", "clock_skew")}),
        (-20, {}),
        (20, {}),
        (45, {"clock": ("warning", "clock_skew")}),
        (90, {"clock": ("problem", "clock_skew")}),
    ],
)
def test_a_clock_that_is_off(
    shop: Shop, settings: Settings, seconds: int, expected: dict[str, tuple[str, str]]
) -> None:
    """By the centre's own word, and by the date of any provider's answer."""
    clock = MovedClock(wall_shift_ms=seconds * 1000)
    shop.centre.register("http://127.0.0.1:5000")
    for site in (shop.settings(), settings):
        found = findings_of(site, None, clock)
        assert troubles(found) == expected
        if expected:
            assert found["clock"].seen == ("clock_behind" if seconds > 0 else "clock_ahead")
            assert abs(int(dict(found["clock"].facts)["seconds"]) - abs(seconds)) <= 3


def test_a_secret_that_the_centre_does_not_accept(shop: Shop, centre: FakeProvider, settings: Settings) -> None:
    shop.centre.register("http://127.0.0.1:5000")
    assert troubles(findings_of(shop.settings(client_secret="wrong"), None)) == {
        "client": ("problem", "client_refused")
    }
    assert troubles(findings_of(shop.settings(client_id="shopp"), None)) == {"client": ("problem", "client_refused")}
    assert troubles(findings_of(replace(settings, client_secret="wrong"), None)) == {
        "client": ("problem", "client_refused")
    }


def test_what_our_centre_does_not_tell_a_refused_client_is_not_called_impossible_to_ask(shop: Shop) -> None:
    found = shop.examine(shop.app(), client_secret="wrong")
    assert troubles(found) == {"client": ("problem", "client_refused")}
    assert {found[check].seen for check in ("redirect URI", "call back")} == {"client_first"}


@pytest.mark.parametrize(("fault", "code"), [(503, "provider_unavailable"), (200, "answer_invalid")])
def test_a_client_test_that_answers_something_else(
    centre: FakeProvider, settings: Settings, fault: int, code: str
) -> None:
    centre.discovery_changes |= {"client_test_endpoint": f"{centre.issuer}/client-test"}
    centre.failing["/client-test"] = fault
    assert troubles(findings_of(settings, None)) == {"client": ("problem", code)}
