"""Grants that come from no ticket: a client's own, and those that are exchanged for a token of a session."""

from dataclasses import replace

import pytest

from sso_server.core.denials import Denied
from sso_server.core.details import GrantDetails, TokenDetails
from sso_server.core.identifiers import digest
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.tickets import NewToken, Refusal
from sso_server.core.tokens import Grant
from tests.support.builders import IDLE, NOW, a_report, a_rotation, bucket, identifier, opened, registered, store_id

OWN = Grant("", "", "shop", "", ("stock.read",), 0, (), offline=True, created_at=NOW)


def a_grant(session, **changes):
    """Of this session's person, for `shop`."""
    of = Grant("", session.sid, "shop", session.user_id, ("openid", "profile"), NOW, ("pwd",), False, NOW)
    return replace(of, grant_id=digest(identifier("code")), **changes)


def own_grant(**changes):
    return replace(OWN, grant_id=digest(identifier("code")), **changes)


def a_token(bucket_, life=5 * MINUTE, **changes):
    return replace(NewToken(digest(identifier("at", bucket_)), NOW + life), **changes)


def a_jwt(bucket_, audience=("stock",)):
    jti = identifier("jti", bucket_)
    return NewToken(digest(jti), NOW + 5 * MINUTE, audience, jti, NOW + 10 * MINUTE)


def found(stores, token, bucket_, now=NOW):
    return stores.tokens.find_token(token.token_hash, "at", bucket_, now)


def denied(stores, client_id="stock"):
    report = a_report(store_id(), client_id=client_id, denied_from=0)
    return set(stores.check_ins.check_in(report, NOW + 2, 1000).denied)


def test_a_clients_own_token_needs_no_session_and_lives_until_its_end(stores):
    token, grant = a_token(7, audience=("stock",)), own_grant()
    assert stores.grants.issue(grant, token, 7, NOW) is None
    known = found(stores, token, 7)
    assert (known.grant, known.sid, known.audience) == (grant, "", ("stock",))
    assert found(stores, token, 7, NOW + 5 * MINUTE) is None


def test_a_token_of_a_session_dies_with_it(stores):
    session = opened(stores)
    token, grant = a_token(bucket(session.sid)), a_grant(session)
    assert stores.grants.issue(grant, token, bucket(session.sid), NOW) is None
    assert found(stores, token, bucket(session.sid)).sid == session.sid
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    assert found(stores, token, bucket(session.sid), NOW + 1) is None


def test_nothing_is_issued_in_a_session_that_is_over(stores):
    ended, idle = opened(stores), opened(stores)
    stores.sessions.end(ended.sid, "sign_out", NOW + 1)
    for session, now in ((ended, NOW + 1), (idle, NOW + IDLE), (replace(idle, sid=identifier("sid")), NOW)):
        token = a_token(bucket(session.sid), IDLE + DAY)
        assert stores.grants.issue(a_grant(session), token, bucket(session.sid), now) is Refusal.SESSION_ENDED
        assert found(stores, token, bucket(session.sid), now) is None


def test_no_token_outlives_its_sessions_absolute_end(stores):
    session = opened(stores)
    token = a_token(bucket(session.sid), 30 * DAY)
    stores.grants.issue(a_grant(session), token, bucket(session.sid), NOW)
    assert found(stores, token, bucket(session.sid)).expires_at == session.absolute_until


def test_a_jwt_of_it_is_denied_when_its_session_ends(stores):
    session = opened(stores)
    token = a_jwt(bucket(session.sid))
    stores.grants.issue(a_grant(session), token, bucket(session.sid), NOW)
    stores.sessions.end(session.sid, "sign_out", NOW + 1)
    assert denied(stores) == {Denied(session.sid, NOW + 10 * MINUTE)}


@pytest.mark.parametrize("own", [True, False])
def test_a_jwt_of_it_is_denied_when_it_is_revoked(stores, own):
    session = opened(stores)
    at = bucket(session.sid)
    token, grant = a_jwt(at), own_grant() if own else a_grant(session)
    stores.grants.issue(grant, token, at, NOW)
    assert stores.tokens.revoke_grant(grant.grant_id, at, NOW + 1)
    assert denied(stores) == {Denied(token.jti, NOW + 10 * MINUTE)}
    assert found(stores, token, at, NOW + 1) is None


def test_all_of_a_person_are_revoked_together_or_one_clients_alone(stores):
    session = opened(stores)
    at = bucket(session.sid)
    shop, blog = a_token(at), a_token(at)
    stores.grants.issue(a_grant(session), shop, at, NOW)
    stores.grants.issue(a_grant(session, client_id="blog"), blog, at, NOW)
    of_blog, _ = registered(stores, session, "blog", ticket={"offline": True})
    of_shop, _ = registered(stores, session, "shop", ticket={"offline": True})
    assert stores.tokens.revoke_grants_of(session.user_id, NOW + 1, client_id="blog") == 2
    assert found(stores, blog, at, NOW + 1) is None
    assert stores.tokens.find_token(of_blog.refresh.token_hash, "rt", at, NOW + 1) is None
    assert found(stores, shop, at, NOW + 1) is not None
    assert stores.tokens.find_token(of_shop.refresh.token_hash, "rt", at, NOW + 1) is not None
    assert stores.tokens.revoke_grants_of(session.user_id, NOW + 1) == 2
    assert found(stores, shop, at, NOW + 1) is None


def test_what_tickets_grants_and_tokens_carry_comes_back(stores):
    session = opened(stores)
    asked = GrantDetails('{"userinfo":{"name":null}}', "pwd", ("https://api.example/",), "thumb").to_text()
    bound = TokenDetails("thumb", "openid", "shop")
    access = NewToken(digest(identifier("at", bucket(session.sid))), NOW + MINUTE, details=bound.to_text())
    redemption, redeemed = registered(stores, session, access=access, ticket={"details": asked})
    assert redeemed.ticket.details == asked
    known = stores.tokens.find_token(access.token_hash, "at", redemption.bucket, NOW)
    assert GrantDetails.from_text(known.grant.details) == GrantDetails.from_text(asked)
    assert known.details == bound
    assert known.scope == ("openid",)


def test_a_refresh_token_leads_to_its_grant_also_when_it_is_spent_or_revoked(stores):
    session = opened(stores)
    refresh = NewToken(
        digest(identifier("rt", bucket(session.sid))), NOW + DAY, details=TokenDetails("thumb").to_text()
    )
    redemption, redeemed = registered(stores, session, refresh=refresh)
    at = redemption.bucket

    def known():
        grant, details = stores.grants.find_grant(refresh.token_hash, at)
        return grant.grant_id, details.jkt

    assert known() == (redeemed.ticket.ticket_hash, "thumb")
    stores.tokens.revoke(refresh.token_hash, "rt", at, "shop", NOW + 1)
    assert known() == (redeemed.ticket.ticket_hash, "thumb")
    assert stores.grants.find_grant(digest("nobody's"), at) is None


def test_what_a_client_has_of_itself_is_revoked_with_it_and_nothing_else(stores):
    session, (own, later, others) = opened(stores), (a_token(b) for b in (7, 8, 9))
    jwt, persons = a_jwt(11), a_token(bucket(session.sid))
    for grant, token, bucket_, now in (
        (own_grant(), own, 7, NOW),
        (own_grant(), jwt, 11, NOW),
        (own_grant(created_at=NOW + MINUTE), later, 8, NOW + MINUTE),
        (own_grant(client_id="wiki"), others, 9, NOW),
        (a_grant(session), persons, bucket(session.sid), NOW),
    ):
        assert stores.grants.issue(grant, token, bucket_, now) is None
    assert stores.tokens.revoke_grants_of("", NOW + 1, before=NOW + 1, client_id="shop") == 2
    assert found(stores, own, 7) is found(stores, jwt, 11) is None
    for token, bucket_ in ((later, 8), (others, 9), (persons, bucket(session.sid))):
        assert found(stores, token, bucket_, NOW + MINUTE) is not None
    assert {one.name for one in denied(stores)} == {jwt.jti}


@pytest.mark.parametrize("jwt", [True, False])
def test_a_refresh_token_that_is_not_replaced_stays_good_and_gives_access_tokens_until_its_session_ends(stores, jwt):
    session = opened(stores)
    redemption, _ = registered(stores, session)
    at = redemption.bucket
    for serial in range(3):
        access = a_jwt(at) if jwt else a_token(at)
        rotation = a_rotation(redemption.refresh, NOW + serial, session.sid, access=access, refresh=None, grace_ms=0)
        assert stores.tokens.rotate(rotation, NOW + serial).refusal is None
        assert found(stores, access, at, NOW + serial) is not None
        assert stores.tokens.find_token(redemption.refresh.token_hash, "rt", at, NOW + serial) is not None
    stores.sessions.end(session.sid, "sign_out", NOW + 9)
    assert denied(stores) == ({Denied(session.sid, NOW + 10 * MINUTE)} if jwt else set())
    again = a_rotation(redemption.refresh, NOW + 10, session.sid, refresh=None)
    assert stores.tokens.rotate(again, NOW + 10).refusal is Refusal.SESSION_ENDED
