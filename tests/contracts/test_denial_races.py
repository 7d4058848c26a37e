"""A JWT that is issued while its session or its grant ends: it isn't issued, or it is in the feed of its audience.

`LOCKSTEP_RACE_ROUNDS` makes the races longer.
"""

import json
import os
import threading
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from sso_server.core.denials import OVERLAP_US
from sso_server.core.tickets import Refusal
from sso_server.stores.sql import ending, postgres
from sso_server.stores.sql.denials import note
from sso_server.stores.sql.tables import sessions as session_table
from tests.contracts.test_denials import a_jwt, ask, denied, with_jwt
from tests.support.builders import NOW, a_redemption, a_rotation, issued, opened, registered
from tests.support.luck import until_caught

BEFORE, AFTER = 3, 6
ROUNDS = int(os.environ.get("LOCKSTEP_RACE_ROUNDS", "1500")) // 10


def race(first, second):
    """Both at once, pair by pair; what the calls of `first` answered. Of ten pairs one goes before, one after."""
    step = partial(threading.Barrier(2).wait, timeout=60)
    answers = []

    def run_first():
        for number, call in enumerate(first):
            step()
            if number % 10 == AFTER:
                step()
            answers.append(call())
            if number % 10 == BEFORE:
                step()

    thread = threading.Thread(target=run_first)
    thread.start()
    for number, call in enumerate(second):
        step()
        if number % 10 == BEFORE:
            step()
        call()
        if number % 10 == AFTER:
            step()
    thread.join(timeout=60)
    assert len(answers) == len(first) == len(second)
    return answers


def missed_redemptions(stores, other_stores, redeem, rounds=ROUNDS):
    """How many sessions got a JWT and are in nobody's feed after their end."""
    sessions = [opened(stores) for _ in range(rounds)]
    redemptions = [a_redemption(issued(stores, session), access=a_jwt(session)) for session in sessions]
    answers = race(
        [lambda r=r: redeem(r).refusal for r in redemptions],
        [lambda sid=s.sid: other_stores.sessions.end(sid, "sign_out", NOW) for s in sessions],
    )
    assert set(answers) == {None, Refusal.SESSION_ENDED}
    heard = {one.name for one in denied(stores)}
    return sum(session.sid not in heard for session, why in zip(sessions, answers, strict=True) if why is None)


def test_a_ticket_redeemed_for_a_jwt_racing_the_end_of_its_session(stores, other_stores):
    assert missed_redemptions(stores, other_stores, lambda r: stores.tickets.redeem(r, NOW)) == 0


def test_this_race_catches_a_store_that_notes_the_token_after_it_was_written(sql_place, open_stores):
    stores, other = open_stores(sql_place), open_stores(sql_place)

    def redeem(redemption):
        redeemed = stores.tickets.redeem(replace(redemption, access=replace(redemption.access, audience=())), NOW)
        if redeemed.refusal is None:
            with stores.database.write() as connection:
                of_sid = session_table.c.sid == redeemed.session.sid
                row = connection.execute(sa.select(session_table).where(of_sid)).one()
                assert json.loads(row.audiences) == {}
                note(connection, row.sid, row.audiences, redemption.access)
        return redeemed

    assert until_caught(lambda: missed_redemptions(stores, other, redeem, rounds=50))


def test_a_refresh_for_a_jwt_racing_the_end_of_its_session(stores, other_stores):
    sessions = [opened(stores) for _ in range(ROUNDS)]
    firsts = [registered(stores, session)[0] for session in sessions]
    rotations = [
        a_rotation(first.refresh, NOW, s.sid, access=a_jwt(s)) for first, s in zip(firsts, sessions, strict=True)
    ]
    answers = race(
        [lambda r=r: stores.tokens.rotate(r, NOW) for r in rotations],
        [lambda sid=s.sid: other_stores.sessions.end(sid, "sign_out", NOW) for s in sessions],
    )
    assert {rotated.refusal for rotated in answers} == {None, Refusal.SESSION_ENDED}
    heard = {one.name for one in denied(stores)}
    issued_in = {rotated.session.sid for rotated in answers if rotated.refusal is None}
    assert issued_in <= heard


def test_an_offline_refresh_names_the_session_that_ends_or_is_its_own(stores, other_stores):
    """What the answer says of the session decides whether the JWT carries its `sid`."""
    sessions = [opened(stores) for _ in range(ROUNDS)]
    firsts = [registered(stores, session, ticket={"offline": True})[0] for session in sessions]
    rotations = [
        a_rotation(first.refresh, NOW, s.sid, access=a_jwt(s)) for first, s in zip(firsts, sessions, strict=True)
    ]
    answers = race(
        [lambda r=r: stores.tokens.rotate(r, NOW) for r in rotations],
        [lambda sid=s.sid: other_stores.sessions.end(sid, "sign_out", NOW) for s in sessions],
    )
    assert {rotated.refusal for rotated in answers} == {None}
    heard = {one.name for one in denied(stores)}
    named = {rotated.session.sid for rotated in answers if rotated.session is not None}
    assert named == heard
    assert 0 < len(named) < ROUNDS
    for rotation, rotated in zip(rotations, answers, strict=True):
        found = stores.tokens.find_token(rotation.access.token_hash, "at", rotation.bucket, NOW)
        assert (found is None) == (rotated.session is not None)


def by_its_ticket(stores, first, user_id):
    stores.tickets.redeem(first, NOW)


def by_its_client(stores, first, user_id):
    stores.tokens.revoke(first.refresh.token_hash, "rt", first.bucket, "shop", NOW)


def by_its_person(stores, first, user_id):
    stores.tokens.revoke_grants_of(user_id, NOW)


@pytest.mark.parametrize("revoke", [by_its_ticket, by_its_client, by_its_person])
def test_a_refresh_racing_the_revocation_of_its_grant(stores, other_stores, revoke):
    sessions = [opened(stores, user_id=f"usr-{i}") for i in range(ROUNDS // 2)]
    firsts = [with_jwt(stores, s, ticket={"user_id": s.user_id}) for s in sessions]
    rotations = [
        a_rotation(first.refresh, NOW, s.sid, access=a_jwt(s)) for first, s in zip(firsts, sessions, strict=True)
    ]
    answers = race(
        [lambda r=r: stores.tokens.rotate(r, NOW).refusal for r in rotations],
        [lambda f=f, s=s: revoke(other_stores, f, s.user_id) for f, s in zip(firsts, sessions, strict=True)],
    )
    assert set(answers) == {None, Refusal.REVOKED}
    issued_to = {r.access.jti for r, refusal in zip(rotations, answers, strict=True) if refusal is None}
    assert issued_to | {first.access.jti for first in firsts} == {one.name for one in denied(stores)}


def test_an_end_that_is_committed_late_is_heard_by_who_has_read_on_meanwhile(sql_place, open_stores):
    stores, other = open_stores(sql_place), open_stores(sql_place)
    late, early = opened(stores), opened(stores)
    for session in (late, early):
        with_jwt(stores, session)
    answers = []

    def read_on():
        stores.sessions.end(early.sid, "sign_out", NOW)
        answers.append(ask(stores))

    thread = threading.Thread(target=read_on)
    with other.database.write() as connection:
        ending.end(connection, late.sid, "sign_out", NOW)
        thread.start()
        if sql_place.engine == "postgresql":
            # Elsewhere one step follows the other: it waits for the end of this one.
            thread.join(timeout=60)
            assert [one.name for one in answers[0].denied] == [early.sid]
    thread.join(timeout=60)
    (answer,) = answers
    after = ask(stores, begin=answer.denied_to)
    assert {one.name for one in (*answer.denied, *after.denied)} == {early.sid, late.sid}


def test_postgresql_commits_nothing_later_than_what_is_handed_out_once_more():
    assert postgres.STATEMENT_MS + postgres.IDLE_MS < OVERLAP_US / 1000


def test_who_reads_on_while_sessions_end_misses_none(stores, other_stores, place):
    # Where steps come one after the other a place is never late: without the overlap nothing is missing either.
    without_overlap = 0 if place.engine == "postgresql" else OVERLAP_US
    sessions = [opened(stores) for _ in range(ROUNDS)]
    for session in sessions:
        with_jwt(stores, session)

    def end_all():
        for session in sessions:
            other_stores.sessions.end(session.sid, "sign_out", NOW)

    thread = threading.Thread(target=end_all)
    heard, begin, running = [], 0, True
    thread.start()
    while running:
        running = thread.is_alive()
        answer = ask(stores, begin=begin, most_denied=7)
        heard += [one.name for one in answer.denied]
        begin = answer.denied_to + (0 if answer.more else without_overlap)
        running = running or answer.more
    thread.join(timeout=60)
    heard += [one.name for one in ask(stores, begin=begin).denied]
    assert set(heard) == {session.sid for session in sessions}
