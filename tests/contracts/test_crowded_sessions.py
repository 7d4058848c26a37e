"""A session has a bounded number of stores of one client: its end stays one short step, and each of them is told."""

from sso_server.core.policy import DAY, HOUR
from sso_server.core.tickets import Refusal
from tests.support.builders import NOW, a_redemption, a_report, issued, opened, registered, store_id

MOST = 2


def redeem(stores, session, store, now=NOW, **changes):
    ticket = issued(stores, session, now)
    changes = {"reports": bool(store), "most_stores": MOST, **changes}
    return stores.tickets.redeem(a_redemption(ticket, now, store_id=store, **changes), now).refusal


def claims(stores, session, store, now=NOW):
    """The sids that come back as ends when the store says that it has this session."""
    report = a_report(store, live=(session.sid,), most_in_session=MOST)
    return [(end.sid, end.reason) for end in stores.check_ins.check_in(report, now, 10).ends]


def sites(stores, session):
    return [(site.client_id, site.store_id) for site in stores.lists.participants(session.sid)]


def test_a_new_store_finds_no_room_and_those_that_are_there_go_on(stores):
    session, first, second, third = opened(stores), store_id(), store_id(), store_id()
    assert [redeem(stores, session, store) for store in (first, second)] == [None, None]
    assert redeem(stores, session, third) is Refusal.TOO_MANY_STORES
    assert redeem(stores, session, first, NOW + 1) is None
    assert redeem(stores, session, "", NOW + 1) is None, "the client itself is none of its stores"
    assert sites(stores, session) == [("shop", first), ("shop", second), ("shop", "")]


def test_a_refusal_gives_no_tokens_and_burns_the_ticket(stores):
    session = opened(stores)
    for _ in range(MOST):
        redeem(stores, session, store_id())
    redemption = a_redemption(issued(stores, session), store_id=store_id(), reports=True, most_stores=MOST)
    assert stores.tickets.redeem(redemption, NOW).refusal is Refusal.TOO_MANY_STORES
    assert stores.tokens.find_token(redemption.access.token_hash, "at", redemption.bucket, NOW) is None
    assert stores.tickets.redeem(redemption, NOW).refusal is Refusal.USED


def test_a_store_that_checks_in_without_room_ends_the_session_there(stores):
    session, first, second, third = opened(stores), store_id(), store_id(), store_id()
    redeem(stores, session, first)
    assert claims(stores, session, second) == []
    assert claims(stores, session, third) == [(session.sid, "unknown_session")]
    assert claims(stores, session, first) == claims(stores, session, second) == []
    assert sites(stores, session) == [("shop", first), ("shop", second)]


def test_each_client_and_each_session_has_room_of_its_own(stores):
    full, other = opened(stores), opened(stores)
    for _ in range(MOST):
        redeem(stores, full, store_id())
    registered(stores, full, "wiki", store_id=store_id(), reports=True, most_stores=MOST)
    assert redeem(stores, other, store_id()) is None
    assert len(sites(stores, full)) == MOST + 1


def test_stores_whose_local_sessions_are_over_make_room(stores):
    session, stays = opened(stores), store_id()
    redeem(stores, session, stays, local_max_ms=DAY)
    redeem(stores, session, store_id(), local_max_ms=HOUR)
    assert redeem(stores, session, store_id(), NOW + HOUR - 1) is Refusal.TOO_MANY_STORES
    new, newer = store_id(), store_id()
    assert redeem(stores, session, new, NOW + HOUR, local_max_ms=HOUR) is None
    assert sites(stores, session) == [("shop", stays), ("shop", new)]
    assert claims(stores, session, newer, NOW + 2 * HOUR) == []
    assert sites(stores, session) == [("shop", stays), ("shop", newer)]
