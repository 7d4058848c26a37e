"""The way out of a site, whoever ends the session, and what happens when nobody can say: the same everywhere."""

import json
import re

import pytest

from tests.support.all_sites import FORM, AnySite, Visitor
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid

SID = new_sid()
OPENED = ["ticket_validated", "session_opened"]


@pytest.fixture
def alice(site: AnySite) -> Visitor:
    signed_in = site.visitor()
    signed_in.sign_in(sid=SID)
    assert signed_in.is_in()
    return signed_in


@pytest.mark.covers("line-119")
def test_a_logout_call_ends_the_session_and_tells_the_site(site: AnySite, alice: Visitor) -> None:
    told = site.call(sid=SID)
    assert (told.status, told.header("Cache-Control")) == (200, "no-store")
    assert told.header("Lockstep-Store") == site.store.store_id
    assert not alice.is_in()
    assert alice.get("/open").text == "nobody"
    assert site.ended == [("usr-alice", "sign_out")]
    assert site.events() == [*OPENED, "logout_received"]


def test_an_end_that_the_centre_could_not_tell_is_heard_at_check_in(
    site: AnySite, alice: Visitor, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.end(SID, "idle")
    assert alice.is_in(), "within N"
    clock.go(61)
    assert not alice.is_in()
    assert site.ended == [("usr-alice", "idle")]
    assert site.events() == [*OPENED, "ended_at_check_in"]


def test_a_logout_call_is_only_believed_when_signed_and_small(site: AnySite, alice: Visitor) -> None:
    assert site.send("GET", "/sso/backchannel-logout", b"", {}).status == 405
    for body in (b"logout_token=x.y.z", b"logout_token=" + b"x" * 1_000_000, b""):
        answer = site.send("POST", "/sso/backchannel-logout", body, {"Content-Type": FORM})
        assert (answer.status, json.loads(answer.text)["error"]) == (400, "invalid_request")
    wrong = site.send("POST", "/sso/backchannel-logout", site.centre.logout_form(sid=SID), {"Content-Type": "text/x"})
    assert wrong.status == 400
    assert alice.is_in()


def test_asking_to_sign_out_shows_a_page_and_its_button_signs_out(
    site: AnySite, alice: Visitor, centre: FakeProvider
) -> None:
    page = alice.get("/sso/logout")
    assert page.status == 200
    assert f"form-action 'self' {centre.issuer}" in (page.header("Content-Security-Policy") or "")
    assert centre.ended == {}
    proof = re.search(r'name="logout_form" value="([^"]+)"', page.text)
    assert proof
    done = alice.post("/sso/logout", {"logout_form": proof[1]})
    assert done.status == 303
    assert (done.location or "").startswith(f"{centre.issuer}/end-session?client_id=shop&id_token_hint=")
    assert centre.ended == {SID: "site_sign_out"}
    assert not alice.is_in()
    assert site.ended == [("usr-alice", "signed_out_here")]
    assert site.events() == [*OPENED, "signed_out_here", "sign_out_confirmed"]


def test_a_form_of_the_sites_own_leaves_this_site_alone(site: AnySite, alice: Visitor, centre: FakeProvider) -> None:
    page = alice.post("/sso/logout", {"logout_form": alice.get("/form").text, "scope": "site"})
    assert "Signed out of this site only" in page.text
    assert (centre.ended, alice.is_in()) == ({}, False)
    assert site.ended == [("usr-alice", "left_site")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({"Sec_Fetch_Site": "same-origin"}, 303),
    ],
)
def test_signing_out_needs_proof_that_this_site_asked(headers: dict[str, str], status: int, alice: Visitor) -> None:
    assert alice.post("/sso/logout", **headers).status == status
    assert alice.is_in() is (status == 403)


def test_signing_out_while_the_centre_is_down_ends_here_and_says_so(alice: Visitor, centre: FakeProvider) -> None:
    centre.down()
    page = alice.post("/sso/logout", Sec_Fetch_Site="same-origin", Accept_Language="zh-CN,en;q=0.5")
    assert (page.status, "恢复后将立即通知其他站点" in page.text) == (200, True)
    centre.up()
    assert not alice.is_in()


def test_me_tells_who_is_signed_in_and_keeps_nobody_active(
    site: AnySite, centre: FakeProvider, clock: MovedClock
) -> None:
    alice = site.visitor()
    alice.sign_in()
    assert json.loads(site.visitor().get("/sso/me").text) == {"signed_in": False, "login_url": "/sso/login"}
    for _ in range(2):
        clock.go(31)
        answer = alice.get("/sso/me")
        told = json.loads(answer.text)
        assert (told["signed_in"], told["name"], answer.header("Cache-Control")) == (True, "Alice Example", "no-store")
    assert [check_in["active"] for check_in in centre.check_ins] == [[]] * len(centre.check_ins)
    assert centre.check_ins


def test_without_a_confirmation_people_see_a_plain_503(alice: Visitor, centre: FakeProvider, clock: MovedClock) -> None:
    centre.down()
    clock.go(61)
    page = alice.get("/account", Accept_Language="en")
    assert (page.status, page.header("Cache-Control")) == (503, "no-store")
    assert int(page.header("Retry-After") or 0) > 0
    assert "We can&#x27;t confirm that you are still signed in" in page.text
    assert alice.get("/sso/me").status == 503
    assert json.loads(alice.get("/account", Accept="application/json").text)["error"] == "lease_expired"
    centre.up()
    clock.go(11)
    assert alice.is_in()


def test_a_centre_that_is_down_is_a_page_at_sign_in_only(site: AnySite, centre: FakeProvider) -> None:
    centre.down()
    visitor = site.visitor()
    assert visitor.get("/open").text == "nobody"
    page = visitor.get("/sso/login")
    assert (page.status, "discovery_unreachable" in page.text) == (503, True)


def test_a_strange_cookie_beside_ours_hides_nothing(alice: Visitor) -> None:
    alice.cookies = {'odd"x': '"', "neighbour[1]": "a,b;c"} | alice.cookies
    assert alice.is_in()
