from dataclasses import replace

from sso_server.core.notifications import State
from sso_server.core.policy import DAY, HOUR, MINUTE
from tests.support.builders import IDLE, NOW, a_session, again, bucket, opened, registered, store_id

OVERLAP = MINUTE


def by_cookie(stores, session, now=NOW):
    return stores.sessions.find_by_cookie(session.cookie_hash, bucket(session.sid), now)


def test_open_writes_the_candidate(stores):
    candidate = a_session(remembered=True, idle_off=True, amr=("pwd", "otp"))
    result = stores.sessions.open(candidate, NOW, OVERLAP)
    assert (result.session, result.renewed, result.replaced) == (candidate, False, None)
    assert stores.sessions.find(candidate.sid) == candidate
    assert by_cookie(stores, candidate) == candidate


def test_what_was_never_opened_is_not_found(stores):
    stranger = a_session()
    assert stores.sessions.find(stranger.sid) is None
    assert by_cookie(stores, stranger) is None


def test_open_keeps_the_sid_of_the_same_person(stores):
    first = opened(stores)
    later = NOW + HOUR
    second = again(
        first,
        auth_time=later,
        last_active_at=later,
        amr=("pwd", "otp"),
        user_version=2,
        user_agent="Other",
        address="192.0.2.8",
        remembered=True,
        absolute_until=NOW + 3 * DAY,
    )
    result = stores.sessions.open(second, later, OVERLAP)
    assert result.renewed
    assert result.replaced is None
    assert result.session == replace(
        first,
        cookie_hash=second.cookie_hash,
        previous_cookie_hash=first.cookie_hash,
        previous_cookie_until=later + OVERLAP,
        auth_time=later,
        last_active_at=later,
        amr=("pwd", "otp"),
        user_version=2,
        user_agent="Other",
        address="192.0.2.8",
        remembered=True,
        absolute_until=NOW + 3 * DAY,
    )
    assert stores.sessions.find(first.sid) == result.session
    assert stores.sessions.find(second.sid) is None
    assert stores.lists.count_live(later) == 1


def test_a_renewed_session_keeps_its_sites(stores):
    session = opened(stores)
    registered(stores, session)
    stores.sessions.open(again(session), NOW + HOUR, OVERLAP)
    assert [site.client_id for site in stores.lists.participants(session.sid)] == ["shop"]


def test_renewing_never_shortens_the_absolute_life(stores):
    session = opened(stores, absolute_until=NOW + 30 * DAY)
    result = stores.sessions.open(again(session, absolute_until=NOW + DAY), NOW, OVERLAP)
    assert result.session.absolute_until == NOW + 30 * DAY


def test_keep_me_signed_in_at_a_renewal_turns_idleness_off(stores):
    session = opened(stores)
    stores.sessions.open(again(session, idle_off=True, absolute_until=NOW + 30 * DAY), NOW, OVERLAP)
    assert stores.sweeps.end_due(NOW + 29 * DAY, 10) == []
    assert len(stores.sweeps.end_due(NOW + 30 * DAY, 10)) == 1


def test_the_old_cookie_works_for_the_overlap_and_no_longer(stores):
    first = opened(stores)
    second = again(first)
    stores.sessions.open(second, NOW, OVERLAP)
    assert by_cookie(stores, first, NOW + OVERLAP - 1).sid == first.sid
    assert by_cookie(stores, first, NOW + OVERLAP) is None
    assert by_cookie(stores, second, NOW + OVERLAP).sid == first.sid


def test_only_the_last_of_the_old_cookies_works(stores):
    first = opened(stores)
    second = again(first)
    stores.sessions.open(second, NOW, OVERLAP)
    stores.sessions.open(again(first), NOW + 1, OVERLAP)
    assert by_cookie(stores, first, NOW + 2) is None
    assert by_cookie(stores, second, NOW + 2).sid == first.sid


def test_another_person_ends_the_first_session_and_its_sites_are_told(stores):
    first = opened(stores)
    registered(stores, first)
    candidate = replace(again(first), user_id="usr-bob")
    result = stores.sessions.open(candidate, NOW + 5, OVERLAP, shown=first.cookie_hash)
    assert (result.session, result.renewed) == (candidate, False)
    assert (result.replaced.sid, result.replaced.end_reason, result.replaced.ended_at) == (
        first.sid,
        "replaced",
        NOW + 5,
    )
    assert stores.sessions.find(first.sid) == result.replaced
    assert [(row.client_id, row.reason, row.state) for row in stores.ledger.of_session(first.sid)] == [
        ("shop", "replaced", State.PENDING)
    ]
    assert stores.lists.count_live(NOW + 5) == 1


def test_who_has_the_browsers_name_but_not_the_cookie_ends_nobody_elses_session(stores):
    first = opened(stores)
    mallory = replace(again(first), user_id="usr-mallory")
    for shown in ("", mallory.cookie_hash, a_session().cookie_hash):
        assert stores.sessions.open(mallory, NOW + 5, OVERLAP, shown=shown) is None
    assert stores.sessions.find(first.sid) == first
    assert stores.sessions.find(mallory.sid) is None
    assert by_cookie(stores, mallory) is None


def test_the_cookie_of_the_moment_before_counts_within_its_overlap(stores):
    first = opened(stores)
    stores.sessions.open(again(first), NOW, OVERLAP)
    bob = replace(again(first), user_id="usr-bob")
    assert stores.sessions.open(bob, NOW + OVERLAP, OVERLAP, shown=first.cookie_hash) is None
    result = stores.sessions.open(bob, NOW + OVERLAP - 1, OVERLAP, shown=first.cookie_hash)
    assert result.replaced.sid == first.sid


def test_without_an_overlap_the_old_cookie_ends_at_once(stores):
    first = opened(stores)
    stores.sessions.open(again(first), NOW, 0)
    assert by_cookie(stores, first) is None


def test_a_session_whose_time_ran_out_is_not_renewed_but_ends_as_the_sweeper_would_end_it(stores):
    first = opened(stores)
    registered(stores, first)
    late = NOW + IDLE
    result = stores.sessions.open(again(first), late, OVERLAP)
    assert not result.renewed
    assert result.session.sid != first.sid
    assert (result.replaced.sid, result.replaced.end_reason) == (first.sid, "idle")
    assert len(stores.ledger.of_session(first.sid)) == 1


def test_a_browser_whose_session_has_ended_opens_another(stores):
    first = opened(stores)
    stores.sessions.end(first.sid, "sign_out", NOW + 1)
    result = stores.sessions.open(again(first), NOW + 2, OVERLAP)
    assert (result.renewed, result.replaced) == (False, None)
    assert stores.sessions.find(first.sid).end_reason == "sign_out"


def test_sessions_of_two_browsers_live_side_by_side(stores):
    one, two = opened(stores), opened(stores)
    assert stores.lists.count_live(NOW) == 2
    stores.sessions.end(one.sid, "sign_out", NOW)
    assert stores.sessions.find(two.sid) == two


def test_a_touch_moves_the_idle_deadline(stores):
    session = opened(stores)
    stores.sessions.touch(session.sid, NOW + HOUR)
    assert stores.sessions.find(session.sid).last_active_at == NOW + HOUR
    assert stores.sweeps.oldest_due(NOW + IDLE) is None
    assert stores.sweeps.oldest_due(NOW + HOUR + IDLE) == NOW + HOUR + IDLE


def test_a_touch_never_moves_the_absolute_end(stores):
    session = opened(stores, absolute_until=NOW + IDLE + 1)
    stores.sessions.touch(session.sid, NOW + HOUR)
    assert stores.sweeps.oldest_due(NOW + DAY) == NOW + IDLE + 1


def test_a_late_touch_with_an_older_time_takes_nothing_back(stores):
    session = opened(stores)
    stores.sessions.touch(session.sid, NOW + HOUR)
    stores.sessions.touch(session.sid, NOW + MINUTE)
    assert stores.sessions.find(session.sid).last_active_at == NOW + HOUR


def test_a_touch_brings_no_dead_session_back(stores):
    gone, due = opened(stores), opened(stores)
    stores.sessions.end(gone.sid, "sign_out", NOW + 1)
    stores.sessions.touch(gone.sid, NOW + 2)
    stores.sessions.touch(due.sid, NOW + IDLE)
    assert stores.sessions.find(gone.sid).last_active_at == NOW
    assert stores.sweeps.oldest_due(NOW + IDLE) == NOW + IDLE


def test_a_touch_of_nothing_makes_nothing(stores):
    stranger = a_session()
    stores.sessions.touch(stranger.sid, NOW)
    assert stores.sessions.find(stranger.sid) is None
    assert stores.lists.count_live(NOW) == 0


def test_an_ended_session_is_still_found_so_that_its_page_can_tell_how_it_went(stores):
    session = opened(stores)
    stores.sessions.end(session.sid, "sign_out", NOW + 9)
    found = by_cookie(stores, session, NOW + 10)
    assert (found.sid, found.ended_at, found.end_reason) == (session.sid, NOW + 9, "sign_out")
    assert not found.is_live(NOW + 10)


def test_end_writes_one_row_for_each_participant_in_the_order_of_registration(stores):
    session = opened(stores)
    store = store_id()
    registered(stores, session, "wiki")
    registered(stores, session, "shop", store_id=store, reports=True, logout_uri="https://shop.example/out")
    registered(stores, session, "blog", logout_uri="")
    registered(stores, session, "app", store_id=store, reports=True, logout_uri="")
    registered(stores, session, "news", local_max_ms=HOUR)
    end = NOW + 2 * HOUR
    result = stores.sessions.end(session.sid, "sign_out", end)
    assert result.first
    assert (result.session.ended_at, result.session.end_reason) == (end, "sign_out")
    assert [(row.client_id, row.store_id, row.state, row.next_attempt_at) for row in result.notifications] == [
        ("wiki", "", State.PENDING, end),
        ("shop", store, State.PENDING, end),
        ("blog", "", State.NO_ADDRESS, None),
        ("app", store, State.PENDING, None),
        ("news", "", State.MOOT, None),
    ]
    shop = result.notifications[1]
    assert (shop.sid, shop.user_id, shop.reason, shop.ended_at) == (session.sid, "usr-alice", "sign_out", end)
    assert (shop.kind, shop.logout_uri, shop.local_until) == ("oidc", "https://shop.example/out", NOW + DAY)
    assert (shop.attempt, shop.claimed_by, shop.final_at, shop.last_status) == (0, "", None, None)
    assert result.notifications[2].final_at == end
    assert stores.ledger.of_session(session.sid) == list(result.notifications)


def test_end_returns_its_first_result(stores):
    session = opened(stores)
    registered(stores, session)
    first = stores.sessions.end(session.sid, "sign_out", NOW + 1)
    second = stores.sessions.end(session.sid, "administrator", NOW + 2)
    assert (first.first, second.first) == (True, False)
    assert second.session == first.session
    assert second.notifications == first.notifications
    assert stores.sessions.find(session.sid).end_reason == "sign_out"


def test_ending_what_never_was_says_so(stores):
    assert stores.sessions.end(a_session().sid, "sign_out", NOW) is None
