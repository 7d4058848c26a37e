"""What APIs must refuse: every end and every revocation of JWT access tokens stands in the feed of their audience."""

from dataclasses import replace

import pytest

from sso_server.core.denials import Denied
from sso_server.core.identifiers import digest
from sso_server.core.policy import HOUR, MINUTE
from sso_server.core.tickets import NewToken, Refusal
from tests.support.builders import (
    NOW,
    a_redemption,
    a_report,
    a_rotation,
    a_session,
    again,
    bucket,
    identifier,
    issued,
    opened,
    registered,
    store_id,
)

LIFE, MARGIN = 5 * MINUTE, 5 * MINUTE


def a_jwt(of, now=NOW, audience=("stock",)):
    """As `core.tickets.new_access_token` makes it."""
    jti = identifier("jti", bucket(of.sid))
    return NewToken(digest(jti), now + LIFE, audience, jti, now + LIFE + MARGIN)


def with_jwt(stores, session, now=NOW, **changes):
    """A redemption in the session that gave `shop` a JWT for the API of `stock`; the token."""
    audience = changes.pop("audience", ("stock",))
    redemption, _ = registered(stores, session, now=now, access=a_jwt(session, now, audience), **changes)
    return redemption


def rotated(stores, token, now, of, **changes):
    rotation = a_rotation(token, now, of.sid, access=a_jwt(of, now), **changes)
    return rotation, stores.tokens.rotate(rotation, now)


def ask(stores, now=NOW + 1, client_id="stock", begin=0, store="", **changes):
    report = a_report(store or store_id(), client_id=client_id, denied_from=begin, **changes)
    return stores.check_ins.check_in(report, now, 1000)


def denied(stores, now=NOW + 1, client_id="stock"):
    return set(ask(stores, now, client_id).denied)


def test_the_end_of_a_session_is_heard_by_every_store_of_the_audience_until_its_tokens_are_over(stores):
    session = opened(stores)
    with_jwt(stores, session)
    assert denied(stores) == set()
    stores.sessions.end(session.sid, "sign_out", NOW + 2)
    for _ in range(2):
        assert denied(stores, NOW + 3) == {Denied(session.sid, NOW + LIFE + MARGIN)}
    assert denied(stores, NOW + LIFE + MARGIN - 1) != set()
    assert denied(stores, NOW + LIFE + MARGIN) == set()
    assert denied(stores, NOW + 3, "shop") == denied(stores, NOW + 3, "wiki") == set()


def test_a_store_that_did_not_ask_hears_nothing(stores):
    session = opened(stores)
    with_jwt(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW)
    answer = stores.check_ins.check_in(a_report(store_id(), client_id="stock"), NOW, 1000)
    assert (answer.denied, answer.denied_to, answer.more) == ((), 0, False)


def test_opaque_tokens_are_in_nobodys_feed(stores):
    session = opened(stores)
    opaque = NewToken(digest(identifier("at", bucket(session.sid))), NOW + LIFE, ("stock",))
    redemption, _ = registered(stores, session, access=opaque)
    stores.tokens.revoke(opaque.token_hash, "at", bucket(session.sid), "shop", NOW)
    stores.tokens.revoke(redemption.refresh.token_hash, "rt", bucket(session.sid), "shop", NOW)
    stores.sessions.end(session.sid, "sign_out", NOW)
    assert denied(stores) == set()


def test_each_api_hears_until_its_own_tokens_are_over(stores):
    session = opened(stores)
    with_jwt(stores, session, audience=("stock", "prices"))
    with_jwt(stores, session, NOW + MINUTE, audience=("prices",), client_id="wiki")
    stores.sessions.end(session.sid, "sign_out", NOW + 2 * MINUTE)
    later = NOW + 3 * MINUTE
    assert denied(stores, later) == {Denied(session.sid, NOW + LIFE + MARGIN)}
    assert denied(stores, later, "prices") == {Denied(session.sid, NOW + MINUTE + LIFE + MARGIN)}


def test_a_session_whose_tokens_were_over_before_it_ended_is_in_nobodys_feed(stores):
    session = opened(stores)
    with_jwt(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW + LIFE + MARGIN)
    assert denied(stores, NOW + LIFE + MARGIN) == set()


def by_idleness(stores, session):
    stores.sweeps.end_due(session.due_at, 10)


def by_another_person(stores, session):
    other = replace(again(session), user_id="usr-bob")
    assert stores.sessions.open(other, NOW + 1, MINUTE, shown=session.cookie_hash).replaced.sid == session.sid


def by_a_sign_in_after_its_time(stores, session):
    assert stores.sessions.open(again(session), session.due_at, MINUTE).replaced.sid == session.sid


@pytest.mark.parametrize("way", [by_idleness, by_another_person, by_a_sign_in_after_its_time])
def test_however_a_session_ends_its_apis_hear_of_it(stores, way):
    session = opened(stores, idle_allowance_ms=2 * MINUTE)
    with_jwt(stores, session)
    way(stores, session)
    assert denied(stores, NOW + 3 * MINUTE) == {Denied(session.sid, NOW + LIFE + MARGIN)}


def test_a_refreshed_token_counts_as_well(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    _, outcome = rotated(stores, redemption.refresh, NOW + HOUR, session)
    assert outcome.session.sid == session.sid
    stores.sessions.end(session.sid, "sign_out", NOW + HOUR + 1)
    assert denied(stores, NOW + HOUR + 2) == {Denied(session.sid, NOW + HOUR + LIFE + MARGIN)}


def test_a_renewed_sign_in_forgets_no_api(stores):
    session = opened(stores)
    with_jwt(stores, session)
    assert stores.sessions.open(again(session), NOW + 1, MINUTE).renewed
    stores.sessions.end(session.sid, "sign_out", NOW + 2)
    assert {one.name for one in denied(stores)} == {session.sid}


def test_a_revoked_access_token_is_heard_of_by_its_own_name(stores):
    session = opened(stores)
    one, other = with_jwt(stores, session), with_jwt(stores, session)
    stores.tokens.revoke(one.access.token_hash, "at", one.bucket, "wiki", NOW)
    assert denied(stores) == set(), "it is not this client's"
    stores.tokens.revoke(one.access.token_hash, "at", one.bucket, "shop", NOW)
    assert denied(stores) == {Denied(one.access.jti, NOW + LIFE + MARGIN)}
    assert stores.tokens.find_token(other.access.token_hash, "at", other.bucket, NOW) is not None


def by_its_client(stores, redemption):
    stores.tokens.revoke(redemption.refresh.token_hash, "rt", redemption.bucket, "shop", NOW + 2 * MINUTE)


def by_a_replayed_ticket(stores, redemption):
    assert stores.tickets.redeem(redemption, NOW + 2).refusal is Refusal.USED


def by_a_replayed_refresh_token(stores, redemption):
    again_now = a_rotation(redemption.refresh, NOW + 3 * MINUTE, redemption.access.jti)
    assert stores.tokens.rotate(again_now, NOW + 3 * MINUTE).reused


def by_another_client(stores, redemption):
    stolen = a_rotation(redemption.refresh, NOW + 2, redemption.access.jti, client_id="wiki")
    assert stores.tokens.rotate(stolen, NOW + 2).refusal is Refusal.OTHER_CLIENT


def by_the_person(stores, redemption):
    assert stores.tokens.revoke_grants_of("usr-alice", NOW + 2 * MINUTE) == 1
    assert stores.tokens.revoke_grants_of("usr-alice", NOW + 2 * MINUTE) == 0


def by_a_restoration(stores, redemption):
    assert stores.tokens.revoke_grants_before(NOW + 1, NOW + 2 * MINUTE) == 1


@pytest.mark.parametrize(
    "way",
    [
        by_its_client,
        by_a_replayed_ticket,
        by_a_replayed_refresh_token,
        by_another_client,
        by_the_person,
        by_a_restoration,
    ],
)
def test_a_revoked_grant_takes_all_its_tokens_along(stores, way):
    session = opened(stores)
    redemption = with_jwt(stores, session)
    rotation, _ = rotated(stores, redemption.refresh, NOW + 1, session)
    way(stores, redemption)
    assert denied(stores, NOW + 4 * MINUTE) == {
        Denied(redemption.access.jti, NOW + LIFE + MARGIN),
        Denied(rotation.access.jti, NOW + 1 + LIFE + MARGIN),
    }
    assert stores.sessions.find(session.sid).is_live(NOW + 4 * MINUTE), "the session goes on"


def test_a_grant_without_jwts_that_is_revoked_leaves_the_others_alone(stores):
    session = opened(stores)
    with_jwt(stores, session)
    plain, _ = registered(stores, session)
    stores.tokens.revoke(plain.refresh.token_hash, "rt", plain.bucket, "shop", NOW)
    assert denied(stores) == set()


def test_tokens_of_an_offline_grant_after_its_session_are_heard_of_one_by_one(stores):
    session = opened(stores)
    redemption = with_jwt(stores, session, ticket={"offline": True})
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    rotation, outcome = rotated(stores, redemption.refresh, NOW + 2, session)
    assert (outcome.refusal, outcome.session) == (None, None)
    found = stores.tokens.find_token(rotation.access.token_hash, "at", rotation.bucket, NOW + 3)
    assert (found.sid, found.audience, found.jti) == ("", ("stock",), rotation.access.jti)
    assert {one.name for one in denied(stores, NOW + 3)} == {session.sid}
    stores.tokens.revoke_grants_of("usr-alice", NOW + 4)
    names = {one.name for one in denied(stores, NOW + 5)}
    assert names == {session.sid, redemption.access.jti, rotation.access.jti}


def test_a_jwt_that_names_its_session_dies_with_it_also_of_an_offline_grant(stores):
    session = opened(stores)
    redemption = with_jwt(stores, session, ticket={"offline": True})
    opaque, _ = registered(stores, session, ticket={"offline": True})
    found = stores.tokens.find_token(redemption.access.token_hash, "at", redemption.bucket, NOW)
    assert (found.sid, found.audience, found.jti) == (session.sid, ("stock",), redemption.access.jti)
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    assert stores.tokens.find_token(redemption.access.token_hash, "at", redemption.bucket, NOW + 2) is None
    found = stores.tokens.find_token(opaque.access.token_hash, "at", opaque.bucket, NOW + 2)
    assert (found.sid, found.jti) == ("", "")


def test_a_refused_redemption_or_rotation_notes_nothing(stores):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    ticket = issued(stores, session)
    wrong = a_redemption(ticket, access=a_jwt(session), code_challenge="another")
    assert stores.tickets.redeem(wrong, NOW).refusal is Refusal.PKCE
    _, outcome = rotated(stores, redemption.refresh, NOW + 1, session, client_id="wiki")
    assert outcome.refusal is Refusal.OTHER_CLIENT
    stores.sessions.end(session.sid, "sign_out", NOW + 2)
    assert denied(stores, NOW + 3) == set()


def test_after_a_loss_the_apis_that_are_named_hear_of_sessions_that_nobody_remembers(stores):
    known, unknown = opened(stores), a_session()
    over, idle = opened(stores), opened(stores, idle_allowance_ms=MINUTE)
    stores.sessions.end(over.sid, "sign_out", NOW)
    with_jwt(stores, known)
    stores.sessions.note_forgotten(["prices", "stock"], NOW + HOUR, NOW)
    stores.sessions.note_forgotten(["prices", "stock"], NOW + MINUTE, NOW)
    assert stores.sessions.end(known.sid, "store_restored", NOW).first
    assert not stores.sessions.end(over.sid, "sign_out", NOW).first
    assert stores.sessions.end(unknown.sid, "sign_out", NOW) is None
    stores.sweeps.end_due(idle.due_at, 10)
    heard = {Denied(session.sid, NOW + HOUR) for session in (known, over, unknown, idle)}
    assert denied(stores) == denied(stores, client_id="prices") == heard
    late = opened(stores, NOW + HOUR)
    stores.sessions.end(late.sid, "sign_out", NOW + HOUR)
    assert stores.sessions.end(a_session().sid, "sign_out", NOW + HOUR) is None
    assert denied(stores, NOW + HOUR) == set()


def test_purge_drops_what_is_over(stores):
    session = opened(stores)
    with_jwt(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW)
    over = NOW + LIFE + MARGIN
    stores.sweeps.purge(over - 1, 1000)
    assert denied(stores, over - 1) != set()
    stores.sweeps.purge(over, 1000)
    # By a clock that is behind, because nothing that is over is answered anyway.
    if hasattr(stores, "database"):
        assert denied(stores, over - 1) == set()


def by_the_token_alone(stores, token, grant, now):
    stores.tokens.revoke(token.token_hash, "at", grant.bucket, "shop", now)


def by_its_grant(stores, token, grant, now):
    assert stores.tokens.revoke_grants_of("usr-alice", now) == 1


@pytest.mark.parametrize("revoke", [by_the_token_alone, by_its_grant])
@pytest.mark.parametrize("refreshed", [False, True])
def test_a_token_that_is_over_here_is_still_revoked_where_a_clock_is_behind(stores, revoke, refreshed):
    session = opened(stores)
    long = replace(a_jwt(session), expires_at=NOW + HOUR, deny_until=NOW + HOUR + MARGIN)
    ends_soon = NewToken(digest(identifier("rt", bucket(session.sid))), NOW + MINUTE)
    if refreshed:
        first, _ = registered(stores, session, refresh=replace(ends_soon, token_hash="the first"))
        rotation = a_rotation(first.refresh, NOW, session.sid, access=long, refresh=ends_soon)
        assert stores.tokens.rotate(rotation, NOW).refusal is None
    else:
        first, _ = registered(stores, session, access=long, refresh=ends_soon)
    over = NOW + HOUR + MINUTE
    stores.sweeps.purge(over, 1000)
    revoke(stores, long, first, over)
    assert Denied(long.jti, NOW + HOUR + MARGIN) in denied(stores, over)


def test_the_longest_life_is_what_counts_not_the_last(stores):
    session = opened(stores)
    long = replace(a_jwt(session), expires_at=NOW + HOUR, deny_until=NOW + HOUR + MARGIN)
    registered(stores, session, access=long)
    with_jwt(stores, session)
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    assert denied(stores) == {Denied(session.sid, NOW + HOUR + MARGIN)}
