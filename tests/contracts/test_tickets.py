import pytest

from sso_server.core.policy import DAY, HOUR, MINUTE
from sso_server.core.tickets import Refusal
from tests.support.builders import (
    IDLE,
    LOGOUT_URI,
    NOW,
    a_redemption,
    a_session,
    a_ticket,
    bucket,
    issued,
    opened,
    registered,
    store_id,
)

WRONG = {
    Refusal.OTHER_CLIENT: {"client_id": "wiki"},
    Refusal.REDIRECT_URI: {"redirect_uri": "https://shop.example/sso/callback/"},
    Refusal.PKCE: {"code_challenge": "other"},
}


def access_lives(stores, redemption, now=NOW):
    return stores.tokens.find_token(redemption.access.token_hash, "at", redemption.bucket, now) is not None


def test_a_ticket_is_kept_as_it_was_issued(stores):
    session = opened(stores)
    ticket = issued(stores, session, nonce="", scope=("openid", "groups"), offline=True, refreshable=False)
    assert stores.tickets.find(ticket.ticket_hash, bucket(session.sid)) == ticket
    assert stores.tickets.find(a_ticket(session).ticket_hash, bucket(session.sid)) is None


def test_redeeming_registers_the_site_and_writes_its_tokens(stores):
    session = opened(stores)
    store = store_id()
    ticket = issued(stores, session)
    redemption = a_redemption(ticket, store_id=store, reports=True, local_max_ms=HOUR)
    redeemed = stores.tickets.redeem(redemption, NOW + 9)
    assert redeemed.refusal is None
    assert redeemed.ticket == ticket
    assert redeemed.session.last_active_at == NOW + 9
    assert stores.sessions.find(session.sid) == redeemed.session
    (site,) = stores.lists.participants(session.sid)
    assert (site.sid, site.client_id, site.store_id, site.kind) == (session.sid, "shop", store, "oidc")
    assert (site.logout_uri, site.registered_at, site.local_until) == (LOGOUT_URI, NOW + 9, NOW + 9 + HOUR)
    assert site.reports
    found = stores.tokens.find_token(redemption.access.token_hash, "at", redemption.bucket, NOW + 10)
    assert (found.issued_at, found.expires_at) == (NOW + 9, redemption.access.expires_at)
    assert (found.grant.sid, found.grant.client_id, found.grant.user_id) == (session.sid, "shop", "usr-alice")
    assert (found.grant.grant_id, found.grant.scope) == (ticket.ticket_hash, ("openid", "profile"))
    assert stores.tokens.find_token(redemption.refresh.token_hash, "rt", redemption.bucket, NOW + 10) is not None


def test_an_unknown_ticket_is_unknown(stores):
    ticket = a_ticket(opened(stores))
    assert stores.tickets.redeem(a_redemption(ticket), NOW).refusal is Refusal.UNKNOWN


def test_a_ticket_works_once_and_its_replay_revokes_what_came_from_it(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    assert access_lives(stores, redemption)
    replay = stores.tickets.redeem(redemption, NOW + 1)
    assert replay.refusal is Refusal.USED
    assert replay.ticket.sid == session.sid
    assert not access_lives(stores, redemption)
    assert stores.tokens.find_token(redemption.refresh.token_hash, "rt", redemption.bucket, NOW) is None


def test_a_replay_revokes_only_its_own_grant(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    other, _ = registered(stores, session, "wiki")
    stores.tickets.redeem(redemption, NOW + 1)
    assert access_lives(stores, other)


def test_a_spent_ticket_is_told_from_an_unknown_one_until_ten_minutes_after_its_end(stores):
    redemption, _ = registered(stores, opened(stores))
    end = NOW + MINUTE + 10 * MINUTE
    stores.sweeps.purge(end - 1, 1000)
    assert stores.tickets.redeem(redemption, end - 1).refusal is Refusal.USED


def test_once_voided_tickets_of_before_are_expired_and_later_ones_are_good(stores):
    session = opened(stores)
    before, spent = a_ticket(session), a_ticket(session)
    stores.tickets.put(before)
    stores.tickets.put(spent)
    assert stores.tickets.redeem(a_redemption(spent), NOW).refusal is None
    stores.tickets.void_all("res-1", NOW)
    stores.tickets.void_all("res-1", NOW)
    after = a_ticket(session)
    stores.tickets.put(after)
    assert stores.tickets.redeem(a_redemption(before), NOW).refusal is Refusal.EXPIRED
    assert stores.tickets.redeem(a_redemption(spent), NOW).refusal is Refusal.USED
    assert stores.tickets.redeem(a_redemption(after), NOW).refusal is None


def test_a_ticket_expires(stores):
    ticket = issued(stores, opened(stores))
    assert stores.tickets.redeem(a_redemption(ticket), NOW + MINUTE).refusal is Refusal.EXPIRED
    assert stores.tickets.redeem(a_redemption(ticket), NOW + MINUTE - 1).refusal is None


@pytest.mark.parametrize("refusal", WRONG)
def test_a_wrong_binding_is_named_burns_the_ticket_and_registers_nothing(stores, refusal):
    session = opened(stores)
    ticket = issued(stores, session)
    wrong = a_redemption(ticket, **WRONG[refusal])
    refused = stores.tickets.redeem(wrong, NOW)
    assert refused.refusal is refusal
    assert refused.ticket.sid == session.sid
    assert stores.lists.participants(session.sid) == []
    assert not access_lives(stores, wrong)
    right = a_redemption(ticket)
    assert stores.tickets.redeem(right, NOW).refusal is Refusal.USED
    assert stores.lists.participants(session.sid) == []
    assert not access_lives(stores, right)


def test_a_verifier_for_a_ticket_without_a_challenge_is_refused_and_so_is_none_for_one_with(stores):
    session = opened(stores)
    without = issued(stores, session, code_challenge="")
    assert stores.tickets.redeem(a_redemption(without, code_challenge="x"), NOW).refusal is Refusal.PKCE
    with_one = issued(stores, session)
    assert stores.tickets.redeem(a_redemption(with_one, code_challenge=""), NOW).refusal is Refusal.PKCE
    plain = issued(stores, session, code_challenge="")
    assert stores.tickets.redeem(a_redemption(plain), NOW).refusal is None


def test_the_checks_come_in_their_order(stores):
    session = opened(stores)
    stale = issued(stores, session)
    everything_wrong = {key: value for change in WRONG.values() for key, value in change.items()}
    late = a_redemption(stale, **everything_wrong)
    assert stores.tickets.redeem(late, NOW + HOUR).refusal is Refusal.EXPIRED
    foreign = issued(stores, session)
    assert stores.tickets.redeem(a_redemption(foreign, **everything_wrong), NOW).refusal is Refusal.OTHER_CLIENT
    moved = issued(stores, session)
    del everything_wrong["client_id"]
    assert stores.tickets.redeem(a_redemption(moved, **everything_wrong), NOW).refusal is Refusal.REDIRECT_URI
    ended = issued(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW)
    assert stores.tickets.redeem(a_redemption(ended, code_challenge="x"), NOW).refusal is Refusal.PKCE


def test_after_the_session_has_ended_nothing_is_redeemed_and_the_ticket_is_burnt(stores):
    session = opened(stores)
    ticket = issued(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    refused = stores.tickets.redeem(a_redemption(ticket), NOW + 2)
    assert refused.refusal is Refusal.SESSION_ENDED
    assert stores.lists.participants(session.sid) == []
    assert stores.tickets.redeem(a_redemption(ticket), NOW + 2).refusal is Refusal.USED


def test_a_session_whose_time_ran_out_admits_nobody_although_nobody_swept_it(stores):
    session = opened(stores)
    ticket = issued(stores, session, NOW + IDLE)
    assert stores.tickets.redeem(a_redemption(ticket), NOW + IDLE).refusal is Refusal.SESSION_ENDED


def test_a_ticket_of_a_session_that_never_was_admits_nobody(stores):
    ticket = issued(stores, a_session())
    assert stores.tickets.redeem(a_redemption(ticket), NOW).refusal is Refusal.SESSION_ENDED


def test_the_same_site_again_is_renewed_in_its_place(stores):
    session = opened(stores)
    registered(stores, session, "shop")
    registered(stores, session, "wiki")
    registered(stores, session, "shop", now=NOW + HOUR, logout_uri="https://new.example/out")
    shop, wiki = stores.lists.participants(session.sid)
    assert (shop.client_id, wiki.client_id) == ("shop", "wiki")
    assert (shop.registered_at, shop.local_until) == (NOW, NOW + HOUR + DAY)
    assert shop.logout_uri == "https://new.example/out"


def test_a_shorter_local_life_does_not_forget_the_longer_one_that_may_still_run(stores):
    session = opened(stores)
    registered(stores, session, local_max_ms=DAY)
    registered(stores, session, now=NOW + 1, local_max_ms=MINUTE)
    assert stores.lists.participants(session.sid)[0].local_until == NOW + DAY


def test_two_stores_of_one_site_are_two_participants(stores):
    session = opened(stores)
    one, two = store_id(), store_id()
    registered(stores, session, store_id=one, reports=True)
    registered(stores, session, store_id=two, reports=True)
    assert [site.store_id for site in stores.lists.participants(session.sid)] == [one, two]


def test_a_site_that_cannot_report_turns_idleness_off_and_it_stays_off(stores):
    session = opened(stores)
    registered(stores, session, "blog", idle_off=True)
    registered(stores, session, "shop", idle_off=False, store_id=store_id(), reports=True)
    assert stores.sessions.find(session.sid).idle_off
    assert stores.sweeps.oldest_due(NOW + IDLE + HOUR) is None
    assert stores.sweeps.oldest_due(NOW + DAY) == NOW + DAY


def test_redeeming_counts_as_activity(stores):
    session = opened(stores)
    registered(stores, session, now=NOW + HOUR)
    assert stores.sweeps.oldest_due(NOW + IDLE) is None
    assert stores.sweeps.oldest_due(NOW + HOUR + IDLE) == NOW + HOUR + IDLE


def test_a_ticket_that_is_not_refreshable_brings_no_refresh_token(stores):
    redemption, _ = registered(stores, opened(stores), ticket={"refreshable": False})
    assert stores.tokens.find_token(redemption.refresh.token_hash, "rt", redemption.bucket, NOW) is None
    assert access_lives(stores, redemption)


def test_a_redemption_without_a_refresh_token_writes_none(stores):
    redemption, _ = registered(stores, opened(stores), refresh=None)
    assert access_lives(stores, redemption)


def test_a_refresh_token_ends_with_the_session_unless_it_is_offline(stores):
    session = opened(stores)
    bound, _ = registered(stores, session)
    offline, _ = registered(stores, session, ticket={"offline": True})
    ends = [stores.tokens.find_token(r.refresh.token_hash, "rt", r.bucket, NOW).expires_at for r in (bound, offline)]
    assert ends == [session.absolute_until, NOW + 30 * DAY]


def test_putting_a_ticket_twice_neither_fails_nor_makes_it_fresh(stores):
    session = opened(stores)
    ticket = issued(stores, session)
    stores.tickets.put(ticket)
    assert stores.tickets.redeem(a_redemption(ticket), NOW).refusal is None
    stores.tickets.put(ticket)
    assert stores.tickets.redeem(a_redemption(ticket), NOW).refusal is Refusal.USED


def test_a_spent_ticket_can_still_be_looked_up(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    assert stores.tickets.find(redemption.ticket_hash, bucket(session.sid)).sid == session.sid


def test_a_site_with_our_sdk_is_over_when_the_session_is_and_a_margin_has_passed(stores):
    session = opened(stores)
    registered(stores, session, store_id=store_id(), reports=True, local_max_ms=30 * DAY, margin_ms=MINUTE)
    assert stores.lists.participants(session.sid)[0].local_until == session.absolute_until + MINUTE


def test_any_other_site_may_count_the_same_life_from_its_own_beginning(stores):
    session = opened(stores)
    registered(stores, session, now=NOW + HOUR, local_max_ms=30 * DAY, margin_ms=MINUTE)
    life = session.absolute_until - session.created_at
    assert stores.lists.participants(session.sid)[0].local_until == NOW + HOUR + life + MINUTE
