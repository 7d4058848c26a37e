"""At any other OpenID provider (no check-in, no lease) everything else works: docs/sdk-providers.md."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_client import SSOClient, SSOError
from sso_client.testing import FakeSSO
from tests.support.plugin_site import make_site
from tests.support.sdk import MovedClock

OLDER = {"exp": None, "reason": None, "ended_at": None}


@pytest.fixture
def provider(fake_sso: FakeSSO) -> FakeSSO:
    """It knows the standards and nothing of ours: no check-in, no word about our session's life or the answer's iss."""
    foreign = fake_sso.provider
    foreign.leases, foreign.session_expires_in = False, None
    foreign.token_changes = {"lease_s": None}
    foreign.discovery_changes = {"authorization_response_iss_parameter_supported": None}
    return fake_sso


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def site(provider: FakeSSO, clock: MovedClock) -> Iterator[Flask]:
    site = make_site(clock=clock)
    yield site
    client_of(site).close()


@pytest.fixture
def pass_s(provider: FakeSSO, clock: MovedClock) -> Callable[[float], None]:
    """Let time pass at both."""

    def go_on(seconds: float) -> None:
        clock.go(seconds)
        provider.provider.skew_s += seconds

    return go_on


def client_of(site: Flask) -> SSOClient:
    return site.extensions["sso_client"].client


def cookie_of(browser: FlaskClient) -> str:
    (cookie,) = [c.value for c in browser._cookies.values() if c.key == "sso-site-under-test"]
    return cookie


def test_people_sign_in_and_the_provider_is_never_asked_to_check_in(site: Flask, provider: FakeSSO) -> None:
    browser = site.test_client()
    provider.sign_in(browser, groups=["staff"])
    assert [browser.get(page).status_code for page in ("/", "/staff")] == [200, 200]
    assert provider.calls("check-in") == 0


def test_without_a_lease_a_provider_that_is_away_stops_nobody_and_the_sites_own_limit_holds(
    site: Flask, provider: FakeSSO, pass_s: Callable[[float], None]
) -> None:
    browser = site.test_client()
    provider.sign_in(browser)
    provider.down()
    pass_s(23 * 3600)
    assert browser.get("/").status_code == 200
    pass_s(2 * 3600)
    assert browser.get("/").status_code == 302, "SSO_SESSION_MAX_AGE, a day"


@pytest.mark.parametrize("typ", ["logout+jwt", "JWT", None])
def test_a_logout_call_from_before_the_final_specification_ends_the_session(
    typ: str | None, site: Flask, provider: FakeSSO
) -> None:
    browser = site.test_client()
    signed_in = provider.sign_in(browser)
    token = provider.logout_token(signed_in.sid, typ=typ, **OLDER)
    assert provider.call_logout(site.test_client(), token).status == 200
    assert browser.get("/").status_code == 302


def test_a_token_with_a_sid_ends_that_session_alone_and_one_with_sub_alone_all_of_the_person(
    site: Flask, provider: FakeSSO
) -> None:
    laptop, phone, bob = (site.test_client() for _ in range(3))
    on_the_laptop = provider.sign_in(laptop, "alice")
    provider.sign_in(phone, "alice")
    provider.sign_in(bob, "bob")

    def still_in() -> list[int]:
        return [browser.get("/").status_code for browser in (laptop, phone, bob)]

    provider.call_logout(site.test_client(), provider.logout_token(on_the_laptop.sid, **OLDER))
    assert still_in() == [302, 200, 200], "its sub is there too, and ends nothing more"
    provider.call_logout(site.test_client(), provider.provider.logout_token(sub="alice", **OLDER))
    assert still_in() == [302, 302, 200]


def test_where_id_tokens_name_no_session_the_persons_sub_ends_it(site: Flask, provider: FakeSSO) -> None:
    provider.provider.id_token_changes = {"sid": None}
    browser = site.test_client()
    provider.sign_in(browser, "alice")
    assert provider.call_logout(site.test_client(), provider.provider.logout_token(sub="alice", **OLDER)).status == 200
    assert browser.get("/").status_code == 302


def test_access_tokens_are_renewed_and_a_refused_renewal_ends_the_session(
    site: Flask, provider: FakeSSO, pass_s: Callable[[float], None]
) -> None:
    browser = site.test_client()
    signed_in = provider.sign_in(browser)
    first = client_of(site).access_token(cookie_of(browser))
    pass_s(301)
    second = client_of(site).access_token(cookie_of(browser))
    assert first != second
    assert provider.provider.find_access(second) is not None

    provider.end(signed_in.sid, call=False)  # the logout call is lost: here it comes out all the same
    pass_s(301)
    with pytest.raises(SSOError) as caught:
        client_of(site).access_token(cookie_of(browser))
    assert caught.value.code == "session_ended"
    assert browser.get("/").status_code == 302


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_the_sites_api_takes_tokens_until_the_session_ends(
    kind: str, site: Flask, provider: FakeSSO, pass_s: Callable[[float], None]
) -> None:
    provider.provider.access_token = kind
    token = f"Bearer {provider.access_token('alice', scope='openid profile')}"
    assert client_of(site).read_bearer(token, scope="profile").user.sub == "alice"
    provider.sign_out("alice")
    pass_s(6)  # as long as an answer may be remembered
    with pytest.raises(SSOError) as caught:
        client_of(site).read_bearer(token)
    assert caught.value.code == "bearer_invalid"


def test_a_provider_that_cannot_be_asked_leaves_a_jwt_good_until_it_expires(
    site: Flask, provider: FakeSSO, pass_s: Callable[[float], None]
) -> None:
    provider.provider.access_token = "jwt"
    provider.provider.discovery_changes |= {"introspection_endpoint": None}
    token = f"Bearer {provider.access_token('alice')}"
    provider.sign_out("alice")
    assert client_of(site).read_bearer(token).user.sub == "alice"
    pass_s(600)
    with pytest.raises(SSOError) as caught:
        client_of(site).read_bearer(token)
    assert caught.value.code == "bearer_invalid"


def test_a_sign_out_here_goes_on_at_the_providers_page_which_is_told_who(site: Flask, provider: FakeSSO) -> None:
    browser = site.test_client()
    provider.sign_in(browser)
    answer = browser.post("/sso/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.location.startswith(f"{provider.issuer}/end-session?")
    assert "id_token_hint=" in answer.location
    assert browser.get("/").status_code == 302


def test_a_provider_without_a_sign_out_page_leaves_people_on_a_page_of_this_site(
    site: Flask, provider: FakeSSO
) -> None:
    provider.provider.discovery_changes |= {"end_session_endpoint": None}
    browser = site.test_client()
    provider.sign_in(browser)
    answer = browser.post("/sso/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.location) == (200, None)
    assert browser.get("/").status_code == 302
