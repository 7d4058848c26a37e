"""Two things at the same instant. `LOCKSTEP_RACE_ROUNDS` makes the long race longer (10000: the whole of it)."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sso_server.core.guesses import Limit
from sso_server.core.notifications import State
from sso_server.core.policy import HOUR, MINUTE, SECOND
from sso_server.core.tickets import Refusal
from tests.support.builders import (
    IDLE,
    NOW,
    a_redemption,
    a_report,
    a_result,
    a_rotation,
    again,
    ended,
    issued,
    opened,
    registered,
    store_id,
)
from tests.support.luck import until_caught

ROUNDS = int(os.environ.get("LOCKSTEP_RACE_ROUNDS", "1500"))
ROOT = Path(__file__).parents[2]


def at_once(*calls):
    """Run the calls in threads that start together; their results in order."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait(timeout=30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(run, call) for call in calls]]


def contend(place, jobs):
    """Run the jobs in processes that start together; what each printed."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.contender", place.dump(), json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for job in jobs
    ]
    try:
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * len(jobs)
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def missed(stores, other_stores, rounds):
    """How often a redemption won although the end of its session did not see its site, or lost although it did."""
    start = threading.Barrier(2)
    redeemed: list[Refusal | None] = []
    sessions = [opened(stores) for _ in range(rounds)]
    tickets = [issued(stores, session) for session in sessions]
    redemptions = [a_redemption(ticket) for ticket in tickets]

    def redeem_all():
        for redemption in redemptions:
            start.wait(timeout=60)
            redeemed.append(stores.tickets.redeem(redemption, NOW).refusal)

    redeemer = threading.Thread(target=redeem_all)
    redeemer.start()
    told = []
    for session in sessions:
        start.wait(timeout=60)
        told.append(len(other_stores.sessions.end(session.sid, "sign_out", NOW).notifications))
    redeemer.join(timeout=60)
    assert set(redeemed) <= {None, Refusal.SESSION_ENDED}
    for session, count in zip(sessions, told, strict=True):
        assert len(stores.ledger.of_session(session.sid)) == count, "the answer is what was written"
    return sum(1 for refusal, count in zip(redeemed, told, strict=True) if (refusal is None) != (count == 1))


@pytest.mark.slow
def test_a_redemption_racing_an_end_never_misses_a_site(stores, other_stores):
    assert missed(stores, other_stores, ROUNDS) == 0


def test_this_race_catches_a_store_that_reads_the_sites_before_it_ends_the_session(sql_place, open_stores):
    from sso_server.stores.sql import ending
    from sso_server.stores.sql.records import notification_values
    from sso_server.stores.sql.tables import notifications

    stores, careless = open_stores(sql_place), open_stores(sql_place)

    class TellsThenEnds:
        def end(self, sid, reason, now):
            database = careless.database
            with database.read() as connection:
                sites = ending.participants_of(connection, sid)
            with database.write() as connection:
                over = ending.end(connection, sid, reason, now)
                connection.execute(notifications.delete().where(notifications.c.sid == sid))
                born = tuple(row for row in over.notifications if row.client_id in {site.client_id for site in sites})
                if born:
                    connection.execute(notifications.insert(), [notification_values(row) for row in born])
            return replace(over, notifications=born)

    broken = replace(careless, sessions=TellsThenEnds())
    assert until_caught(lambda: missed(stores, broken, 100))


def test_exactly_one_of_many_simultaneous_redemptions_wins(stores, other_stores):
    for _ in range(10):
        session = opened(stores)
        ticket = issued(stores, session)
        redemptions = [a_redemption(ticket) for _ in range(8)]
        places = [stores, other_stores] * 4
        results = at_once(
            *(lambda s=s, r=r: s.tickets.redeem(r, NOW) for s, r in zip(places, redemptions, strict=True))
        )
        refusals = [result.refusal for result in results]
        assert sorted(refusals, key=str) == [None, *[Refusal.USED] * 7]
        assert len(stores.lists.participants(session.sid)) == 1


def test_exactly_one_of_many_processes_wins_each_ticket(place, stores):
    session = opened(stores)
    tickets = [issued(stores, session) for _ in range(40)]
    jobs = [{"redeem": [asdict(a_redemption(ticket)) for ticket in tickets]} for _ in range(3)]
    outcomes = contend(place, jobs)
    for one_ticket in zip(*outcomes, strict=True):
        assert sorted(one_ticket, key=str) == [None, "ticket_used", "ticket_used"]


def test_no_row_goes_to_two_processes(place, stores):
    sessions = [ended(stores) for _ in range(30)]
    outcomes = contend(place, [{"claims": 20, "worker": f"w{n}"} for n in range(3)])
    claimed = [tuple(row) for outcome in outcomes for row in outcome]
    assert sorted(claimed) == sorted((session.sid, "shop") for session in sessions)


def test_no_row_goes_to_two_threads(stores, other_stores):
    sids = {ended(stores).sid for _ in range(30)}
    results = at_once(
        *(lambda s=s, n=n: s.outbox.claim(f"w{n}", NOW, 10, MINUTE) for n, s in enumerate([stores, other_stores] * 3))
    )
    claimed = [row.sid for rows in results for row in rows]
    assert len(claimed) == len(set(claimed))
    claimed += [row.sid for row in stores.outbox.claim("rest", NOW, 100, MINUTE)]
    assert sorted(claimed) == sorted(sids)


def test_one_browser_opens_one_session_however_many_tabs_sign_in_at_once(stores, other_stores):
    for _ in range(10):
        first = opened(stores)
        stores.sessions.end(first.sid, "sign_out", NOW)
        candidates = [again(first) for _ in range(6)]
        places = [stores, other_stores] * 3
        results = at_once(
            *(lambda s=s, c=c: s.sessions.open(c, NOW, MINUTE) for s, c in zip(places, candidates, strict=True))
        )
        assert len({result.session.sid for result in results}) == 1
        assert sum(not result.renewed for result in results) == 1
        assert [result.replaced for result in results] == [None] * 6


def test_two_people_at_one_browser_leave_one_session_and_no_other_untold(stores, other_stores):
    for _ in range(10):
        first = opened(stores)
        registered(stores, first)
        bob = replace(again(first), user_id="usr-bob")
        at_once(
            lambda first=first: stores.sessions.open(again(first), NOW, MINUTE),
            lambda first=first, bob=bob: other_stores.sessions.open(bob, NOW, MINUTE, shown=first.cookie_hash),
        )
        assert len(stores.ledger.of_session(first.sid)) == 1
        assert stores.sessions.find(first.sid).end_reason == "replaced"
    assert stores.lists.count_live(NOW) == 10


def test_one_of_many_simultaneous_ends_is_the_first(stores, other_stores):
    for _ in range(20):
        session = opened(stores)
        registered(stores, session)
        reasons = ["sign_out", "administrator", "site_sign_out", "idle"]
        places = [stores, other_stores] * 2
        results = at_once(
            *(
                lambda s=s, r=r, sid=session.sid: s.sessions.end(sid, r, NOW)
                for s, r in zip(places, reasons, strict=True)
            )
        )
        assert sum(result.first for result in results) == 1
        assert len({result.session for result in results}) == 1
        assert len({result.notifications for result in results}) == 1


def test_a_session_renewed_while_the_sweeper_looks_lives(stores, other_stores):
    lived = 0
    for _ in range(60):
        session = opened(stores)
        _, swept = at_once(
            lambda sid=session.sid: stores.sessions.touch(sid, NOW + IDLE - 1),
            lambda: other_stores.sweeps.end_due(NOW + IDLE, 10),
        )
        found = stores.sessions.find(session.sid)
        renewed = found.last_active_at == NOW + IDLE - 1
        assert renewed != (found.ended_at is not None)
        assert [one.session.sid for one in swept] == ([] if renewed else [session.sid])
        lived += renewed
        stores.sessions.end(session.sid, "sign_out", NOW)
    assert 0 <= lived <= 60


def test_two_sweepers_end_each_session_once(stores, other_stores):
    sids = sorted(opened(stores).sid for _ in range(60))
    results = at_once(*(lambda s=s: s.sweeps.end_due(NOW + IDLE, 100) for s in (stores, other_stores)))
    results.append(stores.sweeps.end_due(NOW + IDLE, 100))
    assert sorted(swept.session.sid for result in results for swept in result) == sids


def test_a_refresh_racing_an_end_leaves_no_token_alive(stores, other_stores):
    for _ in range(60):
        session = opened(stores)
        redemption, _ = registered(stores, session)
        rotation = a_rotation(redemption.refresh, NOW, session.sid)
        rotated, _ = at_once(
            lambda rotation=rotation: stores.tokens.rotate(rotation, NOW),
            lambda sid=session.sid: other_stores.sessions.end(sid, "sign_out", NOW),
        )
        assert rotated.refusal in {None, Refusal.SESSION_ENDED}
        assert stores.tokens.find_token(rotation.access.token_hash, "at", rotation.bucket, NOW) is None


def test_a_site_registered_at_a_check_in_that_races_an_end_hears_of_it(stores, other_stores):
    for _ in range(60):
        session, store = opened(stores), store_id()
        answer, over = at_once(
            lambda sid=session.sid, store=store: stores.check_ins.check_in(a_report(store, live=(sid,)), NOW, 10),
            lambda sid=session.sid: other_stores.sessions.end(sid, "sign_out", NOW),
        )
        heard = [notice.sid for notice in answer.ends] == [session.sid]
        assert heard or [row.store_id for row in over.notifications] == [store]


def test_a_success_and_giving_up_at_once_end_in_success(stores, other_stores):
    for _ in range(30):
        session = ended(stores)
        (row,) = stores.outbox.claim("w", NOW, 1, HOUR)
        at_once(
            lambda row=row: stores.outbox.record([a_result(row, State.ACKNOWLEDGED)], NOW + 1),
            lambda sid=session.sid: other_stores.ledger.abandon(sid, "", "root", NOW + 1),
        )
        assert stores.ledger.of_session(session.sid)[0].state is State.ACKNOWLEDGED


def test_guesses_at_once_cannot_slip_through_together(stores, other_stores):
    limit = Limit("u:never-seen-before", 3, 30 * SECOND, 30 * SECOND, HOUR)
    waits = at_once(*(lambda s=s: s.guesses.begin([limit], NOW) for s in [stores, other_stores] * 6))
    assert sorted(waits) == [0] * 3 + [30 * SECOND] * 9


def test_of_siblings_used_at_once_one_goes_on(stores, other_stores):
    for _ in range(20):
        session = opened(stores)
        redemption, _ = registered(stores, session)
        siblings = [a_rotation(redemption.refresh, NOW + i, session.sid) for i in range(4)]
        for sibling in siblings:
            assert stores.tokens.rotate(sibling, NOW + 1).refusal is None
        nexts = [a_rotation(sibling.refresh, NOW + 2, session.sid) for sibling in siblings]
        places = [stores, other_stores] * 2
        results = at_once(*(lambda s=s, r=r: s.tokens.rotate(r, NOW + 2) for s, r in zip(places, nexts, strict=True)))
        assert sorted(str(result.refusal) for result in results) == ["None", *["ticket_used"] * 3]
        assert not any(result.reused for result in results)
