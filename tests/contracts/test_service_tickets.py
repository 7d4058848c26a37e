"""Service tickets on every engine: `core.service_tickets` over real stores."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from sso_server.core import service_tickets
from sso_server.core.errors import InvalidGrant
from sso_server.core.identifiers import bucket_of, digest
from sso_server.core.policy import HOUR, MINUTE, SECOND, Policy
from sso_server.core.tickets import Refusal
from sso_server.crypto.identifiers import SystemRandomness
from tests.contracts.ticket_world import BACK, WIKI
from tests.support.builders import NOW, a_redemption, again, issued, opened, registered, store_id

NEVER = "ST-{bucket}-" + "a" * 32


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


def test_a_service_ticket_where_proxy_tickets_are_taken_is_good_too(world, wiki):
    session = opened(world.stores)
    assert world.validate(world.issue(session, wiki), wiki, proxies_allowed=True).proxies == ()


def test_a_store_that_forgot_something_voids_tickets_that_nobody_has_validated(world, wiki):
    session = opened(world.stores)
    ticket = world.issue(session, wiki)
    world.stores.tickets.void_all("res-1", NOW)
    assert world.refusal(ticket, wiki) == Refusal.EXPIRED
    assert world.validate(world.issue(session, wiki), wiki).session.sid == session.sid
