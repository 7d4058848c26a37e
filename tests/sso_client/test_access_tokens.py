"""Access tokens for calls to APIs: kept while they are good, renewed by one worker, gone with their session."""

import secrets
import threading
from collections.abc import Callable
from typing import Any

import pytest

from sso_client import LeaseExpired, LocalStore, Settings, SSOClient, SSOError
from sso_client.records import Tokens
from sso_client.stores.opening import open_store
from tests.support.fake_provider import FOREIGN_KEY, FakeProvider
from tests.support.sdk import MovedClock, Person, wait_until


@pytest.fixture
def client(either_client: Any) -> Any:
    return either_client


def renewals(centre: FakeProvider) -> int:
    return sum(b"grant_type=refresh_token" in body for path, _, body in centre.requests if path == "/token")


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(SSOError) as raised:
        work()
    return raised.value.code


def test_the_token_of_the_sign_in_is_good_until_little_is_left(client, person: Person, centre, go) -> None:
    cookie, _ = person.sign_in()
    first = client.access_token(cookie)
    assert centre.find_access(first) is not None
    go(269)
    assert client.access_token(cookie) == first
    assert renewals(centre) == 0
    go(2)
    second = client.access_token(cookie)
    assert second != first
    assert (client.access_token(cookie), renewals(centre)) == (second, 1)
    go(201)
    assert client.access_token(cookie, min_life_s=150) not in (first, second), "the caller may need more"


def test_a_short_token_is_not_renewed_at_every_call(client, person: Person, centre: FakeProvider, go) -> None:
    centre.access_token_s = 10
    cookie, _ = person.sign_in()
    first = client.access_token(cookie)
    go(6)
    assert client.access_token(cookie) == first
    go(1)
    assert client.access_token(cookie) != first, "a third of its life is left"


def test_a_token_whose_life_nobody_stated_is_renewed_before_each_use(client, person: Person, centre) -> None:
    centre.token_changes = {"expires_in": None}
    cookie, _ = person.sign_in()
    assert client.access_token(cookie) != client.access_token(cookie)


def test_a_clock_set_back_makes_no_old_token_young(client, person: Person, centre: FakeProvider, go, clock) -> None:
    cookie, _ = person.sign_in()
    first = client.access_token(cookie)
    clock.wall_shift_ms -= 60_000
    assert client.access_token(cookie) != first


def test_who_is_not_signed_in_has_no_token(client, person: Person) -> None:
    cookie, _ = person.sign_in()
    client.sign_out(cookie)
    for wrong in (cookie, None, "", "unknown", "ü", "x" * 101):
        assert code_of(lambda wrong=wrong: client.access_token(wrong)) == "login_required"


def test_a_renewal_is_an_event_and_a_token_that_is_good_is_none(client, person: Person, go) -> None:
    cookie, session = person.sign_in()
    for seconds in (0, 299, 0):
        go(seconds)
        client.access_token(cookie)
    told = [event for event in client.recent_events() if event.kind == "token_renewed"]
    assert [event.sid for event in told] == [session.sid]


def test_asking_for_a_token_is_no_activity(client, person: Person, store: LocalStore, clock: MovedClock) -> None:
    cookie, session = person.sign_in()
    clock.go(40)
    client.access_token(cookie)
    found, _ = store.sessions.find(session.cookie_hash, clock.wall_ms())
    assert found.served_at_ms == session.served_at_ms


def ended(centre: FakeProvider, sid: str, spent: str) -> None:
    centre.end(sid)


def reused(centre: FakeProvider, sid: str, spent: str) -> None:
    centre.renew(spent)
    centre.skew_s += 61


def revoked(centre: FakeProvider, sid: str, spent: str) -> None:
    centre.revoke(spent)


@pytest.fixture
def signed_in(client, person: Person, centre: FakeProvider) -> tuple[str, str]:
    """A cookie, and the hash that it is kept under. The lease is long: what ends must be heard of otherwise."""
    centre.lease_s = 3600
    cookie, session = person.sign_in()
    assert client.find_session(cookie) is not None
    return cookie, session.cookie_hash


@pytest.mark.parametrize("refused_because", [ended, reused, revoked])
def test_a_refused_renewal_ends_the_local_session(
    refused_because, signed_in, client, centre: FakeProvider, store: LocalStore, go
) -> None:
    cookie, kept_as = signed_in
    told: list[tuple[str, str]] = []
    client.hooks.on_logout.append(lambda user, reason: told.append((user.sub, reason)))
    refused_because(centre, client.find_session(cookie).sid, store.tokens.find(kept_as).refresh_token)
    go(280)
    assert code_of(lambda: client.access_token(cookie)) == "session_ended"
    assert told == [("usr-alice", "refresh_refused")]
    assert client.recent_events(1)[0].kind == "refresh_refused"
    assert client.find_session(cookie) is None
    assert code_of(lambda: client.access_token(cookie)) == "login_required"
    assert not store.journal.has_untold_ends(), "the centre knows what it refused"


@pytest.mark.redis
def test_a_refused_renewal_ends_the_session_on_redis_too(centre: FakeProvider, redis_url: str, tmp_path, go, clock):
    centre.client_id, centre.lease_s = f"shop-{secrets.token_hex(6)}", 3600
    settings = Settings(centre.issuer, centre.client_id, centre.client_secret, "http://127.0.0.1:5000", redis_url)
    client = SSOClient(settings, open_store(settings, tmp_path, clock), clock=clock)
    cookie, session = Person(client, centre).sign_in()
    first = client.access_token(cookie)
    go(280)
    assert client.access_token(cookie) != first
    centre.end(session.sid)
    go(280)
    assert code_of(lambda: client.access_token(cookie)) == "session_ended"
    assert client.find_session(cookie) is None
    client.close()


def test_a_refusal_counts_for_nothing_if_another_worker_has_renewed_meanwhile(
    signed_in, client, centre: FakeProvider, store: LocalStore, go
) -> None:
    cookie, kept_as = signed_in
    go(280)
    spent = store.tokens.find(kept_as).refresh_token
    centre.failing["/token"] = 0.5
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(client.access_token(cookie)))
    asking.start()
    wait_until(lambda: renewals(centre) == 1)
    assert store.tokens.keep_renewed(kept_as, spent, Tokens("of another worker", 10**15, "newer", 10**15))
    centre.revoke(spent)
    asking.join()
    assert answers == ["of another worker"]
    assert client.find_session(cookie) is not None


@pytest.mark.parametrize("fault", ["down", 503, 429])
def test_a_centre_that_is_away_stops_nobody_while_the_token_is_good(
    fault, signed_in, client, centre: FakeProvider, go
) -> None:
    cookie, _ = signed_in
    first = client.access_token(cookie)
    go(280)
    if fault == "down":
        centre.down()
    else:
        centre.failing["/token"] = fault
    assert client.access_token(cookie) == first
    go(21)
    for _ in range(3):
        assert code_of(lambda: client.access_token(cookie)) == "provider_unavailable"
    if fault != "down":
        assert renewals(centre) == 2, "not each request asks again"
    centre.up() if fault == "down" else centre.failing.clear()
    go(1)
    assert client.access_token(cookie) != first
    assert client.find_session(cookie) is not None


def test_a_refused_client_keeps_its_sessions(signed_in, client, centre: FakeProvider, go) -> None:
    cookie, _ = signed_in
    centre.client_secret = "another"
    go(301)
    assert code_of(lambda: client.access_token(cookie)) == "client_refused"
    assert client.find_session(cookie) is not None


def test_without_a_refresh_token_the_token_is_used_up_and_then_missing(client, person: Person, centre, go) -> None:
    centre.refresh_tokens, centre.lease_s = False, 3600
    cookie, _ = person.sign_in()
    first = client.access_token(cookie)
    go(299)
    assert client.access_token(cookie) == first
    go(2)
    assert code_of(lambda: client.access_token(cookie)) == "tokens_missing"
    assert (renewals(centre), client.find_session(cookie) is not None) == (0, True)


def test_a_provider_that_rotates_nothing_may_be_asked_with_the_same_refresh_token(
    signed_in, client, centre: FakeProvider, store: LocalStore, go
) -> None:
    cookie, kept_as = signed_in
    before = store.tokens.find(kept_as)
    centre.refresh_tokens = False
    go(280)
    client.access_token(cookie)
    after = store.tokens.find(kept_as)
    assert (after.refresh_token, after.access_token != before.access_token) == (before.refresh_token, True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "usr-mallory"}, "subject_mismatch"),
        ({"sid": "sid-07-another"}, "subject_mismatch"),
        ({"iss": "https://elsewhere.example"}, "issuer_mismatch"),
        ({"aud": "another"}, "audience_mismatch"),
        ({"nonce": "another"}, "nonce_mismatch"),
        ({"exp": 1}, "token_expired"),
    ],
    ids=str,
)
def test_renewed_tokens_of_somebody_else_are_refused(
    changes, code, signed_in, client, centre: FakeProvider, store, go
) -> None:
    cookie, kept_as = signed_in
    before = store.tokens.find(kept_as)
    centre.id_token_changes = changes
    go(301)
    assert code_of(lambda: client.access_token(cookie)) == code
    assert store.tokens.find(kept_as) == before


def test_renewed_tokens_that_a_stranger_signed_are_refused(signed_in, client, centre: FakeProvider, go) -> None:
    cookie, _ = signed_in
    go(301)
    known, centre.ec_key = centre.ec_key, FOREIGN_KEY
    assert code_of(lambda: client.access_token(cookie)) == "signature_invalid"
    centre.ec_key = known
    assert client.access_token(cookie), "the same refresh token, within the minute"


def test_who_signs_out_while_the_token_is_renewed_gets_none_and_the_centre_forgets_it(
    signed_in, client, centre: FakeProvider, go
) -> None:
    cookie, _ = signed_in
    go(301)
    centre.failing["/token"] = 0.5
    codes: list[str] = []
    asking = threading.Thread(target=lambda: codes.append(code_of(lambda: client.access_token(cookie))))
    asking.start()
    wait_until(lambda: renewals(centre) == 1)
    client.sign_out(cookie, scope="site")
    asking.join()
    assert codes == ["login_required"]
    assert centre.calls("/revoke") == 1
    assert all(grant.grant.revoked for grant in centre.tokens.refresh.values())


def test_no_token_is_handed_out_beyond_the_lease(client, person: Person, centre: FakeProvider, go) -> None:
    cookie, _ = person.sign_in()
    assert client.access_token(cookie)
    centre.down()
    go(59)
    assert client.access_token(cookie)
    go(2)
    with pytest.raises(LeaseExpired):
        client.access_token(cookie)
