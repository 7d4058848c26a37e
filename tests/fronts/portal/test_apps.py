"""My apps: what was allowed, and taking it back."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client
from sso_server.core.consents import Wish
from sso_server.core.errors import InvalidGrant, Unavailable
from sso_server.core.events import EventKind
from sso_server.core.sessions import EndReason, Session
from sso_server.core.sign_in import SignIn
from sso_server.core.tickets import Issued, s256
from sso_server.core.users import User
from sso_server.stores.sql.consents import SqlConsents
from tests.fronts.portal.pages import SAFARI, STORE, VERIFIER, Browser, Centre


@pytest.fixture
def alice(centre: Centre) -> User:
    return centre.add_user()


@pytest.fixture
def photos(centre: Centre) -> Client:
    return centre.add_site("photos", "Photos", metadata=ClientMetadata(third_party=True))


def allow(centre: Centre, user: User, client: Client, *scope: str) -> None:
    centre.services.consents.give(user.user_id, client, Wish(("openid", *scope)))


def use(centre: Centre, session: Session, client: Client, *scope: str) -> Issued:
    """The app comes to this session, and gets tokens."""
    uri = client.redirect_uris[0]
    code = centre.services.tickets.issue(
        session, client, redirect_uri=uri, code_challenge=s256(VERIFIER), nonce="", scope=("openid", *scope)
    )
    return centre.services.tickets.redeem(code, client, redirect_uri=uri, code_verifier=VERIFIER, store_id=STORE)


def session_of(centre: Centre, browser: Browser) -> Session:
    found = centre.services.sign_in.find_any_session(browser.cookie("lockstep_session"))
    assert found is not None
    return found


def remove(browser: Browser, client: Client) -> Any:
    return browser.submit(browser.get("/apps"), "/apps/remove", f'value="{client.client_id}"')


def test_each_app_is_named_with_what_it_may_see_since_when_and_when_last_used(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    mail = centre.add_site("mail", "邮件", metadata=ClientMetadata(third_party=True))
    allow(centre, alice, photos, "email", "offline_access")
    allow(centre, alice, mail, "profile")
    browser.sign_in("alice")
    page = browser.get("/apps")
    for words in (
        "Photos", "邮件", "See your e-mail address", "Go on with all of this while you are not signed in",
        "See your profile", "Allowed", "Last used", "just now",
    ):  # fmt: skip
        assert words in page.text
    assert page.text.count('action="/apps/remove"') == 2


def test_apps_of_the_same_name_are_told_apart(centre: Centre, browser: Browser, alice: User, photos: Client) -> None:
    others = ClientMetadata(third_party=True)
    alike = {"photos-2": ("https://photos.example/cb",), "pictures": ("https://evil.example/cb",), "lamp": ()}
    clients = [photos, centre.add_site("mail", "Mail", metadata=others)]
    clients += [
        centre.add_site(id_, "photos", redirect_uris=uris, base_url="", metadata=others) for id_, uris in alike.items()
    ]
    for client in clients:
        allow(centre, alice, client)
    browser.sign_in("alice")
    for language, (address, app_id, remove_) in {
        "en": ("Address", "App ID", "Remove: "), "zh-CN": ("地址", "应用 ID", "移除："),
    }.items():  # fmt: skip
        browser.options["headers"]["Accept-Language"] = language
        cards = browser.get("/apps").text.split('<li class="card">')[1:]
        found = {}
        for card in cards:
            said = re.findall(r"<dt>(.*?)</dt><dd>(?:<code>)?([^<]*)", card)
            label = re.search(r'aria-label="([^"]*)"', card)
            id_ = re.search(r'name="client" value="([^"]*)"', card)
            assert label is not None
            assert id_ is not None
            told = {name: text for name, text in said if name in (address, app_id)}
            found[id_[1]] = (told, label[1].removeprefix(remove_))
        assert found == {
            "photos": ({address: "photos.example", app_id: "photos"}, "Photos (photos)"),
            "photos-2": ({address: "photos.example", app_id: "photos-2"}, "photos (photos-2)"),
            "pictures": ({address: "evil.example"}, "photos (evil.example)"),
            "lamp": ({app_id: "lamp"}, "photos (lamp)"),
            "mail": ({address: "mail.example"}, "Mail"),
        }


def test_devices_whose_names_only_look_the_same_are_told_apart(centre: Centre, browser: Browser, alice: User) -> None:
    for id_, name in {"lamp-1": "Lamp", "lamp-2": "L\N{CYRILLIC SMALL LETTER A}mp"}.items():
        device = centre.add_site(id_, name, redirect_uris=(), base_url="", metadata=ClientMetadata(third_party=True))
        allow(centre, alice, device)
    browser.sign_in("alice")
    cards = browser.get("/apps").text.split('<li class="card">')[1:]
    assert len(cards) == 2
    for card in cards:
        id_ = re.findall(r'name="client" value="([^"]*)"', card)[0]
        assert f"<dt>App ID</dt><dd><code>{id_}</code></dd>" in card
        assert f'mp ({id_})"' in card, "its button, for whoever hears it"


def test_of_many_addresses_only_some_are_named(centre: Centre, browser: Browser, alice: User) -> None:
    uris = ("app.photos:/cb", *(f"https://p{number}.example/{path}" for number in range(1, 5) for path in "ab"))
    allow(centre, alice, centre.add_site(redirect_uris=uris, metadata=ClientMetadata(third_party=True)))
    browser.sign_in("alice")
    assert "<dd>app.photos:, p1.example, p2.example, …</dd>" in browser.get("/apps").text


def test_what_was_allowed_in_two_ways_is_said_once(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    allow(centre, alice, photos, "email")
    centre.services.consents.give(alice.user_id, photos, Wish(("openid",), ("email",)))
    browser.sign_in("alice")
    assert browser.get("/apps").text.count("See your e-mail address") == 1


def test_nobody_sees_another_persons_apps(centre: Centre, browser: Browser, alice: User, photos: Client) -> None:
    allow(centre, alice, photos)
    centre.add_user("bob", "Bob")
    browser.sign_in("bob")
    assert "You have allowed no app anything." in browser.get("/apps").text
    assert browser.submit(browser.get("/password"), "/password").status == 400
    token = browser.get("/password").form("/password")["csrf_token"]
    assert browser.post("/apps/remove", csrf_token=token, client="photos").location == "/apps"
    assert centre.services.consents.find(alice.user_id, "photos") is not None


def test_who_is_not_signed_in_comes_back_to_the_page_afterwards(browser: Browser, alice: User) -> None:
    page = browser.get("/apps")
    assert page.location == "/sign-in?then=apps"
    assert browser.sign_in("alice", path=page.location).location == "/apps"


def test_removing_ends_tokens_and_sessions_and_the_person_stays_signed_in_here(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    shop = centre.add_site()
    allow(centre, alice, photos, "offline_access")
    browser.sign_in("alice")
    phone = centre.browser(user_agent=SAFARI)
    phone.sign_in("alice")
    old, elsewhere = session_of(centre, browser), session_of(centre, phone)
    tokens = use(centre, old, photos, "offline_access")
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

    fresh = session_of(centre, browser)
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
    assert session_of(centre, phone).ended_at is None
    assert centre.services.tokens.find(kept.access_token) is not None


def test_the_session_goes_on_only_where_the_app_was_in_it(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    allow(centre, alice, photos)
    phone = centre.browser(user_agent=SAFARI)
    phone.sign_in("alice")
    use(centre, session_of(centre, phone), photos)
    browser.sign_in("alice")
    before = browser.cookie("lockstep_session")
    remove(browser, photos)
    assert browser.cookie("lockstep_session") == before
    assert session_of(centre, phone).end_reason == "app_removed"
    notice = phone.get("/sign-in")
    assert "This session ended because you removed an app that was used in it." in notice.text


def test_a_session_that_ended_for_another_reason_meanwhile_stays_ended(
    centre: Centre, browser: Browser, alice: User, photos: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(centre, alice, photos)
    browser.sign_in("alice")
    use(centre, session_of(centre, browser), photos)
    sid, removing = session_of(centre, browser).sid, SqlConsents.remove

    def ended_first(store: SqlConsents, *args: Any) -> bool:
        # No version of the account tells of this one: the reason alone does.
        centre.services.sign_out.end(sid, EndReason.ADMINISTRATOR, actor="cli")
        return removing(store, *args)

    monkeypatch.setattr(SqlConsents, "remove", ended_first)
    assert remove(browser, photos).status == 303
    assert session_of(centre, browser).end_reason == "administrator"
    assert centre.sessions(alice) == []


def test_a_password_changed_since_the_sign_in_is_not_gone_past(
    centre: Centre, browser: Browser, alice: User, photos: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(centre, alice, photos)
    browser.sign_in("alice")
    use(centre, session_of(centre, browser), photos)
    opening = SignIn.open_in_place_of

    def changed_first(sign_in: SignIn, *args: Any) -> object:
        centre.services.accounts.set_password("alice", "another horse battery", actor="cli")
        return opening(sign_in, *args)

    monkeypatch.setattr(SignIn, "open_in_place_of", changed_first)
    assert remove(browser, photos).status == 303
    assert centre.sessions(alice) == []
    assert browser.get("/apps").location == "/sign-in?then=apps"


def test_a_second_click_ends_nothing_more(centre: Centre, browser: Browser, alice: User, photos: Client) -> None:
    allow(centre, alice, photos)
    browser.sign_in("alice")
    page = browser.get("/apps")
    browser.submit(page, "/apps/remove")
    use(centre, session_of(centre, browser), photos)
    assert browser.submit(page, "/apps/remove").location == "/apps"
    assert session_of(centre, browser).ended_at is None


def test_the_report_says_how_the_sites_of_the_removed_app_took_it(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    shop = centre.add_site()
    allow(centre, alice, photos)
    browser.sign_in("alice")
    phone = centre.browser(user_agent=SAFARI)
    phone.sign_in("alice")
    for one, client in ((browser, photos), (phone, photos), (browser, shop)):
        use(centre, session_of(centre, one), client)
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
    allow(centre, alice, photos)
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
    allow(centre, alice, photos, "email")
    browser.sign_in("alice")
    old = session_of(centre, browser)
    use(centre, old, photos)
    remove(browser, photos)
    (line,) = centre.services.audit.list_events(5, kind=EventKind.CONSENT_REMOVED)
    assert (line.user_id, line.client_id, line.actor) == (alice.user_id, "photos", "user")
    assert line.data == {"scope": "openid email", "claims": ""}
    newest = centre.services.audit.list_events(5, kind=EventKind.SIGNED_IN)[0]
    assert (newest.data["continues"], newest.data["renewed"]) == (old.sid, 1)


def test_whoever_lets_the_removal_down_halfway_finds_it_finished_by_the_worker(
    centre: Centre, browser: Browser, alice: User, photos: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(centre, alice, photos)
    browser.sign_in("alice")
    use(centre, session_of(centre, browser), photos)
    with monkeypatch.context() as broken:

        def away(*_: object, **__: object) -> None:
            raise Unavailable

        broken.setattr(type(centre.services.sign_out), "run_order", away)
        done = remove(browser, photos)
    assert done.status == 303
    assert session_of(centre, browser).ended_at is None
    page = browser.get(done.location).text
    assert "Photos is removed." in page
    assert "You have allowed no app anything." in page
    report = f"/signed-out?{done.location.partition('?')[2]}"
    assert "One more device is being signed out." in browser.get(report).text
    centre.services.sign_out.run_pending_orders()
    assert session_of(centre, browser).end_reason == "app_removed"
    assert "This ended one session of yours." in browser.get(report).text


def test_whoever_gets_no_new_session_after_the_removal_is_not_told_to_try_again(
    centre: Centre, browser: Browser, alice: User, photos: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(centre, alice, photos)
    browser.sign_in("alice")
    use(centre, session_of(centre, browser), photos)
    with monkeypatch.context() as broken:

        def away(*_: object, **__: object) -> None:
            raise Unavailable

        broken.setattr(type(centre.built.session_stores.sessions), "open", away)
        done = remove(browser, photos)
    assert (done.status, done.location.partition("?")[0]) == (303, "/apps")
    assert session_of(centre, browser).end_reason == "app_removed"
    assert browser.get(done.location).location == "/sign-in?then=apps"


def test_an_app_whose_registration_is_gone_is_gone_from_the_page(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    allow(centre, alice, photos)
    assert centre.built.sql.clients.remove("photos")
    centre.services.clients._checked_at = -1000
    browser.sign_in("alice")
    assert "You have allowed no app anything." in browser.get("/apps").text
