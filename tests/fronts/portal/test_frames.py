"""Front-channel logout: which frames the browser gets at a sign-out, where it goes on, and what is claimed of it."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client
from sso_server.core.notifications import State
from sso_server.core.sessions import Session
from sso_server.web.frames import MAX_FRAMES
from tests.fronts.conftest import SECRETS
from tests.fronts.portal.pages import Browser, Centre, Page
from tests.support.oidc_site import OidcSite, built_of, path_of

ISSUER = "http://127.0.0.1:9000"


@pytest.fixture
def framed(open_with: Callable[..., Centre]) -> Centre:
    """A centre with front-channel logout switched on."""
    return open_with(frontchannel_logout=True)


def add_framed(centre: Centre, client_id: str = "shop", uri: str = "", **changes: object) -> Client:
    uri = uri or f"https://{client_id}.example/out?from=sso"
    metadata = ClientMetadata(frontchannel_logout_uri=uri, frontchannel_logout_session_required=True)
    return centre.add_site(client_id, client_id.title(), metadata=metadata, **changes)


def signed_in(centre: Centre, *clients: Client) -> tuple[Browser, Session]:
    """Alice, who has opened these sites."""
    alice, browser = centre.add_user(), centre.browser()
    browser.sign_in("alice")
    (session,) = centre.sessions(alice)
    for client in clients:
        centre.visit(session, client, "")
    return browser, session


def sign_out(browser: Browser) -> Page:
    return browser.submit(browser.get("/sign-out"), "/sign-out", scope="here")


def leave(centre: Centre, browser: Browser, client_id: str, back: str, state: str) -> Page:
    """A site asked, and the person said yes."""
    asked = {"client_id": client_id, "post_logout_redirect_uri": back, "state": state}
    page = browser.get(f"/sign-out?request={centre.services.seals.seal('sign-out', asked)}")
    return browser.submit(page, "/sign-out", scope="here")


def frames(page: Page) -> list[str]:
    return [unescape(found) for found in re.findall(r'<iframe src="([^"]*)"', page.text)]


@pytest.mark.covers("oidcc-frontchannel-logout-discovery-endpoint-verification")
def test_oidcc_frontchannel_logout_discovery_endpoint_verification(framed: Centre, centre: Centre) -> None:
    members = {"frontchannel_logout_supported", "frontchannel_logout_session_supported"}
    on, off = (c.browser().http.get("/.well-known/openid-configuration").json for c in (framed, centre))
    assert {name: on.get(name) for name in members} == dict.fromkeys(members, True)
    assert not members & set(off)


@pytest.mark.covers("oidcc-frontchannel-rp-initiated-logout", "line-126", "line-128")
def test_each_site_with_a_page_for_it_gets_a_frame_with_issuer_and_session(framed: Centre) -> None:
    shop, wiki = add_framed(framed), add_framed(framed, "wiki", "https://wiki.example:443/bye")
    browser, session = signed_in(framed, shop, wiki, framed.add_site("plain", "Plain"))
    page = browser.get(sign_out(browser).location)
    assert [urlsplit(uri).path for uri in frames(page)] == ["/out", "/bye"]
    queries = [parse_qs(urlsplit(uri).query) for uri in frames(page)]
    said = {"iss": [ISSUER], "sid": [session.sid]}
    assert queries == [{"from": ["sso"]} | said, said]
    headers = page.response.headers
    assert "frame-src https://shop.example https://wiki.example; " in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert page.text.count('sandbox="allow-scripts allow-same-origin"') == 2


@pytest.mark.covers("oidcc-frontchannel-rp-initiated-logout")
@pytest.mark.parametrize("state", ["a b&c", ""])
def test_the_page_goes_on_to_the_registered_address_with_its_state(framed: Centre, state: str) -> None:
    shop = add_framed(framed)
    browser, _ = signed_in(framed, shop)
    page = browser.get(leave(framed, browser, "shop", "https://shop.example/", state).location)
    (goes_on_at,) = re.findall(r'<a class="button" href="([^"]*)" data-next', page.text)
    assert unescape(goes_on_at) == "https://shop.example/" + ("?state=a+b%26c" if state else "")
    # Without script the page does it by itself.
    assert f'<meta http-equiv="refresh" content="3; url={goes_on_at}">' in page.text


def test_without_an_address_to_return_to_it_goes_on_to_the_report(framed: Centre) -> None:
    shop = add_framed(framed)
    browser, _ = signed_in(framed, shop)
    page = browser.get(sign_out(browser).location)
    (goes_on_at,) = re.findall(r'href="([^"]*)" data-next', page.text)
    report = browser.get(unescape(goes_on_at))
    assert "Shop" in report.text
    assert frames(report) == []


@pytest.mark.covers("line-130")
def test_the_session_is_over_and_its_sites_are_being_told_before_any_frame_is_loaded(framed: Centre) -> None:
    shop = add_framed(framed)
    browser, session = signed_in(framed, shop)
    sign_out(browser)
    (row,) = framed.services.ledger.of_session(session.sid)
    assert (row.state, row.logout_uri) == (State.PENDING, "https://shop.example/sso/backchannel-logout")


@pytest.mark.covers("line-130")
def test_a_site_that_only_has_a_frame_stays_untold_and_the_report_says_so(framed: Centre) -> None:
    shop = add_framed(framed, backchannel_logout_uri="")
    browser, session = signed_in(framed, shop)
    page = browser.get(sign_out(browser).location)
    assert len(frames(page)) == 1
    (row,) = framed.services.ledger.of_session(session.sid)
    assert row.state is State.NO_ADDRESS
    (goes_on_at,) = re.findall(r'href="([^"]*)" data-next', page.text)
    report = unescape(browser.get(unescape(goes_on_at)).text)
    assert "Can't be told" in report
    assert "Only your browser could tell this site, and nobody can say whether it did." in report


def test_switched_off_there_are_no_frames_and_no_page_in_between(centre: Centre) -> None:
    browser, _ = signed_in(centre, add_framed(centre, backchannel_logout_uri=""))
    answer = sign_out(browser)
    assert answer.location.startswith("/signed-out?of=")
    page = browser.get(answer.location)
    assert frames(page) == []
    assert "frame-src" not in page.response.headers["Content-Security-Policy"]
    assert "This site has no way to hear of a sign-out." in page.text


def test_nobody_gets_a_frame_for_a_site_that_was_not_opened_in_this_session(framed: Centre) -> None:
    add_framed(framed)
    browser, _ = signed_in(framed, framed.add_site("plain", "Plain"))
    assert sign_out(browser).location.startswith("/signed-out?of=")


@pytest.mark.covers("line-127")
def test_a_page_at_another_origin_than_the_redirect_uris_is_loaded_by_nobody(framed: Centre) -> None:
    for number, uri in enumerate(("http://shop.example/out", "https://shop.example:8443/out", "https://evil.example/")):
        add_framed(framed, f"shop{number}", uri)
    shop = framed.services.clients.find("shop0")
    assert shop is not None
    browser, session = signed_in(framed, shop)
    for number in (1, 2):
        client = framed.services.clients.find(f"shop{number}")
        assert client is not None
        framed.visit(session, client, "")
    assert sign_out(browser).location.startswith("/signed-out?of=")


def test_a_sign_out_on_another_device_loads_nothing_here(framed: Centre) -> None:
    shop = add_framed(framed)
    alice = framed.add_user()
    here, there = framed.browser(), framed.browser()
    there.sign_in("alice")
    (elsewhere,) = framed.sessions(alice)
    framed.visit(elsewhere, shop, "")
    here.sign_in("alice")
    assert here.submit(here.get("/sign-out"), "/sign-out", scope="everywhere").location.startswith("/signed-out?of=")


def test_a_page_has_twenty_frames_at_most(framed: Centre) -> None:
    clients = [add_framed(framed, f"shop{number:02}") for number in range(MAX_FRAMES + 1)]
    browser, _ = signed_in(framed, *clients)
    assert len(frames(browser.get(sign_out(browser).location))) == MAX_FRAMES


@pytest.mark.parametrize("of", ["", "forged"])
def test_nobody_is_led_anywhere_by_an_address_that_is_not_ours(framed: Centre, of: str) -> None:
    assert framed.browser().get(f"/signed-out/sites?of={of}").location == "/signed-out"
    other = framed.services.seals.seal("signed-out", {"sid": "", "next": "https://evil.example/"})
    assert framed.browser().get(f"/signed-out/sites?of={other}").location == "/signed-out"


def test_a_site_that_lost_its_page_meanwhile_is_passed_over(framed: Centre) -> None:
    shop = add_framed(framed)
    browser, _ = signed_in(framed, shop)
    location = leave(framed, browser, "shop", "https://shop.example/", "s").location
    assert framed.built.sql.clients.update(replace(shop, metadata=ClientMetadata()), shop)
    framed.services.clients._checked_at = -1000
    assert browser.get(location).location == "https://shop.example/?state=s"


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def shop(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> OidcSite:
    """Of a centre where it is switched on, with a page for it."""
    on_redis = {"redis_url": request.getfixturevalue("empty_redis_url")} if request.param == "redis" else {}
    site = OidcSite(make_app(frontchannel_logout=True, **on_redis), "shop", SECRETS["shop"])
    clients = built_of(site.app).sql.clients
    (was,) = (client for client in clients.list_clients() if client.client_id == "shop")
    said = replace(was.metadata, frontchannel_logout_uri="https://shop.example.com/out")
    assert clients.update(replace(was, metadata=said), was)
    return site


@pytest.mark.covers("line-97")
def test_a_sign_out_by_the_site_loads_the_frames_once(shop: OidcSite) -> None:
    browser = shop.app.test_client()
    query = {"id_token_hint": shop.tokens(browser)["id_token"], "post_logout_redirect_uri": shop.home, "state": "s"}
    first = browser.get("/end-session", query_string=query)
    assert path_of(first) == "/signed-out/sites"
    assert 'src="https://shop.example.com/out?iss=' in browser.get(first.headers["Location"]).text
    assert browser.get("/end-session", query_string=query).headers["Location"] == shop.home + "?state=s"


def test_a_sign_out_by_cas_loads_them_too(shop: OidcSite) -> None:
    browser = shop.app.test_client()
    shop.tokens(browser)
    assert path_of(browser.get("/cas/logout")) == "/signed-out/sites"
