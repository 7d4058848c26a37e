"""My apps: taking back what was allowed."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidGrant
from sso_server.core.events import EventKind
from sso_server.core.sessions import EndReason
from sso_server.core.sign_in import SignIn
from sso_server.core.users import User
from sso_server.stores.sql.consents import SqlConsents
from tests.fronts.portal.pages import SAFARI, Browser, Centre, away


@pytest.fixture
def used(centre: Centre, browser: Browser, alice: User, photos: Client) -> Client:
    """Allowed by alice, and used in her browser's session."""
    centre.allow(alice, photos)
    browser.sign_in("alice")
    centre.visit(centre.session_of(browser), photos)
    return photos


def remove(browser: Browser, client: Client) -> Any:
    return browser.submit(browser.get("/apps"), "/apps/remove", f'value="{client.client_id}"')


def test_removing_ends_tokens_and_sessions_and_the_person_stays_signed_in_here(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    shop = centre.add_site()
    centre.allow(alice, photos, "offline_access")
    browser.sign_in("alice")
    phone = centre.browser(user_agent=SAFARI)
    phone.sign_in("alice")
    old, elsewhere = centre.session_of(browser), centre.session_of(phone)
    tokens = centre.visit(old, photos, scope="openid offline_access")
    centre.visit(old, shop)
    kept = centre.visit(elsewhere, shop)

    page = remove(browser, photos)
    assert urlsplit(page.location).path == "/apps"
    ended = centre.built.sql.sessions.find(old.sid)
    assert ended.end_reason == "app_removed"
    rows = centre.services.ledger.of_session(old.sid)
    assert {(row.client_id, row.reason) for row in rows} == {("photos", "app_removed"), ("shop", "app_removed")}
    assert centre.services.tokens.find(tokens.access_token) is None
    with pytest.raises(InvalidGrant):
        centre.services.tokens.refresh(tokens.refresh_token, photos, None)

    fresh = centre.session_of(browser)
    assert fresh.sid != old.sid
    assert fresh.is_live(centre.services.clock.now())
    assert (fresh.auth_time, fresh.amr, fresh.absolute_until, fresh.remembered) == (
        old.auth_time,
        old.amr,
        old.absolute_until,
        old.remembered,
    )
    after = browser.get(page.location)
    assert "Photos is removed." in after.text
    assert "You have allowed no app anything." in after.text
    # A session in which it wasn't used has nothing to do with it.
    assert centre.session_of(phone).ended_at is None
    assert centre.services.tokens.find(kept.access_token) is not None


def test_the_session_goes_on_only_where_the_app_was_in_it(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    centre.allow(alice, photos)
    phone = centre.browser(user_agent=SAFARI)
    phone.sign_in("alice")
    centre.visit(centre.session_of(phone), photos)
    browser.sign_in("alice")
    before = browser.cookie("lockstep_session")
    remove(browser, photos)
    assert browser.cookie("lockstep_session") == before
    assert centre.session_of(phone).end_reason == "app_removed"
    notice = phone.get("/sign-in")
    assert "This session ended because you removed an app that was used in it." in notice.text


def test_a_session_that_ended_for_another_reason_meanwhile_stays_ended(
    centre: Centre, browser: Browser, alice: User, used: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sid, removing = centre.session_of(browser).sid, SqlConsents.remove

    def ended_first(store: SqlConsents, *args: Any) -> bool:
        # No version of the account tells of this one: the reason alone does.
        centre.services.sign_out.end(sid, EndReason.ADMINISTRATOR, actor="cli")
        return removing(store, *args)

    monkeypatch.setattr(SqlConsents, "remove", ended_first)
    assert remove(browser, used).status == 303
    assert centre.session_of(browser).end_reason == "administrator"
    assert centre.sessions(alice) == []


def test_a_password_changed_since_the_sign_in_is_not_gone_past(
    centre: Centre, browser: Browser, alice: User, used: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = SignIn.open_in_place_of

    def changed_first(sign_in: SignIn, *args: Any) -> object:
        centre.services.accounts.set_password("alice", "another horse battery", actor="cli")
        return opening(sign_in, *args)

    monkeypatch.setattr(SignIn, "open_in_place_of", changed_first)
    assert remove(browser, used).status == 303
    assert centre.sessions(alice) == []
    assert browser.get("/apps").location == "/sign-in?then=apps"


def test_a_second_click_ends_nothing_more(centre: Centre, browser: Browser, alice: User, photos: Client) -> None:
    centre.allow(alice, photos)
    browser.sign_in("alice")
    page = browser.get("/apps")
    browser.submit(page, "/apps/remove")
    centre.visit(centre.session_of(browser), photos)
    assert browser.submit(page, "/apps/remove").location == "/apps"
    assert centre.session_of(browser).ended_at is None


def test_the_report_says_how_the_sites_of_the_removed_app_took_it(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    shop = centre.add_site()
    centre.allow(alice, photos)
    browser.sign_in("alice")
    phone = centre.browser(user_agent=SAFARI)
    phone.sign_in("alice")
    for one, client in ((browser, photos), (phone, photos), (browser, shop)):
        centre.visit(centre.session_of(one), client)
    # A third device, where it wasn't used, is none of those that are still to end.
    tablet = centre.browser()
    tablet.sign_in("alice")
    sealed = parse_qs(urlsplit(remove(browser, photos).location).query)["of"][0]
    page = browser.get(f"/signed-out?of={sealed}")
    assert "Photos is removed" in page.title
    assert "This ended 2 sessions of yours." in page.text
    assert {"photos", "shop"} <= {line for line in ("photos", "shop") if f'data-client="{line}"' in page.text}
    assert "more device" not in page.text
    assert 'href="/apps"' in page.text


def test_a_page_whose_cookie_is_gone_removes_nothing_and_comes_again(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    centre.allow(alice, photos)
    browser.sign_in("alice")
    page = browser.get("/apps")
    browser.http.delete_cookie("lockstep_form")
    again = browser.submit(page, "/apps/remove")
    assert again.status == 400
    assert "press the button once more" in again.text
    assert centre.services.consents.find(alice.user_id, "photos") is not None
    browser.submit(again, "/apps/remove")
    assert centre.services.consents.find(alice.user_id, "photos") is None


def test_the_audit_has_lines_for_what_was_taken_back_and_for_the_session_that_goes_on(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    centre.allow(alice, photos, "email")
    browser.sign_in("alice")
    old = centre.session_of(browser)
    centre.visit(old, photos)
    remove(browser, photos)
    (line,) = centre.services.audit.list_events(5, kind=EventKind.CONSENT_REMOVED)
    assert (line.user_id, line.client_id, line.actor) == (alice.user_id, "photos", "user")
    assert line.data == {"scope": "openid email", "claims": ""}
    newest = centre.services.audit.list_events(5, kind=EventKind.SIGNED_IN)[0]
    assert (newest.data["continues"], newest.data["renewed"]) == (old.sid, 1)


def test_whoever_lets_the_removal_down_halfway_finds_it_finished_by_the_worker(
    centre: Centre, browser: Browser, used: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(type(centre.services.sign_out), "run_order", away)
        done = remove(browser, used)
    assert done.status == 303
    assert centre.session_of(browser).ended_at is None
    page = browser.get(done.location).text
    assert "Photos is removed." in page
    assert "You have allowed no app anything." in page
    report = f"/signed-out?{done.location.partition('?')[2]}"
    assert "One more device is being signed out." in browser.get(report).text
    centre.services.sign_out.run_pending_orders()
    assert centre.session_of(browser).end_reason == "app_removed"
    assert "This ended one session of yours." in browser.get(report).text


def test_whoever_gets_no_new_session_after_the_removal_is_not_told_to_try_again(
    centre: Centre, browser: Browser, used: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(type(centre.built.session_stores.sessions), "open", away)
        done = remove(browser, used)
    assert (done.status, done.location.partition("?")[0]) == (303, "/apps")
    assert centre.session_of(browser).end_reason == "app_removed"
    assert browser.get(done.location).location == "/sign-in?then=apps"
