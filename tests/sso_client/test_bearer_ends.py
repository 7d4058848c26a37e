"""A JWT is refused within N of its session's end or of its revocation, reachable or not, or by asking."""

from typing import Any

import pytest

from sso_client import LeaseExpired
from sso_client.testing.tokens import Grant
from tests.support.api_callers import an_access_token, asked, code_of, refusal
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import Person


@pytest.fixture
def client(either_client: Any) -> Any:
    """A site with an API, at which nobody has ever signed in."""
    return either_client


@pytest.mark.parametrize("by", ["its session's end", "revocation"])
def test_a_jwt_is_refused_within_n_of(by, client, centre: FakeProvider, grant: Grant, jwt: str, go) -> None:
    assert client.read_bearer(f"Bearer {jwt}").sid == grant.sid
    if by == "revocation":
        centre.revoke(jwt)
    else:
        centre.end(grant.sid)
    go(29)
    client.read_bearer(f"Bearer {jwt}")  # the bound is N: nobody asks at each call
    go(2)
    assert code_of(client, jwt) == "bearer_invalid"
    other = an_access_token(centre, sid=grant.sid if by == "revocation" else None)
    assert client.read_bearer(f"Bearer {other}").client_id == "caller", "only what was ended or revoked is refused"


def test_a_jwt_of_a_session_that_ended_long_ago_is_refused_by_an_api_that_starts_now(
    client, centre: FakeProvider, grant: Grant, jwt: str
) -> None:
    centre.end(grant.sid)
    assert code_of(client, jwt) == "bearer_invalid"
    assert centre.calls("/check-in") == 1


def test_an_api_that_is_cut_off_admits_nobody_beyond_n(client, centre: FakeProvider, grant: Grant, jwt, go) -> None:
    client.read_bearer(f"Bearer {jwt}")
    centre.failing["/check-in"] = "hang up"
    centre.end(grant.sid)
    go(59)
    client.read_bearer(f"Bearer {jwt}")
    go(2)
    error = refusal(client, jwt)
    assert isinstance(error, LeaseExpired)
    assert (error.status, error.retry_after_s > 0, client.challenge(error)) == (503, True, None)
    centre.failing.clear()
    go(1)
    assert code_of(client, jwt) == "bearer_invalid"


def test_a_list_that_was_cut_confirms_nobody(client, centre: FakeProvider, jwt: str, go) -> None:
    client.read_bearer(f"Bearer {jwt}")
    centre.check_in_changes = {"more": True}
    go(61)
    assert code_of(client, jwt) == "lease_expired"
    centre.check_in_changes = {}
    go(1)
    client.read_bearer(f"Bearer {jwt}")


def test_the_sites_own_grace_covers_its_api(client, centre: FakeProvider, jwt: str, go) -> None:
    centre.grace_s = 30
    client.read_bearer(f"Bearer {jwt}")
    centre.down()
    go(85)
    client.read_bearer(f"Bearer {jwt}")
    go(10)
    assert code_of(client, jwt) == "lease_expired"


def test_calls_and_sessions_share_one_lease(client, person: Person, centre: FakeProvider, jwt: str) -> None:
    cookie, _ = person.sign_in()
    client.find_session(cookie)
    client.read_bearer(f"Bearer {jwt}")
    assert centre.calls("/check-in") == 1


def test_nobody_is_called_invalid_while_nobody_can_tell(client, centre: FakeProvider, jwt: str, opaque, clock) -> None:
    centre.down()
    for token in (jwt, "at-opaque"):
        error = refusal(client, token)
        assert (error.status, client.challenge(error)) == (503, None)
    centre.up()
    clock.go(1)
    assert client.read_bearer(f"Bearer {jwt}").user.sub == "usr-alice"
    unknown = an_access_token(centre, {"kid": "of tomorrow"})
    assert code_of(client, unknown) == "key_pending", "keys are not fetched again for everybody who asks"


def test_where_the_centre_keeps_no_list_a_jwt_is_asked_about(client, centre: FakeProvider, grant, jwt: str, go) -> None:
    centre.check_in_changes = {"denied_to": None}
    assert client.read_bearer(f"Bearer {jwt}").sid == grant.sid
    assert asked(centre) == 1
    centre.end(grant.sid)
    go(2)
    assert code_of(client, jwt) == "bearer_invalid"


def test_a_foreign_provider_is_asked_or_leaves_a_jwt_good_until_it_expires(
    client, centre: FakeProvider, grant, jwt: str, go
) -> None:
    centre.leases = False
    assert client.read_bearer(f"Bearer {jwt}").sid == grant.sid
    assert asked(centre) == 1
    centre.end(grant.sid)
    go(2)
    assert code_of(client, jwt) == "bearer_invalid"
    centre.discovery_changes = {"introspection_endpoint": None}
    go(601)
    late = an_access_token(centre, sid=grant.sid)
    assert client.read_bearer(f"Bearer {late}").sid == grant.sid, "no bound is promised there"
    assert code_of(client, "at-opaque") == "bearer_invalid"
    assert asked(centre) == 2


def test_a_jwt_that_a_restored_centre_has_forgotten_is_refused_and_younger_ones_are_not_asked_about(
    client, centre: FakeProvider, grant: Grant, jwt: str, go
) -> None:
    centre.epoch = "before"
    client.read_bearer(f"Bearer {jwt}")
    go(130)
    client.read_bearer(f"Bearer {an_access_token(centre)}")
    before = asked(centre)
    centre.epoch = "restored"
    del centre.sessions[grant.sid], centre.tokens.access[jwt]
    go(61)
    assert code_of(client, jwt) == "bearer_invalid"
    assert asked(centre) == before + 1
    go(61)
    assert client.read_bearer(f"Bearer {an_access_token(centre)}").client_id == "caller"
    assert asked(centre) == before + 1
    assert code_of(client, jwt) == "bearer_invalid"


def test_more_than_a_check_in_can_list_is_heard_of_by_the_next_requests(client, centre: FakeProvider, jwt, go) -> None:
    client.read_bearer(f"Bearer {jwt}")
    go(61)
    centre.check_in_changes = {"more": True}
    assert code_of(client, jwt) == "lease_expired"
    asked_from = [each["denied_from"] for each in centre.check_ins]
    assert asked_from.count(None) == 2, "at the start, and after the gap"
    go(2)
    assert code_of(client, jwt) == "lease_expired"
    assert [each["denied_from"] for each in centre.check_ins].count(None) == 2, "it goes on where it stopped"
    centre.check_in_changes = {}
    go(2)
    client.read_bearer(f"Bearer {jwt}")


def test_a_centre_that_hides_its_check_in_lifts_nobodys_lease(client, centre: FakeProvider, jwt: str, go) -> None:
    client.read_bearer(f"Bearer {jwt}")
    centre.access_token_s = 3600
    centre.leases = False
    go(601)
    centre.failing["/check-in"] = 503
    assert code_of(client, an_access_token(centre)) == "lease_expired"
