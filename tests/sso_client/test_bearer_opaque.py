"""An opaque access token is asked about: what the answer must say, and how long it is kept."""

from typing import Any

import pytest

from sso_client.testing.tokens import Grant
from tests.support.api_callers import SCOPE, asked, changed, code_of
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock


@pytest.fixture
def client(either_client: Any) -> Any:
    """A site with an API, at which nobody has ever signed in."""
    return either_client


def test_an_opaque_token_is_asked_about_and_the_answer_kept_for_a_moment(
    client, centre: FakeProvider, grant: Grant, opaque: str, go
) -> None:
    bearer = client.read_bearer(f"Bearer {opaque}", scope="orders:read")
    assert (bearer.user.sub, bearer.user.username, bearer.user.groups) == ("usr-alice", "alice", ("staff",))
    assert (bearer.client_id, bearer.scope, bearer.sid) == (centre.client_id, tuple(SCOPE.split()), grant.sid)
    assert client.read_bearer(f"Bearer {opaque}") == bearer
    assert asked(centre) == 1
    centre.end(grant.sid)
    go(2)
    assert code_of(client, opaque) == "bearer_invalid"
    assert asked(centre) == 2


def test_a_kept_answer_does_not_outlive_the_token(client, centre: FakeProvider, opaque: str, clock: MovedClock) -> None:
    client.read_bearer(f"Bearer {opaque}")
    clock.wall_shift_ms += centre.access_token_s * 1000
    assert code_of(client, opaque) == "bearer_invalid"
    assert asked(centre) == 1, "it was the kept answer that was judged"


def test_a_refusal_is_never_kept(client, centre: FakeProvider, grant: Grant, opaque: str) -> None:
    known = centre.tokens.access.pop(opaque)
    assert code_of(client, opaque) == "bearer_invalid"
    centre.tokens.access[opaque] = known
    assert client.read_bearer(f"Bearer {opaque}").sid == grant.sid


@pytest.mark.parametrize(
    "changes",
    [
        {"token_type": None},
        {"token_type": "refresh_token"},
        {"token_type": "DPoP"},
        {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
        {"iss": "https://elsewhere.example"},
        {"aud": None},
        {"aud": "another"},
        {"exp": None},
        {"exp": 1000},
        {"nbf": 10**11},
        {"sub": None},
        {"sub": ""},
        {"client_id": None},
        {"username": "\ud800"},
    ],
    ids=changed,
)
@pytest.mark.covers("line-61")
def test_an_answer_that_says_anything_else_admits_nobody(changes, client, centre: FakeProvider, opaque: str) -> None:
    centre.introspection_changes = changes
    assert code_of(client, opaque) == "bearer_invalid"
    centre.introspection_changes = {}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (503, "provider_unavailable"),
        (404, "provider_unavailable"),
        ("hang up", "provider_unreachable"),
        (401, "client_refused"),
        (403, "client_refused"),
    ],
)
def test_a_question_that_fails_is_no_answer(fault, code, client, centre: FakeProvider, opaque: str) -> None:
    centre.failing["/introspect"] = fault
    assert code_of(client, opaque) == code


@pytest.mark.parametrize("active", [None, 1, "true"])
def test_an_answer_that_does_not_say_whether_the_token_is_active_is_none(
    active, client, centre: FakeProvider, opaque: str
) -> None:
    centre.introspection_changes = {"active": active}
    assert code_of(client, opaque) == "provider_unavailable"


def test_an_answer_counts_from_when_it_was_asked_for_not_from_when_it_came(
    client, centre: FakeProvider, grant: Grant, opaque: str, go, monkeypatch
) -> None:
    find = centre.find_access
    monkeypatch.setattr(centre, "find_access", lambda token: go(0.5) or find(token))
    client.read_bearer(f"Bearer {opaque}")
    monkeypatch.undo()
    centre.end(grant.sid)
    go(1.6)
    assert code_of(client, opaque) == "bearer_invalid"


def test_few_answers_are_kept_however_many_tokens_come(client, centre: FakeProvider, grant, monkeypatch) -> None:
    monkeypatch.setattr("sso_client.introspection._MOST_REMEMBERED", 3)
    tokens = [centre.new_access_token(grant) for _ in range(5)]
    for token in tokens:
        client.read_bearer(f"Bearer {token}")
    client.read_bearer(f"Bearer {tokens[-1]}")
    assert asked(centre) == 5
    client.read_bearer(f"Bearer {tokens[0]}")
    assert asked(centre) == 6
