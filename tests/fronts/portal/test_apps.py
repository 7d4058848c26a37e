"""My apps: what was allowed."""

from __future__ import annotations

import re

from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client
from sso_server.core.consents import Wish
from sso_server.core.users import User
from tests.fronts.portal.pages import Browser, Centre


def test_each_app_is_named_with_what_it_may_see_since_when_and_when_last_used(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    mail = centre.add_site("mail", "邮件", metadata=ClientMetadata(third_party=True))
    centre.allow(alice, photos, "email", "offline_access")
    centre.allow(alice, mail, "profile")
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
        centre.allow(alice, client)
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
        centre.allow(alice, device)
    browser.sign_in("alice")
    cards = browser.get("/apps").text.split('<li class="card">')[1:]
    assert len(cards) == 2
    for card in cards:
        id_ = re.findall(r'name="client" value="([^"]*)"', card)[0]
        assert f"<dt>App ID</dt><dd><code>{id_}</code></dd>" in card
        assert f'mp ({id_})"' in card, "its button, for whoever hears it"


def test_of_many_addresses_only_some_are_named(centre: Centre, browser: Browser, alice: User) -> None:
    uris = ("app.photos:/cb", *(f"https://p{number}.example/{path}" for number in range(1, 5) for path in "ab"))
    centre.allow(alice, centre.add_site(redirect_uris=uris, metadata=ClientMetadata(third_party=True)))
    browser.sign_in("alice")
    assert "<dd>app.photos:, p1.example, p2.example, …</dd>" in browser.get("/apps").text


def test_what_was_allowed_in_two_ways_is_said_once(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    centre.allow(alice, photos, "email")
    centre.services.consents.give(alice.user_id, photos, Wish(("openid",), ("email",)))
    browser.sign_in("alice")
    assert browser.get("/apps").text.count("See your e-mail address") == 1


def test_nobody_sees_another_persons_apps(centre: Centre, browser: Browser, alice: User, photos: Client) -> None:
    centre.allow(alice, photos)
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


def test_an_app_whose_registration_is_gone_is_gone_from_the_page(
    centre: Centre, browser: Browser, alice: User, photos: Client
) -> None:
    centre.allow(alice, photos)
    assert centre.built.sql.clients.remove("photos")
    centre.services.clients._checked_at = -1000
    browser.sign_in("alice")
    assert "You have allowed no app anything." in browser.get("/apps").text
