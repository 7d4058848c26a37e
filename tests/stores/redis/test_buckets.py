"""Tickets and tokens are found in their own bucket and in no other."""

import pytest

from sso_server.core.policy import MINUTE
from sso_server.core.tickets import NewToken, Refusal
from sso_server.core.tokens import Rotation
from tests.stores.redis.story import NOW, digest, new_redemption, new_session, new_ticket


@pytest.fixture
def session(stores):
    session = new_session(17)
    stores.sessions.open(session, NOW, MINUTE)
    return session


def test_a_ticket_is_unknown_in_another_bucket_and_still_good_in_its_own(stores, session):
    ticket = new_ticket(session)
    stores.tickets.put(ticket)
    assert stores.tickets.redeem(new_redemption(ticket, bucket=18), NOW).refusal is Refusal.UNKNOWN
    assert stores.tickets.redeem(new_redemption(ticket), NOW).refusal is None


def test_a_token_is_unknown_in_another_bucket_and_still_good_in_its_own(stores, session):
    ticket = new_ticket(session)
    stores.tickets.put(ticket)
    redemption = new_redemption(ticket)
    stores.tickets.redeem(redemption, NOW)
    token, soon = redemption.refresh.token_hash, NOW + MINUTE
    rotation = Rotation(token, 18, "shop", NewToken(digest(), soon), NewToken(digest(), soon), MINUTE)
    assert stores.tokens.find_token(token, "rt", 18, NOW) is None
    assert stores.tokens.rotate(rotation, NOW).refusal is Refusal.UNKNOWN
    stores.tokens.revoke(token, "rt", 18, "shop", NOW)
    assert stores.tokens.find_token(token, "rt", 17, NOW) is not None
