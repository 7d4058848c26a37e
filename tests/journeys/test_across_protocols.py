"""One session across protocols: a CAS service and an OpenID Connect site, both written by hand, whichever of them
people come in by, and whatever ends it. On each store.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sso_server.core.clients import Client
from sso_server.core.policy import MINUTE, SECOND
from sso_server.core.service_urls import normal_form
from sso_server.wiring import Built
from tests.support.browser import Browser
from tests.support.builders import opened, registered
from tests.support.cas_rows import cas_client
from tests.support.cas_service import CasService
from tests.support.centre import PASSWORD, Centre, tree, wait_until
from tests.support.relying_party import RelyingParty
from tests.support.sinks import Sink

_numbers = itertools.count()


@dataclass
class Town:
    """A running centre, a CAS service, and an OpenID Connect site without our SDK."""

    centre: Centre
    built: Built
    wiki: CasService
    wiki_id: str
    shop: Sink
    party: RelyingParty

    def reasons(self, sid: str) -> list[str]:
        """What the shop heard of this session."""
        calls = [request for request in list(self.shop.inbox) if request.line.startswith("POST ")]
        claims = [self.party.verify_logout_token(request.body.decode()) for request in calls]
        return [str(one["reason"]) for one in claims if one["sid"] == sid]


@dataclass
class Person:
    """Signed in at both, at the wiki with two tickets."""

    town: Town
    username: str
    browser: Browser
    sid: str
    tickets: list[str]


@pytest.fixture(scope="module")
def town(running_centre: Centre) -> Iterator[Town]:
    with running_centre.core() as built, CasService(running_centre.issuer) as wiki, Sink("ok") as shop:
        wiki_id, shop_id = f"wiki-{wiki.port}", f"shop-{shop.port}"
        running_centre.add_client(cas_client(wiki_id, wiki.base_url + "/"))
        secret, redirect_uri = f"secret-of-{shop_id}-0123456789abcdef0123456789", f"http://127.0.0.1:{shop.port}/cb"
        redirects, home = (redirect_uri,), (f"http://127.0.0.1:{shop.port}/",)
        client = Client(
            shop_id, "Shop", 1, redirect_uris=redirects, post_logout_redirect_uris=home, backchannel_logout_uri=shop.url
        )
        running_centre.add_client(client, secret)
        party = RelyingParty(running_centre.issuer, shop_id, secret, redirect_uri)
        yield Town(running_centre, built, wiki, wiki_id, shop, party)


def person(town: Town, first: str) -> Person:
    """A new one, who comes in by the site of this protocol: the other one asks nothing."""
    username = f"walker-{next(_numbers)}-{os.getpid()}"
    town.centre.add_user(username)
    return comes_in(town, first, username)


def comes_in(town: Town, first: str, username: str) -> Person:
    browser, before = Browser(), len(town.wiki.tickets)
    if first == "cas":
        browser.open(town.wiki.base_url + "/page").sign_in(username, PASSWORD)
        assert (browser.url, browser.text) == (town.wiki.base_url + "/page", username)
        town.party.sign_in_silently(browser)
    else:
        browser.open(town.party.authorize_url("v" * 43)).sign_in(username, PASSWORD)
        town.party.sign_in_silently(browser)
        browser.open(town.wiki.base_url + "/page")
        assert browser.text == username, "nobody is asked a second time"
    browser.open(town.wiki.base_url + "/again")
    tickets = town.wiki.tickets[before:]
    assert len(tickets) == 2
    return Person(town, username, browser, town.party.sid, tickets)


def at_the_cas_site(person: Person) -> str:
    service = person.town.wiki.base_url + "/goodbye"
    person.browser.http.get(
        f"{person.town.centre.issuer}/cas/logout", params={"service": service}, timeout=15, allow_redirects=False
    )
    return "site_sign_out"


def at_the_openid_site(person: Person) -> str:
    hint = person.town.party.tokens["id_token"]
    person.browser.open(f"{person.town.centre.issuer}/end-session?id_token_hint={hint}")
    return "site_sign_out"


def at_the_centre(person: Person) -> str:
    person.browser.open(f"{person.town.centre.issuer}/sign-out").submit("/sign-out", scope="here")
    return "sign_out"


def everywhere(person: Person) -> str:
    other = comes_in(person.town, "cas", person.username)
    other.browser.open(f"{person.town.centre.issuer}/sign-out").submit("/sign-out", scope="everywhere")
    return "sign_out_everywhere"


def by_an_administrator(person: Person) -> str:
    person.town.centre.cli("session", "end", person.sid)
    return "administrator"


@pytest.mark.parametrize(
    ("first", "ends"),
    [
        ("oidc", at_the_cas_site),
        ("cas", at_the_openid_site),
        ("oidc", at_the_centre),
        ("cas", everywhere),
        ("oidc", by_an_administrator),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_one_session_spans_both_protocols_and_each_end_reaches_both(
    town: Town, first: str, ends: Callable[[Person], str]
) -> None:
    someone = person(town, first)
    assert town.wiki.is_signed_in(someone.browser)
    reason = ends(someone)
    wait_until(lambda: len(town.reasons(someone.sid)) == 1 and both_ended(someone), why="both sites to be told")
    assert town.reasons(someone.sid) == [reason]
    assert not town.wiki.is_signed_in(someone.browser)
    assert [town.wiki.called.count(ticket) for ticket in someone.tickets] == [1, 1]
    wait_until(lambda: states(someone) == {"acknowledged"}, why="the ledger to say so")
    shown = town.centre.cli("signout", "show", someone.sid)
    assert sorted((site["client_id"], site["store_id"]) for site in shown["sites"]) == sorted(
        [(town.wiki_id, ""), (town.wiki_id, ""), (town.party.client_id, "")]
    )
    assert not any(ticket in text for ticket in someone.tickets for text in (str(shown), town.centre.log.read_text()))


def both_ended(someone: Person) -> bool:
    return not {ticket for _, ticket in someone.town.wiki.local.values()} & set(someone.tickets)


def states(someone: Person) -> set[str]:
    return {row.state.value for row in someone.town.built.session_stores.ledger.of_session(someone.sid)}


def test_a_session_that_runs_out_reaches_both(town: Town) -> None:
    services, stores = town.built.services, town.built.session_stores
    now, service = services.clock.now(), town.wiki.base_url + "/page"
    user = f"walker-{next(_numbers)}-{os.getpid()}"
    town.centre.add_user(user)
    user_id = services.accounts.get(user).user_id
    session = opened(stores, now, user_id=user_id, absolute_until=now + 3 * SECOND)
    client: Any = services.clients.find_by_service(service)
    tickets = [
        services.service_tickets.issue(session, client, service=normal_form(service), fresh=False) for _ in range(2)
    ]
    assert all(town.wiki.validate(town.centre.issuer + "/cas", ticket, service) for ticket in tickets)
    registered(stores, session, town.party.client_id, now, logout_uri=town.shop.url, margin_ms=MINUTE)
    someone = Person(town, user, Browser(), session.sid, tickets)
    wait_until(lambda: town.reasons(session.sid) == ["absolute"] and both_ended(someone), why="both to be told")


def test_kill_nine_of_the_delivery_process_in_the_middle_of_a_call_leaves_no_ticket_untold(town: Town) -> None:
    someone = person(town, "cas")
    town.wiki.holds.set()
    try:
        at_the_centre(someone)
        wait_until(lambda: set(someone.tickets) & set(town.wiki.called), why="a call to be under way")
        killed = delivery_process(town.centre)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: delivery_process(town.centre) not in (0, killed), why="another delivery process")
    finally:
        town.wiki.holds.clear()
    wait_until(lambda: both_ended(someone) and states(someone) == {"acknowledged"}, why="both tickets to be told")
    assert set(town.wiki.called) >= set(someone.tickets)


def delivery_process(centre: Centre) -> int:
    """Its pid; 0: there is none just now."""
    assert centre.process.popen is not None
    for pid in tree(centre.process.popen.pid):
        with contextlib.suppress(OSError):
            if b"deliver" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
    return 0
