"""Proxy-granting tickets and proxy tickets on every engine: `core.service_tickets` over real stores."""

import re
from dataclasses import replace

import pytest

from sso_server.core.errors import InvalidGrant
from sso_server.core.identifiers import bucket_of, digest
from sso_server.core.policy import DAY, HOUR, MINUTE, SECOND
from sso_server.core.tickets import Refusal
from tests.contracts.ticket_world import BACK, CALLBACK, WIKI
from tests.support.builders import NOW, opened, registered


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


def test_a_proxy_ticket_is_good_for_its_service_alone_once_and_for_as_long_as_any(world, wiki, back):
    granting = world.granted(opened(world.stores), wiki)
    moved = world.proxy_ticket(granting, back)
    assert world.refusal(moved, back, BACK + "x", proxies_allowed=True) == Refusal.REDIRECT_URI
    assert world.refusal(moved, back, BACK, proxies_allowed=True) == Refusal.USED
    late = world.proxy_ticket(granting, back)
    world.clock.pass_ms(MINUTE)
    assert world.refusal(late, back, BACK, proxies_allowed=True) == Refusal.EXPIRED
