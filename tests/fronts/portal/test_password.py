"""Changing the password: who may, what ends, what stays."""

import pytest

from sso_server.core.accounts import Accounts
from sso_server.core.users import User
from tests.fronts.portal.pages import PASSWORD, Browser, Centre, away

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


def copy_of(centre: Centre, browser: Browser) -> Browser:
    thief = centre.browser()
    thief.http.set_cookie("lockstep_session", browser.cookie("lockstep_session"))
    assert thief.get("/").status == 200
    return thief


def test_while_the_others_can_not_be_ended_the_change_is_no_failure_and_the_copied_cookie_is_worth_nothing(
    centre: Centre, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief, other = copy_of(centre, signed_in), centre.browser()
    other.sign_in("alice")
    with monkeypatch.context() as broken:
        broken.setattr(type(centre.built.session_stores.sessions), "end", away)
        done = change(signed_in)
    assert (done.status, done.location) == (303, "/sessions?done=password")
    assert thief.get("/").location == "/sign-in"
    page = signed_in.get(done.location).text
    assert "Your password is changed. Your other devices are being signed out." in page
    assert "All your other devices are signed out." not in page
    centre.services.sign_out.run_pending_orders()
    assert other.get("/").location == "/sign-in"
    assert "Your password is changed. All your other devices are signed out." in signed_in.get(done.location).text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_browser_that_can_get_no_new_cookie_is_signed_out_and_told_that_the_password_is_changed(
    centre: Centre, signed_in: Browser, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    thief = copy_of(centre, signed_in)
    signed_in.options["headers"]["Accept-Language"] = language
    with monkeypatch.context() as broken:
        for step in ("open", "end"):
            broken.setattr(type(centre.built.session_stores.sessions), step, away)
        page = change(signed_in)
    assert page.status == 503
    assert {"en": "Your password is changed", "zh": "您的密码已修改"}[language] in page.title
    assert {"en": "Please sign in with the new password.", "zh": "请使用新密码登录。"}[language] in page.text
    assert {"en": "Nothing was lost", "zh": "没有任何内容丢失"}[language] not in page.text
    assert "Retry-After" not in page.response.headers
    assert signed_in.cookie("lockstep_session") == ""
    centre.services.sign_out.run_pending_orders()
    assert thief.get("/").location == "/sign-in"
    assert signed_in.sign_in("alice", PASSWORD).status == 400
    assert signed_in.sign_in("alice", NEW).status == 303


def test_a_list_that_can_not_be_read_after_the_change_says_what_is_done(
    centre: Centre, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = change(signed_in)
    monkeypatch.setattr(type(centre.services.lists), "list_live", away)
    page = signed_in.get(done.location)
    assert page.status == 503
    assert "Your password is changed. Your other devices are being signed out." in page.text
    assert "Your password" not in signed_in.get("/sessions").text


def test_whose_account_is_disabled_while_they_change_the_password_is_not_told_that_they_mistyped(
    centre: Centre, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = Accounts.change_password

    def and_disable(self: Accounts, *of: str, **more: str) -> User:
        user = changed(self, *of, **more)
        self.disable("alice", actor="cli")
        return user

    monkeypatch.setattr(Accounts, "change_password", and_disable)
    page = change(signed_in)
    assert page.status == 400
    assert "The account changed while you were signing in." in page.text
    assert signed_in.cookie("lockstep_session") == ""


def test_a_change_whose_line_in_the_audit_can_not_be_written_is_not_made(centre: Centre, signed_in: Browser) -> None:
    rename(centre, "audit", "audit_away")
    assert "Nothing was lost" in change(signed_in).text
    rename(centre, "audit_away", "audit")
    assert signed_in.get("/").status == 200
    assert change(signed_in).location == "/sessions?done=password", "the present password is the one it was"


def rename(centre: Centre, table: str, name: str) -> None:
    with centre.built.sql.database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")
