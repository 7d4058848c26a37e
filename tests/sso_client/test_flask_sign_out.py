"""Signing out at a Flask site, by its pages: what they offer, what they say afterwards, and whom they believe."""

import re

import pytest
from flask import Flask

from tests.support.fake_provider import FakeProvider
from tests.support.sdk import Browser, browser, new_sid

SID = new_sid()
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def alice(site: Flask, centre: FakeProvider) -> Browser:
    signed_in = browser(site, centre)
    signed_in.sign_in(sid=SID)
    assert signed_in.get("/").status_code == 200
    return signed_in


def fields(html: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))


def test_the_page_that_asks_offers_the_three_scopes_and_says_what_each_ends(alice: Browser) -> None:
    page = alice.get("/sso/logout", Referer="http://localhost/deep/a?b=1").text
    assert re.findall(r'name="scope" value="(\w+)" aria-describedby="(\w+)"', page) == [
        ("browser", "browser"),
        ("site", "site"),
        ("everywhere", "everywhere"),
    ]
    assert 'id="site">You stay signed in at the sign-in service and at the other sites.' in page
    assert '<a href="/deep/a?b=1">Stay signed in</a>' in page
    assert alice.get("/").status_code == 200, "asking ends nothing"


def test_this_site_only_says_what_is_still_signed_in_and_how_to_end_it(alice: Browser, centre: FakeProvider) -> None:
    form = fields(alice.get("/sso/logout", Referer="http://localhost/deep/a").text)
    page = alice.http.post("/sso/logout", data=form | {"scope": "site"})
    assert page.status_code == 200
    assert "Signed out of this site only" in page.text
    assert "still signed in at the sign-in service" in page.text
    assert "signs you in without asking" in page.text
    assert '<a href="/deep/a">Back to this site</a>' in page.text
    assert alice.get("/sso/me").json["signed_in"] is False
    assert centre.ended == {}
    done = alice.http.post("/sso/logout", data=fields(page.text) | {"scope": "browser"})
    assert (done.status_code, done.location) == (303, f"{centre.issuer}/end-session?client_id=shop")
    assert list(centre.ended.values()) == ["site_sign_out"]


def test_the_page_is_in_chinese_for_who_wants_it(alice: Browser) -> None:
    page = alice.http.post("/sso/logout", data={"scope": "site"}, headers=SAME | {"Accept-Language": "zh-CN"}).text
    assert "仅退出了本站" in page
    assert "退出此浏览器中的所有站点" in page


def test_whoever_reloads_the_page_or_was_never_here_is_told_so(alice: Browser, site: Flask) -> None:
    alice.http.post("/sso/logout", data={"scope": "site"}, headers=SAME)
    again = alice.http.post("/sso/logout", data={"scope": "site"}, headers=SAME)
    assert "You aren&#x27;t signed in here" in again.text


def test_everywhere_leads_to_the_centre_and_keeps_the_session_until_it_has_asked(
    alice: Browser, centre: FakeProvider
) -> None:
    done = alice.http.post("/sso/logout", data={"scope": "everywhere"}, headers=SAME)
    assert (done.status_code, done.location) == (303, f"{centre.issuer}/end-session?client_id=shop")
    assert alice.get("/").status_code == 200, "who says no at the centre stays signed in"
    assert centre.ended == {}


def test_everywhere_while_the_centre_is_down_says_that_nothing_ended(alice: Browser, centre: FakeProvider) -> None:
    centre.down()
    page = alice.http.post("/sso/logout", data={"scope": "everywhere"}, headers=SAME)
    assert page.status_code == 503
    assert "Nothing was signed out" in page.text
    assert "You are still signed in here" in page.text
    assert alice.get("/").status_code == 200
    out = alice.http.post("/sso/logout", data=fields(page.text) | {"scope": "browser"})
    assert "will be told as soon as it is back" in out.text
    assert alice.get("/").status_code == 302


@pytest.mark.parametrize(
    ("language", "words"), [("en", "You aren&#x27;t signed in at this site"), ("zh", "您没有在本站登录")]
)
def test_everywhere_while_the_centre_is_down_does_not_claim_a_session_that_is_not_there(
    language: str, words: str, site: Flask, centre: FakeProvider
) -> None:
    centre.down()
    headers = SAME | {"Accept-Language": language}
    page = site.test_client().post("/sso/logout", data={"scope": "everywhere"}, headers=headers)
    assert page.status_code == 503
    assert words in page.text
    assert re.findall(r'name="scope" value="(\w+)"', page.text) == ["everywhere"]


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Unless you were signed out there meanwhile"), ("zh", "除非您在此期间")]
)
def test_this_site_only_claims_nothing_about_a_centre_that_was_not_asked(
    language: str, words: str, alice: Browser, centre: FakeProvider
) -> None:
    centre.end(SID)
    centre.down()
    headers = SAME | {"Accept-Language": language}
    assert words in alice.http.post("/sso/logout", data={"scope": "site"}, headers=headers).text


def test_a_scope_that_does_not_exist_is_an_error_page_and_ends_nothing(alice: Browser) -> None:
    page = alice.http.post("/sso/logout", data={"scope": "planet"}, headers=SAME)
    assert page.status_code == 400
    assert "scope_unknown" in page.text
    assert alice.get("/").status_code == 200


@pytest.mark.parametrize("scope", ["site", "browser", "everywhere"])
def test_no_scope_is_believed_from_another_site(scope: str, alice: Browser, centre: FakeProvider) -> None:
    for extra in ({}, {"left": "made-up"}, {"logout_form": "made-up"}):
        answer = alice.http.post("/sso/logout", data={"scope": scope} | extra, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    assert alice.get("/").status_code == 200
    assert centre.ended == {}


def test_what_was_left_is_proof_enough_where_the_browser_sends_none(alice: Browser, centre: FakeProvider) -> None:
    page = alice.http.post("/sso/logout", data={"scope": "site"}, headers=SAME)
    left = fields(page.text)["left"]
    assert alice.http.post("/sso/logout", data={"left": left}).status_code == 303
    assert len(centre.ended) == 1


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "/sso/logout", "/\\evil.example"])
def test_the_way_back_stays_at_this_site(back: str, alice: Browser) -> None:
    page = alice.http.post("/sso/logout", data={"scope": "site", "next": back}, headers=SAME)
    assert '<a href="/">Back to this site</a>' in page.text


def test_a_template_can_choose_the_scope(site: Flask, centre: FakeProvider) -> None:
    sso = site.extensions["sso_client"].sso
    site.get("/form")(lambda: str(sso.logout_field("site")) + str(sso.logout_field()))
    alice = browser(site, centre)
    alice.sign_in()
    assert re.findall(r'name="scope" value="(\w+)"', alice.get("/form").text) == ["site", "browser"]
    sent = fields(alice.get("/form").text) | {"scope": "site"}
    assert "Signed out of this site only" in alice.http.post("/sso/logout", data=sent).text


def test_the_same_person_comes_back_without_being_asked(alice: Browser, centre: FakeProvider) -> None:
    alice.http.post("/sso/logout", data={"scope": "site"}, headers=SAME)
    assert alice.sign_in(sid=SID).status_code == 302
    assert alice.get("/").status_code == 200


FOREIGN = [
    {"Sec-Fetch-Site": "same-site", "Origin": "http://evil.localhost"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_what_somebody_else_left_is_no_proof(
    headers: dict[str, str], alice: Browser, site: Flask, centre: FakeProvider
) -> None:
    mallory = browser(site, centre)
    mallory.sign_in(sub="usr-mallory")
    left = fields(mallory.http.post("/sso/logout", data={"scope": "site"}, headers=SAME).text)["left"]
    answer = alice.http.post("/sso/logout", data={"scope": "browser", "left": left}, headers=headers)
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (403, [])
    assert alice.get("/").status_code == 200
    assert centre.ended == {}


@pytest.mark.parametrize("headers", FOREIGN[:3])
def test_what_was_left_is_no_proof_against_the_browsers_own_word(headers, alice: Browser, centre: FakeProvider) -> None:
    left = fields(alice.http.post("/sso/logout", data={"scope": "site"}, headers=SAME).text)["left"]
    assert alice.http.post("/sso/logout", data={"left": left}, headers=headers).status_code == 403
    assert centre.ended == {}


@pytest.mark.parametrize("path", ["//evil.example/x", "//evil.example", "/\\evil.example", "/%2Fevil.example"])
def test_a_page_that_looks_like_another_host_is_no_way_back(path: str, alice: Browser) -> None:
    page = alice.get("/sso/logout", Referer=f"http://localhost{path}").text
    assert '<a href="/">Stay signed in</a>' in page
    assert fields(page)["next"] == "/"
