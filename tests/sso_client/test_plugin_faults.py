"""What goes wrong at the provider, and which page the site shows for it."""

import pytest
from flask import Flask

from sso_client.testing import FakeSSO, SignInFailed
from tests.support.plugin_site import make_site


@pytest.fixture
def site(fake_sso: FakeSSO) -> Flask:
    return make_site()


@pytest.mark.parametrize(
    ("endpoint", "how", "status", "code"),
    [
        ("discovery", 500, 503, "discovery_unreachable"),
        ("discovery", 404, 502, "discovery_invalid"),
        ("discovery", "hang up", 503, "discovery_unreachable"),
        ("keys", 500, 503, "provider_unavailable"),
        ("token", 500, 503, "provider_unavailable"),
        ("token", "hang up", 503, "provider_unreachable"),
        ("token", 401, 502, "client_refused"),
        ("token", "invalid_grant", 400, "ticket_refused"),
        ("token", "ticket_expired", 400, "ticket_expired"),
        ("token", "session_ended", 403, "session_ended"),
        ("userinfo", 500, 503, "provider_unavailable"),
        ("userinfo", 403, 502, "userinfo_refused"),
        ("authorize", "access_denied", 403, "sign_in_refused"),
        ("authorize", "temporarily_unavailable", 503, "provider_unavailable"),
    ],
)
def test_each_failure_has_its_page(endpoint, how, status: int, code: str, site: Flask, fake_sso: FakeSSO) -> None:
    fake_sso.fail(endpoint, how)
    page = fake_sso.visit(site.test_client(), "/")
    assert (page.status, code in page.text) == (status, True), page.text


@pytest.mark.parametrize("how", [500, "hang up", 401])
def test_a_check_in_that_fails_confirms_nobody(how, site: Flask, fake_sso: FakeSSO) -> None:
    fake_sso.fail("check-in", how)
    client = site.test_client()
    page = fake_sso.visit(client, "/")
    assert (page.status, page.header("Retry-After"), "lease_expired" in page.text) == (503, "5", True)
    assert fake_sso.calls("check-in") >= 1
    fake_sso.heal()
    fake_sso.wait_until(lambda: client.get("/").status_code == 200)


def test_a_fault_that_heals_is_forgotten(site: Flask, fake_sso: FakeSSO) -> None:
    client = site.test_client()
    fake_sso.fail("token", 500)
    fake_sso.skew(3600)
    assert fake_sso.visit(client, "/").status == 503
    fake_sso.heal()
    assert fake_sso.visit(client, "/").text == "Hi Alice"


def test_a_fault_may_last_for_a_few_calls_only(site: Flask, fake_sso: FakeSSO) -> None:
    client = site.test_client()
    fake_sso.fail("token", 500, times=2)
    assert [fake_sso.visit(client, "/").status for _ in range(3)] == [503, 503, 200]
    assert fake_sso.calls("token") == 3


def test_a_ticket_that_was_refused_once_is_asked_for_again(site: Flask, fake_sso: FakeSSO) -> None:
    fake_sso.fail("token", "ticket_expired", times=1)
    assert fake_sso.visit(site.test_client(), "/").text == "Hi Alice"
    assert fake_sso.calls("authorize") == 2


def test_a_slow_provider_is_only_slow(site: Flask, fake_sso: FakeSSO) -> None:
    fake_sso.fail("userinfo", 0.3)
    assert fake_sso.visit(site.test_client(), "/").text == "Hi Alice"


def test_seconds_are_not_taken_for_a_status(fake_sso: FakeSSO) -> None:
    with pytest.raises(ValueError, match=r"write seconds with a point: 2\.0"):
        fake_sso.fail("check-in", 2)


def test_a_provider_that_is_down_is_a_page_and_comes_back(site: Flask, fake_sso: FakeSSO) -> None:
    client = site.test_client()
    fake_sso.down()
    assert "discovery_unreachable" in fake_sso.visit(client, "/").text
    issuer = fake_sso.issuer
    fake_sso.up()
    fake_sso.wait_until(lambda: fake_sso.visit(client, "/").status == 200)
    assert fake_sso.issuer == issuer


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_clock_that_is_off_gives_token_expired(seconds: int, site: Flask, fake_sso: FakeSSO) -> None:
    fake_sso.skew(seconds)
    page = fake_sso.visit(site.test_client(), "/")
    assert (page.status, "token_expired" in page.text) == (400, True)


@pytest.mark.parametrize("seconds", [30, -30])
def test_half_a_minute_is_borne(seconds: int, site: Flask, fake_sso: FakeSSO) -> None:
    fake_sso.skew(seconds)
    assert fake_sso.visit(site.test_client(), "/").text == "Hi Alice"


def test_a_key_that_was_announced_signs_without_being_asked_for(site: Flask, fake_sso: FakeSSO, signed_in) -> None:
    client = signed_in(site.test_client())
    fake_sso.rotate_keys()
    fake_sso.sign_out("alice")
    assert client.get("/").status_code == 302
    assert fake_sso.calls("keys") == 1
    assert fake_sso.visit(client, "/").status == 200


def test_a_key_that_nobody_knew_is_asked_for_and_until_then_the_call_is_sent_again(
    site: Flask, fake_sso: FakeSSO
) -> None:
    client = site.test_client()
    session = fake_sso.sign_in(client)
    fake_sso.rotate_keys(announced=False)
    answer = fake_sso.call_logout(client, fake_sso.logout_token(session.sid))
    assert (answer.status, "key_pending" in answer.text) == (503, True), "the keys were fetched a moment ago"
    other = make_site(store=f"{fake_sso.environ['SSO_STORE']}-of-another").test_client()
    assert fake_sso.visit(other, "/").status == 200, "whoever asks now gets the new key"


def test_a_browser_without_a_page_from_the_provider_fails_the_test_and_not_the_site(
    site: Flask, fake_sso: FakeSSO
) -> None:
    fake_sso.fail("authorize", 502)
    with pytest.raises(SignInFailed, match="the browser gets no page from the provider"):
        fake_sso.visit(site.test_client(), "/")
