"""Back-channel logout calls: which are believed, what they end, what a repeat does."""

import json
import sqlite3
import time
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from sso_client import SSOClient
from sso_client.settings import Settings
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, a_session, new_sid

FORM = "application/x-www-form-urlencoded"


@pytest.mark.covers("line-119")
def test_a_good_logout_token_ends_the_session_it_names(person: Person, client: SSOClient, centre: FakeProvider) -> None:
    cookie, session = person.sign_in()
    other, _ = person.sign_in()
    answer = client.receive_logout(centre.logout_form(sid=session.sid), FORM)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Lockstep-Store"] == client.store.store_id
    assert client.find_session(cookie) is None
    assert client.find_session(other) is not None, "`sub` beside `sid` must not end the person's other sessions"
    event = client.recent_events(1)[0]
    assert event.text.startswith("logout call received, local session ended, ")
    assert event.text.endswith(" ms after the click")
    assert event.after_ms >= 31


@pytest.mark.covers("line-119")
def test_sub_alone_ends_all_older_sessions_and_a_login_does_not_bring_them_back(
    person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    moment = int(time.time())
    centre.id_token_changes = {"iat": moment}
    cookies = [person.sign_in()[0] for _ in range(2)]
    stranger, _ = person.sign_in(sub="usr-bob")
    url, attempt = client.login_url("/")
    late = client.validate_ticket(centre.issue_ticket(url, sid=new_sid()), attempt)
    assert client.receive_logout(centre.logout_form(iat=moment), FORM).status == 200
    assert [client.find_session(cookie) for cookie in cookies] == [None, None]
    assert client.find_session(stranger) is not None
    centre.id_token_changes = {"iat": moment + 1}
    newer, _ = person.sign_in()
    assert client.find_session(newer) is not None
    with pytest.raises(Exception, match="session_ended"):
        client.open_session(late)


def test_an_algorithm_other_than_the_chosen_one_is_refused(store, clock: MovedClock, centre: FakeProvider) -> None:
    strict = Settings(centre.issuer, centre.client_id, centre.client_secret, id_token_algs=("ES256",))
    client = SSOClient(strict, store, clock=clock)
    centre.alg = "RS256"
    assert client.receive_logout(centre.logout_form(sid=new_sid()), FORM).status == 400
    client.close()


def test_an_older_provider_may_send_the_plain_type(client: SSOClient, centre: FakeProvider) -> None:
    centre.leases = False
    for typ in ("JWT", None):
        assert client.receive_logout(centre.logout_form(sid=new_sid(), typ=typ, exp=None), FORM).status == 200


@pytest.mark.covers("line-125", "line-120")
def test_logout_before_the_local_session_leaves_a_tombstone(
    client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    url, attempt = client.login_url("/")
    sid = new_sid()
    sign_in = client.validate_ticket(centre.issue_ticket(url, sid=sid), attempt)
    assert client.receive_logout(centre.logout_form(sid=sid), FORM).status == 200
    clock.go(290)
    with pytest.raises(Exception, match="session_ended"):
        client.open_session(sign_in)


def test_a_tombstone_lasts_longer_than_a_ticket_but_not_for_ever(store) -> None:
    session = a_session()
    store.inbox.end_by_sid(session.sid, "jti", 2000)
    assert not store.sessions.open(replace(session, opened_at_ms=2000 + 600_000), None)
    assert store.sessions.open(replace(session, opened_at_ms=2000 + 720_000), None)


@pytest.mark.parametrize("moved", ["wall_shift_ms", "boot_shift_ms"])
def test_a_ticket_redeemed_long_ago_opens_nothing_even_if_its_tombstone_is_gone(
    moved: str, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    url, attempt = client.login_url("/")
    sid = new_sid()
    sign_in = client.validate_ticket(centre.issue_ticket(url, sid=sid), attempt)
    client.receive_logout(centre.logout_form(sid=sid), FORM)
    setattr(clock, moved, getattr(clock, moved) + 720_000)
    with pytest.raises(Exception, match="session_ended"):
        client.open_session(sign_in)


def test_a_ticket_redeemed_a_while_ago_still_opens_its_session(client, centre: FakeProvider, clock) -> None:
    url, attempt = client.login_url("/")
    sign_in = client.validate_ticket(centre.issue_ticket(url, sid=new_sid()), attempt)
    clock.go(290)
    client.open_session(sign_in)
    clock.go(12)
    with pytest.raises(Exception, match="session_ended"):
        client.open_session(sign_in)


def test_a_second_ticket_redeemed_before_the_logout_opens_nothing_after_it(
    person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    sid = new_sid()
    person.sign_in(sid=sid)
    url, attempt = client.login_url("/")
    second_tab = client.validate_ticket(centre.issue_ticket(url, sid=sid), attempt)
    client.receive_logout(centre.logout_form(sid=sid), FORM)
    with pytest.raises(Exception, match="session_ended"):
        client.open_session(second_tab)


def test_replayed_jti_is_done_again(person: Person, client: SSOClient, centre: FakeProvider, tmp_path) -> None:
    sid = new_sid()
    call = centre.logout_form(sid=sid)
    assert client.receive_logout(call, FORM).status == 200
    with sqlite3.connect(tmp_path / "sso.sqlite3") as file:
        file.execute("DELETE FROM tombstones")  # as if the first call had noted its jti and then failed
    file.close()
    cookie, _ = person.sign_in(sid=sid)
    assert client.receive_logout(call, FORM).status == 200
    assert client.find_session(cookie) is None
    assert client.receive_logout(call, FORM).status == 200


def test_a_key_that_is_not_known_yet_is_fetched_once_and_then_no_more_for_a_while(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    _, session = person.sign_in()
    clock.go(31)
    centre.kid = "key-2"
    assert client.receive_logout(centre.logout_form(sid=session.sid), FORM).status == 200
    assert centre.calls("/jwks.json") == 2
    strange = urlencode({"logout_token": centre.sign(centre.logout_claims(sid="x"), {"kid": "strange"})}).encode()
    answers = [client.receive_logout(strange, FORM) for _ in range(5)]
    assert {(answer.status, answer.headers["Retry-After"]) for answer in answers} == {(503, "30")}
    assert centre.calls("/jwks.json") == 2
    clock.go(31)
    assert client.receive_logout(strange, FORM).status == 400
    assert centre.calls("/jwks.json") == 3


def test_a_centre_that_cannot_be_asked_for_keys_is_no_fault_of_the_token(
    client: SSOClient, centre: FakeProvider
) -> None:
    centre.failing["/jwks.json"] = 500
    answer = client.receive_logout(centre.logout_form(sid=new_sid()), FORM)
    assert answer.status == 503
    # It may be back in a second: the caller's own schedule is the better one.
    assert "Retry-After" not in answer.headers


def test_a_store_that_fails_is_503_and_the_repeat_ends_the_session(
    person: Person, client: SSOClient, centre: FakeProvider, tmp_path
) -> None:
    cookie, session = person.sign_in()
    call = centre.logout_form(sid=session.sid)
    other = sqlite3.connect(tmp_path / "sso.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = client.receive_logout(call, FORM)
    assert (answer.status, json.loads(answer.body)["error_description"]) == (503, "store_busy")
    other.execute("ROLLBACK")
    other.close()
    assert client.receive_logout(call, FORM).status == 200
    assert client.find_session(cookie) is None
