"""The sign-in page: what it offers, what it keeps, what it never tells."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_server.core.errors import Unavailable
from sso_server.crypto.passwords import Argon2Hasher
from tests.fronts.portal.pages import PASSWORD, Browser, Centre

TYPED = "Al<b>ice"


def test_signing_in_opens_a_session_and_leads_home(centre: Centre, browser: Browser) -> None:
    alice = centre.add_user()
    page = browser.sign_in("alice")
    assert (page.status, page.location) == (303, "/")
    assert len(centre.sessions(alice)) == 1
    assert "Alice Liddell" in browser.get("/").text


def test_password_managers_and_small_screens_find_what_they_look_for(browser: Browser) -> None:
    page = browser.get("/sign-in")
    for attribute in ('autocomplete="username"', 'autocapitalize="none"', 'spellcheck="false"', "autofocus"):
        assert attribute in page.field("username")
    assert 'autocomplete="current-password"' in page.field("password")
    assert 'type="password"' in page.field("password")
    assert page.text.count("<form") == 1
    assert "Ask the people who run this site." in page.text


def test_the_asking_site_is_named_and_may_be_reached_by_the_forms_redirects(centre: Centre, browser: Browser) -> None:
    page = browser.get(centre.asking(centre.add_site()))
    assert "Shop asks you to sign in." in page.text
    assert "form-action 'self' https:;" in page.response.headers["Content-Security-Policy"]


def test_after_the_password_the_asking_front_goes_on_with_the_same_request(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    path = centre.asking(centre.add_site())
    page = browser.sign_in("alice", path=path)
    assert page.location.startswith("/authorize/continue?request=")
    back = browser.get(page.location)
    assert urlsplit(back.location)._replace(query="").geturl() == "https://shop.example/sso/callback"
    assert "code" in parse_qs(urlsplit(back.location).query)


def test_a_seal_cannot_name_another_place_to_go_on(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    sealed = centre.services.seals.seal("sign-in", {"front": "https://evil.example/", "params": {}, "client_id": "x"})
    assert browser.sign_in("alice", path=f"/sign-in?request={sealed}").location == "/"
    assert browser.get("/sign-in?request=broken").location == "/"


@pytest.mark.parametrize(("username", "password"), [("alice", "wrong password"), ("nobody", PASSWORD), ("alice", "")])
def test_whatever_was_wrong_the_page_says_the_same_and_keeps_the_name(
    centre: Centre, browser: Browser, username: str, password: str
) -> None:
    centre.add_user()
    page = browser.sign_in(username, password)
    assert page.status == 400
    assert page.title.startswith("Error:")
    assert 'role="alert"' in page.text
    assert "The user name or the password is wrong." in page.text
    assert f'value="{username}"' in page.field("username")
    for name in ("username", "password"):
        assert 'aria-invalid="true" aria-describedby="problem"' in page.field(name)


def test_what_was_typed_comes_back_escaped_and_the_password_never(browser: Browser) -> None:
    page = browser.sign_in(TYPED, "the password that was typed")
    assert 'value="Al&lt;b&gt;ice"' in page.field("username")
    assert TYPED not in page.text
    assert "the password that was typed" not in page.text


def test_a_page_whose_cookie_is_gone_comes_again_ready_for_a_second_press(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    path = centre.asking(centre.add_site())
    old = browser.get(path)
    browser.http.delete_cookie("lockstep_form")
    again = browser.submit(old, "/sign-in", username="alice", password=PASSWORD)
    assert again.status == 400
    assert "press Sign in once more" in again.text
    assert PASSWORD not in again.text
    assert again.form("/sign-in")["username"] == "alice"
    page = browser.submit(again, "/sign-in", password=PASSWORD)
    assert page.location.startswith("/authorize/continue?request=")


def test_a_browser_without_cookies_is_told_so_the_second_time(centre: Centre, browser: Browser) -> None:
    page = browser.get("/sign-in")
    for sentence in ("press Sign in once more", "keep cookies from this page"):
        for name in ("lockstep_form", "lockstep_browser"):
            browser.http.delete_cookie(name)
        page = browser.submit(page, "/sign-in", username="alice", password=PASSWORD)
        assert sentence in page.text


def test_a_second_click_on_an_old_page_just_goes_on(centre: Centre, browser: Browser) -> None:
    alice = centre.add_user()
    old = browser.get("/sign-in")
    for _ in range(2):
        assert browser.submit(old, "/sign-in", username="alice", password=PASSWORD).location == "/"
    assert len(centre.sessions(alice)) == 1


def test_somebody_signed_in_has_nothing_to_do_here(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    browser.sign_in("alice")
    assert browser.get("/sign-in").location == "/"


def test_who_signed_in_since_the_site_asked_may_go_on_without_a_password(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    path = centre.asking(centre.add_site(), asked_at=1)
    browser.sign_in("alice")
    page = browser.get(path)
    assert "Go on as Alice Liddell" in page.text
    assert 'href="/authorize/continue?request=' in page.text


def test_a_site_that_asked_after_the_sign_in_gets_a_fresh_password(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    browser.sign_in("alice")
    page = browser.get(centre.asking(centre.add_site(), asked_at=centre.services.clock.now() + 1000))
    assert "Go on as" not in page.text
    assert 'value="alice"' in page.field("username")


def test_a_site_that_wants_a_newer_password_is_the_reason_for_asking_again(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    site, why = centre.add_site(), "Shop wants your password once more, to be sure that it is you."
    assert why not in browser.get(centre.asking(site, max_age="0")).text, "nobody typed one yet"
    browser.sign_in("alice")
    later = centre.services.clock.now() + 1
    page = browser.get(centre.asking(site, asked_at=later, max_age="0"))
    assert why in page.text
    assert "asks you to sign in" not in page.text
    assert why in browser.submit(page, "/sign-in", username="alice", password="wrong").text, "and after a mistake"
    assert why not in browser.get(centre.asking(site, asked_at=later, max_age="300")).text
    assert why not in browser.get(centre.asking(site, asked_at=later)).text
    assert why in browser.get(centre.asking(site, asked_at=1, max_age="0")).text, "typed since, for something else"


def test_another_person_is_told_whom_they_sign_out_and_that_session_ends(centre: Centre, browser: Browser) -> None:
    alice, bob = centre.add_user(), centre.add_user("bob", "Bob")
    browser.sign_in("alice")
    page = browser.get(centre.asking(centre.add_site()))
    assert "Alice Liddell is signed out, here and at all sites" in page.text
    browser.submit(page, "/sign-in", username="bob", password=PASSWORD)
    assert (len(centre.sessions(alice)), len(centre.sessions(bob))) == (0, 1)


def test_a_browser_that_lost_its_name_still_has_one_session(centre: Centre, browser: Browser) -> None:
    alice = centre.add_user()
    browser.sign_in("alice")
    browser.http.delete_cookie("lockstep_browser")
    page = browser.get(centre.asking(centre.add_site()))
    browser.submit(page, "/sign-in", username="alice", password=PASSWORD)
    assert len(centre.sessions(alice)) == 1


def test_keep_me_signed_in_is_offered_unticked_and_lasts_only_if_ticked(
    centre: Centre, open_with: Callable[..., Centre]
) -> None:
    alice = centre.add_user()
    assert "checked" not in centre.browser().get("/sign-in").field("remember")
    for fields, remembered in (({}, False), ({"remember": "1"}, True)):
        page = (browser := centre.browser()).sign_in("alice", **fields)
        cookie = next(c for c in page.response.headers.getlist("Set-Cookie") if c.startswith("lockstep_session="))
        assert ("Max-Age=" in cookie) is remembered
        assert browser.get("/").status == 200
    assert {s.remembered for s in centre.sessions(alice)} == {True, False}
    strict = open_with(offer_remember=False)
    strict.add_user()
    browser = strict.browser()
    assert 'name="remember"' not in browser.get("/sign-in").text
    page = browser.sign_in("alice", remember="1")
    cookie = next(c for c in page.response.headers.getlist("Set-Cookie") if c.startswith("lockstep_session="))
    assert "Max-Age=" not in cookie, "where it isn't offered nobody has it"


def test_after_too_many_guesses_the_page_says_when_to_try_again(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    for _ in range(5):
        assert browser.sign_in("alice", "wrong password").status == 400
    page = browser.sign_in("alice", "wrong password")
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) >= 1
    assert re.search(r"Please try again in \d+ seconds?\.", page.text)
    assert 'value="alice"' in page.field("username")


def test_a_browser_that_signed_in_before_is_not_slowed_by_strangers(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    browser.sign_in("alice")
    browser.submit(browser.get("/sign-out"), "/sign-out")
    stranger = centre.browser()
    while stranger.sign_in("alice", "wrong password").status == 400:
        pass
    assert browser.sign_in("alice").status == 303
    assert stranger.sign_in("alice").status == 429


@pytest.mark.parametrize(
    ("username", "password"),
    [("a" * 257, PASSWORD), ("alice", "p" * 1025), ("alice", "密" * 342)],
)
def test_impossible_names_and_passwords_cost_no_hash(
    centre: Centre, browser: Browser, monkeypatch: pytest.MonkeyPatch, username: str, password: str
) -> None:
    centre.add_user()
    for asked in ("find_by_username", "find"):
        monkeypatch.setattr(type(centre.services.users), asked, lambda *_: pytest.fail("the store was asked"))
    monkeypatch.setattr(type(centre.services.sign_in), "authenticate", lambda *_: pytest.fail("work was done"))
    page = browser.sign_in(username, password)
    assert page.status == 400
    assert "The user name or the password is wrong." in page.text


def test_a_megabyte_in_a_field_gets_a_page_that_says_so(browser: Browser) -> None:
    page = browser.sign_in("alice", "p" * 1_000_000)
    assert page.status == 413
    assert "That was too much" in page.text
    assert browser.sign_in("alice", "p" * 20_000).status == 400


def test_a_store_that_is_away_loses_nothing(centre: Centre, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Unavailable(retry_after_s=3)

    monkeypatch.setattr(type(centre.services.sign_in), "authenticate", away)
    page = browser.sign_in("alice")
    assert (page.status, page.response.headers["Retry-After"]) == (503, "3")
    assert "Nothing was lost: please try again in 3 seconds." in page.text
    assert 'value="alice"' in page.field("username")


def test_who_is_sent_away_because_too_many_sign_in_has_not_guessed(
    centre: Centre, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.add_user()

    def busy(*_: object) -> bool:
        raise Unavailable(detail="too many wait for password hashing")

    for _ in range(4):
        assert browser.sign_in("alice", "wrong password").status == 400
    with monkeypatch.context() as crowd:
        crowd.setattr(Argon2Hasher, "verify", busy)
        assert {browser.sign_in("alice").status for _ in range(8)} == {503}
    assert browser.sign_in("alice", "wrong password").status == 400, "the fifth is still free"
    assert browser.sign_in("alice", "wrong password").status == 429, "and those that were looked at count"


def test_the_first_page_names_the_browser_and_later_ones_keep_the_name(browser: Browser) -> None:
    browser.get("/sign-in")
    name = browser.cookie("lockstep_browser")
    assert name.startswith("br-")
    browser.get("/sign-in")
    assert browser.cookie("lockstep_browser") == name
    browser.http.set_cookie("lockstep_browser", name[:-3])
    browser.get("/sign-in")
    assert browser.cookie("lockstep_browser") not in (name, name[:-3])


def test_a_stranger_with_a_copy_of_the_browsers_name_signs_nobody_out(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    centre.add_user("mallory")
    browser.sign_in("alice")
    name = browser.cookie("lockstep_browser")
    stranger = centre.browser()
    stranger.http.set_cookie("lockstep_browser", name)
    assert stranger.sign_in("mallory").status == 303
    assert stranger.get("/").status == 200
    assert browser.get("/").status == 200
    assert stranger.cookie("lockstep_browser") not in ("", name)
    assert browser.cookie("lockstep_browser") == name


def test_another_person_at_the_same_browser_takes_the_session_over(centre: Centre, browser: Browser) -> None:
    alice, bob = centre.add_user(), centre.add_user("bob")
    other_tab = browser.get("/sign-in")
    name = browser.cookie("lockstep_browser")
    browser.sign_in("alice")
    browser.submit(other_tab, "/sign-in", username="bob", password=PASSWORD)
    assert (len(centre.sessions(alice)), len(centre.sessions(bob))) == (0, 1)
    assert browser.cookie("lockstep_browser") == name


def test_whoever_was_signed_out_by_time_is_told_why(open_with: Callable[..., Centre]) -> None:
    centre = open_with()
    alice = centre.add_user()
    browser = centre.browser()
    browser.sign_in("alice")
    session = centre.sessions(alice)[0]
    centre.services.sign_out._sweeps.end_due(session.due_at, 10)
    assert browser.get("/").location == "/sign-in"
    assert "because nothing happened for a long time" in browser.get("/sign-in").text
