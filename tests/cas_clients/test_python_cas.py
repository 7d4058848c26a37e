"""python-cas and flask-cas-ng, the programs of docs/cas-clients.md: in, still in, out."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
import requests
from cas import CASClient

from sso_server.core.clients import Client
from tests.support.browser import Browser
from tests.support.cas_site import CasSite, is_in, ticket_of, told, visit
from tests.support.centre import Centre, wait_until
from tests.support.relying_party import RelyingParty

SECRET = "secret-of-shop-0123456789abcdef0123456789abcdef"


def test_one_sign_in_opens_cas_sites_and_oidc_sites_and_any_sign_out_closes_them_all(
    centre: Centre, wiki: CasSite, notes: CasSite
) -> None:
    shop = RelyingParty(centre.issuer, f"shop-{centre.username}", SECRET, "http://127.0.0.1:9/callback")
    centre.add_client(
        Client(client_id=shop.client_id, name="Shop", created_at=1, redirect_uris=(shop.redirect_uri,)), SECRET
    )
    who = f"Alice Liddell ({centre.username})"
    browser = Browser()
    # The password is asked for once; the service has a query, and what it says arrives.
    assert visit(wiki, "/pages/rabbit?hole=d%C3%A9ep%26dark", browser, centre.username) == f"rabbit for {who}"
    assert visit(notes, "/", browser) == f"Notes of {who}"
    shop.sign_in_silently(browser)
    for _ in range(3):
        assert is_in(wiki, "/", browser)
        assert is_in(notes, "/", browser)

    # The end comes from an OpenID Connect site; who hasn't signed in there isn't asked anything.
    browser.open(f"{centre.issuer}/end-session?id_token_hint={shop.tokens['id_token']}")
    wait_until(lambda: not is_in(wiki, "/", browser) and not is_in(notes, "/", browser), why="CAS sites to be told")
    wait_until(lambda: told(centre, centre.username)["wiki"] == ["acknowledged"], why="the ledger to know")
    assert told(centre, centre.username)["notes"] == ["acknowledged"]
    assert 'name="password"' in browser.open(wiki.base_url).text, "the centre asks again"


def test_a_sign_out_at_a_cas_site_ends_every_other_site_and_comes_back_to_it(
    centre: Centre, wiki: CasSite, notes: CasSite
) -> None:
    browser, phone = Browser(), Browser()
    for one in (browser, phone):
        visit(notes, "/", one, centre.username)
        visit(wiki, "/", one)
    browser.page = browser.http.post(f"{wiki.base_url}/sign-out", timeout=15)
    assert (browser.url, browser.text) == (f"{wiki.base_url}/good-bye", "Good bye")
    wait_until(lambda: not is_in(notes, "/", browser), why="the other site to be told")
    assert is_in(notes, "/", phone), "another browser is another session"
    assert is_in(wiki, "/", phone)
    browser.open(f"{notes.base_url}/cas/logout/")
    assert browser.url == f"{notes.base_url}/good-bye", "also when there is nothing left to end"
    phone.open(f"{notes.base_url}/cas/logout/")
    wait_until(lambda: not is_in(wiki, "/", phone), why="the other site to be told")


def test_an_end_at_the_centre_ends_each_local_session_of_a_site(centre: Centre, wiki: CasSite) -> None:
    browser = Browser()
    visit(wiki, "/", browser, centre.username)
    # The site forgets its cookie and signs in again: a second ticket, a second local session.
    old = dict(browser.http.cookies.get_dict(domain=wiki.host))
    browser.http.cookies.clear(domain=wiki.host)
    visit(wiki, "/pages/again", browser)
    (session,) = centre.cli("session", "list", "--user", centre.username)
    centre.cli("session", "end", session["sid"])
    wait_until(lambda: not is_in(wiki, "/", browser), why="the newer one to end")
    forgotten = requests.get(f"{wiki.base_url}/", cookies=old, allow_redirects=False, timeout=15)
    assert forgotten.status_code == 302, "the older one, too"


def test_a_ticket_is_good_once_and_for_the_page_it_was_made_for(centre: Centre, wiki: CasSite, notes: CasSite) -> None:
    browser = Browser()
    visit(wiki, "/", browser, centre.username)
    callback = next(r.url for r in browser.page.history if "ticket=" in r.url)
    assert requests.get(callback, timeout=15).status_code == 403, "used already"

    browser.http.cookies.clear(domain=wiki.host)
    to_the_site = browser.http.get(f"{wiki.base_url}/pages/a", allow_redirects=False, timeout=15).headers["Location"]
    answer = browser.http.get(to_the_site, allow_redirects=False, timeout=15)
    stolen = answer.headers["Location"].replace("next=%2Fpages%2Fa", "next=%2Fpages%2Fb")
    assert stolen != answer.headers["Location"]
    assert requests.get(stolen, timeout=15).status_code == 403, "made for another page"
    assert requests.get(answer.headers["Location"], timeout=15).status_code == 403, "burnt by that"
    assert requests.get(f"{wiki.base_url}/cas/callback?ticket=ST-1-nothing", timeout=15).status_code == 403


def test_flask_cas_ng_accepts_a_ticket_once_and_none_of_another_site(
    centre: Centre, wiki: CasSite, notes: CasSite
) -> None:
    browser = Browser()
    visit(notes, "/", browser, centre.username)
    callback = next(r.url for r in browser.page.history if "ticket=" in r.url)
    used = ticket_of(browser)
    to_wiki = f"{centre.issuer}/cas/login?{urlencode({'service': wiki.base_url + '/'})}"
    foreign = browser.http.get(to_wiki, allow_redirects=False, timeout=15).headers["Location"].rpartition("ticket=")[2]
    for ticket in (used, foreign):
        assert ticket.startswith("ST-")
        thief = Browser()
        # It asks for the page that it was on its way to, or the ticket would be for another one.
        thief.http.get(f"{notes.base_url}/", allow_redirects=False, timeout=15)
        answer = thief.http.get(callback.replace(used, ticket), allow_redirects=False, timeout=15)
        assert answer.headers["Location"].startswith(f"{centre.issuer}/cas/login"), "asked to sign in"
        assert not is_in(notes, "/", thief)


@pytest.mark.parametrize("version", [1, 2, 3, "CAS_2_SAML_1_0"])
def test_python_cas_reads_the_answer_of_every_version(centre: Centre, wiki: CasSite, version: int | str) -> None:
    browser = Browser()
    visit(wiki, "/", browser, centre.username)
    client = CASClient(
        version=version,
        server_url=f"{centre.issuer}/cas/",
        service_url=f"{wiki.base_url}/pages/versions?a=b%20c&d",
        username_attribute="preferred_username",
    )
    answer = browser.http.get(client.get_login_url(), allow_redirects=False, timeout=15)
    ticket = answer.headers["Location"].rpartition("ticket=")[2]
    user, attributes, _ = client.verify_ticket(ticket)
    assert user == centre.username
    if version == 3:
        assert attributes["name"] == "Alice Liddell"
        assert set(attributes["groups"]) == {"staff", "R&D <1>"}
    else:
        assert not attributes, "CAS 1 and 2 have none, and SAML says none to a site without TLS"
    assert client.verify_ticket(ticket)[0] is None, "good once"


def test_a_forged_logout_request_ends_nothing_and_breaks_nothing(centre: Centre, wiki: CasSite) -> None:
    browser = Browser()
    visit(wiki, "/", browser, centre.username)
    ticket = ticket_of(browser)
    for document in ("", "no xml", "<a>&lt;</a>", f"<SessionIndex>{ticket}</SessionIndex>"):
        sent = requests.post(f"{wiki.base_url}/cas/callback", data={"logoutRequest": document}, timeout=15)
        assert sent.status_code == 200, document
    assert is_in(wiki, "/", browser)
