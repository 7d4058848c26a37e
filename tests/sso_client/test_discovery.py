"""The centre's description of itself: fetched when needed, checked, kept while the centre is away."""

import pytest

from sso_client import Settings, SSOClient, SSOError
from sso_client.discovery import read_provider
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock

# Seconds, nearly as long as it rests after the first three failures.
NEARLY_RESTED = (0.45, 0.95, 1.95)


def test_nothing_is_fetched_before_it_is_needed(client: SSOClient, centre: FakeProvider) -> None:
    assert centre.requests == []
    client.login_url("/")
    client.login_url("/")
    assert centre.calls("/.well-known/openid-configuration") == 1


def test_the_document_is_fetched_again_after_ten_minutes_and_kept_while_the_centre_is_down(
    client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    client.login_url("/")
    clock.go(601)
    client.login_url("/")
    assert centre.calls("/.well-known/openid-configuration") == 2
    centre.down()
    clock.go(601)
    client.login_url("/")


def test_a_centre_that_is_down_is_not_asked_by_every_request(
    client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.failing["/.well-known/openid-configuration"] = 500
    for passed_s in (*NEARLY_RESTED, *[0.1] * 6):
        with pytest.raises(SSOError) as error:
            client.login_url("/")
        assert error.value.code == "discovery_unreachable"
        clock.go(passed_s)
    assert centre.calls("/.well-known/openid-configuration") == 4
    centre.failing.clear()
    clock.go(11)
    client.login_url("/")


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_who_comes_a_moment_after_the_first_failures_waits_for_that_moment(
    failures: int, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    """A centre that has just started calls its sites before anybody gets through to it."""
    centre.failing["/.well-known/openid-configuration"] = 500
    for passed_s in NEARLY_RESTED[:failures]:
        with pytest.raises(SSOError):
            client.login_url("/")
        clock.go(passed_s)
    centre.failing.clear()
    assert client.login_url("/")[0].startswith(centre.issuer)


@pytest.mark.covers("oidcc-client-test-discovery-issuer-mismatch")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": "http://127.0.0.1:1"}, "issuer_mismatch"),
        ({"issuer": None}, "issuer_mismatch"),
        ({"token_endpoint": "https://evil.example/token"}, "endpoint_origin"),
        ({"check_in_endpoint": "https://evil.example/check-in"}, "endpoint_origin"),
        ({"jwks_uri": "file:///etc/passwd"}, "discovery_invalid"),
        ({"token_endpoint": "http://sso.example.com/token"}, "discovery_invalid"),
        ({"token_endpoint": None}, "discovery_invalid"),
        ({"authorization_endpoint": 7}, "discovery_invalid"),
    ],
)
def test_a_wrong_document_is_refused(client: SSOClient, centre: FakeProvider, changes, code: str) -> None:
    centre.discovery_changes = changes
    with pytest.raises(SSOError) as error:
        client.login_url("/")
    assert error.value.code == code


def test_the_issuer_is_compared_to_the_letter(centre: FakeProvider) -> None:
    with pytest.raises(SSOError):
        read_provider(centre.discovery(), Settings(centre.issuer + "/", "shop", "secret"))


def test_a_provider_on_several_hosts_works_when_they_are_named(centre: FakeProvider) -> None:
    document = centre.discovery() | {"token_endpoint": "https://oauth.example.com/token"}
    settings = Settings(centre.issuer, "shop", "secret", endpoint_origins=("https://oauth.example.com",))
    assert read_provider(document, settings).token_endpoint == "https://oauth.example.com/token"


def test_redirects_proxies_and_endless_bodies_are_not_followed(
    client: SSOClient, centre: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    client.login_url("/")
    centre.failing["/userinfo"] = 302
    url, attempt = client.login_url("/")
    with pytest.raises(SSOError) as error:
        client.validate_ticket(centre.issue_ticket(url, sid="sid-00-x"), attempt)
    assert error.value.code == "userinfo_refused"
    assert centre.calls("/elsewhere") == 0
    centre.failing.clear()
    centre.profile["padding"] = "x" * 2_000_000
    url, attempt = client.login_url("/")
    with pytest.raises(SSOError) as error:
        client.validate_ticket(centre.issue_ticket(url, sid="sid-00-x"), attempt)
    assert error.value.code == "provider_unreachable"
