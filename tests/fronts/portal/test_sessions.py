"""My sessions: what a person sees of their devices, and which of them they can end."""

from dataclasses import replace

import pytest

from tests.fronts.portal.pages import SAFARI, STORE, Browser, Centre


@pytest.fixture
def phone(centre: Centre) -> Browser:
    centre.add_user()
    phone = centre.browser(user_agent=SAFARI, address="198.51.100.9")
    phone.sign_in("alice")
    return phone


@pytest.fixture
def laptop(centre: Centre, phone: Browser) -> Browser:
    laptop = centre.browser()
    laptop.sign_in("alice")
    return laptop


def test_each_device_is_named_in_words_with_address_and_times(laptop: Browser) -> None:
    page = laptop.get("/sessions")
    for expected in ("Firefox on Windows", "Safari on iPhone", "192.0.2.7", "198.51.100.9", "just now", "UTC"):
        assert expected in page.text
    assert page.text.index("This device") < page.text.index("Safari on iPhone")
    assert page.text.count("This device") == 1


def test_each_device_lists_the_sites_it_opened_once_and_never_the_address_that_is_called(
    centre: Centre, laptop: Browser
) -> None:
    shop = centre.add_site()
    session = centre.sessions(centre.services.accounts.get("alice"))[0]
    centre.visit(session, shop)
    centre.visit(session, shop, STORE[:-1] + "b")
    page = laptop.get("/sessions")
    assert page.text.count(">Shop<") == 1
    assert "backchannel" not in page.text


def test_another_device_can_be_ended_and_the_page_leads_to_how_its_sites_took_it(
    centre: Centre, laptop: Browser, phone: Browser
) -> None:
    sid = _sid_of(laptop, "Safari on iPhone")
    page = laptop.submit(laptop.get("/sessions"), "/sessions/end", sid)
    assert page.location.startswith("/sessions?done=device")
    after = laptop.get(page.location)
    assert "That device is signed out." in after.text
    assert "Safari on iPhone" not in after.text
    assert phone.get("/").location == "/sign-in"
    report = after.text.split("/signed-out?", 1)[1].split('"', 1)[0]
    assert "That device is signed out" in laptop.get("/signed-out?" + report).title


def test_ending_the_same_device_twice_says_the_same(laptop: Browser) -> None:
    old = laptop.get("/sessions")
    sid = _sid_of(laptop, "Safari on iPhone")
    for _ in range(2):
        assert laptop.submit(old, "/sessions/end", sid).location.startswith("/sessions?done=device")


def test_all_others_can_be_ended_at_once(laptop: Browser, phone: Browser) -> None:
    page = laptop.submit(laptop.get("/sessions"), "/sessions/end", "others", others="1")
    assert "All your other devices are signed out." in laptop.get(page.location).text
    assert phone.get("/").location == "/sign-in"
    assert laptop.get("/").status == 200
    assert "Sign out all other devices" not in laptop.get("/").text


def test_this_device_can_be_ended_like_any_other(laptop: Browser, phone: Browser) -> None:
    sid = _sid_of(laptop, "Firefox on Windows")
    page = laptop.submit(laptop.get("/sessions"), "/sessions/end", sid)
    assert page.location.startswith("/signed-out?of=")
    assert laptop.get("/").location == "/sign-in"
    assert phone.get("/").status == 200


def test_nobody_can_end_somebody_elses_session(centre: Centre, laptop: Browser) -> None:
    bob = centre.add_user("bob", "Bob")
    other = centre.browser()
    other.sign_in("bob")
    page = laptop.get("/sessions")
    token = page.form("/sessions/end")["csrf_token"]
    for sid in (centre.sessions(bob)[0].sid, "sid-00-" + "a" * 32, "", "x" * 5000):
        assert laptop.post("/sessions/end", csrf_token=token, sid=sid).status == 404
    assert other.get("/").status == 200


def test_a_forged_button_ends_nothing(laptop: Browser, phone: Browser) -> None:
    assert laptop.post("/sessions/end", others="1").status == 400
    assert laptop.get("/sessions/end").status == 405
    assert phone.get("/").status == 200


def test_an_unknown_device_is_shown_as_it_came_escaped_and_cut(centre: Centre) -> None:
    centre.add_user()
    browser = centre.browser(user_agent="<script>alert(1)</script>" + "x" * 300)
    browser.sign_in("alice")
    page = browser.get("/sessions")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "x" * 61 not in page.text


def test_the_list_is_for_people_who_are_signed_in(browser: Browser) -> None:
    for path in ("/", "/sessions"):
        assert browser.get(path).location == "/sign-in"


def test_a_disabled_account_sees_no_page_even_before_its_sessions_have_ended(centre: Centre, laptop: Browser) -> None:
    alice = centre.services.accounts.get("alice")
    assert centre.built.sql.users.update(replace(alice, disabled_at=1))
    assert laptop.get("/sessions").location == "/sign-in"


def _sid_of(browser: Browser, device: str) -> str:
    text = browser.get("/sessions").text
    return text.split(device, 1)[1].split('name="sid" value="', 1)[1].split('"', 1)[0]
