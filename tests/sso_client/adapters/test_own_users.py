"""What a site does itself around signing in and out: it names people, refuses some, has a button of its own."""

from tests.support.all_sites import AnySite, Visitor
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import new_sid


def test_on_login_names_the_sites_own_user(alice: Visitor) -> None:
    alice.sign_in(sub="usr-seven")
    assert alice.get("/own-user").text == "seven"


def test_whom_on_login_refuses_gets_a_page_and_no_session(alice: Visitor) -> None:
    page = alice.sign_in(sub="usr-mallory")
    assert (page.status, "account_refused" in page.text) == (403, True)
    assert not alice.is_in()


def test_a_page_of_the_sites_own_signs_out_everywhere_in_the_browser(
    site: AnySite, alice: Visitor, centre: FakeProvider
) -> None:
    sid = new_sid()
    alice.sign_in(sid=sid)
    stolen = dict(alice.cookies)
    assert alice.post("/leave").status == 200
    assert "sso-shop" not in alice.cookies
    assert centre.ended == {sid: "site_sign_out"}
    assert site.ended == [("usr-alice", "signed_out_here")]
    alice.cookies = stolen
    assert not alice.is_in()
    assert site.visitor().post("/leave").status == 200, "who is nobody has nothing to leave"


def test_a_page_of_the_sites_own_shows_what_happened_last(alice: Visitor) -> None:
    alice.sign_in()
    assert alice.get("/log").text == "session_opened"
