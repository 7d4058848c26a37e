"""Forty days in the life of the stores, on a clock that is wound on by six hours at a time: what falls due does so at
its time, what must be said is said, what is over goes, and nothing is left at the end.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from sso_server.core.notifications import Notification, State
from sso_server.core.policy import DAY, HOUR, MINUTE, SECOND
from sso_server.core.sessions import Session
from tests.support.builders import (
    NOW,
    a_redemption,
    a_report,
    a_result,
    a_rotation,
    a_session,
    issued,
    opened,
    registered,
    store_id,
)

STEP, DAYS = 6 * HOUR, 40
CLAIM = 30 * SECOND
#: One site answers, one is down for ten days, one refuses, one has no address.
DOWN = (NOW + 10 * DAY, NOW + 20 * DAY)


@dataclass
class House:
    """The delivery process, step by step: sweeps, sends, archives, purges."""

    stores: Any
    now: int = NOW
    ends: list[Session] = field(default_factory=list)
    archived: dict[tuple[str, str], list[State]] = field(default_factory=dict)
    attempts: dict[tuple[str, str], int] = field(default_factory=dict)

    def wind_on(self, by: int = STEP) -> None:
        self.now += by
        while swept := self.stores.sweeps.end_due(self.now, 5):
            self.ends += [one.session for one in swept]
            # One of each batch goes to a worker that dies with it.
            self.stores.outbox.claim("dead", self.now, 1, CLAIM, bulk=True)
        assert self.stores.sweeps.oldest_due(self.now) is None
        for later in (0, CLAIM):
            for bulk in (False, True):
                while rows := self.stores.outbox.claim("alive", self.now + later, 50, CLAIM, bulk=bulk):
                    self.stores.outbox.record([self._send(row) for row in rows], self.now + later)
        for row in self.stores.archive.list_archivable(1000):
            self.stores.archive.mark_archived([row])
            self.archived.setdefault((row.sid, row.client_id), []).append(row.state)
        while self.stores.sweeps.purge(self.now, 1000):
            pass

    def _send(self, row: Notification) -> Any:
        self.attempts[row.sid, row.client_id] = row.attempt
        if row.client_id == "refuses":
            return a_result(row, State.REFUSED, status=400, error="http_400")
        if row.client_id == "down" and DOWN[0] <= self.now < DOWN[1]:
            if self.now + STEP >= row.local_until:
                return a_result(row, State.MOOT, status=None, error="connect")
            return a_result(row, State.PENDING, next_attempt_at=self.now + STEP, status=None, error="connect")
        return a_result(row, State.ACKNOWLEDGED)


@pytest.fixture
def house(stores):
    return House(stores)


def sign_in(house, *clients, **changes):
    """Of somebody who opens these sites at once."""
    session = opened(house.stores, house.now, **changes)
    for client in clients:
        uri = "" if client == "silent" else f"https://{client}.example/logout"
        registered(house.stores, session, client, house.now, logout_uri=uri)
    return session


def test_people_who_come_each_morning_leave_nothing_behind(house):
    mornings = []
    for _ in range(DAYS):
        mornings.append(sign_in(house, "shop", "down", "refuses", "silent"))
        house.wind_on()
        house.stores.sessions.touch(mornings[-1].sid, house.now)
        for _ in range(DAY // STEP - 1):
            house.wind_on()
    assert [(s.sid, s.end_reason, s.ended_at) for s in house.ends] == [
        (s.sid, "idle", s.created_at + 3 * STEP) for s in mornings
    ]
    for number, session in enumerate(mornings):
        states = {client: house.archived.get((session.sid, client)) for client in ("shop", "down", "refuses", "silent")}
        down = [State.MOOT] if 10 <= number < 20 else [State.ACKNOWLEDGED]
        assert states == {
            "shop": [State.ACKNOWLEDGED],
            "down": down,
            "refuses": [State.REFUSED],
            "silent": [State.NO_ADDRESS],
        }
        gone = house.stores.sessions.find(session.sid) is None
        assert gone == (session.created_at + 3 * STEP + DAY < house.now), "for a day it can still be looked up"
    assert sorted(set(house.attempts.values()))[:2] == [1, 2], "some were claimed by a worker that died"
    for _ in range(3 * DAY // STEP):
        house.wind_on()
    stores = house.stores
    assert [stores.sessions.find(session.sid) for session in mornings] == [None] * DAYS
    assert (stores.lists.count_live(house.now), stores.ledger.list_ended(10)) == (0, [])
    assert (stores.outbox.next_due(house.now), stores.archive.list_archivable(10)) == (None, [])


def test_who_is_kept_signed_in_is_so_for_thirty_days_and_no_ticket_works_on_a_later_one(house):
    stores = house.stores
    kept = sign_in(house, absolute_until=NOW + 30 * DAY, remembered=True, idle_off=True)
    quiet = sign_in(house, absolute_until=NOW + 30 * DAY)
    tickets = []
    for _ in range(DAYS):
        tickets.append(issued(stores, kept, house.now))
        for _ in range(DAY // STEP):
            house.wind_on()
            found = stores.sessions.find_by_cookie(kept.cookie_hash, int(kept.sid.split("-")[1]), house.now)
            assert (found is not None and found.ended_at is None) == (house.now < NOW + 30 * DAY)
        for ticket in tickets:
            assert stores.tickets.redeem(a_redemption(ticket, house.now), house.now).refusal is not None
    assert {(s.sid, s.end_reason, s.ended_at) for s in house.ends} == {
        (kept.sid, "absolute", NOW + 30 * DAY),
        (quiet.sid, "idle", NOW + 2 * STEP),
    }
    assert stores.lists.participants(kept.sid) == []


def test_a_token_that_is_used_each_day_lives_and_one_that_is_not_dies_on_the_thirtieth(house):
    stores = house.stores
    session = sign_in(house, absolute_until=NOW + 20 * DAY, idle_off=True)
    bound, _ = registered(stores, session)
    offline, _ = registered(stores, session, ticket={"offline": True})
    forgotten, _ = registered(stores, session, "blog", ticket={"offline": True})
    tokens = {"bound": bound.refresh, "offline": offline.refresh}
    refused = {}
    for day in range(1, DAYS + 1):
        for _ in range(DAY // STEP):
            house.wind_on()
        for name, token in list(tokens.items()):
            rotation = a_rotation(token, house.now, session.sid)
            rotated = stores.tokens.rotate(rotation, house.now)
            if rotated.refusal is None:
                tokens[name] = rotation.refresh
                found = stores.tokens.find_token(rotation.access.token_hash, "at", rotation.bucket, house.now)
                assert found is not None
                later = house.now + 5 * MINUTE
                assert stores.tokens.find_token(rotation.access.token_hash, "at", rotation.bucket, later) is None
            else:
                refused[name] = day
                del tokens[name]
        alive = stores.tokens.find_token(forgotten.refresh.token_hash, "rt", forgotten.bucket, house.now)
        assert (alive is not None) == (day < 30)
    assert list(tokens) == ["offline"]
    assert refused == {"bound": 20}, "with its session"


def test_a_store_that_was_away_for_ten_days_hears_of_all_it_still_has_to(house):
    store, stores = store_id(), house.stores
    heard, long_lived = [], []
    for day in range(DAYS):
        now = house.now
        for name, life in (("long", 20 * DAY), ("short", DAY)):
            session = stores.sessions.open(
                a_session(
                    auth_time=now, created_at=now, last_active_at=now, absolute_until=now + 30 * DAY, idle_off=True
                ),
                now,
                MINUTE,
            ).session
            registered(stores, session, now=now, logout_uri="", store_id=store, reports=True, local_max_ms=life)
            stores.sessions.end(session.sid, "sign_out", now + SECOND)
            if name == "long":
                long_lived.append(session.sid)
        for _ in range(DAY // STEP):
            house.wind_on()
        if not 10 <= day < 20:
            answer = stores.check_ins.check_in(a_report(store), house.now, 1000)
            sids = [notice.sid for notice in answer.ends]
            assert not answer.more
            assert len(sids) == (11 if day == 20 else 1), "what could not live there any more is moot"
            assert stores.check_ins.check_in(a_report(store, acks=tuple(sids)), house.now, 1000).ends == ()
            heard += sids
    assert heard == long_lived
    for _ in range(3 * DAY // STEP):
        house.wind_on()
    assert stores.ledger.list_ended(10) == []
