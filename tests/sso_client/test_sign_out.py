"""Signing out at the site: out here at once, the centre told before the browser goes there, whatever is down."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_client import SSOClient
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, new_sid


def test_the_centre_is_told_server_to_server_before_the_browser_goes_there(
    person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    cookie, session = person.sign_in()
    done = client.sign_out(cookie)
    assert (done.was_signed_in, done.told, done.reachable) == (True, True, True)
    assert centre.ended == {session.sid: "site_sign_out"}
    assert client.find_session(cookie) is None
    query = parse_qs(urlsplit(done.logout_url).query)
    assert query == {"client_id": ["shop"], "id_token_hint": [session.id_token]}


def test_the_way_back_is_added_only_when_chosen(settings, store, centre: FakeProvider) -> None:
    client = SSOClient(replace(settings, after_logout="redirect"), store)
    query = parse_qs(urlsplit(client.logout_url("token", state="s")).query)
    assert query["post_logout_redirect_uri"] == ["http://127.0.0.1:5000/"]
    assert query["state"] == ["s"]
    client.close()


def test_signed_out_while_the_centre_is_down_is_signed_out_and_told_later(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    other, _ = person.sign_in()
    cookie, session = person.sign_in()
    client.find_session(other)
    centre.down()
    done = client.sign_out(cookie)
    assert (done.was_signed_in, done.told, done.reachable, done.logout_url) == (True, False, False, None)
    assert client.find_session(cookie) is None
    clock.go(31)
    assert client.find_session(other) is not None
    assert centre.ended == {}
    centre.up()
    clock.go(31)
    client.find_session(other)
    assert centre.ended == {session.sid: "site_sign_out"}
    clock.go(31)
    client.find_session(other)
    assert centre.check_ins[-1]["ended"] == [], "a confirmed end is not repeated"


def test_signing_in_again_tells_the_centre_first(person: Person, client: SSOClient, centre: FakeProvider) -> None:
    cookie, session = person.sign_in()
    centre.failing["/check-in"] = 503
    client.sign_out(cookie)
    assert centre.ended == {}
    centre.failing.clear()
    client.login_url("/")
    assert centre.ended == {session.sid: "site_sign_out"}


def test_a_session_that_ended_here_cannot_be_opened_again_before_the_centre_knows(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = person.sign_in()
    centre.failing["/check-in"] = 503
    client.sign_out(cookie)
    clock.go(700)  # longer than a tombstone lasts
    centre.id_token_changes = {"exp": clock.wall_ms() // 1000 + 300}
    with pytest.raises(Exception, match="session_ended"):
        person.sign_in(sid=session.sid)


def test_signing_out_without_a_session_still_leads_to_the_centre(client: SSOClient, centre: FakeProvider) -> None:
    for cookie in (None, "unknown"):
        done = client.sign_out(cookie)
        assert done.was_signed_in is False
        assert done.logout_url == f"{centre.issuer}/end-session?client_id=shop"
    assert centre.check_ins == []


def test_a_foreign_provider_is_reached_by_the_browser_alone(
    person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    centre.leases = False
    cookie, _ = person.sign_in()
    done = client.sign_out(cookie)
    assert done.logout_url is not None
    assert centre.calls("/check-in") == 0
    assert not client.store.journal.has_untold_ends()


def test_at_a_foreign_provider_the_same_sid_may_sign_in_again_at_once(
    person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    centre.leases = False
    cookie, session = person.sign_in()
    other_tab, _ = person.sign_in(sid=session.sid)
    client.sign_out(cookie)
    assert client.find_session(other_tab) is None
    again, _ = person.sign_in(sid=session.sid)
    assert client.find_session(again) is not None


def test_after_a_refusal_visitors_do_not_ask_all_the_while(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = person.sign_in()
    centre.failing["/check-in"] = 401
    client.sign_out(cookie)
    before = centre.calls("/check-in")
    for _ in range(5):
        clock.go(10)
        assert client.tell_untold() is False
        client.login_url("/")
    assert centre.calls("/check-in") == before
    centre.failing.clear()
    clock.go(11)
    assert client.tell_untold() is True
    assert centre.ended == {session.sid: "site_sign_out"}


def test_every_local_session_of_the_sid_ends(person: Person, client: SSOClient) -> None:
    sid = new_sid()
    first, _ = person.sign_in(sid=sid)
    second, _ = person.sign_in(sid=sid)
    client.sign_out(second)
    assert client.find_session(first) is None


def test_visitors_without_a_session_carry_the_news_too(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = person.sign_in()
    centre.down()
    client.sign_out(cookie)
    assert client.tell_untold() is False
    centre.up()
    assert client.tell_untold() is False, "it rests for a moment after a failure"
    clock.go(3)
    assert client.tell_untold() is True
    assert centre.ended == {session.sid: "site_sign_out"}
