"""Changing the password: who may, what ends, what stays."""

import pytest

from tests.fronts.portal.pages import PASSWORD, Browser, Centre

NEW = "a new and longer phrase"


@pytest.fixture
def signed_in(centre: Centre, browser: Browser) -> Browser:
    centre.add_user()
    browser.sign_in("alice")
    return browser


def change(browser: Browser, current: str = PASSWORD, new: str = NEW, repeat: str | None = None) -> object:
    page = browser.get("/password")
    return browser.submit(page, "/password", current=current, new=new, repeat=new if repeat is None else repeat)


def test_the_other_devices_are_signed_out_and_this_one_stays_under_a_new_cookie(
    centre: Centre, signed_in: Browser
) -> None:
    other = centre.browser()
    other.sign_in("alice")
    before = signed_in.cookie("lockstep_session")
    sids = {session.sid for session in centre.sessions(centre.services.accounts.get("alice"))}
    page = change(signed_in)
    assert page.location == "/sessions?done=password"
    assert "Your password is changed." in signed_in.get(page.location).text
    assert signed_in.cookie("lockstep_session") != before
    assert other.get("/").location == "/sign-in"
    (left,) = centre.sessions(centre.services.accounts.get("alice"))
    assert left.sid in sids
    # The order that ended the others finds nothing more, now or later.
    centre.services.sign_out.run_pending_orders()
    assert signed_in.get("/").status == 200


def test_a_copy_of_the_cookie_opens_nothing_after_the_change(centre: Centre, signed_in: Browser) -> None:
    thief = centre.browser()
    thief.http.set_cookie("lockstep_session", signed_in.cookie("lockstep_session"))
    assert thief.get("/").status == 200
    change(signed_in)
    assert thief.get("/").location == "/sign-in"
    assert signed_in.get("/").status == 200


def test_what_was_fetched_before_the_change_is_revoked_and_the_kept_sites_stay(
    centre: Centre, signed_in: Browser
) -> None:
    alice, shop = centre.services.accounts.get("alice"), centre.add_site()
    (session,) = centre.sessions(alice)
    tokens = centre.visit(session, shop)
    assert centre.services.tokens.find(tokens.refresh_token) is not None
    change(signed_in)
    assert centre.services.tokens.find(tokens.refresh_token) is None
    assert centre.services.tokens.find(tokens.access_token) is None
    assert centre.services.ledger.of_session(session.sid) == [], "no site was told to end its local session"
    assert [site.client_id for site in centre.services.lists.participants(session.sid)] == ["shop"]


def test_the_new_password_works_and_the_old_one_does_not(centre: Centre, signed_in: Browser) -> None:
    change(signed_in)
    assert centre.browser().sign_in("alice", PASSWORD).status == 400
    assert centre.browser().sign_in("alice", NEW).status == 303


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"current": "not this one"}, "The present password is wrong."),
        ({"new": "short"}, "The new password needs at least 8 characters."),
        ({"new": "p" * 1025}, "The new password is too long."),
        ({"repeat": "something else"}, "The two new passwords differ."),
        ({"new": PASSWORD}, "The new password is the same as the present one."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changes(
    centre: Centre, signed_in: Browser, fields: dict[str, str], sentence: str
) -> None:
    page = change(signed_in, **fields)
    assert page.status == 400
    assert page.title.startswith("Error:")
    assert sentence in page.text
    assert "aria-invalid" in page.text
    assert all(value not in page.text for value in fields.values())
    assert centre.browser().sign_in("alice").status == 303


def test_guesses_at_the_present_password_are_slowed_like_sign_in(signed_in: Browser) -> None:
    for _ in range(5):
        assert change(signed_in, current="not this one").status == 400
    page = change(signed_in, current="not this one")
    assert page.status == 429
    assert "Retry-After" in page.response.headers


def test_a_forged_form_changes_nothing(centre: Centre, signed_in: Browser) -> None:
    assert signed_in.post("/password", current=PASSWORD, new=NEW, repeat=NEW).status == 400
    assert centre.browser().sign_in("alice").status == 303


def test_password_managers_find_the_page_and_the_fields(signed_in: Browser) -> None:
    found = signed_in.get("/.well-known/change-password")
    assert (found.status, found.location) == (302, "/password")
    page = signed_in.get("/password")
    for name, token in (("username", "username"), ("current", "current-password"), ("new", "new-password")):
        assert f'autocomplete="{token}"' in page.field(name)


def test_who_is_not_signed_in_comes_here_after_signing_in(centre: Centre, browser: Browser) -> None:
    centre.add_user()
    asked = browser.get("/password")
    assert asked.location == "/sign-in?then=password"
    assert browser.sign_in("alice", path=asked.location).location == "/password"
    assert centre.browser().sign_in("alice", path="/sign-in?then=https://evil.example").location == "/"
