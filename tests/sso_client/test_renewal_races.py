"""Many workers at a token's expiry: one renews, one may be killed, nobody is signed out."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sso_client import LocalStore, Settings, SSOClient
from sso_client.clock import Instant, now
from sso_client.records import Tokens
from sso_client.stores import RENEWAL_MS
from sso_client.stores.opening import open_store
from tests.sso_client.test_access_tokens import code_of, renewals
from tests.support.both_clients import running_client
from tests.support.fake_provider import FakeProvider
from tests.support.forks import in_processes
from tests.support.sdk import MovedClock, Person, wait_until


@pytest.fixture
def client(either_client: Any) -> Any:
    return either_client


@pytest.fixture
def signed_in(client, person: Person, centre: FakeProvider) -> tuple[str, str]:
    """A cookie, and the hash that it is kept under. The lease is long: what ends must be heard of otherwise."""
    centre.lease_s = 3600
    cookie, session = person.sign_in()
    assert client.find_session(cookie) is not None
    return cookie, session.cookie_hash


def test_a_worker_that_was_killed_while_renewing_costs_ten_seconds(
    signed_in, client, centre: FakeProvider, store: LocalStore, clock: MovedClock, go
) -> None:
    cookie, kept_as = signed_in
    first = client.access_token(cookie)
    go(280)
    # It took the right and asked; the answer died with it.
    assert store.tokens.take_renewal(kept_as, now(clock))
    centre.renew(store.tokens.find(kept_as).refresh_token)
    assert client.access_token(cookie) == first, "still good: nobody waits"
    go(RENEWAL_MS / 1000)
    assert client.access_token(cookie) != first, "the centre gives a sibling"
    assert client.find_session(cookie) is not None


def test_an_expired_token_is_waited_for_no_longer_than_a_renewal_may_take(
    signed_in, client, store: LocalStore, clock: MovedClock, go, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sso_client.access_tokens._WAIT_S", 0.5)
    cookie, kept_as = signed_in
    go(301)
    assert store.tokens.take_renewal(kept_as, now(clock))
    begun = time.monotonic()
    assert code_of(lambda: client.access_token(cookie)) == "provider_unavailable"
    assert 0.5 < time.monotonic() - begun < 5


def test_ten_requests_of_one_process_renew_once_and_all_go_on_with_the_new_token(
    signed_in, client, centre: FakeProvider, go
) -> None:
    cookie, _ = signed_in
    go(301)
    centre.failing["/token"] = 0.3
    with ThreadPoolExecutor(10) as requests:
        got = set(requests.map(client.access_token, [cookie] * 10))
    assert (len(got), renewals(centre)) == (1, 1)


def test_who_has_waited_for_a_renewal_takes_what_came_of_it_however_short_it_lives(
    signed_in, client, centre: FakeProvider, go
) -> None:
    cookie, _ = signed_in
    go(301)
    # A renewal may take six seconds; whoever came after it would renew again, and rightly.
    centre.failing["/token"], centre.token_changes = 3.0, {"expires_in": None}
    with ThreadPoolExecutor(5) as requests:
        got = set(requests.map(client.access_token, [cookie] * 5))
    assert (len(got), renewals(centre)) == (1, 1)


def test_what_another_worker_was_given_meanwhile_is_used_and_not_given_up(
    signed_in, client, centre: FakeProvider, store: LocalStore, go
) -> None:
    cookie, kept_as = signed_in
    go(301)
    spent = store.tokens.find(kept_as).refresh_token
    centre.failing["/token"] = 3.0
    with ThreadPoolExecutor(1) as requests:
        asking = requests.submit(client.access_token, cookie)
        wait_until(lambda: renewals(centre) == 1)
        assert store.tokens.keep_renewed(kept_as, spent, Tokens("of another worker", 10**15, "newer", 10**15))
        assert asking.result(timeout=60) == "of another worker"
    assert centre.calls("/revoke") == 0
    assert client.find_session(cookie) is not None


def at_expiry(settings: Settings, place: Path, clock: MovedClock, cookie: str) -> str:
    """A worker process of its own."""
    settings = Settings(settings.issuer, settings.client_id, settings.client_secret, store=f"sqlite:///{place}")
    client = SSOClient(settings, open_store(settings, place.parent, clock), clock=clock)
    try:
        return client.access_token(cookie)
    finally:
        client.close()


@pytest.mark.parametrize("expired", [False, True], ids=["still good", "expired"])
def test_ten_workers_at_expiry_renew_once_and_sign_nobody_out(
    expired: bool, centre: FakeProvider, settings: Settings, store, tmp_path: Path, clock: MovedClock, go
) -> None:
    centre.lease_s = 3600
    client = SSOClient(settings, store, clock=clock)
    cookie, _ = Person(client, centre).sign_in()
    first = client.access_token(cookie)
    go(301 if expired else 285)
    centre.failing["/token"] = 0.5  # they all come meanwhile
    place = tmp_path / "sso.sqlite3"
    got = in_processes(*(partial(at_expiry, settings, place, clock, cookie) for _ in range(10)))
    assert renewals(centre) == 1
    renewed = client.access_token(cookie)
    assert set(got) == ({renewed} if expired else {first, renewed})
    assert centre.find_access(renewed) is not None
    assert client.find_session(cookie) is not None
    client.close()


class RenewedFirst:
    """A store's tokens; between somebody's looking and taking the right to renew, another worker renews."""

    def __init__(self, tokens: Any, renewed: Tokens) -> None:
        self._tokens, self._renewed = tokens, renewed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokens, name)

    def take_renewal(self, cookie_hash: str, moment: Instant) -> bool:
        spent = self._tokens.find(cookie_hash).refresh_token
        assert self._tokens.keep_renewed(cookie_hash, spent, self._renewed)
        return bool(self._tokens.take_renewal(cookie_hash, moment))


def test_who_gets_the_right_after_another_has_renewed_does_not_renew_again(
    signed_in, settings: Settings, store: LocalStore, centre: FakeProvider, clock: MovedClock, go
) -> None:
    cookie, kept_as = signed_in
    go(301)
    renewed = Tokens("of another worker", clock.wall_ms() + 300_000, "newer", 300_000)
    late = replace(store, tokens=RenewedFirst(store.tokens, renewed))
    with running_client("blocking", settings, late, clock) as client:
        assert client.access_token(cookie) == "of another worker"
        assert store.tokens.take_renewal(kept_as, now(clock)), "the right was given back"
    assert renewals(centre) == 0


class SignedOutMeanwhile:
    """A store's tokens; while somebody's renewal fails, the person is signed out elsewhere."""

    def __init__(self, store: LocalStore, sid: str) -> None:
        self._store, self._sid = store, sid

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store.tokens, name)

    def give_renewal_back(self, cookie_hash: str) -> None:
        self._store.tokens.give_renewal_back(cookie_hash)
        assert self._store.inbox.end_by_sid(self._sid, "jti", 2000)


def test_who_signs_out_while_a_renewal_fails_is_not_given_the_old_token_good_as_it_is(
    signed_in, settings: Settings, store: LocalStore, centre: FakeProvider, clock: MovedClock, client, go
) -> None:
    cookie, _ = signed_in
    centre.failing["/token"] = 503
    go(280)
    assert client.access_token(cookie), "as long as the person is signed in it may be used"
    late = replace(store, tokens=SignedOutMeanwhile(store, client.find_session(cookie).sid))
    with running_client("blocking", settings, late, clock) as other:
        assert code_of(lambda: other.access_token(cookie)) == "login_required"
