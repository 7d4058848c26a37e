"""What Redis keeps so that a site without our SDK can ask, and how it goes away again."""

import pytest

from sso_server.core.notifications import AttemptResult, State
from sso_server.core.policy import DAY, HOUR, MINUTE
from sso_server.core.polls import PollReport
from tests.stores.redis.story import NOW, new_redemption, new_session, new_ticket


@pytest.fixture
def end_one(stores):
    """Ends a session in which the shop takes part without a store of ours."""

    def end(**changes):
        session = new_session()
        stores.sessions.open(session, NOW, MINUTE)
        ticket = new_ticket(session)
        stores.tickets.put(ticket)
        stores.tickets.redeem(new_redemption(ticket, "", **{"local_max_ms": HOUR, **changes}), NOW)
        stores.sessions.end(session.sid, "sign_out", NOW)
        return session

    return end


@pytest.fixture
def waiting(raw, prefix):
    """How many entries wait for the shop's polls."""
    return lambda: raw.zcard(f"{prefix}:{{b17}}:unacked:shop/")


def poll(stores, now=NOW, **said):
    return [event.sid for event in stores.polls.poll(PollReport("shop", **said), now, 10).events]


def test_an_acknowledged_or_refused_row_leaves_no_entry(stores, end_one, waiting):
    pushed, acknowledged, refused = (end_one() for _ in range(3))
    assert waiting() == 3
    row = next(row for row in stores.outbox.claim("w", NOW, 10, MINUTE) if row.sid == pushed.sid)
    done = AttemptResult(row.sid, row.client_id, "", row.attempt, State.ACKNOWLEDGED, None, 200, "")
    stores.outbox.record([done], NOW)
    assert waiting() == 2
    assert poll(stores, acks=(acknowledged.sid,), refusals=((refused.sid, "set_err:x"),)) == []
    assert waiting() == 0


@pytest.mark.parametrize("kind", ["poll", "oidc"])
def test_a_row_that_is_moot_leaves_no_entry_even_if_nobody_ever_asks(stores, end_one, waiting, kind):
    session = end_one(kind=kind, logout_uri="" if kind == "poll" else "https://shop.example/out")
    if kind == "oidc":
        (row,) = stores.outbox.claim("w", NOW, 10, MINUTE)
        over = AttemptResult(row.sid, row.client_id, "", row.attempt, State.MOOT, None, None, "")
        stores.outbox.record([over], NOW + HOUR)
    stores.sweeps.purge(NOW + HOUR, 10)
    assert stores.ledger.of_session(session.sid)[0].state is State.MOOT
    assert waiting() == 0


def test_what_nobody_asked_for_goes_with_its_session(stores, end_one, waiting, raw, prefix):
    no_address, abandoned = end_one(logout_uri=""), end_one()
    stores.ledger.abandon(abandoned.sid, "", "root", NOW)
    stores.archive.mark_archived(stores.archive.list_archivable(10))
    assert waiting() == 2
    assert stores.sweeps.purge(NOW + 2 * DAY, 10) == 2
    assert [key for key in raw.keys(f"{prefix}:*") if no_address.sid in key or abandoned.sid in key] == []
    assert waiting() == 0


def test_a_push_that_is_refused_after_an_operators_retry_is_offered_whatever_the_site_said_before(stores, end_one):
    session = end_one()
    assert poll(stores, refusals=((session.sid, "set_err:x"),)) == []
    stores.ledger.retry(session.sid, "", NOW)
    assert poll(stores) == [session.sid]
    (row,) = stores.outbox.claim("w", NOW, 10, MINUTE)
    refused = AttemptResult(row.sid, row.client_id, "", row.attempt, State.REFUSED, None, 400, "http_400/3")
    stores.outbox.record([refused], NOW)
    assert poll(stores) == [session.sid]


@pytest.mark.parametrize("field", ["user_id", "reason", "ended_at", "local_until", "attempt", "last_error"])
@pytest.mark.parametrize("value", ["", "soon", "1e400", "-1", "\x00"])
def test_a_field_that_nobody_can_read_does_not_keep_the_sid_from_the_site(stores, end_one, raw, prefix, field, value):
    session = end_one()
    raw.hset(f"{prefix}:{{b17}}:row:{session.sid}/shop/", field, value)
    assert poll(stores) == [session.sid]
    assert poll(stores, acks=(session.sid,)) == []
