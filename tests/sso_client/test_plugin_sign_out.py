"""Signing out by `fake_sso`: a real logout call, really checked; and what the site hears at its check-in instead."""

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from sso_client.testing import FakeSSO, LogoutNotDone
from tests.support.plugin_site import make_site


@pytest.fixture
def site(fake_sso: FakeSSO) -> Flask:
    return make_site()


def is_in(client: FlaskClient) -> bool:
    return bool(client.get("/sso/me").json.get("signed_in"))


def test_a_sign_out_ends_every_session_of_the_person_and_no_other(site: Flask, fake_sso: FakeSSO, signed_in) -> None:
    laptop, phone, bobs = (signed_in(site.test_client(), sub) for sub in ("alice", "alice", "bob"))
    fake_sso.sign_out("alice")
    assert [is_in(client) for client in (laptop, phone, bobs)] == [False, False, True]
    assert (fake_sso.live("alice"), len(fake_sso.live("bob"))) == ([], 1)
    assert set(fake_sso.provider.ended.values()) == {"sign_out_everywhere"}


def test_one_session_ends_alone(site: Flask, fake_sso: FakeSSO) -> None:
    laptop, phone = site.test_client(), site.test_client()
    lost = fake_sso.sign_in(phone, "alice")
    fake_sso.sign_in(laptop, "alice")
    fake_sso.end(lost.sid)
    assert (is_in(laptop), is_in(phone)) == (True, False)


def test_a_session_that_ran_out_is_told_like_any_other(site: Flask, fake_sso: FakeSSO, signed_in) -> None:
    client = signed_in(site.test_client())
    fake_sso.expire("alice")
    assert not is_in(client)
    assert list(fake_sso.provider.ended.values()) == ["absolute"]


def test_a_name_that_nobody_has_is_a_mistake_of_the_test(fake_sso: FakeSSO) -> None:
    with pytest.raises(ValueError, match="'alcie' has no session"):
        fake_sso.sign_out("alcie")
    with pytest.raises(ValueError, match="no session is called"):
        fake_sso.end("sid-of-nobody")


def test_a_forged_sign_out_is_refused_and_ends_nothing(site: Flask, fake_sso: FakeSSO) -> None:
    client = site.test_client()
    session = fake_sso.sign_in(client)
    answer = fake_sso.call_logout(client, fake_sso.logout_token(session.sid, forged=True))
    assert (answer.status, "signature_invalid" in answer.text) == (400, True)
    assert is_in(client)
    assert fake_sso.call_logout(client, fake_sso.logout_token(session.sid)).status == 200
    assert not is_in(client)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"aud": "another"}, "audience_mismatch"), ({"events": None}, "event_missing"), ({"exp": 1}, "token_expired")],
)
def test_any_claim_can_be_made_wrong(change: dict[str, object], code: str, site: Flask, fake_sso: FakeSSO) -> None:
    client = site.test_client()
    session = fake_sso.sign_in(client)
    assert code in fake_sso.call_logout(client, fake_sso.logout_token(session.sid, **change)).text
    assert is_in(client)


def test_a_site_that_shuts_its_door_to_the_call_is_found_out(fake_sso: FakeSSO) -> None:
    site = make_site()
    site.before_request(lambda: None if "Cookie" in request.headers else ("sign in first", 401))
    client = site.test_client()
    client.set_cookie("any", "cookie")
    fake_sso.sign_in(client)
    with pytest.raises(LogoutNotDone, match="answered its logout call with 401"):
        fake_sso.sign_out("alice")


def test_the_call_stands_in_the_sites_own_event_log(site: Flask, fake_sso: FakeSSO, signed_in) -> None:
    signed_in(site.test_client())
    fake_sso.sign_out("alice")
    assert site.extensions["sso_client"].client.recent_events(1)[0].kind == "logout_received"


def test_an_end_that_nobody_calls_about_is_heard_at_the_next_check_in(site: Flask, fake_sso: FakeSSO) -> None:
    fake_sso.provider.lease_s = 1
    client = site.test_client()
    fake_sso.sign_in(client)
    fake_sso.sign_out("alice", call=False)
    fake_sso.wait_until(lambda: client.get("/").status_code == 302)
    assert fake_sso.provider.rows[fake_sso.provider.check_ins[0]["store"]] == {}, "and it was acknowledged"


def test_an_answered_call_is_not_listed_again(site: Flask, fake_sso: FakeSSO, signed_in) -> None:
    signed_in(site.test_client())
    store = next(iter(fake_sso.provider.stores.values()))
    fake_sso.sign_out("alice")
    assert fake_sso.provider.rows[store] == {}


def test_who_signs_out_at_the_site_is_signed_out_at_the_provider(site: Flask, fake_sso: FakeSSO) -> None:
    client = site.test_client()
    session = fake_sso.sign_in(client)
    answer = client.post("/sso/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.location.startswith(fake_sso.issuer + "/end-session")
    assert fake_sso.provider.ended == {session.sid: "site_sign_out"}
    assert not is_in(client)


def test_a_site_that_is_cut_off_stops_within_its_lease_and_goes_on_when_it_can_ask(
    site: Flask, fake_sso: FakeSSO, signed_in
) -> None:
    fake_sso.provider.lease_s = 1
    alice, bob = signed_in(site.test_client(), "alice"), signed_in(site.test_client(), "bob")
    assert alice.get("/").status_code == bob.get("/").status_code == 200
    fake_sso.cut_off()
    fake_sso.sign_out("alice")
    fake_sso.wait_until(lambda: alice.get("/").status_code == 503)
    assert "lease_expired" in bob.get("/").text
    fake_sso.up()
    fake_sso.wait_until(lambda: bob.get("/").status_code == 200)
    assert alice.get("/").status_code == 302
