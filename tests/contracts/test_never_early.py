"""Never an early sign-out: a session that is renewed while the sweeper looks at it lives, whatever renews it."""

import threading
from types import MethodType

import pytest

from sso_server.core.policy import MINUTE
from sso_server.core.sessions import EndReason
from sso_server.stores.sql import ending, sweeps
from sso_server.stores.sql.records import session_of
from tests.support.builders import (
    IDLE,
    NOW,
    a_redemption,
    a_report,
    again,
    issued,
    opened,
    registered,
    store_id,
)
from tests.support.luck import until_caught

STORE = store_id()
#: The last moment at which a session of these tests can be renewed, and the first at which it is due.
LATE, DUE = NOW + IDLE - 1, NOW + IDLE


def touch(stores, session):
    stores.sessions.touch(session.sid, LATE)


def check_in(stores, session):
    stores.check_ins.check_in(a_report(STORE, active=(session.sid,)), LATE, 10)


def sign_in_again(stores, session):
    stores.sessions.open(again(session, last_active_at=LATE, created_at=LATE), LATE, MINUTE)


def open_another_site(stores, session):
    ticket = issued(stores, session, LATE, client_id="blog")
    stores.tickets.redeem(a_redemption(ticket, LATE), LATE)


RENEWALS = [touch, check_in, sign_in_again, open_another_site]


def ended_early(stores, other_stores, renew, sessions=30):
    """How many sessions were ended although their renewal had been accepted; and how many were renewed at all."""
    opened_here = [opened(stores) for _ in range(sessions)]
    for session in opened_here:
        registered(stores, session, store_id=STORE, reports=True)
    begin = threading.Barrier(2)

    def sweep():
        begin.wait(10)
        while other_stores.sweeps.oldest_due(DUE) is not None:
            other_stores.sweeps.end_due(DUE, 10)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    begin.wait(10)
    # The sweeper takes the oldest first: from both ends they meet in the middle.
    for session in reversed(opened_here):
        renew(stores, session)
    sweeper.join(60)
    found = [stores.sessions.find(session.sid) for session in opened_here]
    renewed = [session for session in found if session.last_active_at == LATE]
    return sum(session.ended_at is not None for session in renewed), len(renewed)


@pytest.mark.parametrize("renew", RENEWALS, ids=lambda renew: renew.__name__)
def test_a_renewal_that_was_accepted_keeps_the_session(stores, other_stores, renew):
    assert [ended_early(stores, other_stores, renew)[0] for _ in range(3)] == [0, 0, 0]


def test_this_race_catches_a_sweeper_that_does_not_look_again(sql_place, open_stores):
    stores, hasty = open_stores(sql_place), open_stores(sql_place)

    def end_due(self, now, limit):
        """Reads what is due, and then ends it, whatever has come in between."""
        with self._database.read() as connection:
            due = [session_of(row) for row in connection.execute(sweeps._DUE, {"_now": now, "_limit": 30})]
        ends = []
        for session in due:
            with self._database.write() as connection:
                ends.append(ending.end(connection, session.sid, EndReason.IDLE.value, now))
        return ends

    hasty.sweeps.end_due = MethodType(end_due, hasty.sweeps)
    assert until_caught(lambda: ended_early(stores, hasty, touch)[0])


@pytest.mark.redis
def test_redis_believes_the_session_and_not_the_set_that_names_it(request, open_stores):
    from tests.contracts.conftest import make_place

    stores = open_stores(make_place("redis", request))
    session = opened(stores)
    keys, link = stores.sweeps._keys, stores.sweeps._link
    due = keys.in_bucket(int(session.sid.split("-")[1]), "due")
    from sso_server.stores.redis.link import command

    link.send(command("ZADD", due, NOW, session.sid))
    assert stores.sweeps.end_due(NOW + MINUTE, 10) == []
    assert stores.sessions.find(session.sid).ended_at is None
    assert int(link.send(command("ZSCORE", due, session.sid))) == session.due_at
