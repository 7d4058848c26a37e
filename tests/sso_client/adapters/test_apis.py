"""An API guarded by access tokens, and tokens for the APIs of others: the same in every framework."""

import json

import pytest

from sso_client.testing.page import Page
from sso_client.testing.tokens import Grant
from tests.support.all_sites import AnySite, Visitor
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid


def token_for(centre: FakeProvider, scope: str, *groups: str) -> str:
    """An access token of somebody signed in elsewhere."""
    session = centre.open_session("usr-bob", {"preferred_username": "bob", "groups": list(groups)})
    return centre.new_access_token(Grant(session.sid, "usr-bob", scope, session.auth_time))


def call(site: AnySite, token: str | None, path: str = "/api/me") -> Page:
    return site.visitor().get(path, **({} if token is None else {"Authorization": f"Bearer {token}"}))


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_token_with_the_scope_opens_the_api(kind: str, site: AnySite, centre: FakeProvider) -> None:
    centre.access_token = kind
    answer = call(site, token_for(centre, "openid profile"))
    assert (answer.status, answer.text, answer.header("Cache-Control")) == (200, "usr-bob", "no-store")


def test_without_a_good_token_it_is_401_with_a_challenge_and_never_a_redirect(site: AnySite, alice: Visitor) -> None:
    alice.sign_in()
    for answer in (call(site, None), call(site, "made-up"), alice.get("/api/me", Accept="text/html")):
        assert answer.status == 401, "a cookie is no token"
        assert (answer.header("WWW-Authenticate") or "").startswith("Bearer")
        assert json.loads(answer.text)["error"].startswith("bearer_")


def test_without_the_scope_it_is_403(site: AnySite, centre: FakeProvider) -> None:
    answer = call(site, token_for(centre, "openid"))
    assert answer.status == 403
    assert 'scope="profile"' in (answer.header("WWW-Authenticate") or "")


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_a_token_of_a_person_outside_the_groups_is_403_with_a_challenge(
    kind: str, site: AnySite, centre: FakeProvider
) -> None:
    centre.access_token = kind
    refused = call(site, token_for(centre, "openid profile groups", "reader"), "/api/staff")
    assert (refused.status, json.loads(refused.text)["error"]) == (403, "bearer_group")
    assert 'error="insufficient_scope"' in (refused.header("WWW-Authenticate") or "")
    assert call(site, token_for(centre, "openid profile groups", "reader", "staff"), "/api/staff").text == "usr-bob"
    assert call(site, token_for(centre, "openid groups", "staff"), "/api/staff").status == 403, "the scope as well"


def test_one_group_of_callers_may_be_written_as_it_is(site: AnySite, centre: FakeProvider) -> None:
    assert call(site, token_for(centre, "openid groups", "s", "t", "a", "f"), "/api/one-group").status == 403
    assert call(site, token_for(centre, "openid groups", "staff"), "/api/one-group").text == "usr-bob"


def test_a_token_opens_no_page(site: AnySite, alice: Visitor, centre: FakeProvider) -> None:
    assert alice.get("/account", Authorization=f"Bearer {token_for(centre, 'openid profile')}").status == 401


def test_the_person_at_a_page_brings_a_token_that_is_renewed_when_due(
    alice: Visitor, centre: FakeProvider, clock: MovedClock
) -> None:
    assert alice.get("/token").status == 302
    alice.sign_in()
    first = alice.get("/token").text
    assert centre.find_access(first) is not None
    assert alice.get("/token").text == first
    clock.go(290)
    centre.skew_s += 290
    second = alice.get("/token").text
    assert second != first
    assert centre.find_access(second) is not None


def test_a_refused_renewal_signs_out_here_in_words(
    site: AnySite, alice: Visitor, centre: FakeProvider, clock: MovedClock
) -> None:
    sid = new_sid()
    alice.sign_in(sid=sid)
    centre.failing["/token"] = "session_ended"
    clock.go(299)
    centre.skew_s += 299
    page = alice.get("/token")
    assert "session_ended" in page.text
    assert page.status == 403
    assert site.ended == [("usr-alice", "refresh_refused")]
    assert not alice.is_in()
