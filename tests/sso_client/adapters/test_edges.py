"""What is easily forgotten at a site's edge, in each framework: caches, foreign pages, sign-ins that go wrong."""

import pytest

from tests.support.all_sites import AnySite, Visitor
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, new_sid


def test_a_way_to_sign_in_is_kept_by_no_cache(alice: Visitor) -> None:
    for path in ("/account", "/sso/login"):
        answer = alice.get(path)
        assert (answer.status, answer.header("Cache-Control")) == (302, "no-store")


@pytest.mark.parametrize("path", ["/sso/me", "/account"])
def test_what_a_program_is_told_depends_on_the_cookie(path: str, alice: Visitor) -> None:
    assert "Cookie" in (alice.get(path, Accept="application/json").header("Vary") or "")


@pytest.mark.parametrize("referer", ["https://evil.example/deep/x", "http://localhost:81/deep/x", "localhost"])
def test_a_foreign_page_is_no_way_back(referer: str, alice: Visitor) -> None:
    assert 'href="/sso/login?next=/"' in alice.post("/order", Referer=referer).text


def test_a_sign_in_that_fails_lets_who_is_signed_in_go_on(alice: Visitor, centre: FakeProvider) -> None:
    alice.sign_in()
    callback = centre.callback_url(alice.start("/sso/login?max_age=0&next=/deep/x"), sid=new_sid())
    list(centre.tickets.values())[-1].used = True
    assert alice.get(callback).location == "/deep/x"
    assert alice.is_in()


def test_a_sign_out_that_was_not_told_is_told_when_somebody_comes(
    site: AnySite, alice: Visitor, centre: FakeProvider, clock: MovedClock
) -> None:
    sid = new_sid()
    alice.sign_in(sid=sid)
    centre.down()
    assert alice.post("/sso/logout", Sec_Fetch_Site="same-origin").status == 200
    centre.up()
    clock.go(11)
    assert centre.ended == {}
    assert site.visitor().get("/account").status == 302
    assert centre.ended == {sid: "site_sign_out"}
