"""Several processes want the same thing at the same instant, each with stores of its own, as a server's workers do."""

import multiprocessing
from dataclasses import replace
from functools import partial

from sso_server.core.clients import Client
from sso_server.core.guesses import Limit
from sso_server.core.policy import HOUR, MINUTE, SECOND
from sso_server.core.users import User
from tests.support.builders import IDLE, NOW, a_redemption, a_rotation, again, ended, issued, opened, registered
from tests.support.forks import in_processes

PROCESSES, ROUNDS = 3, 25


def taken(place, take, items=range(ROUNDS)):
    """What `take(stores, item, number of the process)` answered, item by item, in each of the processes."""
    together = multiprocessing.get_context("fork").Barrier(PROCESSES)

    def work(number):
        stores = place.open()
        try:
            stores.health.store_time()  # the connection is made before the race begins
            answers = []
            for item in items:
                together.wait(60)
                answers.append(take(stores, item, number))
            return answers
        except BaseException:
            together.abort()
            raise
        finally:
            stores.close()

    return list(zip(*in_processes(*(partial(work, number) for number in range(PROCESSES))), strict=True))


def each_own(make, of):
    """For each of these, one of what `make` makes for every process."""
    return [[make(one) for _ in range(PROCESSES)] for one in of]


def why(result):
    return str(result.refusal)


def test_one_of_them_redeems_a_ticket(place, stores):
    sessions = [opened(stores) for _ in range(ROUNDS)]
    redemptions = each_own(a_redemption, [issued(stores, session) for session in sessions])
    for answers in taken(place, lambda s, mine, n: why(s.tickets.redeem(mine[n], NOW)), redemptions):
        assert sorted(answers) == ["None", "ticket_used", "ticket_used"]
    assert {len(stores.lists.participants(session.sid)) for session in sessions} == {1}


def test_no_site_is_missed_by_the_end_that_one_of_them_brings_about(place, stores):
    sessions = [opened(stores) for _ in range(4 * ROUNDS)]
    redemptions = [
        [a_redemption(issued(stores, session, client_id=client)) for client in ("shop", "blog")] for session in sessions
    ]

    def take(stores, item, number):
        session, (shop, blog) = item
        if number == 2:
            return sorted(row.client_id for row in stores.sessions.end(session.sid, "sign_out", NOW).notifications)
        return why(stores.tickets.redeem((shop, blog)[number], NOW))

    items = list(zip(sessions, redemptions, strict=True))
    found = taken(place, take, items)
    for (session, _), (shop, blog, told) in zip(items, found, strict=True):
        assert {shop, blog} <= {"None", "session_ended"}
        assert told == [client for client, refused in (("blog", blog), ("shop", shop)) if refused == "None"]
        assert sorted(row.client_id for row in stores.ledger.of_session(session.sid)) == told


def test_of_the_siblings_that_each_of_them_gets_one_goes_on(place, stores):
    firsts = [registered(stores, opened(stores))[0] for _ in range(ROUNDS)]
    siblings = each_own(lambda first: a_rotation(first.refresh, NOW, f"rt-{first.bucket}"), firsts)
    for answers in taken(place, lambda s, mine, n: why(s.tokens.rotate(mine[n], NOW)), siblings):
        assert answers == ("None",) * PROCESSES
    nexts = [[a_rotation(mine.refresh, NOW + 1, f"rt-{mine.bucket}") for mine in family] for family in siblings]
    for answers in taken(place, lambda s, mine, n: why(s.tokens.rotate(mine[n], NOW + 1)), nexts):
        assert sorted(answers) == ["None", "ticket_used", "ticket_used"]


def test_one_of_their_ends_is_the_first_and_all_hear_of_it(place, stores):
    sessions = [opened(stores) for _ in range(ROUNDS)]
    for session in sessions:
        registered(stores, session)
    reasons = ["sign_out", "administrator", "site_sign_out"]

    def take(stores, session, number):
        over = stores.sessions.end(session.sid, reasons[number], NOW)
        return [over.first, over.session.end_reason, len(over.notifications)]

    for answers in taken(place, take, sessions):
        assert sum(first for first, _, _ in answers) == 1
        (first,) = [reason for first, reason, _ in answers if first]
        assert {(reason, rows) for _, reason, rows in answers} == {(first, 1)}


def test_each_session_that_is_due_is_ended_by_one_of_them(place, stores):
    sids = sorted(opened(stores).sid for _ in range(3 * ROUNDS))
    found = taken(place, lambda s, _, n: [one.session.sid for one in s.sweeps.end_due(NOW + IDLE, 2)])
    ends = [sid for answers in found for sids in answers for sid in sids]
    ends += [one.session.sid for one in stores.sweeps.end_due(NOW + IDLE, len(sids))]
    assert sorted(ends) == sids


def test_each_row_that_is_due_is_claimed_by_one_of_them(place, stores):
    sids = sorted(ended(stores).sid for _ in range(2 * ROUNDS))
    found = taken(place, lambda s, _, n: [row.sid for row in s.outbox.claim(f"w{n}", NOW, 2, MINUTE)])
    rows = [sid for answers in found for sids in answers for sid in sids]
    rows += [row.sid for row in stores.outbox.claim("rest", NOW, len(sids), MINUTE)]
    assert sorted(rows) == sids


def test_one_of_them_opens_the_browser_s_session(place, stores):
    browsers = []
    for _ in range(ROUNDS):
        browsers.append(opened(stores))
        stores.sessions.end(browsers[-1].sid, "sign_out", NOW)
    candidates = each_own(again, browsers)

    def take(stores, mine, number):
        result = stores.sessions.open(mine[number], NOW, MINUTE)
        return [result.session.sid, result.renewed]

    for answers in taken(place, take, candidates):
        assert len({sid for sid, _ in answers}) == 1
        assert sum(not renewed for _, renewed in answers) == 1
    assert stores.lists.count_live(NOW) == ROUNDS


def test_their_guesses_are_counted_together(place, stores):
    def take(stores, item, number):
        return stores.guesses.begin([Limit(f"u:{item}", 2, 30 * SECOND, 30 * SECOND, HOUR)], NOW)

    for answers in taken(place, take):
        assert sorted(answers) == [0, 0, 30 * SECOND]


def test_one_of_them_takes_what_works_once(sql_place, sql_stores):
    for item in range(ROUNDS):
        sql_stores.one_time.put_once(f"setup:{item}", NOW + MINUTE)
    for answers in taken(sql_place, lambda s, item, n: s.one_time.take_once(f"setup:{item}", NOW)):
        assert sum(answers) == 1


def test_what_each_of_them_puts_once_in_place_of_the_others_is_one(sql_place, sql_stores):
    taken(sql_place, lambda s, item, n: s.one_time.put_once(f"setup:{item}-{n}", NOW + MINUTE, replaces="setup:"))
    last = [n for n in range(PROCESSES) if sql_stores.one_time.has_once(f"setup:{ROUNDS - 1}-{n}", NOW)]
    assert len(last) == 1
    assert not any(sql_stores.one_time.has_once(f"setup:0-{n}", NOW) for n in range(PROCESSES))


def test_one_of_them_gets_the_name(sql_place):
    def take(stores, item, number):
        return stores.users.add(User(f"usr-{item}-{number}", f"Alice {item}", "$argon2id$", NOW))

    assert [sum(answers) for answers in taken(sql_place, take)] == [1] * ROUNDS


def test_one_of_them_changes_an_account_or_a_site_that_all_have_read(sql_place, sql_stores):
    for item in range(ROUNDS):
        sql_stores.users.add(User(f"usr-{item}", f"user {item}", "$argon2id$", NOW))
        sql_stores.clients.add(Client(f"shop-{item}", "Shop", NOW))

    def take(stores, item, number):
        user = User(f"usr-{item}", f"user {item}", "$argon2id$", NOW)
        site = Client(f"shop-{item}", "Shop", NOW)
        return [
            stores.clients.update(replace(site, name=f"Shop {number}"), site),
            stores.users.update(replace(user, name=f"{number}")),
        ]

    found = taken(sql_place, take)
    assert [sum(site for site, _ in answers) for answers in found] == [1] * ROUNDS
