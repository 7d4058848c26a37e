import pytest

from sso_server.core.policy import DAY, HOUR, MINUTE
from sso_server.core.tickets import Refusal
from tests.support.builders import IDLE, NOW, a_rotation, a_ticket, a_token, opened, registered

GRACE = MINUTE


def rotate(stores, token, now, of, **changes):
    rotation = a_rotation(token, now, of.sid, **changes)
    return rotation, stores.tokens.rotate(rotation, now)


def valid(stores, of, kind, now):
    """Whether the token of that kind which this redemption or rotation brought is."""
    token = of.access if kind == "at" else of.refresh
    return stores.tokens.find_token(token.token_hash, kind, of.bucket, now) is not None


def test_a_token_is_valid_until_its_end(stores):
    redemption, _ = registered(stores, opened(stores))
    assert valid(stores, redemption, "at", NOW + 5 * MINUTE - 1)
    assert not valid(stores, redemption, "at", NOW + 5 * MINUTE)


def test_a_token_of_another_kind_is_not_found(stores):
    redemption, _ = registered(stores, opened(stores))
    assert stores.tokens.find_token(redemption.access.token_hash, "rt", redemption.bucket, NOW) is None
    assert stores.tokens.find_token(redemption.refresh.token_hash, "at", redemption.bucket, NOW) is None


@pytest.mark.covers("line-121")
def test_tokens_die_with_their_session_unless_the_grant_is_offline(stores):
    session = opened(stores)
    bound, _ = registered(stores, session)
    offline, _ = registered(stores, session, ticket={"offline": True})
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    assert not valid(stores, bound, "at", NOW + 2)
    assert not valid(stores, bound, "rt", NOW + 2)
    assert valid(stores, offline, "at", NOW + 2)
    assert valid(stores, offline, "rt", NOW + 2)


def test_tokens_of_a_session_whose_time_ran_out_are_dead_before_it_is_swept(stores):
    redemption, _ = registered(stores, opened(stores))
    assert valid(stores, redemption, "rt", NOW + IDLE - 1)
    assert not valid(stores, redemption, "rt", NOW + IDLE)


def test_rotating_spends_the_old_token_and_writes_a_new_pair(stores):
    session = opened(stores)
    redemption, redeemed = registered(stores, session)
    rotation, rotated = rotate(stores, redemption.refresh, NOW + HOUR, session)
    assert rotated.refusal is None
    assert not rotated.reused
    assert rotated.session.sid == session.sid
    assert (rotated.grant.grant_id, rotated.grant.client_id) == (redeemed.ticket.ticket_hash, "shop")
    assert not valid(stores, redemption, "rt", NOW + HOUR)
    assert valid(stores, rotation, "at", NOW + HOUR)
    found = stores.tokens.find_token(rotation.refresh.token_hash, "rt", rotation.bucket, NOW + HOUR)
    assert found.expires_at == session.absolute_until
    assert found.grant == rotated.grant


def test_a_lost_answer_gets_a_sibling_within_the_grace(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    first, _ = rotate(stores, redemption.refresh, NOW + 1, session)
    second, rotated = rotate(stores, redemption.refresh, NOW + 1 + GRACE, session)
    assert (rotated.refusal, rotated.reused) == (None, False)
    assert valid(stores, first, "rt", NOW + 2 * GRACE)
    assert valid(stores, second, "rt", NOW + 2 * GRACE)


def test_a_sibling_does_not_lengthen_the_grace(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    rotate(stores, redemption.refresh, NOW + 1, session)
    rotate(stores, redemption.refresh, NOW + GRACE, session)
    _, rotated = rotate(stores, redemption.refresh, NOW + 2 + GRACE, session)
    assert (rotated.refusal, rotated.reused) == (Refusal.USED, True)


def test_the_first_sibling_that_is_used_goes_on_and_the_others_are_left_behind(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    lost, _ = rotate(stores, redemption.refresh, NOW + 1, session)
    used, _ = rotate(stores, redemption.refresh, NOW + 2, session)
    next_one, rotated = rotate(stores, used.refresh, NOW + 3, session)
    assert rotated.refusal is None
    assert not valid(stores, lost, "rt", NOW + 4)
    for left_behind in (lost.refresh, redemption.refresh):
        late, rotated = rotate(stores, left_behind, NOW + 4, session)
        assert (rotated.refusal, rotated.reused) == (Refusal.USED, False)
        assert not valid(stores, late, "at", NOW + 4)
    assert rotate(stores, used.refresh, NOW + 5, session)[1].refusal is None, "its own answer may be lost as well"
    assert valid(stores, next_one, "rt", NOW + 5)
    assert rotate(stores, next_one.refresh, NOW + 6, session)[1].refusal is None


def test_reuse_after_the_grace_ends_the_whole_family(stores):
    session = opened(stores)
    redemption, redeemed = registered(stores, session)
    rotation, _ = rotate(stores, redemption.refresh, NOW + 1, session)
    _, rotated = rotate(stores, redemption.refresh, NOW + 2 + GRACE, session)
    assert (rotated.refusal, rotated.reused) == (Refusal.USED, True)
    assert (rotated.grant.grant_id, rotated.grant.sid) == (redeemed.ticket.ticket_hash, session.sid)
    assert not valid(stores, rotation, "at", NOW + 2 + GRACE)
    assert not valid(stores, rotation, "rt", NOW + 2 + GRACE)
    assert rotate(stores, rotation.refresh, NOW + 3 + GRACE, session)[1].refusal is Refusal.REVOKED


def test_an_unknown_refresh_token_is_unknown(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    unknown = a_token("rt", NOW + DAY, session.sid)
    assert rotate(stores, unknown, NOW, session)[1].refusal is Refusal.UNKNOWN
    assert rotate(stores, redemption.access, NOW, session)[1].refusal is Refusal.UNKNOWN


def test_another_client_gets_nothing_and_the_family_is_revoked(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    thief, rotated = rotate(stores, redemption.refresh, NOW, session, client_id="wiki")
    assert (rotated.refusal, rotated.reused) == (Refusal.OTHER_CLIENT, False)
    assert not valid(stores, thief, "at", NOW)
    assert not valid(stores, redemption, "at", NOW)
    assert rotate(stores, redemption.refresh, NOW, session)[1].refusal is Refusal.REVOKED


def test_after_the_session_has_ended_nothing_is_refreshed(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    rotation, rotated = rotate(stores, redemption.refresh, NOW + 2, session)
    assert rotated.refusal is Refusal.SESSION_ENDED
    assert not valid(stores, rotation, "at", NOW + 2)


def test_a_session_whose_time_ran_out_refreshes_nothing(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    assert rotate(stores, redemption.refresh, NOW + IDLE, session)[1].refusal is Refusal.SESSION_ENDED


@pytest.mark.covers("line-121")
def test_an_offline_grant_outlives_its_session(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session, ticket={"offline": True})
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    rotation, rotated = rotate(stores, redemption.refresh, NOW + 2 * DAY, session)
    assert rotated.refusal is None
    assert rotated.grant.offline
    found = stores.tokens.find_token(rotation.refresh.token_hash, "rt", rotation.bucket, NOW + 2 * DAY)
    assert found.expires_at == NOW + 32 * DAY


def test_an_expired_refresh_token_is_expired(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session, refresh=a_token("rt", NOW + MINUTE, session.sid))
    assert rotate(stores, redemption.refresh, NOW + MINUTE, session)[1].refusal is Refusal.EXPIRED


def test_revoking_a_refresh_token_takes_its_grant_along(stores):
    redemption, _ = registered(stores, opened(stores))
    revoked = (redemption.refresh.token_hash, "rt", redemption.bucket, "shop", NOW)
    assert stores.tokens.revoke(*revoked)
    assert stores.tokens.revoke(*revoked), "it is found again, so that whoever got no answer may ask once more"
    assert not valid(stores, redemption, "rt", NOW)
    assert not valid(stores, redemption, "at", NOW)


def test_revoking_an_access_token_takes_it_alone(stores):
    redemption, _ = registered(stores, opened(stores))
    assert stores.tokens.revoke(redemption.access.token_hash, "at", redemption.bucket, "shop", NOW)
    assert not valid(stores, redemption, "at", NOW)
    assert valid(stores, redemption, "rt", NOW)


def test_one_client_cannot_revoke_the_tokens_of_another(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    assert not stores.tokens.revoke(redemption.refresh.token_hash, "rt", redemption.bucket, "wiki", NOW)
    assert not stores.tokens.revoke(redemption.access.token_hash, "at", redemption.bucket, "wiki", NOW)
    unknown = a_token("rt", NOW, session.sid).token_hash
    assert not stores.tokens.revoke(unknown, "rt", redemption.bucket, "shop", NOW)
    assert valid(stores, redemption, "rt", NOW)
    assert valid(stores, redemption, "at", NOW)


def test_a_grant_is_revoked_by_its_ticket_and_no_other_goes_along(stores):
    session = opened(stores)
    (redemption, _), (other, _) = registered(stores, session), registered(stores, session, "wiki")
    assert stores.tokens.revoke_grant(redemption.ticket_hash, redemption.bucket, NOW)
    assert stores.tokens.revoke_grant(redemption.ticket_hash, redemption.bucket, NOW)
    assert not valid(stores, redemption, "rt", NOW)
    assert valid(stores, other, "rt", NOW)
    assert not stores.tokens.revoke_grant(a_ticket(session).ticket_hash, redemption.bucket, NOW)


def test_all_grants_of_a_person_are_revoked_and_nobody_elses(stores):
    alices, bobs = opened(stores), opened(stores, user_id="usr-bob")
    here, _ = registered(stores, alices)
    offline, _ = registered(stores, alices, "wiki", ticket={"offline": True})
    of_bob, _ = registered(stores, bobs)
    assert stores.tokens.revoke_grants_of("usr-alice", NOW) == 2
    assert [valid(stores, r, "at", NOW) for r in (here, offline, of_bob)] == [False, False, True]
    assert stores.tokens.revoke_grants_of("usr-alice", NOW) == 0


def test_offline_grants_of_sessions_long_gone_are_revoked_too(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session, ticket={"offline": True})
    stores.sessions.end(session.sid, "sign_out", NOW)
    assert stores.tokens.revoke_grants_of("usr-alice", NOW + 5 * DAY) == 1
    assert not valid(stores, redemption, "rt", NOW + 5 * DAY)


def test_a_grant_that_rotations_have_kept_alive_for_years_is_revoked_with_the_persons_others(stores):
    session = opened(stores)
    last, _ = registered(stores, session, ticket={"offline": True})
    stores.sessions.end(session.sid, "sign_out", NOW)
    for days in range(29, 3 * 366, 29):
        last, rotated = rotate(stores, last.refresh, NOW + days * DAY, session)
        assert rotated.refusal is None
    now = NOW + days * DAY
    # The person goes on signing in, which clears their index of what is of no use any more.
    registered(stores, opened(stores, now), now=now)
    assert valid(stores, last, "rt", now)
    assert stores.tokens.revoke_grants_of("usr-alice", now) == 2
    assert not valid(stores, last, "rt", now)


def test_grants_longer_than_any_default_are_revoked_too(stores):
    session = opened(stores, absolute_until=NOW + 366 * DAY)
    bound, _ = registered(stores, session, refresh=a_token("rt", NOW + 366 * DAY, session.sid))
    forever = {"ticket": {"offline": True}, "refresh": a_token("rt", NOW + 500 * DAY, session.sid)}
    offline, _ = registered(stores, session, **forever)
    now = NOW + 360 * DAY
    registered(stores, opened(stores, now), now=now)
    assert valid(stores, offline, "rt", now)
    assert stores.tokens.revoke_grants_of("usr-alice", now) == 3
    assert not valid(stores, offline, "rt", now)
    assert not valid(stores, bound, "rt", now)


def test_only_the_grants_made_before_a_moment_are_revoked_if_one_is_given(stores):
    session = opened(stores)
    old, _ = registered(stores, session, now=NOW)
    new, _ = registered(stores, session, "wiki", now=NOW + 5)
    assert stores.tokens.revoke_grants_of("usr-alice", NOW + 9, before=NOW) == 0
    assert stores.tokens.revoke_grants_of("usr-alice", NOW + 9, before=NOW + 5) == 1
    assert [valid(stores, r, "at", NOW + 9) for r in (old, new)] == [False, True]


def test_everybodys_grants_made_before_a_moment_are_revoked_offline_ones_too(stores):
    before = [
        registered(stores, opened(stores, user_id=user_id), ticket={"offline": offline})[0]
        for user_id in ("usr-alice", "usr-bob")
        for offline in (False, True)
    ]
    after, _ = registered(stores, opened(stores, NOW + 5), now=NOW + 5)
    assert stores.tokens.revoke_grants_before(NOW + 5, NOW + 9) == 4
    assert stores.tokens.revoke_grants_before(NOW + 5, NOW + 9) == 0
    assert not any(valid(stores, r, "at", NOW + 9) for r in before)
    assert valid(stores, after, "at", NOW + 9)
