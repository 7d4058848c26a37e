"""Service tickets, proxy tickets, proxy-granting tickets on every engine: `core.service_tickets` over real stores."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sso_server.core import service_tickets
from sso_server.core.clients import CAS, Client
from sso_server.core.errors import InvalidGrant
from sso_server.core.events import Event, EventKind
from sso_server.core.identifiers import bucket_of, digest
from sso_server.core.policy import DAY, HOUR, MINUTE, SECOND, Policy
from sso_server.core.service_tickets import ServiceTickets
from sso_server.core.tickets import Refusal
from sso_server.crypto.identifiers import SystemRandomness
from tests.support.builders import NOW, a_redemption, again, issued, opened, registered, store_id
from tests.support.clocks import SetClock

WIKI, BACK = "https://wiki.example.org/app/", "https://back.example.org/"
CALLBACK = "https://wiki.example.org/pgt"
NEVER = "ST-{bucket}-" + "a" * 32


@dataclass
class Audit:
    """The lines that were written."""

    lines: list[Event] = field(default_factory=list)

    def append(self, *events: Event) -> None:
        self.lines += events

    @property
    def refusals(self) -> list[str]:
        return [str(line.data["refusal"]) for line in self.lines if line.kind is EventKind.TICKET_REFUSED]


@dataclass
class World:
    """Services around one store, and what happens to it."""

    stores: Any
    tickets: ServiceTickets
    clock: SetClock
    audit: Audit

    def issue(self, session, client, service=WIKI, *, fresh=True):
        return self.tickets.issue(session, client, service=service, fresh=fresh)

    def validate(self, ticket, client, service=WIKI, **more):
        return self.tickets.validate(ticket, client, service=service, address=service, **more)

    def refusal(self, ticket, client, service=WIKI, **more):
        with pytest.raises(InvalidGrant) as refused:
            self.validate(ticket, client, service, **more)
        return refused.value.description

    def granted(self, session, client, **more):
        """A proxy-granting ticket that a validation brought."""
        return self.grant(self.validate(self.issue(session, client), client, **more))

    def grant(self, validated, callback=CALLBACK):
        granting = self.tickets.new_proxy_granting(validated)
        self.tickets.grant(granting, validated, callback)
        return granting

    def finds(self, granting):
        return self.tickets.find_proxy_granting(granting) is not None

    def proxy_ticket(self, granting, client, service=BACK):
        return self.tickets.issue_proxy(self.tickets.find_proxy_granting(granting), client, service=service)

    def participants(self, session):
        return self.stores.lists.participants(session.sid)


@pytest.fixture
def world(stores):
    clock, audit = SetClock(NOW), Audit()
    tickets = ServiceTickets(stores.tickets, stores.tokens, audit, clock, SystemRandomness(), Policy())
    return World(stores, tickets, clock, audit)


def a_client(client_id, *services, **more):
    return Client(client_id=client_id, name=client_id, created_at=1, kind=CAS, cas_services=services, **more)


@pytest.fixture
def wiki():
    return a_client("wiki", WIKI)


@pytest.fixture
def back():
    return a_client("back", BACK)


def test_a_good_ticket_registers_the_site_under_its_own_text(world, wiki):
    session = opened(world.stores)
    ticket = world.issue(session, wiki)
    world.clock.pass_ms(9)
    found = world.validate(ticket, wiki)
    assert re.fullmatch(r"ST-[0-9]{2}-[a-z2-7]{32}", ticket)
    assert (found.session.sid, found.fresh, found.proxies) == (session.sid, True, ())
    assert found.session_expires_at == session.absolute_until
    (site,) = world.participants(session)
    assert (site.client_id, site.store_id, site.kind, site.logout_uri) == ("wiki", ticket, "cas", WIKI)
    assert (site.registered_at, site.reports) == (NOW + 9, False)
    # It can't say that somebody is still at work there, so nobody is signed out as idle.
    assert world.stores.sessions.find(session.sid).idle_off


def test_a_local_session_ends_by_its_client_s_own_limit_and_is_told_until_then_and_the_margin_for_clocks(world, wiki):
    session = opened(world.stores)
    short = replace(wiki, local_session_max_s=3600)
    found = world.validate(world.issue(session, short), short)
    assert found.session_expires_at == NOW + HOUR
    (site,) = world.participants(session)
    assert site.local_until == NOW + HOUR + Policy().clock_margin_ms
    assert Policy().clock_margin_ms > 0


def test_more_tickets_of_a_site_find_room_than_stores(world, wiki, monkeypatch):
    monkeypatch.setattr(service_tickets, "MAX_STORES_IN_SESSION", 1)
    monkeypatch.setattr(service_tickets, "MAX_TICKETS_IN_SESSION", 2)
    session = opened(world.stores)
    for _ in range(2):
        world.validate(world.issue(session, wiki), wiki)
    assert world.refusal(world.issue(session, wiki), wiki) == Refusal.TOO_MANY_STORES


def test_each_ticket_is_a_participant_of_its_own_and_all_are_told(world, wiki):
    session = opened(world.stores)
    tickets = [world.issue(session, wiki, f"{WIKI}{page}") for page in range(3)]
    for page, ticket in enumerate(tickets):
        world.validate(ticket, wiki, f"{WIKI}{page}")
    assert [site.store_id for site in world.participants(session)] == tickets
    world.stores.sessions.end(session.sid, "sign_out", NOW + SECOND)
    rows = world.stores.ledger.of_session(session.sid)
    assert sorted((row.store_id, row.logout_uri) for row in rows) == sorted(
        (ticket, f"{WIKI}{page}") for page, ticket in enumerate(tickets)
    )


def test_a_store_of_our_sdk_is_renewed_in_its_place_by_whatever_ticket(world, wiki):
    session, store = opened(world.stores), store_id()
    sdk = replace(wiki, backchannel_logout_uri="https://wiki.example.org/sso/out")
    for _ in range(2):
        world.validate(world.issue(session, sdk), sdk, store_id=store)
    (site,) = world.participants(session)
    assert (site.kind, site.store_id, site.reports, site.logout_uri) == (
        "oidc",
        store,
        True,
        sdk.backchannel_logout_uri,
    )
    assert not world.stores.sessions.find(session.sid).idle_off


def test_exactly_one_of_many_validations_at_once_wins(world, wiki):
    session = opened(world.stores)
    ticket = world.issue(session, wiki)

    def attempt(_):
        try:
            return world.validate(ticket, wiki).session.sid
        except InvalidGrant as error:
            return error.description

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(attempt, range(20)))
    assert sorted(outcomes) == sorted([session.sid] + [Refusal.USED.value] * 19)
    assert len(world.participants(session)) == 1


def burning(world, session, wiki, back):
    """Every attempt that fails and spends: a good ticket, the attempt, and what it is refused for."""
    proxy = world.proxy_ticket(world.granted(session, wiki), wiki, WIKI)
    return {
        Refusal.REDIRECT_URI: (world.issue(session, wiki), lambda t: world.refusal(t, wiki, WIKI + "x")),
        Refusal.OTHER_CLIENT: (world.issue(session, wiki), lambda t: world.refusal(t, back, BACK)),
        Refusal.SERVICE: (world.issue(session, wiki), lambda t: world.refusal(t, None, "https://evil.example/")),
        Refusal.NOT_FRESH: (world.issue(session, wiki, fresh=False), lambda t: world.refusal(t, wiki, renew=True)),
        Refusal.PROXY: (proxy, lambda t: world.refusal(t, wiki)),
        Refusal.UNPROVEN: (
            world.issue(session, wiki),
            lambda t: world.tickets.spend(t, Refusal.UNPROVEN, "wiki").description,
        ),
    }


def test_whatever_an_attempt_fails_for_the_ticket_is_spent_and_nobody_registered(world, wiki, back):
    session = opened(world.stores)
    failing = burning(world, session, wiki, back)
    before = world.participants(session)
    for why, (ticket, attempt) in failing.items():
        assert attempt(ticket) == why
        assert world.refusal(ticket, wiki, proxies_allowed=True) == Refusal.USED
    assert world.participants(session) == before
    assert world.audit.refusals == list(failing), "whoever shows a spent one proves nothing, and fills no audit"


def test_a_full_session_takes_no_ticket_of_any_site_but_stores_and_what_is_there(world, wiki, back, monkeypatch):
    monkeypatch.setattr(service_tickets, "MAX_TOGETHER", 2)
    session = opened(world.stores)
    first, _ = (world.validate(world.issue(session, wiki), wiki) for _ in range(2))
    assert world.refusal(world.issue(session, back, BACK), back, BACK) == Refusal.TOO_MANY_STORES
    assert world.finds(world.grant(first)), "its site is there already"
    assert world.validate(world.issue(session, back, BACK), back, BACK, store_id=store_id()).session.sid == session.sid


def test_a_ticket_expires_and_then_that_is_what_is_wrong_with_it(world, wiki, back):
    session = opened(world.stores)
    tickets = [world.issue(session, wiki) for _ in range(4)]
    world.clock.pass_ms(MINUTE)
    assert world.refusal(tickets[0], wiki) == Refusal.EXPIRED
    assert world.refusal(tickets[1], back, BACK) == Refusal.EXPIRED
    assert world.refusal(tickets[2], None, "") == Refusal.EXPIRED
    assert world.refusal(tickets[3], wiki, renew=True) == Refusal.EXPIRED
    assert world.audit.refusals == []


def test_after_the_end_of_the_session_no_ticket_of_it_is_good(world, wiki):
    session = opened(world.stores)
    service, granting = world.issue(session, wiki), world.granted(session, wiki)
    proxy = world.proxy_ticket(granting, wiki, WIKI)
    rows_before = len(world.participants(session))
    world.stores.sessions.end(session.sid, "sign_out", NOW + 1)
    world.clock.pass_ms(2)
    assert world.refusal(service, wiki) == Refusal.SESSION_ENDED
    assert world.refusal(proxy, wiki, proxies_allowed=True) == Refusal.SESSION_ENDED
    assert not world.finds(granting)
    assert len(world.participants(session)) == rows_before


def test_a_ticket_of_before_the_password_was_typed_again_is_still_good(world, wiki):
    session = opened(world.stores)
    ticket = world.issue(session, wiki)
    renewed = world.stores.sessions.open(again(session), NOW + 1, MINUTE).session
    assert renewed.sid == session.sid
    assert world.validate(ticket, wiki).session.sid == session.sid


def test_what_never_was_a_ticket_leaves_no_line(world, wiki):
    for text in (NEVER.format(bucket="07"), NEVER.format(bucket="64"), "x", "", "ST-07-" + "A" * 32):
        assert world.refusal(text, wiki) == Refusal.UNKNOWN
    assert world.tickets.spend("code-07-" + "a" * 32, Refusal.SERVICE, "").description == Refusal.UNKNOWN
    assert world.audit.lines == []


def test_a_code_is_no_service_ticket_and_stays_good(world, wiki):
    session = opened(world.stores)
    code = SystemRandomness().identifier("code", bucket_of(session.sid))
    ticket = issued(world.stores, session, ticket_hash=digest(code), client_id="wiki", redirect_uri=WIKI)
    assert world.refusal(code, wiki) == Refusal.UNKNOWN
    assert world.stores.tickets.redeem(a_redemption(ticket), NOW).refusal is None


def test_a_replayed_service_ticket_revokes_nothing_where_a_replayed_code_does(world, wiki):
    session = opened(world.stores)
    ticket = world.issue(session, wiki)
    granting = world.grant(world.validate(ticket, wiki))
    assert world.refusal(ticket, wiki) == Refusal.USED
    assert world.finds(granting)
    redemption, _ = registered(world.stores, session)
    world.stores.tickets.redeem(redemption, NOW)
    assert world.stores.tokens.find_token(redemption.access.token_hash, "at", redemption.bucket, NOW) is None


def test_a_proxy_granting_ticket_works_again_and_again_as_long_as_the_session(world, wiki, back):
    session = opened(world.stores)
    granting = world.granted(session, wiki)
    assert re.fullmatch(r"PGT-[0-9]{2}-[a-z2-7]{32}", granting)
    for hours in (0, 5, 18):
        world.clock.pass_ms(hours * HOUR)
        found = world.validate(world.proxy_ticket(granting, back), back, BACK, proxies_allowed=True)
        assert (found.proxies, found.fresh, found.session.sid) == ((CALLBACK,), False, session.sid)
    world.stores.sweeps.purge(world.clock.now(), 1000)
    assert world.finds(granting)
    world.clock.pass_ms(HOUR)
    assert not world.finds(granting)  # a day old: the session's time is over, swept or not


@pytest.mark.parametrize("reason", ["sign_out", "client_removed", "password_change", "idle"])
def test_a_proxy_granting_ticket_dies_with_the_session_whatever_ends_it(world, wiki, reason):
    session = opened(world.stores)
    granting = world.granted(session, wiki)
    world.stores.sessions.end(session.sid, reason, NOW + 1)
    world.clock.pass_ms(2)
    assert not world.finds(granting)


def test_a_proxy_granting_ticket_of_a_remembered_session_lives_for_all_of_it(world, wiki, back):
    session = opened(world.stores, absolute_until=NOW + 30 * DAY, remembered=True)
    granting = world.granted(session, wiki)
    world.clock.pass_ms(30 * DAY - 2)
    assert world.proxy_ticket(granting, back).startswith("PT-")
    world.clock.pass_ms(2)
    assert not world.finds(granting)


def test_it_goes_with_a_person_s_grants_too(world, wiki):
    session = opened(world.stores)
    granting = world.granted(session, wiki)
    assert world.stores.tokens.revoke_grants_of(session.user_id, NOW + 1) == 1
    assert not world.finds(granting)


def test_it_is_good_from_its_grant_on_and_its_site_stays_one_participant(world, wiki):
    session = opened(world.stores)
    validated = world.validate(world.issue(session, wiki), wiki)
    before = world.participants(session)
    granting = world.tickets.new_proxy_granting(validated)
    assert bucket_of(granting) == bucket_of(session.sid)
    assert not world.finds(granting)
    world.clock.pass_ms(5 * SECOND)
    world.tickets.grant(granting, validated, CALLBACK)
    assert world.tickets.callback_of(world.tickets.find_proxy_granting(granting)) == CALLBACK
    (site,) = world.participants(session)
    assert replace(site, local_until=before[0].local_until) == before[0]


def test_once_the_session_has_ended_none_is_granted_and_nobody_is_registered(world, wiki):
    session = opened(world.stores)
    validated = world.validate(world.issue(session, wiki), wiki)
    granting = world.tickets.new_proxy_granting(validated)
    world.stores.sessions.end(session.sid, "sign_out", NOW + 1)
    rows = world.participants(session)
    world.clock.pass_ms(2)
    with pytest.raises(InvalidGrant, match=Refusal.SESSION_ENDED.value):
        world.tickets.grant(granting, validated, CALLBACK)
    assert not world.finds(granting)
    assert world.participants(session) == rows


def test_a_proxy_granting_ticket_is_found_as_nothing_else(world, wiki):
    session = opened(world.stores)
    granting = world.granted(session, wiki)
    hashed, bucket = digest(granting), bucket_of(granting)
    for kind in ("at", "rt", "ST", "PT"):
        assert world.stores.tokens.find_token(hashed, kind, bucket, NOW) is None
    assert world.stores.tokens.find_token(hashed, "PGT", bucket, NOW) is not None
    redemption, _ = registered(world.stores, session)
    for token, kind in ((redemption.access, "at"), (redemption.refresh, "rt")):
        assert world.stores.tokens.find_token(token.token_hash, "PGT", redemption.bucket, NOW) is None
        assert world.stores.tokens.find_token(token.token_hash, kind, redemption.bucket, NOW) is not None
    assert not world.finds("PGTIOU-07-" + "a" * 32)
    assert not world.finds(world.issue(session, wiki))
    assert world.refusal(granting, wiki) == Refusal.UNKNOWN


def test_a_chain_of_proxies_is_kept_the_latest_first(world, wiki, back):
    session = opened(world.stores)
    first = world.proxy_ticket(world.granted(session, wiki), back)
    second = world.validate(first, back, BACK, proxies_allowed=True)
    assert second.proxies == (CALLBACK,)
    third = world.proxy_ticket(world.grant(second, "https://back.example.org/pgt"), wiki, WIKI)
    found = world.validate(third, wiki, proxies_allowed=True)
    assert found.proxies == ("https://back.example.org/pgt", CALLBACK)
    assert [site.client_id for site in world.participants(session)] == ["wiki", "back", "wiki"]


def test_a_service_ticket_where_proxy_tickets_are_taken_is_good_too(world, wiki):
    session = opened(world.stores)
    assert world.validate(world.issue(session, wiki), wiki, proxies_allowed=True).proxies == ()


def test_a_proxy_ticket_is_good_for_its_service_alone_once_and_for_as_long_as_any(world, wiki, back):
    granting = world.granted(opened(world.stores), wiki)
    moved = world.proxy_ticket(granting, back)
    assert world.refusal(moved, back, BACK + "x", proxies_allowed=True) == Refusal.REDIRECT_URI
    assert world.refusal(moved, back, BACK, proxies_allowed=True) == Refusal.USED
    late = world.proxy_ticket(granting, back)
    world.clock.pass_ms(MINUTE)
    assert world.refusal(late, back, BACK, proxies_allowed=True) == Refusal.EXPIRED


def test_a_store_that_forgot_something_voids_tickets_that_nobody_has_validated(world, wiki):
    session = opened(world.stores)
    ticket = world.issue(session, wiki)
    world.stores.tickets.void_all("res-1", NOW)
    assert world.refusal(ticket, wiki) == Refusal.EXPIRED
    assert world.validate(world.issue(session, wiki), wiki).session.sid == session.sid
