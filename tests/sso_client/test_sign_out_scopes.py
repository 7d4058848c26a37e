"""What each scope of a sign-out ends: this site only, this browser, or nothing before the centre has asked."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_client import SSOClient, SSOError
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, new_sid

FORM = "application/x-www-form-urlencoded"


def test_this_site_only_ends_here_and_tells_nobody(person: Person, client: SSOClient, centre: FakeProvider) -> None:
    cookie, session = person.sign_in()
    older_cookie, _ = person.sign_in(sid=session.sid)
    stranger, _ = person.sign_in()
    done = client.sign_out(cookie, scope="site")
    assert (done.was_signed_in, done.told, done.logout_url) == (True, False, None)
    assert client.find_session(cookie) is None
    assert client.find_session(older_cookie) is None, "it is the same browser"
    assert client.find_session(stranger) is not None
    client.check_in()
    assert centre.ended == {}
    assert [told["ended"] for told in centre.check_ins] == [[]] * len(centre.check_ins)
    assert client.recent_events(1)[0].kind == "left_here"


def test_after_this_site_only_the_same_session_signs_in_again_at_once(person: Person, client: SSOClient) -> None:
    cookie, session = person.sign_in()
    client.sign_out(cookie, scope="site")
    again, _ = person.sign_in(sid=session.sid)
    assert client.find_session(again) is not None
    assert client.find_session(cookie) is None


def test_this_site_only_needs_no_centre(person: Person, client: SSOClient, centre: FakeProvider, clock) -> None:
    cookie, _ = person.sign_in()
    client.find_session(cookie)
    centre.down()
    clock.go(61)
    assert client.sign_out(cookie, scope="site").was_signed_in
    assert client.sign_out(cookie, scope="site").was_signed_in is False


def test_a_request_in_flight_does_not_bring_back_what_was_left(person: Person, client: SSOClient) -> None:
    cookie, session = person.sign_in()
    client.sign_out(cookie, scope="site")
    assert client.store.sessions.mark_served(session, session.served_at_ms + 60_000) is False
    assert client.find_session(cookie) is None


def test_a_sign_out_elsewhere_is_acknowledged_for_a_site_that_was_left(
    person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    cookie, session = person.sign_in()
    client.sign_out(cookie, scope="site")
    centre.end(session.sid)
    client.check_in()
    assert centre.rows[client.store.store_id] == {}
    with pytest.raises(Exception, match="session_ended"):
        person.sign_in(sid=session.sid)


def test_what_was_left_can_still_be_signed_out_of_everywhere_in_this_browser(
    person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    cookie, session = person.sign_in()
    left = client.sign_out(cookie, scope="site").left
    done = client.sign_out(None, left=left)
    assert (done.was_signed_in, done.told, done.reachable) == (True, True, True)
    assert centre.ended == {session.sid: "site_sign_out"}
    assert done.logout_url == f"{centre.issuer}/end-session?client_id=shop"


def test_what_was_left_is_told_later_if_the_centre_is_down(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = person.sign_in()
    left = client.sign_out(cookie, scope="site").left
    centre.down()
    done = client.sign_out(None, left=left)
    assert (done.told, done.reachable, done.logout_url) == (False, False, None)
    centre.up()
    clock.go(11)
    assert client.tell_untold() is True
    assert centre.ended == {session.sid: "site_sign_out"}


def test_what_was_left_ends_a_session_that_was_opened_again_too(person: Person, client: SSOClient, centre) -> None:
    cookie, session = person.sign_in()
    left = client.sign_out(cookie, scope="site").left
    again, _ = person.sign_in(sid=session.sid)
    client.sign_out(None, left=left)
    assert client.find_session(again) is None


@pytest.mark.parametrize("change", ["cut", "none", "other site", "over"])
def test_what_was_left_cannot_be_made_up(
    change: str, person: Person, client: SSOClient, settings, store, centre: FakeProvider, clock: MovedClock
) -> None:
    cookie, session = person.sign_in()
    left = client.sign_out(cookie, scope="site").left
    assert client.is_left(left)
    match change:
        case "cut":
            left = left[:-1]
        case "none":
            left = ""
        case "other site":
            left = SSOClient(replace(settings, client_secret="other"), store).seal.seal("left", [session.sid, 10**15])
        case "over":
            clock.go(86_401)
    assert not client.is_left(left)
    assert client.sign_out(None, left=left).was_signed_in is False
    assert centre.ended == {}


def test_everywhere_ends_nothing_before_the_centre_has_asked(
    person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    cookie, session = person.sign_in()
    done = client.sign_out(cookie, scope="everywhere")
    assert (done.was_signed_in, done.told, done.reachable) == (True, False, True)
    # Without id_token_hint: with it the centre would end this browser's session at once, and nobody could choose.
    assert parse_qs(urlsplit(done.logout_url).query) == {"client_id": ["shop"]}
    assert client.find_session(cookie) is not None
    assert centre.ended == {}
    assert client.receive_logout(centre.logout_form(sid=session.sid), FORM).status == 200
    assert client.find_session(cookie) is None


@pytest.mark.parametrize("fault", [503, "hang up"])
def test_everywhere_while_the_centre_is_away_ends_nothing_and_says_so(
    fault, person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    cookie, _ = person.sign_in()
    client.find_session(cookie)
    centre.failing["/check-in"] = fault
    done = client.sign_out(cookie, scope="everywhere")
    assert (done.was_signed_in, done.reachable, done.logout_url) == (True, False, None)
    centre.failing.clear()
    assert client.find_session(cookie) is not None


def test_a_sign_out_of_nothing_known_is_refused_and_ends_nothing(person: Person, client: SSOClient) -> None:
    cookie, _ = person.sign_in()
    with pytest.raises(SSOError) as error:
        client.sign_out(cookie, scope="planet")
    assert (error.value.code, error.value.status) == ("scope_unknown", 400)
    assert client.find_session(cookie) is not None


def test_at_a_foreign_provider_this_site_only_leaves_nothing_to_tell(
    person: Person, client: SSOClient, centre: FakeProvider
) -> None:
    centre.leases = False
    cookie, _ = person.sign_in(sid=new_sid())
    done = client.sign_out(cookie, scope="site")
    assert (done.was_signed_in, done.left) == (True, None)
    assert client.find_session(cookie) is None
